//! Linux: nf_tables.

use std::io;

use nix::unistd::Pid;

use crate::broker::Lacking;
use crate::broker::filter::Filter;
use crate::broker::nft::{Lack, Nft};
use crate::options::RuleOptions;

/// Whether pf(4)'s options mean anything here.
pub const PF: bool = false;

pub(in crate::broker) fn filter(_: &RuleOptions, _: Pid) -> io::Result<Box<dyn Filter>> {
    Ok(Box::new(Nft::open()?))
}

/// Whether grants are possible.
///
/// # Errors
/// They are not; with what to do about it.
pub fn check(_: &RuleOptions) -> Result<(), Lacking> {
    let mut nft = Nft::open().map_err(|error| Lacking(format!("no nf_tables here: {error}")))?;
    nft.check().map_err(|lack| {
        Lacking(match lack {
            Lack::Right => {
                "no right to change nftables: start ftp-proxy as root or with CAP_NET_ADMIN"
                    .to_owned()
            }
            Lack::Table(set) => format!(
                "nftables has no {set} in table inet ftp_proxy: run nft -f nftables.conf.example"
            ),
            Lack::Other(errno) => format!("nf_tables cannot be asked: {}", io::Error::from(errno)),
        })
    })
}
