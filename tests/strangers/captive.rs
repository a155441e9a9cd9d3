//! A process that is stopped, and made to issue system calls.

use nix::errno::Errno;
use nix::libc::{self, c_long, c_ulonglong, user_regs_struct};
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// The outcome of an injected call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It returned this.
    Returned(i64),
    /// It failed.
    Refused(Errno),
    /// The kernel ended the process.
    Ended,
}

/// A process between [`Captive::take`] and [`Captive::release`].
pub struct Captive {
    pid: Pid,
    before: user_regs_struct,
}

/// The bytes of `syscall`, as the low half of a word in memory.
const SYSCALL: c_long = 0x050f;

impl Captive {
    /// Stops a process that waits in a system call.
    pub fn take(pid: Pid) -> Captive {
        ptrace::attach(pid).unwrap();
        let stopped = waitpid(pid, Some(WaitPidFlag::__WALL)).unwrap();
        assert_eq!(stopped, WaitStatus::Stopped(pid, Signal::SIGSTOP));
        let before = ptrace::getregs(pid).unwrap();
        let code = ptrace::read(pid, address(before.rip - 2)).unwrap();
        assert_eq!(code & 0xffff, SYSCALL, "it does not wait in a system call");
        Captive { pid, before }
    }

    /// Has it issue this call. A captive that was ended is gone.
    pub fn call(&mut self, number: c_long, arguments: [u64; 6]) -> Outcome {
        let mut registers = self.before;
        registers.rax = u64::try_from(number).unwrap();
        registers.orig_rax = c_ulonglong::MAX; // nothing to restart
        registers.rip = self.before.rip - 2;
        let [rdi, rsi, rdx, r10, r8, r9] = arguments;
        (registers.rdi, registers.rsi, registers.rdx) = (rdi, rsi, rdx);
        (registers.r10, registers.r8, registers.r9) = (r10, r8, r9);
        ptrace::setregs(self.pid, registers).unwrap();
        ptrace::step(self.pid, None).unwrap();
        match waitpid(self.pid, Some(WaitPidFlag::__WALL)).unwrap() {
            WaitStatus::Stopped(_, Signal::SIGTRAP) => {
                let result = ptrace::getregs(self.pid).unwrap().rax;
                let result = i64::from_ne_bytes(result.to_ne_bytes());
                match result {
                    -4095..0 => Outcome::Refused(Errno::from_raw(i32::try_from(-result).unwrap())),
                    _ => Outcome::Returned(result),
                }
            }
            // The parent reaps it: to the tracer it may be gone already.
            WaitStatus::Signaled(_, Signal::SIGSYS, _) => Outcome::Ended,
            other => panic!("{other:?}"),
        }
    }

    /// Puts bytes where its arguments may point, below its stack.
    pub fn put(&self, bytes: &[u8]) -> u64 {
        let at = (self.before.rsp - 1024) & !15;
        for (word, place) in bytes.chunks(8).zip((at..).step_by(8)) {
            let mut whole = [0; 8];
            whole[..word.len()].copy_from_slice(word);
            ptrace::write(self.pid, address(place), c_long::from_ne_bytes(whole)).unwrap();
        }
        at
    }

    /// The eight bytes at a place that [`Captive::put`] told.
    pub fn get(&self, at: u64) -> u64 {
        let word = ptrace::read(self.pid, address(at)).unwrap();
        u64::from_ne_bytes(word.to_ne_bytes())
    }

    /// Lets it go on with what it did.
    pub fn release(self) {
        ptrace::setregs(self.pid, self.before).unwrap();
        ptrace::detach(self.pid, None).unwrap();
    }
}

fn address(at: u64) -> *mut libc::c_void {
    std::ptr::without_provenance_mut(usize::try_from(at).unwrap())
}
