//! Inputs made up by proptest: of words that mean something, since bytes at random are refused early.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::checks;

/// Words of the protocol, and of the scripts of sessions (checks/script.rs).
const WORDS: &[&[u8]] = &[
    b"USER ",
    b"PASS ",
    b"PASV",
    b"EPSV",
    b"EPSV ALL",
    b"PORT ",
    b"EPRT ",
    b"RETR a",
    b"STOR a",
    b"LIST",
    b"ABOR",
    b"QUIT",
    b"REIN",
    b"AUTH TLS",
    b"SITE ",
    b"NOOP",
    b"FEAT",
    b"ALGS STATUS64",
    b"STAT",
    b"LPRT ",
    b"ftp",
    b"joe@192.0.2.1",
    b"ftp.example.org:2121",
    b"10,0,0,2,200,10",
    b"203,0,113,7,0,22",
    b"203,0,113,7,200,10",
    b"|1|10.0.0.2|51210|",
    b"|2|fd00::2|51210|",
    b"220 ",
    b"220-",
    b"150 ",
    b"200 ",
    b"226 ",
    b"227 (192,0,2,1,200,10)",
    b"227 (203,0,113,7,200,10)",
    b"229 (|||50000|)",
    b"331 ",
    b"421 ",
    b"426 ",
    b"500 ",
    b"550 ",
    b"234 ",
    b"\xff\xf4\xff\xf2",
    b"\xff\xf1",
    b"\xff\xfb\x06",
    b"\xff\xfd\x0a",
    b"\xff\xff",
    b"\xff",
    b"\0",
    b"\r",
    b"\r\n",
    b"\n",
    b" ",
    b"\t",
    b"\x0b",
    b"-",
    b",",
    b"|",
    b"!",
    b"@",
    b"1",
    b"21",
    b"65536",
    b"\x01",
    b"\x01\x01\x01\x01",
];

fn words() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        8 => proptest::sample::select(WORDS).prop_map(<[u8]>::to_vec),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    vec(word, 0..12).prop_map(|words| words.concat())
}

/// A session: terms, and steps that are likely ones.
fn session() -> impl Strategy<Value = Vec<u8>> {
    let terms = proptest::sample::select(
        &[
            "", "e", "A", "n", "f", "fp", "6e", "68e", "8e", "eA", "ed", "6ed", "nd", "fd", "ei",
            "eo", "er", "ew", "6ei", "6eo", "8eow",
        ][..],
    );
    let lone = proptest::sample::select(
        &[
            "R0", "R1", "R2", "R3", "Dc", "Ds", "Db", "Du", "Dx", "De", "T", "P", "Q", "b", "B",
            ".", "!",
        ][..],
    );
    let says = proptest::sample::select(&["C", "C", "C", "n", "c"][..]);
    // A script's own lines end at LF.
    let text = || {
        words().prop_map(|mut text| {
            text.retain(|&b| b != b'\n');
            text
        })
    };
    let step = |honest: bool| {
        let server = u32::from(!honest);
        prop_oneof![
            3 => (says.clone(), text()).prop_map(|(who, text)| [who.as_bytes(), &text].concat()),
            2 * server + 1 => lone.clone().prop_map(|step| step.as_bytes().to_vec()),
            2 * server + 1 => (proptest::sample::select(if honest { &["R"][..] } else { &["S", "m", "s"][..] }), text())
                .prop_map(|(who, text)| [who.as_bytes(), &text].concat()),
        ]
    };
    let steps = prop_oneof![vec(step(true), 0..40), vec(step(false), 0..40)];
    (terms, steps).prop_map(|(terms, mut steps)| {
        steps.insert(0, terms.as_bytes().to_vec());
        steps.join(&b'\n')
    })
}

/// The beginning of a connection from a balancer: a header or nearly one, and what a client says.
fn introduced() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: &[&[u8]] = &[
        b"TCP4 192.0.2.1 192.0.2.2 1 21\r\n",
        b"TCP6 2001:db8::1 ::ffff:192.0.2.2 1 65535\r\n",
        b"UNKNOWN",
        b"\x21\x11\0\x0c",
        b"\x21\x21\0\x24",
        b"\x21\x11\0\x10",
        b"\x20\0\0\0",
        b"\x21\x31\0\xd8",
        b"192.0.2.1 ",
        b"::1 ",
        b" ",
        b"0",
        b"+1 ",
        b"\r",
        b"\n",
        b"\r\n",
        b"USER a\r\n",
    ];
    const BEGINS: &[&[u8]] = &[b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n", b""];
    let piece = prop_oneof![
        3 => proptest::sample::select(PIECES).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..40),
    ];
    (proptest::sample::select(BEGINS), vec(piece, 0..8))
        .prop_map(|(begin, pieces)| [begin, &pieces.concat()].concat())
}

/// A byte for the check to choose by, and words.
fn chosen() -> impl Strategy<Value = Vec<u8>> {
    (any::<u8>(), words()).prop_map(|(first, words)| [&[first], &words[..]].concat())
}

/// A request with a verb that there is, and addresses that mean something at the places where they stand.
fn request() -> impl Strategy<Value = Vec<u8>> {
    const PLACES: &[[u8; 16]] = &[
        [0; 16],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 1],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 2],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 203, 0, 113, 7],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    ];
    let port = || {
        prop_oneof![
            any::<u16>(),
            49152..=65535_u16,
            proptest::sample::select(&[0, 20, 1023, 1024][..])
        ]
    };
    let place = || prop_oneof![4 => proptest::sample::select(PLACES), 1 => any::<[u8; 16]>()];
    (0..16_u8, 0..8_u8, port(), port(), place(), place()).prop_map(
        |(terms, verb, announced, real, server, ours)| {
            let ports = [announced.to_be_bytes(), real.to_be_bytes()].concat();
            [&[terms, verb][..], &ports, &server, &ours].concat()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_session_does_nothing_that_was_not_asked_for(script in session()) {
        checks::session::check(&script);
    }

    #[test]
    fn lines_arrive_as_they_are_or_are_refused(bytes in chosen()) {
        checks::line::check(&bytes);
    }

    #[test]
    fn telnet_hides_no_command(bytes in words()) {
        checks::telnet::check(&bytes);
    }

    #[test]
    fn case_and_blanks_make_no_difference_to_a_command(bytes in words()) {
        checks::command::check(&bytes);
    }

    #[test]
    fn replies_arrive_as_they_are_and_ours_in_their_place(bytes in chosen()) {
        checks::reply::check(&bytes);
    }

    #[test]
    fn only_the_client_and_the_server_are_ever_dialled(bytes in chosen()) {
        checks::address::check(&bytes);
    }

    #[test]
    fn a_header_is_read_to_its_end_and_no_further(bytes in introduced()) {
        checks::header::check(&bytes);
    }

    #[test]
    fn a_broker_grants_nothing_with_third_hosts(request in request()) {
        checks::broker::check(&request);
    }
}
