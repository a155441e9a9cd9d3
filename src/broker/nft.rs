//! nf_tables: grants as elements of the administrator's table, by netlink, one atomic batch each.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use netlink_bindings::nftables::{
    Chained, Nfgenmsg, PushDataAttrs, PushSetelemAttrs, PushSetelemListAttrs,
    PushSetelemListElemAttrs,
};
use netlink_bindings::traits::Pusher;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, SockProtocol, recv, send};

use super::filter::Filter;
use crate::netlink::{self, messages};
use crate::rules::Grant;
use crate::rules::nft::{Element, SETS, TABLE, elements};

/// How long an element lives unless it is renewed, in milliseconds: what a crash leaves is gone after it.
pub const LIFETIME: u64 = 30_000;

/// Room for the kernel's longest answer: an error repeats the batch.
const ANSWER_MAX: usize = 16 * 1024;

/// linux/netfilter.h and linux/netfilter/nfnetlink.h.
const NFPROTO_INET: u8 = 1;
const NFNL_SUBSYS_NFTABLES: u16 = 10;

/// The table of nftables.conf.example, and what of it is ours at the moment.
pub struct Nft {
    socket: OwnedFd,
    sequence: u32,
    granted: Vec<Element>,
    /// The connection has been made, so that the rest will expire.
    used: bool,
}

/// Why grants are not possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// We may not change the table.
    Right,
    /// The table is not there, or an older one that has no such set.
    Table(&'static str),
    /// Something else.
    Other(Errno),
}

/// What to do with an element.
#[derive(Clone, Copy)]
enum Change<'a> {
    Add(&'a Element),
    Delete(&'a Element),
}

impl Nft {
    /// Opens the way to the kernel; asks nothing yet.
    ///
    /// # Errors
    /// As socket(2): a kernel without netfilter's netlink.
    pub fn open() -> io::Result<Nft> {
        Ok(Nft {
            socket: netlink::open(SockProtocol::NetlinkNetFilter)?,
            sequence: 0,
            granted: Vec::new(),
            used: false,
        })
    }

    /// Whether the table is there and ours to change.
    ///
    /// # Errors
    /// What is lacking.
    pub fn check(&mut self) -> Result<(), Lack> {
        SETS.iter().try_for_each(|set| {
            self.ask_for(set).map_err(|errno| match errno {
                Errno::EPERM => Lack::Right,
                Errno::ENOENT => Lack::Table(set),
                other => Lack::Other(other),
            })
        })
    }

    /// Asks the kernel for a set's description.
    fn ask_for(&mut self, set: &str) -> Result<(), Errno> {
        let first = self.reserve(1);
        let mut question = Chained::new(first);
        question
            .request()
            .op_getset_do(&inet())
            .encode()
            .push_table_bytes(TABLE.as_bytes())
            .push_name_bytes(set.as_bytes());
        self.send(question.finalize().buf())?;
        self.answers(first, 1, 1)
    }

    /// All of it or nothing.
    fn change(&mut self, changes: &[Change<'_>]) -> Result<(), Errno> {
        if changes.is_empty() {
            return Ok(());
        }
        let count = u32::try_from(changes.len()).unwrap_or(u32::MAX);
        let first = self.reserve(count + 2);
        let mut batch = Chained::new(first);
        drop(batch.request().op_batch_begin_do(&to_nf_tables()));
        for change in changes {
            match change {
                Change::Add(element) => {
                    let request = batch.request().set_create().set_excl();
                    let mut operation = request.op_newsetelem_do(&inet());
                    let key = name(operation.encode(), element);
                    // The kernel wants it in network byte order, and its description forgets to say so.
                    let timeout = LIFETIME.to_be();
                    let timed = key
                        .push_value(&element.key)
                        .end_nested()
                        .push_timeout(timeout);
                    if let Some(data) = &element.data {
                        timed.nested_data().push_value(data);
                    }
                }
                Change::Delete(element) => {
                    let mut operation = batch.request().op_delsetelem_do(&inet());
                    name(operation.encode(), element).push_value(&element.key);
                }
            }
        }
        drop(batch.request().op_batch_end_do(&to_nf_tables()));
        let batch = batch.finalize();
        self.send(batch.buf())?;
        self.answers(first, count + 2, count)
    }

    /// Numbers for the next messages; an answer bears its question's.
    fn reserve(&mut self, count: u32) -> u32 {
        let first = self.sequence;
        self.sequence = self.sequence.wrapping_add(count);
        first
    }

    fn send(&self, bytes: &[u8]) -> Result<(), Errno> {
        match send(self.socket.as_raw_fd(), bytes, MsgFlags::empty())? {
            sent if sent == bytes.len() => Ok(()),
            _ => Err(Errno::EMSGSIZE),
        }
    }

    /// Reads until `wanted` of the `count` messages from `first` on have been answered, or one of them by an error.
    /// Answers to older questions may be left over from one that failed.
    fn answers(&self, first: u32, count: u32, wanted: u32) -> Result<(), Errno> {
        // Begin and end of a batch are answered by some kernels only (from 6.10 on).
        let bare = u32::from(count > wanted);
        let asked = |sequence: u32| {
            let place = sequence.wrapping_sub(first);
            (place < count).then_some((bare..bare + wanted).contains(&place))
        };
        let mut buffer = [0; ANSWER_MAX];
        let mut answered = 0;
        while answered < wanted {
            let length = match recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Err(Errno::EINTR) => continue,
                length => length?,
            };
            for (header, rest) in messages(&buffer[..length]) {
                let Some(counts) = asked(header.seq) else {
                    continue;
                };
                let acknowledged = netlink::error(rest) == Errno::from_raw(0);
                if header.r#type == netlink::ERROR && !acknowledged {
                    return Err(netlink::error(rest));
                }
                answered += u32::from(counts);
            }
        }
        Ok(())
    }

    /// Asks the kernel for one element.
    fn has(&mut self, element: &Element) -> Result<bool, Errno> {
        let first = self.reserve(1);
        let mut question = Chained::new(first);
        let mut operation = question.request().op_getsetelem_do(&inet());
        name(operation.encode(), element).push_value(&element.key);
        self.send(question.finalize().buf())?;
        match self.answers(first, 1, 1) {
            Err(Errno::ENOENT) => Ok(false),
            result => result.map(|()| true),
        }
    }

    /// What is granted and still there. A batch that fails costs the kernel some ten milliseconds, so the first element
    /// is asked for, which the connection uses up; the others have gone only if they have not been renewed since.
    fn left(&mut self) -> Result<Vec<Element>, Errno> {
        let mut left = Vec::new();
        for (place, element) in self.granted.clone().into_iter().enumerate() {
            let sure = place > 0 && !self.used;
            if sure || self.has(&element)? {
                left.push(element);
            }
        }
        Ok(left)
    }

    /// Puts these in place of what is left, all at once.
    fn replace(&mut self, left: &[Element], new: Vec<Element>) -> Result<(), Errno> {
        let mut change = |left: &[Element], new: &[Element]| {
            let deleted = left.iter().map(Change::Delete);
            self.change(
                &deleted
                    .chain(new.iter().map(Change::Add))
                    .collect::<Vec<_>>(),
            )
        };
        let mut result = change(left, &new);
        if result == Err(Errno::ENOENT) {
            // One of them has gone since; one by one, that is no fault.
            for one in left {
                match change(std::slice::from_ref(one), &[]) {
                    Ok(()) | Err(Errno::ENOENT) => {}
                    Err(errno) => return Err(errno),
                }
            }
            result = change(&[], &new);
        }
        if result.is_ok() {
            self.granted = new;
            self.used = false;
        }
        result
    }
}

impl Filter for Nft {
    fn grant(&mut self, grant: &Grant) -> io::Result<()> {
        let left = self.left()?;
        match self.replace(&left, elements(grant)) {
            Ok(()) => Ok(()),
            Err(errno) => {
                self.replace(&left, Vec::new())?;
                Err(match errno {
                    Errno::EEXIST => io::ErrorKind::AddrInUse.into(),
                    Errno::ENOENT => io::Error::other(
                        "table inet ftp_proxy has gone: run nft -f nftables.conf.example",
                    ),
                    other => other.into(),
                })
            }
        }
    }

    fn revoke(&mut self) -> io::Result<()> {
        let left = self.left()?;
        Ok(self.replace(&left, Vec::new())?)
    }

    /// A grant that has been used is not renewed.
    fn renew(&mut self) -> io::Result<()> {
        let granted = self.granted.clone();
        let Some(first) = granted.first().filter(|_| !self.used) else {
            return Ok(());
        };
        if self.has(first)? {
            self.replace(&granted, granted.clone())?;
        } else {
            self.used = true;
        }
        Ok(())
    }
}

/// Begins the description of an element: its table, its set, and room for its key.
fn name<P: Pusher>(
    list: PushSetelemListAttrs<P>,
    element: &Element,
) -> PushDataAttrs<PushSetelemAttrs<PushSetelemListElemAttrs<PushSetelemListAttrs<P>>>> {
    list.push_table_bytes(TABLE.as_bytes())
        .push_set_bytes(element.set.as_bytes())
        .nested_elements()
        .nested_elem()
        .nested_key()
}

fn inet() -> Nfgenmsg {
    let mut header = Nfgenmsg::new();
    header.nfgen_family = NFPROTO_INET;
    header
}

/// Batches are for one subsystem.
fn to_nf_tables() -> Nfgenmsg {
    let mut header = Nfgenmsg::new();
    header.set_res_id(NFNL_SUBSYS_NFTABLES);
    header
}
