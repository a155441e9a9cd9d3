//! NetBSD: pf and IP-Filter. The kernel's IP-Filter answers with our own end, where it does not panic; ipnat(8) is
//! instead.

use crate::nat::Engine;
use crate::nat::ipf::Ipf;
use crate::nat::ipnat::Ipnat;
use crate::nat::pf::Pf;
use crate::options::{Destination, IpfLookup};
use crate::sys::ipf::{ipf5, natlookup};
use crate::sys::pf::{Natlook, natlook};

pub(super) const INSTEAD: &str = "use -p or -i";

pub(super) fn engine(destination: &Destination) -> Option<Engine> {
    match destination {
        Destination::Pf => Some(Box::new(Pf {
            device: "/dev/pf",
            natlook: natlook::<Natlook>,
        })),
        Destination::IpFilter(IpfLookup::Auto | IpfLookup::List) => {
            Some(Box::new(Ipnat::default()))
        }
        Destination::IpFilter(IpfLookup::Ioctl) => Some(Box::new(Ipf {
            device: "/dev/ipnat",
            natlookup: natlookup::<ipf5::Natlookup>,
            danger: Some(
                "--ipf-lookup=ioctl may panic this kernel, and newer ones answer with the proxy's own address: use \
                 list or auto",
            ),
        })),
        _ => None,
    }
}
