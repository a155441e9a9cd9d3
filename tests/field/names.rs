//! Names of files as clients write them.

use super::Case;
use super::scene::Scene;

pub const CASES: &[Case] = &[
    Case {
        name: "a_name_in_cp1251_reaches_the_server",
        report: "A name in a legacy encoding holds byte 255, and another file is deleted.",
        options: &[],
        play: |scene| name(scene, b"DELE \xef\xee\xff\xf1.txt\r\n"),
        direct: "DELE \\xef\\xee\\xff\\xf1.txt\\r\\n",
        proxied: "DELE \\xef\\xee\\xff\\xf1.txt\\r\\n",
    },
    Case {
        name: "a_doubled_255_in_a_name_stays_doubled",
        report: "A client doubles byte 255 in names as Telnet wants it.",
        options: &[],
        play: |scene| name(scene, b"DELE a\xff\xffb\r\n"),
        direct: "DELE a\\xff\\xffb\\r\\n",
        proxied: "DELE a\\xff\\xffb\\r\\n",
    },
    Case {
        name: "a_name_in_utf_8_reaches_the_server",
        report: "Names hold letters of other scripts.",
        options: &[],
        play: |scene| name(scene, "RETR \u{e4}\u{444}\u{6587}\r\n".as_bytes()),
        direct: "RETR \\xc3\\xa4\\xd1\\x84\\xe6\\x96\\x87\\r\\n",
        proxied: "RETR \\xc3\\xa4\\xd1\\x84\\xe6\\x96\\x87\\r\\n",
    },
];

/// What the server gets of a line.
fn name(scene: &mut Scene, line: &[u8]) -> String {
    scene.client.says_bytes(line);
    let got = scene.server.next_line().unwrap();
    got.escape_ascii().to_string()
}
