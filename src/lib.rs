//! ftp-proxy: carries one FTP session between a client and a server through a NAT gateway or firewall.
//!
//! Three storeys, arrows only downwards (docs/design.md):
//! the pure rooms (`announce`, `ftp`, `options`, `endpoint`, `cidr`, `permit`, `proxy_protocol`), the kernel rooms (`sys`, `nat`, `privs`, `net`) and the
//! edge (`relay`, `datapath`, `listen`, `proxy`).

#![deny(unsafe_code)]

pub mod announce;
pub mod balancer;
pub mod broker;
pub mod cage;
pub mod cidr;
pub mod companion;
pub mod datapath;
pub mod destination;
pub mod endpoint;
pub mod error;
pub mod ftp;
pub mod listen;
pub mod log;
pub mod nat;
pub mod net;
#[cfg(target_os = "linux")]
mod netlink;
pub mod options;
pub mod permit;
pub mod privs;
pub mod program;
pub mod proxy;
pub mod proxy_protocol;
pub mod relay;
pub mod resolver;
pub mod rules;
pub mod servers;
pub mod signals;
pub mod sys;
pub mod wrappers;
