//! The servers, each on port 21 of a machine of its own, in the foreground, serving the same folder.

use std::fmt;
use std::fs;
use std::net::IpAddr;
use std::process::{Child, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::Duration;

use super::net::{self, Family, Namespace, Result};
use super::world::{ROOM, SERVED};

/// An FTP server of Debian's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Server {
    Vsftpd,
    Proftpd,
    PureFtpd,
}

impl Server {
    pub const ALL: [Server; 3] = [Server::Vsftpd, Server::Proftpd, Server::PureFtpd];

    fn name(self) -> &'static str {
        match self {
            Server::Vsftpd => "vsftpd",
            Server::Proftpd => "proftpd",
            Server::PureFtpd => "pure-ftpd",
        }
    }

    /// 1, 2 or 3: what the address plan counts by.
    pub fn number(self) -> u8 {
        self as u8 + 1
    }

    /// Where it listens, on port 21.
    pub fn address(self, family: Family) -> IpAddr {
        net::outside(family, 10 + self.number())
    }

    /// Starts it unless it runs.
    pub fn start(self) -> Result<()> {
        static RUNNING: [OnceLock<Result<()>>; 3] = [const { OnceLock::new() }; 3];
        RUNNING[self as usize]
            .get_or_init(|| self.launch().map_err(|why| format!("{self}: {why}")))
            .clone()
    }

    /// Nobody ends it: it ends with the namespaces.
    fn launch(self) -> Result<()> {
        let machine = self.machine()?;
        let mut child = self.spawn(&machine).map_err(|error| error.to_string())?;
        // pure-ftpd has a socket per family; the others take both families on one.
        let sockets = if self == Server::PureFtpd { 2 } else { 1 };
        net::wait_for_listeners(&mut child, 21, sockets).map_err(|why| {
            let said = fs::read_to_string(self.output()).unwrap_or_default();
            format!("{why}\n{said}")
        })
    }

    fn machine(self) -> Result<Namespace> {
        let name = self.name();
        let machine = Namespace::new(name)?;
        net::run(std::process::Command::new("ip").args([
            "link", "add", name, "master", "wire", "up", "type", "veth", "peer", "name", "eth0",
            "netns", name,
        ]))?;
        let mut batch = String::from("link set eth0 up\n");
        for family in [Family::V4, Family::V6] {
            let address = net::with_prefix(self.address(family));
            batch += &format!("address add {address} dev eth0\n");
        }
        for family in [Family::V4, Family::V6] {
            let clients =
                net::with_prefix(net::inside(family, net::DIRECT_GATEWAY, 0)).replace(" nodad", "");
            let via = net::outside(family, net::gateway_host(net::DIRECT_GATEWAY));
            batch += &format!("route add {clients} via {via}\n");
        }
        machine.ip(&batch)?;
        Ok(machine)
    }

    fn spawn(self, machine: &Namespace) -> std::io::Result<Child> {
        let name = self.name();
        let config = format!("{ROOM}/{name}.conf");
        let mut command = machine.command(name);
        match self {
            Server::Vsftpd => {
                fs::write(&config, vsftpd_conf())?;
                command.arg(&config);
            }
            Server::Proftpd => {
                fs::write(&config, self.proftpd_conf())?;
                command.args(["--nodaemon", "--quiet", "--config", &config]);
            }
            Server::PureFtpd => {
                let log = format!("clf:{}", self.log());
                command.args(["--login", "unix", "--chrooteveryone", "--dontresolve"]);
                command.args(["--limitrecursion", "20000:8", "--minuid", "1"]);
                command.args([
                    "--maxclientsnumber",
                    "200",
                    "--maxclientsperip",
                    "200",
                    "--altlog",
                    &log,
                ]);
                command.args(["--pidfile", "/run/pure-ftpd.pid"]);
            }
        }
        let output = fs::File::create(self.output())?;
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
    }

    fn proftpd_conf(self) -> String {
        let (v4, v6) = (self.address(Family::V4), self.address(Family::V6));
        let log = self.log();
        format!(
            "ServerType standalone\nDefaultAddress {v4} {v6}\nSocketBindTight off\nPort 21\nUseIPv6 on\n\
             ModulePath {modules}\n\
             User nobody\nGroup nogroup\nAuthOrder mod_auth_unix.c\nRequireValidShell off\nDefaultRoot {SERVED}\n\
             UseReverseDNS off\nWtmpLog off\nPidFile {ROOM}/proftpd.pid\nScoreboardFile {ROOM}/proftpd.scoreboard\n\
             AllowOverwrite on\nAllowStoreRestart on\nAllowRetrieveRestart on\nMaxInstances 200\n\
             TransferLog {log}\nSystemLog {ROOM}/log/proftpd.system\n\
             <Anonymous {SERVED}>\nUser ftp\nGroup ftp\nUserAlias anonymous ftp\nRequireValidShell off\n</Anonymous>\n",
            modules = std::env::var("PROFTPD_MODULES").unwrap_or_default(),
        )
    }

    /// Its log of transfers.
    fn log(self) -> String {
        format!("{ROOM}/log/{}", self.name())
    }

    fn output(self) -> String {
        format!("{ROOM}/log/{}.output", self.name())
    }

    /// The line of its transfer log about `file`. It may be written a little after the client has heard 226.
    pub fn logged(self, file: &str) -> Result<String> {
        for _ in 0..100 {
            let log = fs::read(self.log()).unwrap_or_default();
            let log = String::from_utf8_lossy(&log);
            if let Some(line) = log.lines().find(|line| line.contains(file)) {
                return Ok(line.to_owned());
            }
            sleep(Duration::from_millis(20));
        }
        Err(format!("{self} has not logged a transfer of {file}"))
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

pub fn vsftpd_conf() -> String {
    format!(
        "listen_ipv6=YES\nbackground=NO\nanonymous_enable=YES\nanon_root={SERVED}\nlocal_enable=YES\n\
         local_root={SERVED}\nchroot_local_user=YES\nwrite_enable=YES\npam_service_name=other\n\
         secure_chroot_dir={ROOM}/empty\nconnect_from_port_20=YES\nmax_clients=200\nmax_per_ip=200\n\
         xferlog_enable=YES\nxferlog_std_format=NO\nvsftpd_log_file={ROOM}/log/vsftpd\n"
    )
}
