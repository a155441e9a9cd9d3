//! What sessions may not do.

use super::BadUsage;
use super::given::Given;
use crate::permit::{ForeignAddresses, Permit, Verbs};

pub(super) fn permit(given: &Given) -> Result<Permit, BadUsage> {
    let mut denied = Verbs::default();
    for list in given.all("deny-command") {
        let verbs: Verbs = list
            .parse()
            .map_err(|bad| BadUsage(format!("--deny-command {list}: {bad}")))?;
        denied.add(verbs);
    }
    if given.flag("no-epsv") {
        denied.add(Verbs::epsv());
    }
    let epsv = given.value("server-epsv", yes_or_no, "write yes or no")?;
    Ok(Permit {
        denied,
        foreign: foreign(given)?,
        pasv_only: epsv == Some(false),
        low_ports: given.flag("allow-low-ports"),
    })
}

fn yes_or_no(text: &str) -> Option<bool> {
    match text {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

fn foreign(given: &Given) -> Result<ForeignAddresses, BadUsage> {
    let mut foreign = ForeignAddresses::default();
    for text in given.all("foreign-address") {
        foreign = foreign.with(text).ok_or_else(|| {
            BadUsage(format!(
                "--foreign-address {text}: write refuse, ignore or allow, for one side as active=refuse or passive=allow"
            ))
        })?;
    }
    // The broker knows this session's client and server, and grants nobody else anything.
    if foreign.allows() && given.last("data-path") == Some("kernel") {
        return Err(BadUsage(
            "--foreign-address: with --data-path kernel nothing can be allowed".to_owned(),
        ));
    }
    Ok(foreign)
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use crate::permit::{Foreign, ForeignAddresses};

    #[test]
    fn denied_commands_add_up() {
        let options = run("-R 10.0.0.5 --deny-command epsv,PASV --deny-command=Site").unwrap();
        for verb in [b"EPSV", b"PASV", b"SITE"] {
            assert!(options.permit.denied.has(verb));
        }
        assert!(!options.permit.denied.has(b"PORT"));
        let options = run("-R 10.0.0.5 --no-epsv").unwrap();
        assert!(options.permit.denied.has(b"EPSV"));
    }

    #[test]
    fn epsv_toward_the_server_is_yes_or_no() {
        let pasv_only = |line: &str| run(line).map(|options| options.permit.pasv_only);
        assert_eq!(pasv_only("-R 10.0.0.5"), Ok(false));
        assert_eq!(pasv_only("-R 10.0.0.5 --server-epsv yes"), Ok(false));
        assert_eq!(pasv_only("-R 10.0.0.5 --server-epsv no"), Ok(true));
        let bad = pasv_only("-R 10.0.0.5 --server-epsv maybe").unwrap_err();
        assert!(bad.starts_with("--server-epsv maybe: write "), "{bad}");
    }

    #[test]
    fn foreign_addresses_are_treated_as_the_last_word_says() {
        let foreign = |line: &str| run(line).unwrap().permit.foreign;
        assert_eq!(foreign("-R 10.0.0.5"), ForeignAddresses::default());
        let line = "-R 10.0.0.5 --foreign-address allow --foreign-address active=ignore";
        assert_eq!(foreign(line).active, Foreign::Ignore);
        assert_eq!(foreign(line).passive, Foreign::Allow);
        let kernel = "-R 10.0.0.5 --data-path kernel --foreign-address";
        assert!(
            run(&format!("{kernel} allow"))
                .unwrap_err()
                .contains("kernel")
        );
        assert!(run(&format!("{kernel} ignore")).is_ok());
        let bad = run("-R 10.0.0.5 --foreign-address port=allow").unwrap_err();
        assert!(
            bad.starts_with("--foreign-address port=allow: write "),
            "{bad}"
        );
    }

    #[test]
    fn commands_that_sessions_need_cannot_be_denied() {
        for list in ["USER", "RETR,quit", "RETR,,STOR"] {
            let complaint = run(&format!("--forward --deny-command {list}")).unwrap_err();
            assert!(complaint.starts_with("--deny-command "), "{complaint}");
        }
    }
}
