//! Users of this machine, as passwd(5) has them.

use std::fs::File;
use std::io::{BufRead, BufReader};

use nix::unistd::{Gid, Uid};

use super::Identity;

/// Read ahead, in bytes: a few lines.
const PIECE: usize = 512;

/// The user of this name, if it is one of this machine's own. `None` is not the last word: the name service may know more.
pub(super) fn user(name: &str) -> Option<Identity> {
    let file = File::open("/etc/passwd").ok()?;
    find(BufReader::with_capacity(PIECE, file), name)
}

/// The first entry of this name that is one: a line that is none means nothing to getpwnam(3) either.
fn find(passwd: impl BufRead, name: &str) -> Option<Identity> {
    let lines = passwd.split(b'\n').map_while(Result::ok);
    lines
        .filter_map(|line| String::from_utf8(line).ok())
        .find_map(|line| {
            // name:password:uid:gid:comment:home:shell
            let mut fields = line.split(':');
            let named = fields.next() == Some(name);
            let mut ids = fields.skip(1).map(|id| id.parse().ok());
            named.then_some(Identity {
                uid: Uid::from_raw(ids.next()??),
                gid: Gid::from_raw(ids.next()??),
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/bash\n\
        # proxy:x:1:1::/:\n\
        proxy:x\n\
        proxy:x::13::/:\n\
        proxy2:x:14:14::/:\n\
        caf\xe9:x:15:15::/:\n\
        proxy:x:13:31:proxy:/bin:/usr/sbin/nologin\n\
        proxy:x:16:16::/:\n\
        last:x:17:18";

    fn ids(name: &str) -> Option<(u32, u32)> {
        find(PASSWD, name).map(|found| (found.uid.as_raw(), found.gid.as_raw()))
    }

    #[test]
    fn the_first_whole_entry_of_a_name_is_the_user() {
        assert_eq!(ids("proxy"), Some((13, 31)));
        assert_eq!(ids("root"), Some((0, 0)));
        assert_eq!(ids("last"), Some((17, 18)));
    }

    #[test]
    fn a_part_of_a_name_is_nobody() {
        for name in ["prox", "proxy3", "", "x", "+", "proxy:x"] {
            assert_eq!(ids(name), None, "{name}");
        }
    }

    #[test]
    fn this_machine_s_users_are_whom_the_name_service_says() {
        for name in ["root", "daemon", "nobody"] {
            let named = users::get_user_by_name(name).map(|u| (u.uid(), u.primary_group_id()));
            let found = user(name).map(|found| (found.uid.as_raw(), found.gid.as_raw()));
            assert_eq!(found, named, "{name}");
        }
    }
}
