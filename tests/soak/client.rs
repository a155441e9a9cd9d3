//! A client: one session after another, of transfers that it checks.

use std::fmt;
use std::io::{self, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::chance::Chance;
use crate::common::address::{CLIENT, address_in, extended, numbers, port_in};
use crate::common::fake::{Control, Listener, dial, reset};
use crate::file::{File, Received};
use crate::tally::Tally;

/// Who waits longer for anything waits for ever.
pub const PATIENCE: Duration = Duration::from_secs(180);

pub struct Client {
    /// Gone once it was reset.
    control: Option<Control>,
    at: SocketAddr,
    chance: Chance,
    tally: Arc<Tally>,
}

/// What comes in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Nothing,
    ClientResetsData,
    ServerResetsData,
    Aborts,
    QuitsMeanwhile,
    ResetsControl,
}

/// Why a session does not go on.
#[derive(Debug)]
pub enum Halt {
    /// The proxy is gone, as when it was killed.
    Lost,
    /// By the client's own will.
    Over,
    /// What must not be.
    Wrong(String),
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                Halt::Wrong(format!("nothing comes any more: {error}"))
            }
            _ => Halt::Lost,
        }
    }
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Halt::Lost => f.write_str("the session is gone"),
            Halt::Over => f.write_str("the session is over"),
            Halt::Wrong(why) => f.write_str(why),
        }
    }
}

type Done<T> = Result<T, Halt>;

/// One session from greeting to end; what must not be, if it was.
pub fn session(at: SocketAddr, chance: Chance, tally: &Arc<Tally>) -> Result<(), String> {
    let life = || {
        let mut client = Client::begin(at, chance, Arc::clone(tally))?;
        for _ in 0..=client.chance.below(8) {
            if client.tally.is_over() {
                break;
            }
            std::thread::sleep(Duration::from_millis(client.chance.below(300)));
            client.transfers()?;
        }
        if client.chance.percent(90) {
            client.quits()?;
        }
        Ok(())
    };
    match life() {
        Ok(()) | Err(Halt::Over) => Ok(()),
        Err(Halt::Lost) => {
            tally.lost();
            Ok(())
        }
        Err(Halt::Wrong(why)) => Err(why),
    }
}

impl Client {
    /// Logs in.
    pub fn begin(at: SocketAddr, chance: Chance, tally: Arc<Tally>) -> Done<Client> {
        let control = Control::over(reaches(at)?, "client");
        patient(control.stream());
        tally.began();
        let mut client = Client {
            control: Some(control),
            at,
            chance,
            tally,
        };
        client.hear("220")?;
        client.ask("USER anna", "331")?;
        client.ask("PASS secret", "230")?;
        Ok(client)
    }

    pub fn quits(&mut self) -> Done<()> {
        self.ask("QUIT", "221")?;
        match self.control()?.next_line()?.as_slice() {
            [] => Ok(()),
            more => Err(Halt::Wrong(format!("after 221: {more:?}"))),
        }
    }

    fn transfers(&mut self) -> Done<()> {
        let fate = match self.chance.below(100) {
            0..80 => Fate::Nothing,
            80..85 => Fate::ClientResetsData,
            85..90 => Fate::ServerResetsData,
            90..94 => Fate::Aborts,
            94..97 => Fate::QuitsMeanwhile,
            _ => Fate::ResetsControl,
        };
        self.transfer(fate)
    }

    pub fn transfers_whole(&mut self) -> Done<()> {
        self.transfer(Fate::Nothing)
    }

    fn transfer(&mut self, mut fate: Fate) -> Done<()> {
        let mut file = File::random(&mut self.chance);
        if file.length == 0 {
            fate = Fate::Nothing; // there is no middle
        }
        let middle = self.chance.below(file.length.max(1));
        if fate == Fate::ServerResetsData {
            file.breaks_at = Some(middle);
        }
        let deed = self
            .chance
            .one_of(&["RETR", "RETR", "STOR", "STOR", "LIST"]);
        let data = self.opens(&format!("{deed} {file}"))?;
        let upload = deed == "STOR";
        let whole = self.carries(upload, &file, data, fate, middle)?;
        let reply = self.reply()?;
        let complete = reply.starts_with("226");
        match fate {
            _ if complete && !whole && fate != Fate::ClientResetsData && fate != Fate::Aborts => {
                let what = format!("{deed} {file} {fate:?} was called complete: {reply}");
                return Err(Halt::Wrong(what));
            }
            Fate::Nothing if !(complete && whole) => {
                let what = format!("{deed} {file}: {reply}, whole: {whole}");
                return Err(Halt::Wrong(what));
            }
            Fate::Aborts => {
                // One reply of the transfer's and one of the ABOR's.
                self.reply()?;
            }
            Fate::QuitsMeanwhile => {
                self.hear("221")?;
                return Err(Halt::Over);
            }
            _ => {}
        }
        let how = match (fate, complete) {
            (Fate::Aborts, _) => "aborted",
            (_, true) => "complete",
            (_, false) => "broken",
        };
        self.tally.transferred(how, file.length);
        Ok(())
    }

    /// Agrees on a data connection, gives the command, and has both begun.
    fn opens(&mut self, command: &str) -> Done<TcpStream> {
        let listener = Listener::at(CLIENT);
        let here = listener.address();
        let dialled = match self.chance.below(4) {
            0 => Some(address_in(&self.ask("PASV", "227")?)),
            1 => {
                let port = port_in(&self.ask("EPSV", "229")?);
                Some(SocketAddr::new(self.at.ip(), port))
            }
            2 => {
                self.ask(&format!("PORT {}", numbers(here)), "200")?;
                None
            }
            _ => {
                self.ask(&format!("EPRT {}", extended(here)), "200")?;
                None
            }
        };
        let dialled = dialled.map(|at| dial(CLIENT, at)).transpose()?;
        self.ask(command, "150")?;
        let data = match dialled {
            Some(data) => data,
            None if listener.is_called(PATIENCE) => listener.accepts(),
            None => return Err(Halt::Wrong(format!("nobody came for {command}"))),
        };
        patient(&data);
        Ok(data)
    }

    /// Whether all of it went through, as far as the client can see.
    fn carries(
        &mut self,
        upload: bool,
        file: &File,
        data: TcpStream,
        fate: Fate,
        middle: u64,
    ) -> Done<bool> {
        let mut quit = false;
        let control = &mut self.control;
        let mut goes_on = |done: u64| {
            if done < middle && done + (1 << 14) < file.length {
                return true;
            }
            match fate {
                Fate::QuitsMeanwhile if !std::mem::replace(&mut quit, true) => {
                    let mut control = control.as_ref().expect("a session").stream();
                    control.write_all(b"QUIT\r\n").is_ok()
                }
                Fate::Nothing | Fate::ServerResetsData | Fate::QuitsMeanwhile => true,
                Fate::ClientResetsData | Fate::Aborts => false,
                Fate::ResetsControl => {
                    control.take().into_iter().for_each(Control::resets);
                    !upload // whose rest would be an end that the client has put to it
                }
            }
        };
        let whole = if upload {
            let sent = file.send(&data, &mut goes_on);
            sent.is_ok_and(|all| all && data.shutdown(Shutdown::Write).is_ok())
        } else {
            match file.receive(&data, &mut goes_on) {
                Ok(what @ (Received::Short(_) | Received::Other(_))) => {
                    return Err(Halt::Wrong(format!("{file} looked complete: {what:?}")));
                }
                Ok(Received::Whole) => true,
                Ok(Received::Left) => false,
                Err(error) => match Halt::from(error) {
                    wrong @ Halt::Wrong(_) => return Err(wrong),
                    _ => false,
                },
            }
        };
        match fate {
            Fate::ClientResetsData => reset(data),
            Fate::Aborts => {
                self.say("ABOR")?;
                reset(data);
            }
            Fate::ResetsControl => {
                reset(data);
                return Err(Halt::Over);
            }
            _ => {}
        }
        Ok(whole)
    }

    fn ask(&mut self, command: &str, code: &str) -> Done<String> {
        self.say(command)?;
        self.hear(code)
    }

    fn hear(&mut self, code: &str) -> Done<String> {
        let reply = self.reply()?;
        if reply.starts_with(code) {
            return Ok(reply);
        }
        Err(Halt::Wrong(format!("{reply:?} instead of {code}")))
    }

    fn reply(&mut self) -> Done<String> {
        let line = self.control()?.next_line()?;
        let line = String::from_utf8_lossy(&line).into_owned();
        match line.strip_suffix("\r\n") {
            Some(reply) => Ok(reply.to_owned()),
            None => Err(Halt::Lost),
        }
    }

    fn say(&mut self, line: &str) -> Done<()> {
        let line = format!("{line}\r\n");
        Ok(self.control()?.stream().write_all(line.as_bytes())?)
    }

    fn control(&mut self) -> Done<&mut Control> {
        self.control.as_mut().ok_or(Halt::Over)
    }
}

/// Connects, which takes its time where a super-server has a short queue.
fn reaches(at: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(CLIENT, 0).into())?;
    socket.connect_timeout(&at.into(), PATIENCE)?;
    Ok(socket.into())
}

/// Waits as long as one must with so many others.
pub fn patient(stream: &TcpStream) {
    let _ = stream.set_read_timeout(Some(PATIENCE)); // it fails only on a socket that is dead already
    let _ = stream.set_write_timeout(Some(PATIENCE));
}
