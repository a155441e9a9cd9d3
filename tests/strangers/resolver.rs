//! The process that looks up names for a session in forward mode.

use std::fs;
use std::process::Command;

use nix::errno::Errno;
use nix::libc;
use nix::unistd::Pid;

use crate::captive::{Captive, Outcome};
use crate::scene::{Gateway, is_alive, root, until};
use crate::sessions::status;

/// The one child of a session, once it is confined.
fn resolver_of(session: Pid) -> Pid {
    let path = format!("/proc/{session}/task/{session}/children");
    let child = until("it has a resolver", || {
        let children = fs::read_to_string(&path).unwrap();
        children.split_whitespace().next().map(str::to_owned)
    });
    let resolver = Pid::from_raw(child.parse().unwrap());
    let number = resolver.as_raw().unsigned_abs();
    let confined = || {
        let confined = status(number, "Seccomp") == "2" && status(number, "State").starts_with('S');
        confined.then_some(resolver)
    };
    until("it is confined", confined)
}

#[test]
fn a_resolver_is_confined_and_still_finds_names() {
    if !root() {
        return;
    }
    let gateway = Gateway::started(&[], &["--forward"]);
    let mut session = gateway.session();
    let resolver = resolver_of(session.pid);
    assert_eq!(status(resolver.as_raw().unsigned_abs(), "NoNewPrivs"), "1");
    // Not a third-party name: a look-up that fails is told apart from one that finds this machine.
    let found = session.says("USER bob@localhost");
    assert!(
        found.starts_with("530 ") || found.starts_with("421 "),
        "{found}"
    );
    assert!(!found.contains("unknown"), "{found}");
}

#[test]
fn a_resolver_cannot_signal_write_or_execute() {
    if !root() {
        return;
    }
    let gateway = Gateway::started(&[], &["--forward"]);
    let session = gateway.session();
    let resolver = resolver_of(session.pid);
    let mut captive = Captive::take(resolver);
    let parent = u64::from(gateway.pid().as_raw().unsigned_abs());
    let itself = u64::from(resolver.as_raw().unsigned_abs());
    let refused = Outcome::Refused(Errno::EACCES);
    for (number, arguments) in [
        (libc::SYS_kill, [parent, 9, 0, 0, 0, 0]),
        (libc::SYS_tgkill, [parent, parent, 9, 0, 0, 0]),
        (libc::SYS_ptrace, [16, parent, 0, 0, 0, 0]),
        (libc::SYS_prlimit64, [parent, 7, 0, 0, 0, 0]),
        (libc::SYS_fcntl, [0, 8, itself, 0, 0, 0]),
        (libc::SYS_ioctl, [0, libc::TIOCSTI, 0, 0, 0, 0]),
        (libc::SYS_clone, [0; 6]),
        (libc::SYS_execve, [0; 6]),
        (libc::SYS_unlink, [0; 6]),
        (libc::SYS_mkdir, [0; 6]),
        (libc::SYS_bpf, [0; 6]),
    ] {
        assert_eq!(captive.call(number, arguments), refused, "{number}");
    }
    let open = |captive: &mut Captive, path: &[u8], flags: i32| {
        let path = captive.put(path);
        captive.call(
            libc::SYS_open,
            [path, u64::from(flags.unsigned_abs()), 0o600, 0, 0, 0],
        )
    };
    let hosts = open(&mut captive, b"/etc/hosts\0", libc::O_RDONLY);
    assert!(matches!(hosts, Outcome::Returned(_)), "{hosts:?}");
    for (path, flags) in [
        (
            b"/tmp/strangers\0".as_slice(),
            libc::O_WRONLY | libc::O_CREAT,
        ),
        (b"/etc/hosts\0", libc::O_WRONLY),
        (b"/proc/self/environ\0", libc::O_RDONLY),
    ] {
        let opened = open(&mut captive, path, flags);
        assert_eq!(opened, refused, "{}", path.escape_ascii());
    }
    captive.release();
    assert!(is_alive(gateway.pid()));
}

#[test]
fn a_resolver_ends_with_its_session() {
    if !root() {
        return;
    }
    let mut gateway = Command::new("env");
    let gateway = Gateway::by(&mut gateway, &["--forward"]);
    let session = gateway.session();
    let resolver = resolver_of(session.pid);
    drop(session);
    until("it ends", || (!is_alive(resolver)).then_some(()));
}
