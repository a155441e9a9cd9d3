//! FreeBSD: pf and IP-Filter. The kernel's IP-Filter must not be asked from release 10 on; ipnat(8) is instead.

use nix::sys::utsname::uname;

use crate::nat::Engine;
use crate::nat::ipf::{Ipf, freebsd_survives};
use crate::nat::ipnat::Ipnat;
use crate::nat::pf::Pf;
use crate::options::{Destination, IpfLookup};
use crate::sys::ipf::{ipf4, ipf5, natlookup};
use crate::sys::pf::{Natlook, natlook};

pub(super) const INSTEAD: &str = "use -p or -i, or --diverted with ipfw fwd";

pub(super) fn engine(destination: &Destination) -> Option<Engine> {
    match destination {
        Destination::Pf => Some(Box::new(Pf {
            device: "/dev/pf",
            natlook: natlook::<Natlook>,
        })),
        Destination::IpFilter(lookup) => Some(ip_filter(*lookup)),
        _ => None,
    }
}

fn ip_filter(lookup: IpfLookup) -> Engine {
    let old = uname().is_ok_and(|system| system.release().to_str().is_some_and(freebsd_survives));
    match (lookup, old) {
        (IpfLookup::Auto | IpfLookup::Ioctl, true) => Box::new(Ipf {
            device: "/dev/ipnat",
            natlookup: natlookup::<ipf4::Natlookup>,
            danger: None,
        }),
        (IpfLookup::Ioctl, false) => Box::new(Ipf {
            device: "/dev/ipnat",
            natlookup: natlookup::<ipf5::Natlookup>,
            danger: Some("--ipf-lookup=ioctl may panic this kernel: use list or auto"),
        }),
        (IpfLookup::Auto, false) | (IpfLookup::List, _) => Box::new(Ipnat::default()),
    }
}
