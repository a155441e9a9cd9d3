//! A server that answers each command once and in order. Its last line names the client's line that it answers, by `#`.

use std::collections::VecDeque;
use std::net::IpAddr;

use super::oracle::words;

pub struct Honest {
    greeting: bool,
    heard: VecDeque<Heard>,
}

struct Heard {
    number: usize,
    verb: String,
    begun: bool,
}

impl Honest {
    pub fn new(greeting: bool) -> Self {
        Honest {
            greeting,
            heard: VecDeque::new(),
        }
    }

    /// Somebody has connected.
    pub fn greets(&mut self) {
        self.greeting = true;
    }

    /// A line, made of the client's line of this number; what Telnet sends without a line end is none.
    pub fn hears(&mut self, line: &[u8], number: usize) {
        if line.ends_with(b"\n") {
            self.heard.push_back(Heard {
                number,
                verb: words(line).0,
                begun: false,
            });
        }
    }

    /// The next answer, well (`0`) or in another way.
    pub fn answer(&mut self, how: u8, server: IpAddr) -> Option<Vec<u8>> {
        let how = how % 4;
        if std::mem::take(&mut self.greeting) {
            let greeting = ["220 Ready.\r\n", "220-Hello\r\n200 you\r\n220 Ready.\r\n"];
            return Some(greeting[usize::from(how % 2)].into());
        }
        let front = self.heard.front_mut()?;
        let (text, begins) = front.reply(how, server);
        front.begun = begins;
        let number = front.number;
        if begins {
            return Some(format!("{text}\r\n").into());
        }
        self.heard.pop_front();
        Some(format!("{text} #{number}\r\n").into())
    }
}

impl Heard {
    /// What to say, and whether more is to come.
    fn reply(&self, how: u8, server: IpAddr) -> (&'static str, bool) {
        let few = |replies: [&'static str; 4]| replies[usize::from(how)];
        let transfer = matches!(
            self.verb.as_str(),
            "RETR" | "LIST" | "NLST" | "MLSD" | "STOR" | "STOU" | "APPE"
        );
        let text = match self.verb.as_str() {
            _ if self.begun => few(["226 Done", "426 Cut", "250-So\r\n250 so", "451 Bad"]),
            _ if transfer => few(["150 Go", "550 No", "226 Done", "125 Go"]),
            "PASV" if server.is_ipv4() => few([
                "227 Ok (192,0,2,1,200,10)",
                "227 Ok (203,0,113,7,0,22)",
                "502 No",
                "227-Ok\r\n227 =203,0,113,7,200,10",
            ]),
            "EPSV" => few(["229 Ok (|||50000|)", "500 No", "229 Ok", "522 No"]),
            "ABOR" => few(["226 Ended", "225 Ended", "502 No", "226-So\r\n226 so"]),
            "USER" => few(["331 Password", "530 No", "230 Welcome", "331 Password"]),
            "QUIT" => "221 Bye",
            "REIN" | "AUTH" => few(["220 Again", "502 No", "502 No", "500 No"]),
            "PORT" | "EPRT" => few(["200 Ok", "500 No", "522 No", "425 No"]),
            _ => few([
                "200 Ok",
                "502 No",
                "211-Much\r\n 200 no\r\n226 end\r\n221-\r\n211 End",
                "150 Go",
            ]),
        };
        (text, text.starts_with('1'))
    }
}
