"""The table of middleboxes: what stands on the gateway between client and server."""

import dataclasses
import pathlib

EXAMPLE = pathlib.Path(__file__).resolve().parent.parent / "nftables.conf.example"

# Every gateway but `direct` filters what it forwards, as gateways do; so all pay for that alike.
FILTER = """
table inet filter {
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        %s accept
    }
}
"""

MASQUERADE = """
table inet nat {
    chain postrouting {
        type nat hook postrouting priority srcnat; policy accept;
        oifname "wan0" masquerade
    }
}
"""

# The kernel's own reading of the control connection.
HELPER = """
table inet helper {
    ct helper ftp { type "ftp" protocol tcp; }
    chain helped {
        type filter hook prerouting priority filter; policy accept;
        iifname "lan0" tcp dport 21 ct helper set "ftp"
    }
}
"""


@dataclasses.dataclass(frozen=True)
class Middlebox:
    name: str
    about: str
    rules: str = ""  # of nft
    program: tuple = ()  # command line on the gateway; {program} is ours, in a release build
    port: int = 0  # where it listens, so that we know when it is ready


def ours(path):
    return Middlebox(
        name=path,
        about=f"`ftp-proxy --netfilter --data-path {path}`",
        rules=EXAMPLE.read_text() + FILTER % "ct status dnat",
        program=("{program}", "--netfilter", "--listen", "0.0.0.0:8021", "--data-path", path),
        port=8021,
    )


NAT = Middlebox(
    name="nat",
    about="nftables masquerade, conntrack helper `ftp`",
    rules=MASQUERADE + HELPER + FILTER % 'iifname "lan0" tcp dport 21',
)

# Control connections through the program, data by plain NAT: what reading the control connection costs.
CONTROL = Middlebox(
    name="control",
    about="`ftp-proxy --netfilter -n`, data by nftables masquerade",
    rules=EXAMPLE.read_text() + MASQUERADE + FILTER % 'iifname "lan0"',
    program=("{program}", "--netfilter", "--listen", "0.0.0.0:8021", "-n"),
    port=8021,
)

TABLE = [
    Middlebox("direct", "routing, no NAT and no filter"),
    NAT,
    CONTROL,
    ours("relay"),
    ours("redirect"),
    ours("kernel"),
]
