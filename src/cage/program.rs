//! A list of system calls as a program of seccomp(2).
//!
//! It bisects: when a process takes a program, the kernel runs it once for each system call there is, to learn which it need
//! not ask about, and with a list that is gone through from its top that takes longer than all else that a session sets up.
//! It is made when we are compiled, so that a session finds it ready.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "there is no try_from at compile time; what is cast is asserted or bounded beside it"
)]

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

/// The verdict on a call that is on no list.
#[derive(Clone, Copy, Debug)]
pub(super) enum Otherwise {
    /// The kernel ends the process.
    End,
    /// The call fails with EACCES.
    Refuse,
}

impl Otherwise {
    const fn answer(self) -> u32 {
        match self {
            Otherwise::End => SECCOMP_RET_KILL_PROCESS,
            Otherwise::Refuse => REFUSED,
        }
    }
}

/// The verdict on a call that is on the list.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    Allowed,
    /// The call fails with EACCES.
    Refused,
    /// As for a call that is on no list.
    Ended,
    /// Another argument decides.
    Asked(&'static Question),
}

/// A check of one argument, for a call whose number does not say enough. Only the low 32 bits are compared, since the kernel
/// uses no more of those that are an `int`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    /// The argument's place, from 0.
    pub(super) argument: u32,
    /// The bits that count.
    pub(super) mask: u32,
    /// A verdict for each of these values.
    pub(super) fates: &'static [(u32, Fate)],
    /// The verdict for any other value.
    pub(super) otherwise: Fate,
}

/// Steps of a program. A jump passes over 255 at most, so with one more than that there is no jump that is too far.
const STEPS: usize = 256;

/// System calls have numbers below this.
const NUMBERS: usize = 1024;

/// Made from its end to its beginning, since jumps go forward only: where they lead to is there before they are.
#[derive(Debug)]
pub(crate) struct Program {
    steps: [sock_filter; STEPS],
    /// The first of them.
    begin: usize,
}

/// The places of the two answers that most calls get.
const ALLOW: usize = STEPS - 1;
const END: usize = STEPS - 2;

/// Numbers from the first on up to the next stretch, and the place of what becomes of them.
type Stretch = (u32, usize);

impl Program {
    /// Does what `otherwise` says with a call of another architecture, and with one that is neither on one of the lists nor
    /// asked about.
    ///
    /// Does not compile if there are too many.
    pub(super) const fn new(
        architecture: u32,
        lists: [&[i64]; 2],
        asked: &[&[(i64, Question)]],
        otherwise: Otherwise,
    ) -> Program {
        let mut program = Program {
            steps: [answer(otherwise.answer()); STEPS],
            begin: END,
        };
        program.steps[ALLOW] = answer(SECCOMP_RET_ALLOW);
        let mut places = [END; NUMBERS];
        let mut list = 0;
        while list < lists.len() {
            let mut at = 0;
            while at < lists[list].len() {
                places[index(lists[list][at])] = ALLOW;
                at += 1;
            }
            list += 1;
        }
        let mut list = 0;
        while list < asked.len() {
            let mut at = 0;
            while at < asked[list].len() {
                places[index(asked[list][at].0)] = program.ask(&asked[list][at].1);
                at += 1;
            }
            list += 1;
        }
        let (stretches, count) = stretches(&places);
        let decision = program.bisect(stretches.split_at(count).0);
        assert!(decision == program.begin); // what comes before it falls into it
        program.put(load(NUMBER));
        program.branch(BPF_JEQ, architecture, program.begin, END);
        program.put(load(ARCHITECTURE));
        program
    }

    /// From its first step to its last.
    pub(super) fn steps(&self) -> &[sock_filter] {
        &self.steps[self.begin..]
    }

    /// Puts a step before all others; its place.
    const fn put(&mut self, step: sock_filter) -> usize {
        self.begin -= 1;
        self.steps[self.begin] = step;
        self.begin
    }

    /// Puts a step that leads to one of these places; its own.
    const fn branch(&mut self, condition: u32, value: u32, yes: usize, no: usize) -> usize {
        let over = [yes - self.begin, no - self.begin];
        self.put(instruction(BPF_JMP | condition | BPF_K, value, over))
    }

    /// Finds out in which stretch the number is; the place where that begins.
    const fn bisect(&mut self, stretches: &[Stretch]) -> usize {
        if stretches.len() == 1 {
            return stretches[0].1;
        }
        let (low, high) = stretches.split_at(stretches.len() / 2);
        let from = high[0].0;
        let high = self.bisect(high);
        let low = self.bisect(low);
        self.branch(BPF_JGE, from, high, low)
    }

    /// Where the steps for this verdict begin.
    const fn place(&mut self, fate: Fate) -> usize {
        match fate {
            Fate::Allowed => ALLOW,
            Fate::Refused => self.put(answer(REFUSED)),
            Fate::Ended => END,
            Fate::Asked(next) => self.ask(next),
        }
    }

    /// Puts the steps that check one argument; the place of the first.
    const fn ask(&mut self, question: &Question) -> usize {
        let mut otherwise = self.place(question.otherwise);
        let mut at = 0;
        while at < question.fates.len() {
            let (value, fate) = question.fates[at];
            let fate = self.place(fate);
            otherwise = self.branch(BPF_JEQ, value, fate, otherwise);
            at += 1;
        }
        self.put(instruction(
            BPF_ALU | BPF_AND | BPF_K,
            question.mask,
            [0, 0],
        ));
        self.put(load(ARGUMENTS + 8 * question.argument))
    }
}

const REFUSED: u32 = SECCOMP_RET_ERRNO | libc::EACCES.unsigned_abs();

/// All numbers, from 0 on; and how many stretches there are.
const fn stretches(places: &[usize; NUMBERS]) -> ([Stretch; STEPS], usize) {
    let mut stretches = [(0, places[0]); STEPS];
    let mut count = 1;
    let mut from = 0;
    let mut number = 0;
    while number < NUMBERS {
        if places[number] != places[from] {
            from = number;
            stretches[count] = (number as u32, places[number]);
            count += 1;
        }
        number += 1;
    }
    // What has a number beyond is on no list.
    stretches[count] = (NUMBERS as u32, END);
    (stretches, count + 1)
}

const fn index(number: i64) -> usize {
    assert!(number >= 0);
    number as usize
}

const fn load(offset: u32) -> sock_filter {
    instruction(BPF_LD | BPF_W | BPF_ABS, offset, [0, 0])
}

const fn answer(value: u32) -> sock_filter {
    instruction(BPF_RET | BPF_K, value, [0, 0])
}

/// So many steps are passed over if it is so, and if not.
const fn instruction(code: u32, k: u32, over: [usize; 2]) -> sock_filter {
    assert!(code <= u16::MAX as u32 && over[0] < STEPS && over[1] < STEPS);
    sock_filter {
        code: code as u16,
        jt: over[0] as u8,
        jf: over[1] as u8,
        k,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KILLED: u32 = SECCOMP_RET_KILL_PROCESS;
    const ALLOWED: u32 = SECCOMP_RET_ALLOW;
    const ARCH: u32 = 7;

    /// What the kernel would do, and in how many steps.
    fn run(program: &Program, data: &[u32]) -> (u32, usize) {
        let (mut at, mut value) = (0, 0);
        for steps in 1.. {
            let step = &program.steps()[at];
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

    #[test]
    fn what_is_listed_is_allowed_and_nothing_else_is() {
        let lists: [[&[i64]; 2]; 5] = [
            [&[], &[]],
            [&[0], &[0]],
            [&[0, 1, 5], &[2]],
            [&[9, 3, 400], &[4]],
            [&[1023], &[1022, 7]],
        ];
        for list in lists {
            let program = Program::new(ARCH, list, &[], Otherwise::End);
            for number in (0..2000).chain([u32::MAX - 1, u32::MAX]) {
                let listed = list.concat().contains(&i64::from(number));
                let expected = if listed { ALLOWED } else { KILLED };
                assert_eq!(run(&program, &call(ARCH, number, &[])).0, expected);
                assert_eq!(run(&program, &call(ARCH + 1, number, &[])).0, KILLED);
            }
        }
    }

    #[test]
    fn an_argument_decides_where_the_number_does_not() {
        let even = Question {
            argument: 1,
            mask: 1,
            fates: &[(0, Fate::Allowed)],
            otherwise: Fate::Ended,
        };
        let one_or_two = Question {
            argument: 0,
            mask: u32::MAX,
            fates: &[(1, Fate::Allowed), (2, Fate::Refused)],
            otherwise: Fate::Ended,
        };
        let program = Program::new(
            ARCH,
            [&[3], &[6]],
            &[&[(4, even)], &[(5, one_or_two)]],
            Otherwise::End,
        );
        let fate = |number, arguments: &[u32]| run(&program, &call(ARCH, number, arguments)).0;
        for value in 0..10 {
            let even = if value % 2 == 0 { ALLOWED } else { KILLED };
            assert_eq!(fate(4, &[9, value]), even);
            let family = match value {
                1 => ALLOWED,
                2 => REFUSED,
                _ => KILLED,
            };
            assert_eq!(fate(5, &[value, 9]), family);
            assert_eq!((fate(3, &[value]), fate(6, &[value])), (ALLOWED, ALLOWED));
            assert_eq!((fate(2, &[value]), fate(7, &[value])), (KILLED, KILLED));
        }
    }

    #[test]
    fn a_second_argument_decides_where_one_is_not_enough() {
        const EVEN: &Question = &Question {
            argument: 2,
            mask: 1,
            fates: &[(0, Fate::Allowed)],
            otherwise: Fate::Ended,
        };
        const FATES: &[(u32, Fate)] = &[(3, Fate::Allowed), (4, Fate::Asked(EVEN))];
        let command = Question {
            argument: 1,
            mask: u32::MAX,
            fates: FATES,
            otherwise: Fate::Ended,
        };
        let program = Program::new(ARCH, [&[], &[]], &[&[(5, command)]], Otherwise::End);
        let fate = |arguments: &[u32]| run(&program, &call(ARCH, 5, arguments)).0;
        assert_eq!(fate(&[0, 3, 1]), ALLOWED);
        assert_eq!(fate(&[0, 4, 2]), ALLOWED);
        assert_eq!(fate(&[0, 4, 1]), KILLED);
        assert_eq!(fate(&[0, 5, 2]), KILLED);
    }

    #[test]
    fn a_call_on_no_list_may_fail_instead() {
        let program = Program::new(ARCH, [&[3], &[]], &[], Otherwise::Refuse);
        assert_eq!(run(&program, &call(ARCH, 3, &[])).0, ALLOWED);
        assert_eq!(run(&program, &call(ARCH, 4, &[])).0, REFUSED);
        assert_eq!(run(&program, &call(ARCH + 1, 3, &[])).0, REFUSED);
    }

    #[test]
    fn no_call_is_far() {
        let list: Vec<i64> = (0..64).map(|number| number * 3).collect();
        let program = Program::new(ARCH, [&list, &[]], &[], Otherwise::End);
        let farthest = (0..2000).map(|number| run(&program, &call(ARCH, number, &[])).1);
        assert!(farthest.max().unwrap() <= 4 + 8);
    }
}
