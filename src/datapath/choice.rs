//! Which data path the sessions of this process have.

use crate::broker::{self, Lacking};
use crate::error::Error;
use crate::net;
use crate::options::{DataPath, Destination, Options};
use crate::privs::Needs;

/// The data path that was chosen, and why not the better one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Anything but [`DataPath::Auto`].
    pub path: DataPath,
    /// Why the client cannot have the original server's address, where it would need it.
    pub why: Option<String>,
    /// What somebody has to keep of root's rights for the sessions; `None`: nobody has to.
    pub needs: Option<Needs>,
}

impl Choice {
    /// Chooses, and asks the packet filter where that is needed.
    ///
    /// # Errors
    /// What was asked for cannot be: exit before anything is open.
    pub fn make(options: &Options) -> Result<Choice, Error> {
        if options.rules.given() && !broker::PF {
            return Err(Error::Unavailable(
                "--anchor, --log-rules, --queue and --tag are for pf: here, change the chains of \
                 table inet ftp_proxy instead (nftables.conf.example)"
                    .to_owned(),
            ));
        }
        let choice = Self::among(options, || broker::check(&options.rules))?;
        // With redirect the packet filter rewrites the port; and a process that stays root needs no help.
        let port_20 = options.rewrite_source_port
            && choice.path != DataPath::Redirect
            && options.user.as_deref() != Some("root");
        if port_20 && choice.path == DataPath::Relay && !net::may_bind_ftp_data() {
            return Err(Error::Config(
                "--rewrite-source-port: port 20 is for root, start ftp-proxy as root".to_owned(),
            ));
        }
        let needs = Needs {
            filter: choice.path != DataPath::Relay,
            port_20,
        };
        let needs = (needs.filter || needs.port_20).then_some(needs);
        Ok(Choice { needs, ..choice })
    }

    fn among(
        options: &Options,
        check: impl FnOnce() -> Result<(), Lacking>,
    ) -> Result<Choice, Error> {
        let chosen = |path, why| {
            Ok(Choice {
                path,
                why,
                needs: None,
            })
        };
        // Where the client dials us it knows our address, and there is nothing better than the relay.
        let (transparent, by_ipf) = match options.destination {
            Destination::Pf | Destination::Netfilter | Destination::Diverted => (true, false),
            Destination::IpFilter(_) => (true, true),
            Destination::Reverse(_) | Destination::Forward { .. } => (false, false),
        };
        let ipf = || "IP-Filter takes no rules from ftp-proxy".to_owned();
        match options.data_path {
            DataPath::Relay => chosen(DataPath::Relay, None),
            // The client dials our own address, and redirect would translate that to itself.
            DataPath::Auto | DataPath::Redirect if !transparent => chosen(DataPath::Relay, None),
            DataPath::Auto if by_ipf => chosen(DataPath::Relay, Some(ipf())),
            DataPath::Auto if options.data_from.client.is_some() => chosen(
                DataPath::Relay,
                Some("--data-from: the packet filter lets one address through".to_owned()),
            ),
            DataPath::Auto => match check() {
                Ok(()) => chosen(DataPath::Redirect, None),
                Err(lacking) => chosen(DataPath::Relay, Some(lacking.0)),
            },
            DataPath::Redirect | DataPath::Kernel if by_ipf => Err(Error::Config(format!(
                "--data-path: {}, use relay with -i",
                ipf()
            ))),
            path => {
                check().map_err(|lacking| Error::Config(format!("--data-path: {lacking}")))?;
                chosen(path, None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Invocation, parse};

    fn options(line: &str) -> Options {
        match parse(line.split_whitespace().map(Into::into)) {
            Ok(Invocation::Run(options)) => *options,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn choose(line: &str, lacking: Option<&str>) -> Result<(DataPath, Option<String>), Error> {
        let check = || lacking.map_or(Ok(()), |why| Err(Lacking(why.to_owned())));
        Choice::among(&options(line), check).map(|choice| (choice.path, choice.why))
    }

    #[test]
    fn auto_is_redirect_where_the_client_dials_the_server_and_rules_can_be_loaded() {
        for line in ["-p", "--netfilter", "--diverted", "--netfilter -n"] {
            assert_eq!(choose(line, None).unwrap(), (DataPath::Redirect, None));
            let (path, why) = choose(line, Some("no table")).unwrap();
            assert_eq!((path, why.as_deref()), (DataPath::Relay, Some("no table")));
        }
        for line in [
            "-R 192.0.2.1",
            "-R 192.0.2.1 --data-path redirect",
            "--forward",
            "-p --data-path relay",
        ] {
            assert_eq!(choose(line, None).unwrap(), (DataPath::Relay, None));
        }
        let from = |side| choose(&format!("-p --data-from {side}=192.0.2.0/24"), None).unwrap();
        let (path, why) = from("client");
        assert_eq!(path, DataPath::Relay);
        assert!(why.unwrap().contains("--data-from"));
        assert_eq!(from("server"), (DataPath::Redirect, None));
        let (path, why) = choose("-i", None).unwrap();
        assert_eq!(path, DataPath::Relay);
        assert!(why.unwrap().contains("IP-Filter"));
    }

    #[test]
    fn what_was_asked_for_is_had_or_the_program_ends() {
        for line in ["-p --data-path kernel", "-R 192.0.2.1 --data-path kernel"] {
            assert_eq!(choose(line, None).unwrap(), (DataPath::Kernel, None));
            let error = choose(line, Some("no table: run nft")).unwrap_err();
            assert_eq!(error.exit_code(), 78);
            assert!(error.to_string().contains("run nft"));
        }
        assert_eq!(
            choose("-i --data-path redirect", None)
                .unwrap_err()
                .exit_code(),
            78
        );
    }

    #[test]
    fn what_only_pf_knows_is_refused_by_other_filters() {
        if broker::PF {
            return;
        }
        let error = Choice::make(&options("--netfilter --tag ftp")).unwrap_err();
        assert_eq!(error.exit_code(), 69);
        assert!(error.to_string().contains("nftables.conf.example"));
    }
}
