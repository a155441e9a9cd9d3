//! A gateway that systemd boots.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::common::eventually;
use crate::gateway::Machines;
use crate::net::run;
use crate::world::{PACKAGES, ROOM};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/debian/boot.sh");
const TREE: &str = env!("CARGO_MANIFEST_DIR");
/// Where Debian's packages keep their units.
pub const UNITS: &str = "/lib/systemd/system";

/// What a boot needs of systemd's own units.
const TARGETS: [&str; 9] = [
    "basic.target",
    "multi-user.target",
    "network-online.target",
    "network-pre.target",
    "network.target",
    "nss-lookup.target",
    "shutdown.target",
    "sockets.target",
    "sysinit.target",
];

/// What systemd-sysctl.service does, for the settings of the network alone: the others are the whole machine's.
const SYSCTL: &str = "[Unit]\nDefaultDependencies=no\nBefore=sysinit.target\n\
    [Service]\nType=oneshot\n\
    ExecStart=/lib/systemd/systemd-sysctl --prefix=/net/ipv4/ip_forward --prefix=/net/ipv6/conf/all/forwarding\n";

/// The gateway's disk, and systemd while it is up.
pub struct Booting {
    /// The name of its network namespace.
    gateway: String,
    directory: PathBuf,
    systemd: Option<Child>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Booting {
    /// Off, with an /etc like this world's but no units, and no rules.
    #[track_caller]
    pub fn new(machines: &Machines) -> Booting {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = PathBuf::from(format!("{ROOM}/boot-{number}"));
        let units = directory.join("etc/systemd/system");
        fs::create_dir_all(directory.join("etc")).unwrap();
        let etc = format!("cp -a /etc/. {}", directory.join("etc").display());
        run(Command::new("sh").args(["-c", &etc])).unwrap();
        // What the README makes is not there yet.
        fs::remove_dir_all(directory.join("etc/systemd")).unwrap();
        for accounts in ["passwd", "group"] {
            let path = directory.join("etc").join(accounts);
            let text = fs::read_to_string(&path).unwrap();
            let others = text.lines().filter(|line| !line.starts_with("_ftp-proxy:"));
            fs::write(
                &path,
                others.map(|line| format!("{line}\n")).collect::<String>(),
            )
            .unwrap();
        }
        for target in ["sysinit", "sockets"] {
            fs::create_dir_all(units.join(format!("{target}.target.wants"))).unwrap();
        }
        fs::write(directory.join("etc/machine-id"), format!("{number:032x}\n")).unwrap();
        let gateway = machines.gateway.name().to_owned();
        let log = Arc::default();
        let machine = Booting {
            gateway,
            directory,
            systemd: None,
            log,
        };
        for unit in TARGETS {
            machine.has_unit(unit, UNITS);
        }
        fs::write(units.join("sysctl.service"), SYSCTL).unwrap();
        let wanted = units.join("sysinit.target.wants/sysctl.service");
        symlink("../sysctl.service", wanted).unwrap();
        machine
    }

    /// Copies a unit of a package.
    #[track_caller]
    pub fn has_unit(&self, unit: &str, from: impl AsRef<Path>) {
        let to = self.file(&format!("etc/systemd/system/{unit}"));
        fs::copy(from.as_ref().join(unit), to).unwrap();
    }

    /// Has what tests/setup/peers has unpacked, iptables by nftables as update-alternatives(1) chooses on Debian.
    #[track_caller]
    pub fn has_packages(&self) {
        let programs = self.file("usr/sbin");
        fs::create_dir_all(&programs).unwrap();
        for family in ["iptables", "ip6tables"] {
            for end in ["", "-restore", "-save"] {
                let program = format!("{family}-nft{end}");
                symlink(program, programs.join(format!("{family}{end}"))).unwrap();
            }
        }
        // Some packages still say /lib, which is /usr/lib.
        let (usr, etc) = (self.file("usr"), self.file("etc"));
        let (usr, etc) = (usr.display(), etc.display());
        let copies = format!("cp -a {PACKAGES}/lib {usr}/; cp -an {PACKAGES}/etc/. {etc}");
        run(Command::new("sh").args(["-euc", &copies])).unwrap();
    }

    /// A file of the machine.
    pub fn file(&self, path: &str) -> PathBuf {
        self.directory.join(path)
    }

    /// Boots, and waits until everything that is enabled has been started.
    #[track_caller]
    pub fn boots(&mut self) {
        let run = self.file("run");
        let _ = fs::remove_dir_all(&run);
        fs::create_dir_all(run.join("systemd/journal")).unwrap();
        self.listen_for_the_log();
        let mut command = self.on_the_network("sh");
        command
            .arg(SCRIPT)
            .arg(&self.directory)
            .args(["begin", PACKAGES]);
        let output = fs::File::create(self.file("boot.output")).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output);
        self.systemd = Some(command.spawn().unwrap());
        eventually("systemd has booted", || {
            let systemd = self.systemd.as_mut().unwrap();
            if let Some(status) = systemd.try_wait().unwrap() {
                panic!("systemd ended: {status}\n{}", self.said());
            }
            self.systemd_process()?;
            let state = self.try_sh("systemctl is-active multi-user.target");
            (state.0 && state.1.trim() == "active").then_some(())
        });
    }

    /// The power fails, and comes back: what the kernel had of rules and settings is gone.
    #[track_caller]
    pub fn boots_again(&mut self) {
        self.is_switched_off();
        let gone = "nft flush ruleset; echo 0 >/proc/sys/net/ipv4/ip_forward; \
                    echo 0 >/proc/sys/net/ipv6/conf/all/forwarding";
        run(self.on_the_network("sh").args(["-euc", gone])).unwrap();
        self.boots();
    }

    /// A program on this machine's network, but in this world's other namespaces.
    fn on_the_network(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.gateway));
        command.arg(program);
        command
    }

    fn is_switched_off(&mut self) {
        if let Some(mut systemd) = self.systemd.take() {
            let _ = systemd.kill(); // its child, process 1, goes with it, and all others with that
            let _ = systemd.wait();
        }
    }

    /// Runs a line of shell in the source directory on the machine, which must succeed; what it printed.
    #[track_caller]
    pub fn sh(&self, line: &str) -> String {
        let (done, said) = self.try_sh(line);
        assert!(done, "{line}\n{said}\n{}", self.said());
        said
    }

    /// Gives nft(8) these lines on the machine.
    #[track_caller]
    pub fn loads(&self, rules: &str) {
        fs::write(self.file("etc/loaded.nft"), rules).unwrap();
        self.sh("nft -f /etc/loaded.nft");
    }

    /// The same, whether or not it succeeds.
    pub fn try_sh(&self, line: &str) -> (bool, String) {
        let systemd = self.systemd_process().expect("systemd runs");
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &systemd.to_string()])
            .args(["--mount", "--net", "--pid", "--ipc", "--uts", "--cgroup"])
            .args([
                "env",
                "-i",
                "PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
            ])
            .args(["sh", "-euc", &format!("exec 2>&1; cd {TREE}; {line}")]);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.success(), said)
    }

    /// Process 1 of the machine, as this world numbers it.
    fn systemd_process(&self) -> Option<u32> {
        let outside = self.systemd.as_ref()?.id();
        let children = format!("/proc/{outside}/task/{outside}/children");
        let children = fs::read_to_string(children).ok()?;
        let child = children.split_whitespace().next()?;
        // Until then it is one of the script's.
        let name = fs::read_to_string(format!("/proc/{child}/comm")).ok()?;
        (name == "systemd\n").then(|| child.parse().unwrap())
    }

    /// What systemd and its units have said.
    pub fn said(&self) -> String {
        let read = |name| fs::read_to_string(self.file(name)).unwrap_or_default();
        format!(
            "{}{}{:#?}",
            read("boot.output"),
            read("console"),
            self.logged()
        )
    }

    /// What was sent to syslog since the first boot.
    pub fn logged(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Takes the place of journald's socket for syslog(3).
    #[track_caller]
    fn listen_for_the_log(&self) {
        let path = self.file("run/systemd/journal/dev-log");
        let socket = UnixDatagram::bind(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let log = Arc::clone(&self.log);
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(length) = socket.recv(&mut buffer) {
                let line = String::from_utf8_lossy(&buffer[..length]).into_owned();
                log.lock().unwrap().push(line);
            }
        });
    }
}

impl Drop for Booting {
    fn drop(&mut self) {
        self.is_switched_off();
        // Its control groups outlive it, and its processes by a moment.
        let remove = r#"
            group=$(cat "$0/group")
            for attempt in $(seq 100); do
                find "$group" -depth -type d -exec rmdir {} + && break
                sleep 0.05
            done
        "#;
        let mut shell = Command::new("sh");
        let _ = shell.args(["-c", remove]).arg(&self.directory).output();
    }
}

/// What keeps systemd from being booted here, if anything does.
pub fn hindrance() -> Option<String> {
    let mut magic = [0; 4];
    let elf =
        fs::File::open("/lib/systemd/systemd").and_then(|mut file| file.read_exact(&mut magic));
    if elf.is_err() || magic != *b"\x7fELF" {
        return Some("needs systemd: run tests/setup/peers".to_owned());
    }
    // What boot.sh mounts, tried on nothing that matters.
    let script =
        "mount -t cgroup2 cgroup2 /mnt && mount -t overlay -o ro,lowerdir=/etc:/usr overlay /mnt";
    let mut probe = Command::new("unshare");
    let probe = probe.args(["--mount", "sh", "-euc", script]).output();
    let mounted = probe.is_ok_and(|output| output.status.success());
    (!mounted).then(|| "needs cgroup2 and overlay, to be mounted".to_owned())
}
