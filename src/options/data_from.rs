//! From where data connections may come, beside the address of the control connection.

use super::BadUsage;
use super::given::Given;
use crate::cidr::Networks;

/// `--data-from`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataFrom {
    /// Passive data connections of the client.
    pub client: Option<Networks>,
    /// Active data connections of the server.
    pub server: Option<Networks>,
}

pub(super) fn data_from(given: &Given) -> Result<DataFrom, BadUsage> {
    let Some(text) = given.last("data-from") else {
        return Ok(DataFrom::default());
    };
    let from = read(text).map_err(|bad| BadUsage(format!("--data-from {text}: {bad}")))?;
    let path = given.last("data-path").unwrap_or_default();
    // A grant is for one address.
    let refused = match path {
        "kernel" => Some("not with --data-path kernel"),
        "redirect" if from.client.is_some() => Some("client= not with --data-path redirect"),
        _ => None,
    };
    match refused {
        Some(what) => Err(BadUsage(format!(
            "--data-from: {what}, where the packet filter lets one address through: give auto or relay"
        ))),
        None => Ok(from),
    }
}

/// A part without a name belongs to the name before it: `client=192.0.2.0/24,198.51.100.7,server=::1`.
fn read(text: &str) -> Result<DataFrom, String> {
    let form = "write client=networks, server=networks or both, with a comma between";
    let (mut client, mut server): (Vec<&str>, Vec<&str>) = Default::default();
    let mut list = None;
    for part in text.split(',') {
        let part = match part.split_once('=') {
            Some(("client", part)) => {
                list = Some(&mut client);
                part
            }
            Some(("server", part)) => {
                list = Some(&mut server);
                part
            }
            Some(_) => return Err(form.to_owned()),
            None => part,
        };
        list.as_mut().ok_or(form)?.push(part);
    }
    let networks = |list: Vec<&str>| {
        let list = (!list.is_empty()).then(|| list.join(","));
        let parsed = list.map(|list| list.parse::<Networks>());
        parsed.transpose().map_err(|bad| bad.to_string())
    };
    Ok(DataFrom {
        client: networks(client)?,
        server: networks(server)?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use super::*;

    #[test]
    fn each_side_has_its_networks_and_none_unless_given() {
        assert_eq!(run("-p").unwrap().data_from, DataFrom::default());
        let networks = |text: &str| Some(text.parse().unwrap());
        for (text, client, server) in [
            ("client=192.0.2.0/24", networks("192.0.2.0/24"), None),
            ("server=::1", None, networks("::1")),
            (
                "client=192.0.2.0/24,2001:db8::/32,server=198.51.100.7,::1",
                networks("192.0.2.0/24,2001:db8::/32"),
                networks("198.51.100.7,::1"),
            ),
            (
                "server=::1,client=192.0.2.1,server=::2",
                networks("192.0.2.1"),
                networks("::1,::2"),
            ),
        ] {
            let options = run(&format!("-p --data-from {text}")).unwrap();
            assert_eq!(options.data_from, DataFrom { client, server }, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_to_do() {
        for (line, says) in [
            ("--data-from 192.0.2.0/24", "write client="),
            ("--data-from 192.0.2.0/24,client=::1", "write client="),
            ("--data-from both=192.0.2.0/24", "write client="),
            ("--data-from client=", "is no network"),
            ("--data-from client=192.0.2.1/24", "write 192.0.2.0/24"),
            ("--data-from client=::1,", "is no network"),
            ("--data-from client=::1 --data-path redirect", "give auto"),
            ("--data-from client=::1 --data-path kernel", "give auto"),
            ("--data-from server=::1 --data-path kernel", "give auto"),
        ] {
            let complaint = run(&format!("-p {line}")).unwrap_err();
            assert!(complaint.starts_with("--data-from"), "{complaint}");
            assert!(complaint.contains(says), "{line}: {complaint}");
        }
        assert!(run("-p --data-from server=::1 --data-path redirect").is_ok());
        assert!(run("-p --data-from client=::1 --data-path relay").is_ok());
    }
}
