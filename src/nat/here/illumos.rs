//! illumos: IP-Filter 4.1, whose kernel may be asked.

use crate::nat::Engine;
use crate::nat::ipf::Ipf;
use crate::nat::ipnat::Ipnat;
use crate::options::{Destination, IpfLookup};
use crate::sys::ipf::{ipf4sun, natlookup};

pub(super) const INSTEAD: &str = "use -i, or -R for one fixed server";

pub(super) fn engine(destination: &Destination) -> Option<Engine> {
    match destination {
        Destination::IpFilter(IpfLookup::Auto | IpfLookup::Ioctl) => Some(Box::new(Ipf {
            device: "/dev/ipnat",
            natlookup: natlookup::<ipf4sun::Natlookup>,
            danger: None,
        })),
        Destination::IpFilter(IpfLookup::List) => Some(Box::new(Ipnat::default())),
        _ => None,
    }
}
