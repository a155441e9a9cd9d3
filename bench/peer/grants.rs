//! What a grant costs: a broker of the program's own, in its cage, and the gateway's own tables. This process stands
//! where a session stands; a stranger to both is only that nobody uses the grants.

use std::io;
use std::net::IpAddr;
use std::time::Instant;

use ftp_proxy::broker::{Broker, Rights, Wanted, Way};
use ftp_proxy::endpoint::PortRange;
use ftp_proxy::log::{Log, To};
use ftp_proxy::net::LocalAddresses;
use ftp_proxy::options::{DataPath, RuleOptions};
use ftp_proxy::privs::Root;

/// Of the worlds that `bench/world.py` makes.
const CLIENT: [u8; 4] = [10, 1, 0, 2];
const FACING_CLIENT: [u8; 4] = [10, 1, 0, 1];
const FACING_SERVER: [u8; 4] = [10, 2, 0, 1];
const SERVER: [u8; 4] = [10, 2, 0, 2];

/// Where the servers' data ports begin; each grant is for another.
const FIRST_PORT: u16 = 50_000;

/// One line: the time of each grant and revocation in turn, in nanoseconds.
pub fn measure(path: &str, count: u16) -> io::Result<()> {
    let (path, way) = match path {
        "redirect" => (DataPath::Redirect, Way::RedirectPassive),
        _ => (DataPath::Kernel, Way::KernelPassive),
    };
    let log = Log::open(0, false, To::Syslog);
    let root = Root::begin(None, None, &log).map_err(io::Error::other)?;
    let rights = Rights {
        client: (CLIENT, 40_000).into(),
        dialled: SERVER.into(),
        facing_client: FACING_CLIENT.into(),
        source_to_client: FACING_CLIENT.into(),
        servers: vec![IpAddr::from(SERVER)],
        local: LocalAddresses::read()?,
        ports: PortRange::DEFAULT,
        path,
        from_port_20: false,
        low_ports: false,
    };
    let broker = Broker::start(rights, &RuleOptions::default(), &root, &log)?;
    let mut times = Vec::new();
    for number in 0..count {
        let wanted = Wanted {
            way,
            announced: FIRST_PORT + number,
            real: FIRST_PORT + number,
            server: SERVER.into(),
            facing_server: FACING_SERVER.into(),
        };
        let began = Instant::now();
        broker.grant(&wanted)?;
        let granted = Instant::now();
        broker.revoke()?;
        times.push((granted - began).as_nanos().to_string());
        times.push(granted.elapsed().as_nanos().to_string());
    }
    println!("{}", times.join(" "));
    Ok(())
}
