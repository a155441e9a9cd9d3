//! A list of system calls as a program of seccomp(2).
//!
//! It bisects. When a process takes a program, the kernel runs it once for each system call there is, to learn which it need
//! not ask about; a list that is gone through from its top makes that ten times as dear as all the rest of a cage.

use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W,
    SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS, sock_filter,
};

/// `struct seccomp_data` of linux/seccomp.h: where a call's number, its architecture and the low half of an argument are.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

/// linux/audit.h: how the kernel names the architectures that programs are made for; a program of another one's calls, such
/// as i386's, has other numbers.
#[cfg(target_arch = "x86_64")]
pub(super) const HERE: Option<u32> = Some(0xc000_003e);
#[cfg(target_arch = "aarch64")]
pub(super) const HERE: Option<u32> = Some(0xc000_00b7);
#[cfg(target_arch = "riscv64")]
pub(super) const HERE: Option<u32> = Some(0xc000_00f3);
#[cfg(not(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_arch = "riscv64"
)))]
pub(super) const HERE: Option<u32> = None;

/// What becomes of a call that is on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Allowed,
    /// It fails with EACCES.
    Refused,
}

/// What is asked about a call whose number does not say enough. Only the low 32 bits of an argument are looked at, since
/// the kernel looks at no more of those that are an `int`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    /// Its place, from 0.
    pub(super) argument: u32,
    /// The bits that count.
    pub(super) mask: u32,
    /// For each value its fate; any other ends the process.
    pub(super) fates: &'static [(u32, Fate)],
}

/// A call by its number; without a question it is allowed.
pub(super) type Listed = (u32, Option<Question>);

/// The program that ends a process of another architecture, and one that makes any call that is not on the list.
///
/// # Errors
/// The list is too long for a jump, of which the farthest is 255 instructions.
pub(super) fn program(
    architecture: u32,
    mut list: Vec<Listed>,
) -> Result<Vec<sock_filter>, &'static str> {
    list.sort_by_key(|(number, _)| *number);
    let mut program = vec![
        load(ARCHITECTURE),
        jump(BPF_JEQ, architecture, 1, 0),
        answer(SECCOMP_RET_KILL_PROCESS),
        load(NUMBER),
    ];
    program.extend(bisect(&stretches(&list))?);
    Ok(program)
}

/// Numbers from the first on up to the next stretch.
#[derive(Clone, Copy)]
enum Stretch {
    Ended,
    Allowed,
    Asked(Question),
}

/// From 0 on, without a gap.
fn stretches(list: &[Listed]) -> Vec<(u32, Stretch)> {
    let mut stretches = vec![(0, Stretch::Ended)];
    let mut next = 0;
    for (number, question) in list {
        if *number > next {
            stretches.push((next, Stretch::Ended));
        }
        let stretch = question.map_or(Stretch::Allowed, Stretch::Asked);
        stretches.push((*number, stretch));
        next = number + 1;
    }
    stretches.push((next, Stretch::Ended));
    // Of two that begin at the same number the first is empty; and neighbours that end alike are one.
    let mut merged: Vec<(u32, Stretch)> = Vec::new();
    for (from, stretch) in stretches {
        if merged.last().is_some_and(|(last, _)| *last == from) {
            merged.pop();
        }
        match (merged.last(), stretch) {
            (Some((_, Stretch::Ended)), Stretch::Ended)
            | (Some((_, Stretch::Allowed)), Stretch::Allowed) => {}
            _ => merged.push((from, stretch)),
        }
    }
    merged
}

fn bisect(stretches: &[(u32, Stretch)]) -> Result<Vec<sock_filter>, &'static str> {
    match stretches {
        [] => Ok(Vec::new()),
        [(_, stretch)] => Ok(decide(*stretch)),
        _ => {
            let (low, high) = stretches.split_at(stretches.len() / 2);
            let (from, below) = (high[0].0, bisect(low)?);
            let over = u8::try_from(below.len()).map_err(|_| "too many system calls")?;
            Ok([vec![jump(BPF_JGE, from, over, 0)], below, bisect(high)?].concat())
        }
    }
}

fn decide(stretch: Stretch) -> Vec<sock_filter> {
    let question = match stretch {
        Stretch::Ended => return vec![answer(SECCOMP_RET_KILL_PROCESS)],
        Stretch::Allowed => return vec![answer(SECCOMP_RET_ALLOW)],
        Stretch::Asked(question) => question,
    };
    let mut steps = vec![
        load(ARGUMENTS + 8 * question.argument),
        instruction(BPF_ALU | BPF_AND | BPF_K, question.mask, 0, 0),
    ];
    for (value, fate) in question.fates {
        steps.push(jump(BPF_JEQ, *value, 0, 1));
        steps.push(answer(match fate {
            Fate::Allowed => SECCOMP_RET_ALLOW,
            Fate::Refused => SECCOMP_RET_ERRNO | libc::EACCES.unsigned_abs(),
        }));
    }
    steps.push(answer(SECCOMP_RET_KILL_PROCESS));
    steps
}

fn load(offset: u32) -> sock_filter {
    instruction(BPF_LD | BPF_W | BPF_ABS, offset, 0, 0)
}

/// So many instructions are passed over if it is so, and if not.
fn jump(condition: u32, value: u32, yes: u8, no: u8) -> sock_filter {
    instruction(BPF_JMP | condition | BPF_K, value, yes, no)
}

fn answer(value: u32) -> sock_filter {
    instruction(BPF_RET | BPF_K, value, 0, 0)
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "an instruction's code has 16 bits, and the constants of it are below 256"
)]
fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KILL: u32 = SECCOMP_RET_KILL_PROCESS;
    const ALLOW: u32 = SECCOMP_RET_ALLOW;
    const REFUSE: u32 = SECCOMP_RET_ERRNO | libc::EACCES.unsigned_abs();
    const ARCH: u32 = 7;

    /// What the kernel would do, and in how many steps.
    fn run(program: &[sock_filter], data: &[u32]) -> (u32, usize) {
        let (mut at, mut value) = (0, 0);
        for steps in 1.. {
            let step = &program[at];
            let code = u32::from(step.code);
            at += 1;
            if code == BPF_RET | BPF_K {
                return (step.k, steps);
            } else if code == BPF_LD | BPF_W | BPF_ABS {
                value = data[step.k as usize / 4];
            } else if code == BPF_ALU | BPF_AND | BPF_K {
                value &= step.k;
            } else {
                let yes = match code {
                    code if code == BPF_JMP | BPF_JEQ | BPF_K => value == step.k,
                    code if code == BPF_JMP | BPF_JGE | BPF_K => value >= step.k,
                    code => panic!("no such instruction: {code}"),
                };
                at += usize::from(if yes { step.jt } else { step.jf });
            }
        }
        unreachable!()
    }

    /// A call's data, whose arguments are these and then 0.
    fn call(architecture: u32, number: u32, arguments: &[u32]) -> Vec<u32> {
        let mut data = vec![number, architecture, 0, 0];
        for argument in arguments {
            data.extend([*argument, u32::MAX]); // the high half is nobody's business
        }
        data.resize(16, 0);
        data
    }

    const EVEN: Question = Question {
        argument: 1,
        mask: 1,
        fates: &[(0, Fate::Allowed)],
    };
    const ONE_OR_TWO: Question = Question {
        argument: 0,
        mask: u32::MAX,
        fates: &[(1, Fate::Allowed), (2, Fate::Refused)],
    };

    #[test]
    fn what_is_listed_is_allowed_and_nothing_else_is() {
        let lists: [&[u32]; 5] = [&[], &[0], &[0, 1, 2, 5], &[9, 3, 4, 400], &[u32::MAX - 1]];
        for numbers in lists {
            let list = numbers.iter().map(|number| (*number, None)).collect();
            let program = program(ARCH, list).unwrap();
            for number in (0..1000).chain([u32::MAX - 2, u32::MAX - 1, u32::MAX]) {
                let expected = if numbers.contains(&number) {
                    ALLOW
                } else {
                    KILL
                };
                assert_eq!(run(&program, &call(ARCH, number, &[])).0, expected);
                assert_eq!(run(&program, &call(ARCH + 1, number, &[])).0, KILL);
            }
        }
    }

    #[test]
    fn an_argument_decides_where_the_number_does_not() {
        let list = vec![(3, None), (4, Some(EVEN)), (5, Some(ONE_OR_TWO)), (6, None)];
        let program = program(ARCH, list).unwrap();
        let fate = |number, arguments: &[u32]| run(&program, &call(ARCH, number, arguments)).0;
        for value in 0..10 {
            let even = if value % 2 == 0 { ALLOW } else { KILL };
            assert_eq!(fate(4, &[9, value]), even);
            let family = match value {
                1 => ALLOW,
                2 => REFUSE,
                _ => KILL,
            };
            assert_eq!(fate(5, &[value, 9]), family);
            assert_eq!((fate(3, &[value]), fate(6, &[value])), (ALLOW, ALLOW));
            assert_eq!((fate(2, &[value]), fate(7, &[value])), (KILL, KILL));
        }
    }

    #[test]
    fn no_call_is_far() {
        let list = (0..64).map(|number| (number * 3, None)).collect();
        let program = program(ARCH, list).unwrap();
        let farthest = (0..500).map(|number| run(&program, &call(ARCH, number, &[])).1);
        assert!(farthest.max().unwrap() <= 4 + 8);
    }

    #[test]
    fn a_list_that_no_jump_passes_over_is_refused() {
        let list = (0..400).map(|number| (number * 3, None)).collect();
        assert!(program(ARCH, list).is_err());
    }
}
