//! Plays a transcript to the real program, which runs as under inetd between a real client and a real server.

use std::time::Duration;

use ftp_proxy::ftp::Side;

use crate::common::fake::{Control, Listener};
use crate::common::process::Proxy;
use crate::common::session::control_pair;
use crate::script::{Script, Step, What};

/// How long to listen for what must not come. A slow machine makes this miss a fault, never see one.
const MOMENT: Duration = Duration::from_millis(30);

pub fn play(script: &Script) -> Result<(), String> {
    let mut stage = Stage::set(script);
    for Step { line, what } in script.steps(stage.there.address()) {
        stage.step(what).map_err(|e| format!("line {line}: {e}"))?;
    }
    stage.strike()
}

struct Stage {
    there: Listener,
    client: Control,
    /// Connected when first needed: in forward mode the client must name it before.
    server: Option<Control>,
    /// What became of the server's end.
    server_gone: bool,
    _proxy: Proxy,
}

impl Stage {
    fn set(script: &Script) -> Self {
        let there = Listener::at(script.ends.server);
        let (client, inherited) = control_pair(script.ends);
        let address = there.address().to_string();
        let mut options: Vec<&str> = script.options.iter().map(String::as_str).collect();
        if !script.has("--forward") {
            options.extend(["-R", &address]);
        }
        Stage {
            there,
            client: Control::over(client, "client"),
            server: None,
            server_gone: false,
            _proxy: Proxy::inherits(inherited, &options),
        }
    }

    fn peer(&mut self, side: Side) -> &mut Control {
        match side {
            Side::Client => &mut self.client,
            Side::Server => self
                .server
                .get_or_insert_with(|| Control::over(self.there.accepts(), "server")),
        }
    }

    fn step(&mut self, what: What) -> Result<(), String> {
        match what {
            What::Says(side, bytes) => self.peer(side).says_bytes(&bytes),
            What::HearsLine(side, pattern) => {
                let line = self.peer(side).next_line().map_err(|e| e.to_string())?;
                pattern
                    .matches(&line)
                    .ok_or_else(|| format!("{side:?} hears {}, not {pattern}", shown(&line)))?;
            }
            What::HearsBytes(side, expected) => {
                let bytes = self.peer(side).next_bytes(expected.len());
                let bytes = bytes.map_err(|e| e.to_string())?;
                if bytes != expected {
                    return Err(format!("{side:?} hears {}", shown(&bytes)));
                }
            }
            What::HearsNothing(side) => {
                if self.peer(side).hears_something(MOMENT) {
                    let line = self.peer(side).next_line().unwrap_or_default();
                    return Err(format!("{side:?} hears {}", shown(&line)));
                }
            }
            What::HearsEnd(side) => {
                let rest = self.peer(side).rest().map_err(|e| e.to_string())?;
                if !rest.is_empty() {
                    return Err(format!("{side:?} hears {}", shown(&rest)));
                }
            }
            What::Closes(Side::Client) => self.client.shuts_down(),
            What::Closes(Side::Server) => {
                self.server_gone = true;
                drop(self.server.take());
            }
            // What passes between the session and the edge cannot be seen from outside.
            What::Asks(_) | What::Tells(_) => {}
        }
        Ok(())
    }

    /// Nobody may have been told more than the transcript says.
    fn strike(mut self) -> Result<(), String> {
        if self.server_gone {
            return Ok(());
        }
        if let Some(mut server) = self.server.take() {
            self.client.shuts_down();
            let rest = server.rest().map_err(|e| e.to_string())?;
            if !rest.is_empty() {
                return Err(format!("at the end Server hears {}", shown(&rest)));
            }
        }
        let rest = self.client.rest().map_err(|e| e.to_string())?;
        // The server has just gone away, if it had not before: that much may be said.
        if rest.is_empty() || (rest.starts_with(b"421 ") && lines(&rest) == 1) {
            Ok(())
        } else {
            Err(format!("at the end Client hears {}", shown(&rest)))
        }
    }
}

fn lines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&b| b == b'\n').count()
}

fn shown(bytes: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(bytes))
}
