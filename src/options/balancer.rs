//! The PROXY protocol: who brings others, and what the server is told.

use super::BadUsage;
use super::given::Given;
use crate::cidr::Networks;
use crate::proxy_protocol::Version;

/// What is said of clients in headers of the PROXY protocol, to us and by us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balancers {
    /// `--accept-proxy-protocol`: a peer from there is a balancer, and says first whom it brings.
    pub accept: Option<Networks>,
    /// `--data-proxy-protocol`: it does so on passive data connections too.
    pub data: bool,
    /// `--send-proxy-protocol`: what the server is told.
    pub send: Option<Send>,
}

/// `--send-proxy-protocol`: how the server is told who the client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Send {
    /// In which form.
    pub version: Version,
    /// On data connections too; `,control`: not.
    pub data: bool,
}

impl Balancers {
    /// Who brings others to data ports.
    #[must_use]
    pub fn on_data(&self) -> Option<&Networks> {
        self.accept.as_ref().filter(|_| self.data)
    }
}

pub(super) fn balancers(given: &Given) -> Result<Balancers, BadUsage> {
    let balancers = Balancers {
        accept: given.parsed("accept-proxy-protocol")?,
        data: given.flag("data-proxy-protocol"),
        send: given.value(
            "send-proxy-protocol",
            send,
            "write 1 or 2, and ,control behind it if data connections are to have no header",
        )?,
    };
    let kernel = given.last("data-path").is_some_and(|p| p == "kernel");
    if balancers.send.is_some() && kernel {
        return Err(BadUsage(
            "--send-proxy-protocol: not with --data-path kernel, where nobody could put a header before the data"
                .to_owned(),
        ));
    }
    if balancers.accept.is_some() {
        only_where_it_makes_sense(given)?;
    } else if balancers.data {
        return Err(BadUsage(
            "--data-proxy-protocol: only with --accept-proxy-protocol, which says from whom"
                .to_owned(),
        ));
    }
    Ok(balancers)
}

fn send(text: &str) -> Option<Send> {
    let (version, data) = match text.strip_suffix(",control") {
        Some(version) => (version, false),
        None => (text, true),
    };
    let version = match version {
        "1" => Version::One,
        "2" => Version::Two,
        _ => return None,
    };
    Some(Send { version, data })
}

/// A header is read when root is gone: who has to know the client before then cannot.
fn only_where_it_makes_sense(given: &Given) -> Result<(), BadUsage> {
    let not_with = |what: &str, why: &str| {
        Err(BadUsage(format!(
            "--accept-proxy-protocol: not with {what}, {why}"
        )))
    };
    if !given.flag("R") && !given.flag("forward") {
        let why = "a balancer dials this machine, and no packet filter knows where its clients wanted to go: \
                   give -R or --forward";
        return not_with("-i, -p, --diverted and --netfilter", why);
    }
    let path = given.last("data-path").unwrap_or_default();
    if path == "redirect" || path == "kernel" {
        let why = "the packet filter sees the balancer and not its clients: give auto or relay";
        return not_with(&format!("--data-path {path}"), why);
    }
    if given.flag("rewrite-source-port") {
        let why = "the broker has to know the client before a header is read";
        return not_with("--rewrite-source-port", why);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use super::*;

    #[test]
    fn nobody_brings_others_and_no_server_is_told_unless_asked_for() {
        assert_eq!(run("-p").unwrap().balancers, Balancers::default());
        let told =
            run("-R a.b --accept-proxy-protocol 192.0.2.0/24,::1 --send-proxy-protocol 2").unwrap();
        assert_eq!(
            told.balancers.accept,
            Some("192.0.2.0/24,::1".parse().unwrap())
        );
        assert_eq!(told.balancers.on_data(), None);
        let send = |version, data| Some(Send { version, data });
        assert_eq!(told.balancers.send, send(Version::Two, true));
        let told = run("--forward --accept-proxy-protocol ::1 --data-proxy-protocol").unwrap();
        assert!(told.balancers.on_data().is_some());
        for (text, version) in [("1,control", Version::One), ("2,control", Version::Two)] {
            let told = run(&format!("-p --send-proxy-protocol {text}")).unwrap();
            assert_eq!(told.balancers.send, send(version, false));
        }
    }

    #[test]
    fn what_cannot_be_together_is_refused_with_what_to_do() {
        for (line, says) in [
            (
                "--netfilter --accept-proxy-protocol ::1",
                "give -R or --forward",
            ),
            ("-p --accept-proxy-protocol ::1", "give -R or --forward"),
            ("-i --accept-proxy-protocol ::1", "give -R or --forward"),
            (
                "--diverted --accept-proxy-protocol ::1",
                "give -R or --forward",
            ),
            (
                "-R a.b --data-path kernel --accept-proxy-protocol ::1",
                "give auto or relay",
            ),
            (
                "-R a.b --data-path redirect --accept-proxy-protocol ::1",
                "give auto or relay",
            ),
            (
                "-R a.b --rewrite-source-port --accept-proxy-protocol ::1",
                "the broker",
            ),
            (
                "-R a.b --data-proxy-protocol",
                "only with --accept-proxy-protocol",
            ),
            (
                "-R a.b --data-path kernel --send-proxy-protocol 1",
                "not with --data-path kernel",
            ),
            ("-R a.b --send-proxy-protocol 3", "write 1 or 2"),
            ("-R a.b --send-proxy-protocol 1,data", "write 1 or 2"),
            (
                "-R a.b --accept-proxy-protocol lb.example.org",
                "is no network",
            ),
            (
                "-R a.b --accept-proxy-protocol 192.0.2.1/24",
                "write 192.0.2.0/24",
            ),
        ] {
            let complaint = run(line).unwrap_err();
            assert!(complaint.contains(says), "{line}: {complaint}");
        }
        assert!(run("-p -R a.b --data-path relay --accept-proxy-protocol ::1").is_ok());
    }
}
