//! A client that takes its orders from standard input, one a line, and answers each with one line of numbers: times are
//! nanoseconds.
//!
//!     open ADDRESS:PORT    connects and logs in: the time it took
//!     get BYTES            downloads a file of that length: the time of each 16 MiB
//!     put BYTES            the same upward
//!     files COUNT BYTES    downloads many, one after the other, for a second at most: of each the time from PASV to 227, and to 226
//!     close                QUIT: the time it took
//!     commands COUNT       NOOP, for a second at most: the time of each
//!     sessions ADDRESS:PORT COUNT
//!                          whole sessions, one after the other, for a second at most: of each the time from the connection to
//!                          220, and in all
//!     crowd ADDRESS:PORT COUNT BYTES
//!                          so many sessions download at the same time: how long it took in all, from the first RETR to the last 226
//!     idle ADDRESS:PORT COUNT
//!                          opens so many sessions more and leaves them open: the time of each from the connection to 220
//!     leave                ends all that are idle: the time it took

use std::io::{self, BufRead};
use std::net::{Shutdown, SocketAddrV4, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::bulk::{Source, sink};
use crate::control::{Control, announced};

/// What is done again and again ends after this time: some middleboxes need 40 ms for what others do in 0.1.
const LONG_ENOUGH: Duration = Duration::from_secs(1);

pub fn obey(orders: impl BufRead) -> io::Result<()> {
    let source = Source::new()?;
    let mut session = None;
    let mut idle = Vec::new();
    for order in orders.lines() {
        let order = order?;
        let words: Vec<&str> = order.split(' ').collect();
        let times = match (words.as_slice(), &mut session) {
            (["open", address], None) => {
                let (control, time) = timed(|| open(address))?;
                session = Some(control);
                vec![time]
            }
            (["get", bytes], Some(control)) => get(control, number(bytes)?)?,
            (["put", bytes], Some(control)) => put(control, number(bytes)?, &source)?,
            (["files", count, bytes], Some(control)) => {
                files(control, number(count)?, number(bytes)?)?
            }
            (["commands", count], Some(control)) => commands(control, number(count)?)?,
            (["sessions", address, count], None) => sessions(address, number(count)?)?,
            (["crowd", address, count, bytes], None) => {
                vec![crowd(address, number(count)?, number(bytes)?)?]
            }
            (["idle", address, count], None) => more_idle(&mut idle, address, number(count)?)?,
            (["leave"], None) => vec![timed(|| leave(&mut idle))?.1],
            (["close"], Some(control)) => {
                let ((), time) = timed(|| close(control))?;
                session = None;
                vec![time]
            }
            _ => return Err(io::Error::other(format!("no such order now: {order}"))),
        };
        let words: Vec<String> = times.iter().map(u128::to_string).collect();
        println!("{}", words.join(" "));
    }
    Ok(())
}

fn number(word: &str) -> io::Result<u64> {
    word.parse().map_err(io::Error::other)
}

fn timed<T>(what: impl FnOnce() -> io::Result<T>) -> io::Result<(T, u128)> {
    let began = Instant::now();
    let made = what()?;
    Ok((made, began.elapsed().as_nanos()))
}

fn greeted(address: &str) -> io::Result<Control> {
    let mut control = Control::new(TcpStream::connect(address)?)?;
    control.expect("220")?;
    Ok(control)
}

fn open(address: &str) -> io::Result<Control> {
    let mut control = greeted(address)?;
    log_in(&mut control)?;
    Ok(control)
}

fn log_in(control: &mut Control) -> io::Result<()> {
    control.say("USER ftp")?;
    control.expect("331")?;
    control.say("PASS bench")?;
    control.expect("230")?;
    Ok(())
}

/// Counts until then, or until it has taken long enough.
fn while_short(count: u64) -> impl Iterator<Item = u64> {
    let began = Instant::now();
    (0..count).take_while(move |_| began.elapsed() < LONG_ENOUGH)
}

fn commands(control: &mut Control, count: u64) -> io::Result<Vec<u128>> {
    let one = |_| {
        let ((), time) = timed(|| {
            control.say("NOOP")?;
            control.expect("200").map(drop)
        })?;
        Ok(time)
    };
    while_short(count).map(one).collect()
}

/// The proxy's own end of a session comes after the last reply, so the end of the connection is waited for.
fn sessions(address: &str, count: u64) -> io::Result<Vec<u128>> {
    let mut times = Vec::new();
    for _ in while_short(count) {
        let began = Instant::now();
        let mut control = greeted(address)?;
        times.push(began.elapsed().as_nanos());
        log_in(&mut control)?;
        close(&mut control)?;
        while !control.hear()?.is_empty() {}
        times.push(began.elapsed().as_nanos());
    }
    Ok(times)
}

fn crowd(address: &str, count: u64, bytes: u64) -> io::Result<u128> {
    let logged_in: io::Result<Vec<_>> = (0..count).map(|_| open(address)).collect();
    let (controls, time) = {
        let mut controls = logged_in?;
        let began = Instant::now();
        let results: Vec<io::Result<_>> = thread::scope(|scope| {
            let started: Vec<_> = controls
                .iter_mut()
                .map(|control| scope.spawn(move || get(control, bytes)))
                .collect();
            let ended = started.into_iter().map(|thread| thread.join());
            ended
                .map(|result| result.unwrap_or_else(|_| Err(io::Error::other("a thread died"))))
                .collect()
        });
        let time = began.elapsed().as_nanos();
        results.into_iter().collect::<io::Result<Vec<_>>>()?;
        (controls, time)
    };
    for mut control in controls {
        close(&mut control)?;
    }
    Ok(time)
}

fn more_idle(idle: &mut Vec<Control>, address: &str, count: u64) -> io::Result<Vec<u128>> {
    let mut times = Vec::new();
    for _ in 0..count {
        let (mut control, time) = timed(|| greeted(address))?;
        log_in(&mut control)?;
        idle.push(control);
        times.push(time);
    }
    Ok(times)
}

fn leave(idle: &mut Vec<Control>) -> io::Result<()> {
    idle.drain(..)
        .try_for_each(|mut control| close(&mut control))
}

fn close(control: &mut Control) -> io::Result<()> {
    control.say("QUIT")?;
    control.expect("221")?;
    Ok(())
}

fn passive(control: &mut Control) -> io::Result<SocketAddrV4> {
    control.say("PASV")?;
    let reply = control.expect("227")?;
    announced(reply).ok_or_else(|| io::Error::other(format!("no address in “{reply}”")))
}

/// A clock that is read again and again.
struct Laps {
    since: Instant,
    times: Vec<u128>,
}

impl Laps {
    fn start() -> Self {
        Laps {
            since: Instant::now(),
            times: Vec::new(),
        }
    }

    fn lap(&mut self) {
        let now = Instant::now();
        self.times.push((now - self.since).as_nanos());
        self.since = now;
    }
}

fn get(control: &mut Control, bytes: u64) -> io::Result<Vec<u128>> {
    let data = TcpStream::connect(passive(control)?)?;
    let mut laps = Laps::start();
    retrieve(control, &data, bytes, || laps.lap())?;
    Ok(laps.times)
}

fn retrieve(
    control: &mut Control,
    data: &TcpStream,
    bytes: u64,
    after_each: impl FnMut(),
) -> io::Result<()> {
    control.say(&format!("RETR {bytes}"))?;
    control.expect("150")?;
    let came = sink(data, after_each)?;
    control.expect("226")?;
    whole(came, bytes)
}

fn put(control: &mut Control, bytes: u64, source: &Source) -> io::Result<Vec<u128>> {
    let data = TcpStream::connect(passive(control)?)?;
    control.say(&format!("STOR {bytes}"))?;
    control.expect("150")?;
    let mut laps = Laps::start();
    source.pour(&data, bytes, || laps.lap())?;
    data.shutdown(Shutdown::Write)?;
    let reply = control.expect("226")?;
    let came = reply.split(' ').nth(1).unwrap_or_default();
    whole(number(came)?, bytes)?;
    Ok(laps.times)
}

fn whole(came: u64, bytes: u64) -> io::Result<()> {
    if came == bytes {
        return Ok(());
    }
    Err(io::Error::other(format!("{came} bytes of {bytes} came")))
}

fn files(control: &mut Control, count: u64, bytes: u64) -> io::Result<Vec<u128>> {
    let mut times = Vec::new();
    for _ in while_short(count) {
        let began = Instant::now();
        let at = passive(control)?;
        times.push(began.elapsed().as_nanos());
        let data = TcpStream::connect(at)?;
        retrieve(control, &data, bytes, || ())?;
        times.push(began.elapsed().as_nanos());
    }
    Ok(times)
}
