#!/bin/sh
# Holds the rooms of src/ to their rules (docs/design.md): the pure ones know no descriptor, file, clock or platform and
# call no room above them; `unsafe` lives in src/sys alone; nobody prints or exits. First it proves on planted violations
# that it would notice.
set -eu
cd "$(dirname "$0")/.."

word='(^|[^A-Za-z0-9_])'
pure='ftp options endpoint.rs cidr.rs servers.rs permit.rs announce.rs proxy_protocol rules policy'
standard="${word}(io|fs|env|os|process|thread)::|std::(io|fs|env|os|process|thread)([^A-Za-z0-9_]|\$)"
standard="$standard|std::\\{([^}]*[^A-Za-z0-9_])?(io|fs|env|os|process|thread)[^A-Za-z0-9_]"
types="${word}(Instant|SystemTime|(Tcp|Udp|Unix)[A-Z][a-z]+|ToSocketAddrs|(Owned|Borrowed|Raw|As|AsRaw)Fd)([^A-Za-z0-9_]|\$)"
crates="${word}(nix|libc|socket2|syslog|signal_hook|libloading|listenfd|dns_lookup|users|getrandom)::"
upward="crate::(\\{([^}]*[^A-Za-z0-9_])?)?(broker|cage|companion|datapath|destination|listen|log|nat|net|privs|program|proxy|relay|resolver|signals|sys|wrappers)[^A-Za-z0-9_]"
platform='cfg!?\(.*(target_|unix|windows)'
printing="${word}(e?print(ln)?|dbg)!|process::exit"

# Lines of the Rust files under the given paths that match a pattern, comments left out.
lines() {
    export pattern="$1"
    shift
    find "$@" -name '*.rs' -exec awk '
        { code = $0; sub("//.*", "", code) }
        code ~ ENVIRON["pattern"] { print FILENAME ":" FNR ": " $0 }
    ' {} +
}

# Prints what breaks the rules under the folder $1; nothing when all is well.
violations() {
    src=$1
    for room in $pure; do
        [ -e "$src/$room" ] || continue
        lines "$standard|$types|$crates|$upward|$platform" "$src/$room"
        head=$src/$room
        [ -f "$head" ] || head=$head/mod.rs
        grep -q '^#!\[forbid(unsafe_code)\]' "$head" || echo "$head: does not forbid unsafe code"
    done
    lines "${word}unsafe([^A-Za-z0-9_]|\$)" "$src" | grep -v "^$src/sys/" || true
    lines "$printing" "$src"
}

found=$(violations src)
known=$(printf '%s' "$found" | grep -c '' || true)

# Appends the line $2 to a copy of the file $1 and wants one violation more.
notices() {
    copy=$(mktemp -d)
    cp -R src "$copy/src"
    mkdir -p "$(dirname "$copy/$1")"
    printf '%s\n' "$2" >>"$copy/$1"
    count=$(violations "$copy/src" | grep -c '' || true)
    rm -rf "$copy"
    if [ "$count" -le "$known" ]; then
        echo "tests/purity.sh does not notice in $1: $2" >&2
        exit 1
    fi
}

notices src/ftp/line.rs 'use std::io::Read;'
notices src/ftp/line.rs 'use std::{fmt, io};'
notices src/ftp/session/mod.rs 'use std::net::{IpAddr, TcpStream};'
notices src/ftp/reply.rs 'let now = std::time::Instant::now();'
notices src/ftp/reply.rs 'use std::time::{Duration, SystemTime};'
notices src/ftp/addr.rs 'use nix::sys::socket::SockaddrIn;'
notices src/ftp/addr.rs 'use crate::{endpoint::HostPort, net::dial};'
notices src/ftp/command.rs '#[cfg(target_os = "linux")]'
notices src/rules/pf.rs 'use crate::program::Run;'
notices src/options/mod.rs 'let text = fs::read_to_string(path);'
notices src/cidr.rs 'let family = libc::AF_INET;'
notices src/endpoint.rs 'use crate::log::Log;'
notices src/proxy_protocol/v1.rs 'use std::io::Read;'
notices src/relay/mod.rs 'let taken = unsafe { take(fd) };'
notices src/proxy.rs 'eprintln!("descriptor 2 is the client");'
notices src/main.rs 'std::process::exit(1);'
notices src/policy/mod.rs 'fn judge() {}'

if [ -n "$found" ]; then
    printf '%s\n' "$found" >&2
    exit 1
fi
