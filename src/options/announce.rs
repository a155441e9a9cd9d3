//! What clients are told of passive data connections.

use super::given::Given;
use super::{BadUsage, Destination};
use crate::announce::{Masquerade, PortOffset};
use crate::endpoint::PortRange;

/// Where a translator, or anything else that stands before the proxy, has passive data connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnnounceOptions {
    /// `--masquerade`, in their order.
    pub masquerade: Vec<Masquerade>,
    /// `--advertise-port-offset`.
    pub offset: PortOffset,
}

pub(super) fn announce(
    given: &Given,
    destination: &Destination,
    ports: PortRange,
) -> Result<AnnounceOptions, BadUsage> {
    // Elsewhere the client sees the server that it has dialled, and nobody translates in front of us.
    let dialled = matches!(
        destination,
        Destination::Reverse(_) | Destination::Forward { .. }
    );
    for name in ["masquerade", "advertise-port-offset"] {
        if given.flag(name) && !dialled {
            return Err(BadUsage(format!("--{name}: only with -R or --forward")));
        }
    }
    let masquerade = |text: &str| {
        text.parse()
            .map_err(|bad| BadUsage(format!("--masquerade {text}: {bad}")))
    };
    Ok(AnnounceOptions {
        masquerade: given
            .all("masquerade")
            .map(masquerade)
            .collect::<Result<Vec<Masquerade>, _>>()?,
        offset: offset(given, ports)?,
    })
}

fn offset(given: &Given, ports: PortRange) -> Result<PortOffset, BadUsage> {
    let (min, max) = (ports.min(), ports.max());
    let read = |text: &str| {
        let digits = text.trim_start_matches(['+', '-']);
        let plain = text.len() - digits.len() <= 1 && digits.bytes().all(|b| b.is_ascii_digit());
        let offset = text.parse().ok().filter(|_| plain)?;
        PortOffset::new(offset, ports)
    };
    let wanted = format!(
        "write a number that leads from the ports {min} to {max} (-m and -M) to ports from 1024 to 65535"
    );
    let offset = given.value("advertise-port-offset", read, wanted)?;
    Ok(offset.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use crate::announce::{Announced, Class, Told};

    #[test]
    fn masquerades_keep_their_order_and_an_offset_its_sign() {
        let options = run(
            "-R 10.0.0.5 --masquerade 10.0.0.1,private --masquerade=203.0.113.5,198.51.100.0/24,192.0.2.0/24 \
             --masquerade ftp.example.org -m 50000 -M 50009 --advertise-port-offset=-10000 --strict-ports",
        )
        .unwrap();
        let classes: Vec<_> = options
            .announce
            .masquerade
            .iter()
            .map(|m| &m.class)
            .collect();
        assert!(matches!(
            classes[..],
            [Class::Private, Class::Networks(_), Class::Everybody]
        ));
        let announced = Announced {
            address: Told::AsDialled,
            offset: options.announce.offset,
        };
        let at = "10.0.0.5:50009".parse().unwrap();
        assert_eq!(announced.of(at), "10.0.0.5:40009".parse().unwrap());
        assert!(options.strict_ports);
        let plain = run("--forward --masquerade 203.0.113.5").unwrap();
        assert!(!plain.strict_ports && plain.announce.offset.is_none());
    }

    #[test]
    fn where_the_client_sees_its_server_nothing_else_can_be_announced() {
        for line in [
            "--netfilter --masquerade 10.0.0.5",
            "-p --advertise-port-offset 5 -M 60000",
        ] {
            assert!(
                run(line).unwrap_err().contains("only with -R or --forward"),
                "{line}"
            );
        }
    }

    #[test]
    fn a_bad_announcement_is_refused_by_its_name() {
        for (option, why) in [
            ("--masquerade 10.0.0.300", "neither an address"),
            ("--masquerade 10.0.0.5,10.0.0.1/8", "10.0.0.0/8"),
            ("--masquerade ::1", "IPv4"),
            ("--advertise-port-offset 1", "49152 to 65535"),
            ("--advertise-port-offset -50000", "1024 to 65535"),
            ("--advertise-port-offset x", "write a number"),
            ("--advertise-port-offset --5", "write a number"),
            ("--advertise-port-offset 99999999999", "write a number"),
        ] {
            let complaint = run(&format!("-R 10.0.0.5 {option}")).unwrap_err();
            let name = option.split(' ').next().unwrap();
            assert!(
                complaint.starts_with(name) && complaint.contains(why),
                "{complaint}"
            );
        }
    }
}
