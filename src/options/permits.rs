//! What sessions may not do.

use super::BadUsage;
use super::given::Given;
use crate::permit::{Permit, Verbs};

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
    Ok(Permit { denied })
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;

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
    fn commands_that_sessions_need_cannot_be_denied() {
        for list in ["USER", "RETR,quit", "RETR,,STOR"] {
            let complaint = run(&format!("--forward --deny-command {list}")).unwrap_err();
            assert!(complaint.starts_with("--deny-command "), "{complaint}");
        }
    }
}
