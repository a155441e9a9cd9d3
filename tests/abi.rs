//! The structures of pf(4) and ipf(4), byte for byte as the kernels of other systems have them: whole questions against
//! bytes written by hand from the offsets in those systems' headers, and answers likewise.
//!
//! The same connection throughout: client 10.1.0.2:40021 or [2001:db8:1::2]:40021, our end 127.0.0.1:8021 or
//! [::1]:8021, original destination 10.2.0.2:21 or [2001:db8:2::2]:21. Ports: 40021 = 9c55, 8021 = 1f55, 21 = 0015.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::net::SocketAddr;

use ftp_proxy::sys::ipf::{self, Ipfobj, Natlookup, ipf4, ipf4sun, ipf5};
use ftp_proxy::sys::object::Object;
use ftp_proxy::sys::pf::{Direction, Layout, Query, apple84, bsd76, openbsd80};

// AF_INET6 of each system.
const FREEBSD: u8 = 28;
const NETBSD: u8 = 24;
const OPENBSD: u8 = 24;
const MACOS: u8 = 30;

// Addresses as they stand in the structures, IPv4 padded to 16 bytes.
const CLIENT4: &str = "0a010002 00000000 00000000 00000000";
const PROXY4: &str = "7f000001 00000000 00000000 00000000";
const SERVER4: &str = "0a020002 00000000 00000000 00000000";
const CLIENT6: &str = "20010db8 00010000 00000000 00000002";
const PROXY6: &str = "00000000 00000000 00000000 00000001";
const SERVER6: &str = "20010db8 00020000 00000000 00000002";
const MAPPED6: &str = "00000000 00000000 0000ffff 0a020002";
const NONE: &str = "00000000 00000000 00000000 00000000";

fn bytes(parts: &[&str]) -> Vec<u8> {
    let digits: String = parts.concat().replace(' ', "");
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// A 32-bit number as this machine writes it.
fn native(number: u32) -> String {
    number
        .to_ne_bytes()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn ipv4() -> (SocketAddr, SocketAddr) {
    (at("10.1.0.2:40021"), at("127.0.0.1:8021"))
}

fn ipv6() -> (SocketAddr, SocketAddr) {
    (at("[2001:db8:1::2]:40021"), at("[::1]:8021"))
}

/// The IPv4 connection as a socket for both families shows it.
fn mapped() -> (SocketAddr, SocketAddr) {
    (at("[::ffff:10.1.0.2]:40021"), at("[::ffff:127.0.0.1]:8021"))
}

/// The question for one connection in layout `L`, in the routing domain 7 where there are several.
fn asked<L: Layout>((client, proxy): (SocketAddr, SocketAddr), inet6: u8) -> Vec<u8> {
    let query = Query {
        client,
        proxy,
        direction: Direction::Out,
        rdomain: 7,
    };
    L::encode(&query, inet6).bytes().to_vec()
}

/// What the kernel's answer means, whose bytes these are.
fn answered<L: Layout>(answer: &[&str]) -> SocketAddr {
    let query = Query {
        client: ipv4().0,
        proxy: ipv4().1,
        direction: Direction::Out,
        rdomain: 0,
    };
    let mut natlook = L::encode(&query, 0);
    natlook.bytes_mut().copy_from_slice(&bytes(answer));
    natlook.decode()
}

#[test]
fn freebsd_netbsd_and_dragonfly_are_asked_in_76_bytes() {
    type L = bsd76::Natlook;
    let ports = "9c55 1f55 0000 0000";
    let v4 = bytes(&[CLIENT4, PROXY4, NONE, NONE, ports, "02 06 02 00"]);
    let v6 = [CLIENT6, PROXY6, NONE, NONE, ports];
    let v6 = |end| bytes(&[&v6[..], &[end]].concat());
    assert_eq!(v4.len(), 76);
    assert_eq!(asked::<L>(ipv4(), FREEBSD), v4);
    assert_eq!(asked::<L>(mapped(), FREEBSD), v4);
    assert_eq!(asked::<L>(ipv6(), FREEBSD), v6("1c 06 02 00"));
    assert_eq!(asked::<L>(ipv6(), NETBSD), v6("18 06 02 00"));
    assert_eq!(L::REQUEST, 0xC04C_4417);
}

#[test]
fn openbsd_is_asked_in_80_bytes_with_the_routing_domain() {
    type L = openbsd80::Natlook;
    // A number in the machine's own order, then four ports.
    let domain = &native(7 << if cfg!(target_endian = "big") { 16 } else { 0 });
    let ports = "9c55 1f55 0000 0000";
    let v4 = bytes(&[CLIENT4, PROXY4, NONE, NONE, domain, ports, "02 06 02 00"]);
    let v6 = bytes(&[CLIENT6, PROXY6, NONE, NONE, domain, ports, "18 06 02 00"]);
    assert_eq!(v4.len(), 80);
    assert_eq!(asked::<L>(ipv4(), OPENBSD), v4);
    assert_eq!(asked::<L>(mapped(), OPENBSD), v4);
    assert_eq!(asked::<L>(ipv6(), OPENBSD), v6);
    assert_eq!(L::REQUEST, 0xC050_4417);
}

#[test]
fn macos_is_asked_in_84_bytes_with_ports_of_four_bytes() {
    type L = apple84::Natlook;
    let ports = "9c550000 1f550000 00000000 00000000";
    let v4 = bytes(&[CLIENT4, PROXY4, NONE, NONE, ports, "02 06 00 02"]);
    let v6 = bytes(&[CLIENT6, PROXY6, NONE, NONE, ports, "1e 06 00 02"]);
    assert_eq!(v4.len(), 84);
    assert_eq!(asked::<L>(ipv4(), MACOS), v4);
    assert_eq!(asked::<L>(mapped(), MACOS), v4);
    assert_eq!(asked::<L>(ipv6(), MACOS), v6);
    assert_eq!(L::REQUEST, 0xC054_4417);
}

#[test]
fn the_direction_is_1_or_2_and_nothing_else_can_be_written() {
    let (client, proxy) = ipv4();
    for (direction, byte) in [(Direction::In, 1), (Direction::Out, 2)] {
        let query = Query {
            client,
            proxy,
            direction,
            rdomain: 0,
        };
        assert_eq!(bsd76::Natlook::encode(&query, 28).bytes()[74], byte);
        assert_eq!(openbsd80::Natlook::encode(&query, 24).bytes()[78], byte);
        assert_eq!(apple84::Natlook::encode(&query, 30).bytes()[83], byte);
    }
}

#[test]
fn the_answer_of_pf_is_rdaddr_and_rdport_in_every_layout() {
    let (server4, server6) = (at("10.2.0.2:21"), at("[2001:db8:2::2]:21"));
    let ports = "9c55 1f55 9c55 0015";
    let domains = "00000000";
    let wide = "9c550000 1f550000 9c550000 00150000";
    let v4 = [CLIENT4, PROXY4, CLIENT4, SERVER4];
    let v6 = [CLIENT6, PROXY6, CLIENT6, SERVER6];
    let and = |addresses: [&'static str; 4], rest: &[&'static str]| -> Vec<&'static str> {
        [&addresses[..], rest].concat()
    };

    let bsd = answered::<bsd76::Natlook>;
    assert_eq!(bsd(&and(v4, &[ports, "02 06 02 00"])), server4);
    assert_eq!(bsd(&and(v6, &[ports, "1c 06 02 00"])), server6);
    let openbsd = answered::<openbsd80::Natlook>;
    assert_eq!(openbsd(&and(v4, &[domains, ports, "02 06 02 00"])), server4);
    assert_eq!(openbsd(&and(v6, &[domains, ports, "18 06 02 00"])), server6);
    let apple = answered::<apple84::Natlook>;
    assert_eq!(apple(&and(v4, &[wide, "02 06 00 02"])), server4);
    assert_eq!(apple(&and(v6, &[wide, "1e 06 00 02"])), server6);

    // An IPv4 address in an IPv6 answer is IPv4 to everything above.
    let odd = [CLIENT6, PROXY6, CLIENT6, MAPPED6];
    assert_eq!(bsd(&and(odd, &[ports, "1c 06 02 00"])), server4);
    assert_eq!(
        openbsd(&and(odd, &[domains, ports, "18 06 02 00"])),
        server4
    );
    assert_eq!(apple(&and(odd, &[wide, "1e 06 00 02"])), server4);
}

/// The `natlookup_t` for one connection.
fn looked_up<N: Natlookup>((client, proxy): (SocketAddr, SocketAddr)) -> Vec<u8> {
    N::encode(client, proxy).unwrap().bytes().to_vec()
}

/// What the kernel's answer means, whose bytes these are.
fn found<N: Natlookup>(answer: &[&str]) -> SocketAddr {
    let mut natlookup = N::encode(ipv4().0, ipv4().1).unwrap();
    natlookup.bytes_mut().copy_from_slice(&bytes(answer));
    natlookup.decode()
}

fn ip_filter_with_ipv6<N: Natlookup>() {
    let (tcp, four, six) = (&*native(1), &*native(4), &*native(6));
    let ports = "1f55 9c55 0000 0000";
    let v4 = bytes(&[PROXY4, CLIENT4, NONE, four, tcp, ports]);
    assert_eq!(v4.len(), 64);
    assert_eq!(looked_up::<N>(ipv4()), v4);
    assert_eq!(looked_up::<N>(mapped()), v4);
    let v6 = bytes(&[PROXY6, CLIENT6, NONE, six, tcp, ports]);
    assert_eq!(looked_up::<N>(ipv6()), v6);

    let ports = "1f55 9c55 0015 0000";
    let v4 = found::<N>(&[PROXY4, CLIENT4, SERVER4, four, tcp, ports]);
    assert_eq!(v4, at("10.2.0.2:21"));
    let v6 = found::<N>(&[PROXY6, CLIENT6, SERVER6, six, tcp, ports]);
    assert_eq!(v6, at("[2001:db8:2::2]:21"));
    let mapped = found::<N>(&[PROXY6, CLIENT6, MAPPED6, six, tcp, ports]);
    assert_eq!(mapped, at("10.2.0.2:21"));
}

#[test]
fn ip_filter_5_is_asked_in_64_bytes() {
    ip_filter_with_ipv6::<ipf5::Natlookup>();
}

#[test]
fn ip_filter_of_illumos_is_asked_in_the_same_64_bytes() {
    ip_filter_with_ipv6::<ipf4sun::Natlookup>();
}

#[test]
fn ip_filter_4_is_asked_in_24_bytes_and_not_for_ipv6() {
    let tcp = &*native(1);
    let v4 = bytes(&["7f000001 0a010002 00000000", tcp, "1f55 9c55 0000 0000"]);
    assert_eq!(v4.len(), 24);
    assert_eq!(looked_up::<ipf4::Natlookup>(ipv4()), v4);
    assert_eq!(looked_up::<ipf4::Natlookup>(mapped()), v4);
    assert!(ipf4::Natlookup::encode(ipv6().0, ipv6().1).is_none());
    let answer = ["7f000001 0a010002 0a020002", tcp, "1f55 9c55 0015 0000"];
    assert_eq!(found::<ipf4::Natlookup>(&answer), at("10.2.0.2:21"));
}

#[cfg(all(target_pointer_width = "64", target_endian = "little"))]
#[test]
fn the_object_that_names_the_lookup_has_version_size_place_and_type() {
    let place = "efcdab89 67452301";
    let rest = ["09000000 00000000", NONE, NONE];
    let object = |rev, size| bytes(&[&[rev, size, place], &rest[..]].concat());
    let at = 0x0123_4567_89ab_cdef;
    // 5010200, 4010901 and 4012800 in hexadecimal, turned round.
    let five = object("18734c00", "40000000");
    assert_eq!(five.len(), 56);
    assert_eq!(Ipfobj::of::<ipf5::Natlookup>(at).bytes(), five);
    let sun = object("95333d00", "40000000");
    assert_eq!(Ipfobj::of::<ipf4sun::Natlookup>(at).bytes(), sun);
    let four = object("003b3d00", "18000000");
    assert_eq!(Ipfobj::of::<ipf4::Natlookup>(at).bytes(), four);
    assert_eq!(ipf::REQUEST, 0xC038_723F);
}
