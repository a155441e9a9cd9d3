//! What `contrib/container` and `contrib/kubernetes` start, as a container's runtime starts it: the program alone in a root
//! that nobody can write to, process 1, user 65534, no capability and none to come, standard error a pipe.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;

use nix::sys::signal::Signal;

use crate::client::Session;
use crate::common::eventually;
use crate::net::{Family, Namespace, run, wait_for_listeners};
use crate::processes::Process;
use crate::scene::{Proxy, Scene};
use crate::world::ROOM;

const TREE: &str = env!("CARGO_MANIFEST_DIR");

/// The release of Kubernetes whose schemas the manifest is held against.
const SCHEMAS: &str = "1.34";

/// What containers have said, each line behind the name of its machine.
static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Becomes the container $1: its root is that folder, and it is process 1 already.
const ENTER: &str = r#"
root=$1
shift
mount --bind "$root" "$root"
mount -o remount,ro,bind "$root"
exec setpriv --bounding-set=-all,+sys_chroot,+setuid,+setgid --no-new-privs \
    chroot --userspec=65534:65534 --groups= "$root" "$@"
"#;

/// The lines of the recipe that begin with this word, without it.
fn recipe(instruction: &str) -> Vec<String> {
    let path = format!("{TREE}/contrib/container/Containerfile");
    let text = fs::read_to_string(path).unwrap();
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix(instruction));
    lines.map(|line| line.trim().to_owned()).collect()
}

/// What the image starts, in front of what its user adds.
fn entrypoint() -> Vec<String> {
    let line = recipe("ENTRYPOINT").concat();
    let words = line.trim_matches(['[', ']']).split(", ");
    words
        .map(|word| word.trim_matches('"').to_owned())
        .collect()
}

/// The program as the recipe builds it, but not optimized.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let line = recipe("RUN")[0].replace(" --release", "");
        assert!(line.contains("cargo build --locked --target"), "{line}");
        let folder = format!("{TREE}/target/static");
        let built = run(Command::new("sh")
            .args(["-euc", &line])
            .current_dir(TREE)
            .env("CARGO_TARGET_DIR", &folder)
            .env_remove("LD_LIBRARY_PATH"));
        built.unwrap();
        let host = run(Command::new("rustc").args(["--print", "host-tuple"])).unwrap();
        Path::new(&folder).join(host.trim()).join("debug/ftp-proxy")
    })
}

/// The root of a container: the program, and these files of its runtime's.
fn image(files: &[(&str, &str)]) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let root = format!("{ROOM}/image-{number}");
    fs::create_dir_all(&root).unwrap();
    fs::copy(program(), format!("{root}/ftp-proxy")).unwrap();
    for (name, content) in files {
        let path = Path::new(&root).join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
    root
}

/// Starts a container of the image at `root` on this machine, and waits until it listens.
#[track_caller]
fn start(machine: &Namespace, root: &str, words: &[String]) -> Proxy {
    let mut command = machine.command("unshare");
    command
        .args(["--mount", "--pid", "--ipc", "--fork", "--kill-child"])
        .args(["--propagation", "private", "sh", "-euc", ENTER, "sh"])
        .arg(root)
        .args(entrypoint())
        .args(words)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let name = machine.name().to_owned();
    thread::spawn(move || {
        for line in stderr.lines().map_while(Result::ok) {
            SAID.lock().unwrap().push(format!("{name}: {line}"));
        }
    });
    if let Err(why) = wait_for_listeners(&mut child, 2121, 1) {
        panic!("{why}: {:#?}", said_on(machine));
    }
    let process = Process(child.id()).children()[0];
    Proxy { child, process }
}

/// What all containers have said so far.
pub fn said() -> Vec<String> {
    SAID.lock().unwrap().clone()
}

/// What the containers of a machine have said so far.
fn said_on(machine: &Namespace) -> Vec<String> {
    let mut lines = said();
    lines.retain(|line| line.starts_with(&format!("{}: ", machine.name())));
    lines
}

/// Two gateways that are containers, with the ranges of ports of the document.
#[track_caller]
fn containers(files: &'static [(&'static str, &'static str)], server: &'static str) -> Scene {
    let scene = Scene::of(Family::V4, move |machine, number| {
        let first = 50000 + 100 * (number - 1);
        let words = format!("-R {server} -m {first} -M {} -D 1", first + 99);
        let words: Vec<_> = words.split(' ').map(str::to_owned).collect();
        start(machine, &image(files), &words)
    });
    scene.behind_nftables()
}

pub fn an_image_of_the_program_alone_carries_whole_sessions() {
    let scene = containers(&[], "10.0.2.80");
    for _ in 0..2 {
        let mut session = Session::begin(&scene);
        let gateway = &scene.gateways[session.lists()];
        for process in gateway
            .proxy()
            .sessions()
            .into_iter()
            .chain([gateway.proxy()])
        {
            assert_eq!(process.user(), 65534);
            assert_eq!(process.status("NoNewPrivs"), "1");
            let ids = process.status("NSpid");
            if process == gateway.proxy() {
                assert!(ids.ends_with("\t1"), "{ids}");
            } else {
                // Its cage is closed without root, too.
                assert_eq!(process.status("Seccomp"), "2");
            }
            for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
                assert_eq!(process.status(set), "0000000000000000", "{set}");
            }
        }
        let root = fs::read_dir(format!("/proc/{}/root", gateway.proxy().0)).unwrap();
        let files: Vec<_> = root.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(files, ["ftp-proxy"], "there is nothing else");

        for begins in [Session::downloads, Session::downloads_actively] {
            let transfer = begins(&mut session);
            session.completes(transfer);
        }
        let transfer = session.uploads(gateway.machine.name());
        session.completes(transfer);
        session.quits();
        eventually("the log is on standard error", || {
            let said = said_on(&gateway.machine);
            said.iter()
                .any(|line| line.contains("session ended: 4 transfers, "))
                .then_some(())
        });
    }
}

pub fn a_container_that_is_stopped_lets_its_sessions_end() {
    let stop = recipe("STOPSIGNAL").concat();
    assert_eq!(stop, Signal::SIGHUP.as_str());
    let scene = containers(&[], "10.0.2.80");
    let mut session = Session::begin(&scene);
    let gateway = &scene.gateways[session.lists()];
    let transfer = session.downloads();
    gateway.is_drained();
    session.completes(transfer);
    session.lists();
    assert!(gateway.proxy().lives());
    session.quits();
    assert_eq!(gateway.ends().code(), Some(0));
}

pub fn a_container_finds_a_server_by_the_files_that_its_runtime_gives_it() {
    let hosts = &[("etc/hosts", "10.0.2.80 ftp-server\n")];
    let scene = containers(hosts, "ftp-server");
    let mut session = Session::begin(&scene);
    session.lists();
    session.quits();
}

/// What the manifest says, as `manifest.py` tells it: each fact with its key.
fn manifest() -> Vec<(String, String)> {
    let packages = format!("{TREE}/tests/.work/python");
    let told = run(Command::new("python3")
        .arg(format!("{TREE}/tests/scale/manifest.py"))
        .arg(format!("{TREE}/contrib/kubernetes/ftp-proxy.yaml"))
        .arg(SCHEMAS)
        .env("PYTHONPATH", packages));
    let told = told.unwrap();
    let fact = |line: &str| {
        let (key, value) = line.split_once(' ').unwrap();
        (key.to_owned(), value.to_owned())
    };
    told.lines().map(fact).collect()
}

pub fn the_manifest_for_kubernetes_is_valid_and_its_pod_carries_sessions() {
    let manifest = manifest();
    let all = |key: &str| -> Vec<&str> {
        let facts = manifest.iter().filter(|(own, _)| own == key);
        facts.map(|(_, value)| value.as_str()).collect()
    };
    assert_eq!(all("user"), recipe("USER"));
    assert_eq!(all("non-root"), ["True"]);
    assert_eq!(all("read-only"), ["True"]);
    assert_eq!(all("escalation"), ["False"]);
    assert_eq!(all("drop"), ["ALL"]);
    assert_eq!(all("probe"), ["2121", "2121"]);
    // The ports of each Service are those of the options, one by one.
    let words: Vec<String> = all("arg").into_iter().map(str::to_owned).collect();
    let after = |option: &str| -> u16 {
        let at = words.iter().position(|word| word == option).unwrap();
        words[at + 1].parse().unwrap()
    };
    let mut ports = Vec::new();
    for service in ["ftp-proxy-0", "ftp-proxy-1"] {
        ports.push(format!("{service} 21 2121"));
        ports.extend((after("-m")..=after("-M")).map(|port| format!("{service} {port} {port}")));
    }
    assert_eq!(all("port"), ports);

    // The pod's names are where a cluster has them.
    let hosts = &[(
        "etc/hosts",
        "10.0.2.80 ftp-server\n192.0.2.10 ftp-proxy-0.example.org\n",
    )];
    let scene = Scene::of(Family::V4, move |machine, _| {
        start(machine, &image(hosts), &words)
    });
    let scene = scene.behind_nftables();
    scene.rules(
        "flush chain inet ftp_balance control\n\
         add rule inet ftp_balance control tcp dport 21 dnat ip to 10.0.1.21:2121\n",
    );
    let mut session = Session::begin(&scene);
    assert_eq!(session.lists_by("PASV"), 0);
    let transfer = session.downloads();
    session.completes(transfer);
    session.quits();
}

/// What keeps the manifest from being judged here, if anything does.
pub fn lacks_schemas() -> bool {
    !Path::new(TREE)
        .join("tests/.work/python/kubernetes_validate")
        .exists()
}
