//! The clients, each sent on one errand by a command line or by lines on its standard input.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{Seek, Write};
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use super::net::{Family, Namespace, Result, bracketed};
use super::world::{PASSWORD, SOURCES};

/// An FTP client of Debian's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Client {
    Curl,
    Lftp,
    Tnftp,
    Ncftp,
    Inetutils,
    Ftplib,
    Wget,
}

impl Client {
    pub const ALL: [Client; 7] = [
        Client::Curl,
        Client::Lftp,
        Client::Tnftp,
        Client::Ncftp,
        Client::Inetutils,
        Client::Ftplib,
        Client::Wget,
    ];

    /// Whether it has a command for that.
    pub fn can(self, operation: Operation) -> bool {
        match operation {
            Operation::Get | Operation::ResumeGet => true,
            Operation::Put | Operation::List | Operation::ResumePut => self != Client::Wget,
            Operation::Mirror => self == Client::Lftp,
            Operation::AbortThenGet
            | Operation::PutThenReset
            | Operation::GetThatIsCut
            | Operation::GetOfOneThatDies
            | Operation::StayAway => self == Client::Ftplib,
        }
    }

    /// Whether it goes over this family. ncftp knows IPv4 only.
    pub fn speaks(self, family: Family) -> bool {
        self != Client::Ncftp || family == Family::V4
    }

    /// Whether it resumes an upload by sending what it is given to the end of the remote file (APPE), rather than finding
    /// out by itself where to go on.
    pub fn appends(self) -> bool {
        !matches!(self, Client::Curl | Client::Lftp)
    }

    /// Whether it dials the host it already talks to, whatever address a 227 reply names, unless told otherwise. curl does
    /// so since 7.74, Python since 3.9.3.
    pub fn doubts_the_pasv_address(self) -> bool {
        matches!(self, Client::Curl | Client::Ftplib)
    }

    /// Whether it will not transfer where it dials the server's address but the data connection is with the gateway's.
    /// curl and ftplib can be told not to mind.
    pub fn minds_another_address(self, style: Style) -> bool {
        match style {
            // "Passive mode address mismatch."
            Style::Passive => matches!(self, Client::Tnftp | Client::Inetutils),
            // "Data connection … did not originate from remote server"
            Style::Active => self == Client::Ncftp,
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Client::Curl => "curl",
            Client::Lftp => "lftp",
            Client::Tnftp => "tnftp",
            Client::Ncftp => "ncftp",
            Client::Inetutils => "inetutils",
            Client::Ftplib => "ftplib",
            Client::Wget => "wget",
        })
    }
}

/// Who opens the data connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    Passive,
    Active,
}

impl fmt::Display for Style {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Style::Passive => "passive",
            Style::Active => "active",
        })
    }
}

/// What the client is to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    Get,
    Put,
    List,
    /// The local file holds the first half: fetch the rest (REST).
    ResumeGet,
    /// The remote file holds the first half: send the rest (APPE or REST).
    ResumePut,
    /// Fetch every file of a folder (lftp).
    Mirror,
    /// Give up a transfer in the middle, then fetch a file in the same session (ftplib).
    AbortThenGet,
    /// Reset the data connection of an upload, then fetch a file in the same session (ftplib).
    PutThenReset,
    /// Fetch a file whose data connection is reset at the server, then another in the same session (ftplib).
    GetThatIsCut,
    /// Fetch a file from a server whose process is killed meanwhile (ftplib).
    GetOfOneThatDies,
    /// Ask for a file and do not come for it, then come for another in the same session (ftplib).
    StayAway,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operation::Get => "get",
            Operation::Put => "put",
            Operation::List => "list",
            Operation::ResumeGet => "resume_get",
            Operation::ResumePut => "resume_put",
            Operation::Mirror => "mirror",
            Operation::AbortThenGet => "abort_then_get",
            Operation::PutThenReset => "put_then_reset",
            Operation::GetThatIsCut => "get_that_is_cut",
            Operation::GetOfOneThatDies => "get_of_one_that_dies",
            Operation::StayAway => "stay_away",
        })
    }
}

/// What the client is told that it would not do by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Habit {
    AsItComes,
    /// To take the address that a 227 reply names (curl, ftplib).
    TakePasvAddress,
    /// To try neither EPSV nor EPRT (curl).
    NoExtended,
}

/// One errand: what to do, where, and with which files.
pub struct Errand<'a> {
    pub operation: Operation,
    pub style: Style,
    pub host: IpAddr,
    pub user: &'a str,
    pub habit: Habit,
    /// The file's name in `folder`.
    pub local: &'a str,
    /// The path on the server, no slash in front.
    pub remote: &'a str,
    /// Where the client runs, and its home.
    pub folder: &'a Path,
    /// Seconds until it is ended.
    pub patience: u32,
}

impl Client {
    /// Sends the client on `errand` from `machine`; what it said while at it.
    pub fn go(self, machine: &Namespace, errand: &Errand<'_>) -> Result<String> {
        let mut transcript = tempfile(&errand.folder.join("transcript"))?;
        let call = match self {
            Client::Curl => curl(errand),
            Client::Lftp => lftp(errand),
            Client::Tnftp => child_of_bsd("tnftp", errand),
            Client::Ncftp => ncftp(errand),
            Client::Inetutils => child_of_bsd("inetutils-ftp", errand),
            Client::Ftplib => ftplib(errand),
            Client::Wget => wget(errand),
        }
        .ok_or_else(|| format!("{self} knows no {:?}", errand.operation))?;
        let stdout = if call.prints_what_it_gets {
            tempfile(&errand.folder.join(errand.local))?
        } else {
            transcript.try_clone().map_err(|error| error.to_string())?
        };
        let mut command = machine.command("timeout");
        command
            .args(["--kill-after=5", &errand.patience.to_string()])
            .args(&call.words)
            .current_dir(errand.folder)
            .env("HOME", errand.folder)
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(transcript.try_clone().map_err(|error| error.to_string())?);
        if errand.habit == Habit::TakePasvAddress {
            command.env("TRUST_PASV", "1");
        }
        let status = spawn_and_feed(&mut command, &call.input)
            .map_err(|error| format!("{self}: {error}"))?;
        let said = read_back(&mut transcript).map_err(|error| error.to_string())?;
        if status.success() {
            Ok(said)
        } else {
            Err(format!("{self}: {status}\n{said}"))
        }
    }
}

fn spawn_and_feed(command: &mut Command, input: &str) -> std::io::Result<std::process::ExitStatus> {
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A client that gave up before it read all says so in its exit status.
        let _ = stdin.write_all(input.as_bytes());
    }
    child.wait()
}

fn tempfile(path: &Path) -> Result<File> {
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .map_err(|error| format!("{}: {error}", path.display()))
}

fn read_back(file: &mut File) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    std::io::Read::read_to_end(file, &mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// How a client is called.
struct Call {
    words: Vec<OsString>,
    input: String,
    prints_what_it_gets: bool,
}

impl Call {
    fn new(words: &[&str]) -> Call {
        Call {
            words: words.iter().map(OsString::from).collect(),
            input: String::new(),
            prints_what_it_gets: false,
        }
    }

    fn arg(&mut self, word: impl Into<OsString>) -> &mut Call {
        self.words.push(word.into());
        self
    }

    fn args(&mut self, words: &[&str]) -> &mut Call {
        self.words.extend(words.iter().map(OsString::from));
        self
    }

    fn line(&mut self, line: impl AsRef<str>) -> &mut Call {
        self.input += line.as_ref();
        self.input.push('\n');
        self
    }
}

fn curl(errand: &Errand<'_>) -> Option<Call> {
    let mut call = Call::new(&["curl", "--silent", "--show-error", "--verbose"]);
    if errand.style == Style::Active {
        call.args(&["--ftp-port", "-"]);
    }
    match errand.habit {
        Habit::AsItComes => &mut call,
        Habit::TakePasvAddress => call.arg("--no-ftp-skip-pasv-ip"),
        Habit::NoExtended => call.args(&["--disable-epsv", "--disable-eprt"]),
    };
    match errand.operation {
        Operation::Get => call.args(&["--output", errand.local]),
        Operation::Put => call.args(&["--upload-file", errand.local]),
        Operation::List => call.args(&["--output", errand.local]),
        Operation::ResumeGet => call.args(&["--continue-at", "-", "--output", errand.local]),
        Operation::ResumePut => call.args(&["--continue-at", "-", "--upload-file", errand.local]),
        _ => return None,
    };
    let slash = if errand.operation == Operation::List {
        "/"
    } else {
        ""
    };
    let path = errand.remote.replace(' ', "%20");
    // A colon in the name of the user (an IPv6 address in forward mode) would be the end of it.
    let user: String = errand
        .user
        .bytes()
        .map(|byte| format!("%{byte:02x}"))
        .collect();
    call.arg(format!(
        "ftp://{user}:{PASSWORD}@{}/{path}{slash}",
        bracketed(errand.host)
    ));
    Some(call)
}

fn lftp(errand: &Errand<'_>) -> Option<Call> {
    let Errand { local, remote, .. } = errand;
    let mut call = Call::new(&["lftp"]);
    call.line("set cmd:fail-exit yes")
        .line("set net:max-retries 1")
        .line("set net:timeout 15")
        .line("set ftp:ssl-allow no")
        .line("debug 9")
        .line(match errand.style {
            Style::Passive => "set ftp:passive-mode on",
            Style::Active => "set ftp:passive-mode off",
        })
        .line(format!(
            "open -u {},{PASSWORD} ftp://{}",
            errand.user,
            bracketed(errand.host)
        ))
        .line(match errand.operation {
            Operation::Get => format!("get \"{remote}\" -o \"{local}\""),
            Operation::Put => format!("put \"{local}\" -o \"{remote}\""),
            Operation::List => format!("ls \"{remote}\" > \"{local}\""),
            Operation::ResumeGet => format!("get -c \"{remote}\" -o \"{local}\""),
            Operation::ResumePut => format!("put -c \"{local}\" -o \"{remote}\""),
            Operation::Mirror => format!("mirror \"{remote}\" \"{local}\""),
            _ => return None,
        })
        .line("bye");
    Some(call)
}

/// tnftp and inetutils' ftp are both children of BSD's ftp(1) and read the same commands.
fn bsd_ftp(call: &mut Call, errand: &Errand<'_>) -> Option<()> {
    let Errand { local, remote, .. } = errand;
    call.line(format!("open {}", errand.host))
        .line(format!("user {} {PASSWORD}", errand.user))
        .line("binary")
        .line(match errand.operation {
            Operation::Get => format!("get \"{remote}\" \"{local}\""),
            Operation::Put => format!("put \"{local}\" \"{remote}\""),
            Operation::List => format!("dir \"{remote}\" \"{local}\""),
            Operation::ResumeGet => format!("reget \"{remote}\" \"{local}\""),
            Operation::ResumePut => format!("append \"{local}\" \"{remote}\""),
            _ => return None,
        })
        .line("bye");
    Some(())
}

/// How both of them are started.
fn child_of_bsd(program: &str, errand: &Errand<'_>) -> Option<Call> {
    let mut call = Call::new(&[program, "-n", "-i", "-v", "-d"]);
    call.arg(match errand.style {
        Style::Passive => "-p",
        Style::Active => "-A",
    });
    bsd_ftp(&mut call, errand)?;
    Some(call)
}

fn ncftp(errand: &Errand<'_>) -> Option<Call> {
    let host = bracketed(errand.host);
    let mut call = Call::new(&[match errand.operation {
        Operation::Get | Operation::ResumeGet => "ncftpget",
        Operation::Put | Operation::ResumePut => "ncftpput",
        Operation::List => "ncftpls",
        _ => return None,
    }]);
    call.args(&[
        "-u",
        errand.user,
        "-p",
        PASSWORD,
        "-t",
        "15",
        "-r",
        "0",
        "-d",
        "stderr",
    ]);
    call.arg(match errand.style {
        Style::Passive => "-F",
        Style::Active => "-E",
    });
    match errand.operation {
        Operation::Get => call.args(&["-V", "-Z", "-C", &host, errand.remote, errand.local]),
        Operation::ResumeGet => call.args(&["-V", "-z", "-C", &host, errand.remote, errand.local]),
        Operation::Put => call.args(&["-V", "-C", &host, errand.local, errand.remote]),
        Operation::ResumePut => call.args(&["-V", "-A", "-C", &host, errand.local, errand.remote]),
        Operation::List => {
            call.prints_what_it_gets = true;
            call.args(&["-l", &format!("ftp://{host}/{}/", errand.remote)])
        }
        _ => return None,
    };
    Some(call)
}

fn ftplib(errand: &Errand<'_>) -> Option<Call> {
    if errand.operation == Operation::Mirror {
        return None;
    }
    let mut call = Call::new(&["/usr/bin/python3"]);
    call.arg(format!("{SOURCES}/ftplib_client.py"));
    call.args(&[
        &errand.operation.to_string(),
        &errand.style.to_string(),
        &errand.host.to_string(),
        "21",
        errand.user,
        PASSWORD,
        errand.local,
        errand.remote,
    ]);
    Some(call)
}

fn wget(errand: &Errand<'_>) -> Option<Call> {
    let mut call = Call::new(&[
        "wget",
        "--no-verbose",
        "--debug",
        "--tries=1",
        "--timeout=15",
    ]);
    match errand.operation {
        Operation::Get => call.args(&["--output-document", errand.local]),
        Operation::ResumeGet => call.args(&["--continue", "--output-document", errand.local]),
        _ => return None,
    };
    if errand.style == Style::Active {
        call.arg("--no-passive-ftp");
    }
    call.arg(format!("--ftp-user={}", errand.user));
    call.arg(format!("--ftp-password={PASSWORD}"));
    call.arg(format!(
        "ftp://{}/{}",
        bracketed(errand.host),
        errand.remote.replace(' ', "%20")
    ));
    Some(call)
}
