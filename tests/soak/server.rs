//! An FTP server, a thread a session, that notices when it is deceived.

use std::io::{self, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::Builder;
use std::time::Duration;

use crate::client::{PATIENCE, patient};
use crate::common::address::{BACK, SERVER, address_in, numbers};
use crate::common::fake::{Control, Listener, dial, reset};
use crate::common::readable;
use crate::file::{File, Received};

pub struct Server {
    address: SocketAddr,
    wrong: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub fn start() -> Server {
        let listener = Listener::at(SERVER);
        let server = Server {
            address: listener.address(),
            wrong: Arc::default(),
        };
        let wrong = Arc::clone(&server.wrong);
        std::thread::spawn(move || {
            loop {
                if !listener.is_called(PATIENCE) {
                    continue;
                }
                let mut session = Session::of(listener.accepts(), Arc::clone(&wrong));
                let thread = Builder::new().stack_size(256 << 10);
                // However it ends is the client's affair; what matters is noted.
                thread.spawn(move || session.serve()).expect("a thread");
            }
        });
        server
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn verdict(&self) -> Result<(), String> {
        let wrong = self.wrong.lock().unwrap();
        wrong.first().map_or(Ok(()), |first| {
            Err(format!("{} times, first: {first}", wrong.len()))
        })
    }
}

struct Session {
    control: Control,
    meeting: Option<Meeting>,
    wrong: Arc<Mutex<Vec<String>>>,
    /// Commands that came during a transfer.
    waiting: Vec<String>,
}

enum Meeting {
    Here(Listener),
    There(SocketAddr),
}

/// How a transfer ended.
enum End {
    Done,
    Broken,
    /// The client wanted no more.
    Aborted,
}

impl Session {
    fn of(control: TcpStream, wrong: Arc<Mutex<Vec<String>>>) -> Session {
        let control = Control::over(control, "server");
        patient(control.stream());
        Session {
            control,
            meeting: None,
            wrong,
            waiting: Vec::new(),
        }
    }

    fn serve(&mut self) -> io::Result<()> {
        self.say("220 ready")?;
        loop {
            let line = match self.waiting.pop() {
                Some(line) => line,
                None => self.hear()?,
            };
            let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
            match verb {
                "" => return Ok(()),
                "USER" => self.say("331 who says so?")?,
                "PASV" | "EPSV" => {
                    let listener = Listener::at(SERVER);
                    let at = listener.address();
                    self.meeting = Some(Meeting::Here(listener));
                    self.say(&if verb == "PASV" {
                        format!("227 ok ({})", numbers(at))
                    } else {
                        format!("229 ok (|||{}|)", at.port())
                    })?;
                }
                "PORT" | "EPRT" => {
                    self.meeting = Some(Meeting::There(address_in(argument)));
                    self.say("200 ok")?;
                }
                "RETR" | "LIST" | "STOR" => self.transfer(verb == "STOR", argument)?,
                "QUIT" => return self.say("221 bye"),
                "ABOR" => self.say("225 nothing to abort")?,
                _ => self.say("230 ok")?,
            }
        }
    }

    fn transfer(&mut self, upload: bool, name: &str) -> io::Result<()> {
        let Ok(file) = name.parse::<File>() else {
            return self.say("550 no such file");
        };
        self.say("150 now")?;
        let Some(data) = self.meets() else {
            return self.say("425 where are you?");
        };
        let end = if upload {
            self.stores(&file, &data)
        } else {
            self.sends(&file, &data)
        };
        match end {
            End::Done => {
                drop(data);
                self.say("226 done")
            }
            End::Broken => {
                reset(data);
                self.say("426 broken")
            }
            End::Aborted => {
                reset(data);
                self.say("426 as you like")?;
                self.say("226 aborted")
            }
        }
    }

    fn meets(&mut self) -> Option<TcpStream> {
        let data = match self.meeting.take()? {
            Meeting::Here(listener) if listener.is_called(PATIENCE) => {
                let (data, from) = listener.accepts_from();
                let proxy: IpAddr = BACK;
                assert_eq!(from.ip(), proxy, "who comes for data");
                data
            }
            Meeting::Here(_) => return None,
            Meeting::There(at) => dial(SERVER, at).ok()?,
        };
        patient(&data);
        Some(data)
    }

    fn sends(&mut self, file: &File, data: &TcpStream) -> End {
        let mut aborted = false;
        let sent = file.send(data, |sent| {
            aborted = self.hears_abor();
            !aborted && file.breaks_at.is_none_or(|at| sent < at)
        });
        match sent {
            _ if aborted => End::Aborted,
            Ok(true) if file.breaks_at.is_none() && data.shutdown(Shutdown::Write).is_ok() => {
                End::Done
            }
            _ => End::Broken,
        }
    }

    fn stores(&mut self, file: &File, data: &TcpStream) -> End {
        let mut aborted = false;
        let received = file.receive(data, |received| {
            aborted = self.hears_abor();
            !aborted && file.breaks_at.is_none_or(|at| received < at)
        });
        match received {
            Ok(Received::Whole) if file.breaks_at.is_none() => End::Done,
            Ok(what @ (Received::Short(_) | Received::Other(_))) => {
                let what = format!("an upload of {file} looked complete: {what:?}");
                self.wrong.lock().unwrap().push(what);
                End::Broken
            }
            _ if aborted => End::Aborted,
            _ => End::Broken,
        }
    }

    /// Whether the client wants no more; what else it says is for later.
    fn hears_abor(&mut self) -> bool {
        while readable(self.control.stream(), Duration::ZERO) {
            match self.hear() {
                Ok(line) if line == "ABOR" => return true,
                Ok(line) if !line.is_empty() => self.waiting.insert(0, line),
                // Gone: the data connection goes on as long as it does.
                _ => return false,
            }
        }
        false
    }

    fn hear(&mut self) -> io::Result<String> {
        let line = self.control.next_line()?;
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    fn say(&self, line: &str) -> io::Result<()> {
        self.control
            .stream()
            .write_all(format!("{line}\r\n").as_bytes())
    }
}
