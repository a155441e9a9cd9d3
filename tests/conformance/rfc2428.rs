//! FTP Extensions for IPv6 and NATs.

use std::net::SocketAddr;

use ftp_proxy::ftp::DataPlan;

use crate::stage::{CLIENT, SERVER, Stage, V6, terms};

/// §2: "one of the printable characters" of ASCII 33 to 126. One that is part of the fields themselves divides them in
/// more than one way, and is refused.
#[test]
fn section_2_every_delimiter_is_understood() {
    let there = DataPlan::Active {
        client: SocketAddr::new(CLIENT, 51210),
    };
    for d in '!'..='~' {
        let mut stage = Stage::greeted();
        stage.client(format!("EPRT {d}1{d}127.0.0.2{d}51210{d}\r\n"));
        let heard = stage.heard();
        if "1127.0.0.251210".contains(d) {
            assert_eq!((stage.plans.len(), &heard[..3]), (0, "501"), "{d}");
        } else {
            assert_eq!((stage.plans, heard.as_str()), (vec![there], ""), "{d}");
            assert_eq!(stage.server_heard, b"EPRT |1|127.0.0.1|50001|\r\n", "{d}");
        }
    }
}

/// §2: the list of protocols "in parentheses", and "no other parentheses".
#[test]
fn section_2_the_text_of_a_522_holds_the_protocol_that_is_possible_and_no_other_parentheses() {
    for (client, possible, refused) in [
        (
            CLIENT,
            "(1)",
            ["EPRT |2|::1|51210|", "EPRT |3|x|51210|", "EPSV 2", "EPSV 3"],
        ),
        (
            V6,
            "(2)",
            [
                "EPRT |1|127.0.0.1|51210|",
                "EPRT |0|x|51210|",
                "EPSV 1",
                "EPSV 0",
            ],
        ),
    ] {
        for line in refused {
            let mut stage = Stage::set(terms(client), Some(SERVER)).greet();
            stage.client(format!("{line}\r\n"));
            let heard = stage.heard();
            assert!(
                heard.starts_with("522 ") && heard.contains(possible),
                "{line}: {heard}"
            );
            assert_eq!(heard.matches(['(', ')']).count(), 2, "{line}: {heard}");
        }
    }
}

/// §3: three delimiters, nothing between them, the port, a delimiter, and parentheses around all.
#[test]
fn section_3_a_229_has_two_empty_fields_whatever_the_server_wrote() {
    for text in ["(!!!51210!)", "(|1|10.9.9.9|51210|)", "|||51210| (really)"] {
        let mut stage = Stage::greeted();
        stage.client("EPSV\r\n");
        stage.server(format!("229 Entering Extended Passive Mode {text}\r\n"));
        assert_eq!(
            stage.heard(),
            "229 Entering Extended Passive Mode (|||50001|)\r\n",
            "{text}"
        );
    }
}
