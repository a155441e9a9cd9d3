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
    program: tuple = ()  # command line on the gateway; {program} is ours in a release build, {static} the same linked
    # statically, {peer} the benchmark's own
    port: int = 0  # where it listens, so that we know when it is ready
    config: str = ""  # {config} is the file that has this text
    measures: tuple = ()  # what is measured on it; nothing named: all
    most: int = 5000  # sessions that it can have at once
    package: str = ""  # of Debian, if bench/setup has unpacked it from there


def ours(path):
    return Middlebox(
        name=path,
        about=f"`ftp-proxy --netfilter --data-path {path}`",
        rules=EXAMPLE.read_text() + FILTER % "ct status dnat",
        program=("{program}", "--netfilter", "--listen", "0.0.0.0:8021", "--max-sessions", "6000",
                 "--max-sessions-per-client", "0", "--data-path", path),
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
    program=("{program}", "--netfilter", "--listen", "0.0.0.0:8021", "--max-sessions", "6000",
             "--max-sessions-per-client", "0", "-n"),
    port=8021,
)

def inetd(name, program, how):
    """The program as inetd(8) starts it: a process of its own from exec(3) on for each session."""
    return Middlebox(
        name=name,
        about=f"`ftp-proxy --netfilter --data-path relay`{how}, started for each session",
        rules=EXAMPLE.read_text() + FILTER % "ct status dnat",
        program=("{peer}", "inetd", "0.0.0.0:8021", program, "--netfilter", "--data-path", "relay"),
        port=8021,
        measures=("sessions", "commands", "idle"),
    )


# For programs that know no FTP: all that the client sends is brought to them, at whatever address and port it was for.
EVERYTHING = """
table ip everything {
    chain prerouting {
        type nat hook prerouting priority dstnat; policy accept;
        iifname "lan0" meta l4proto tcp redirect to :8021
    }
}
"""
# For one that is told its servers, and tells them apart by the port at which a client comes.
BY_SERVER = """
table ip by_server {
    chain prerouting {
        type nat hook prerouting priority dstnat; policy accept;
        iifname "lan0" ip daddr 10.2.0.2 tcp dport 21 redirect to :8021
        iifname "lan0" ip daddr 10.2.0.3 tcp dport 21 redirect to :8022
    }
}
"""

# For one that listens at the server's own port, but as the gateway: data connections are brought to it with their port kept.
DATA_TOO = """
table ip data_too {
    chain prerouting {
        type nat hook prerouting priority dstnat; policy accept;
        iifname "lan0" tcp dport 21 redirect to :8021
        iifname "lan0" meta l4proto tcp redirect
    }
}
"""

# What the others can all do, or be spared.
COMMON = ("download", "upload", "stub", "vsftpd", "stub-free", "vsftpd-free", "crowd", "sessions", "commands", "idle")

BLIND = Middlebox(
    name="blind",
    about="a relay that only splices, `bench/peer/relay.rs`: the floor for a proxy in user space",
    rules=EVERYTHING + FILTER % 'iifname "nothing"',
    program=("{peer}", "relay", "0.0.0.0:8021"),
    port=8021,
    measures=COMMON,
    most=1000,  # six descriptors each, and two threads
)

UNPACKED = pathlib.Path(__file__).resolve().parent.parent / "target/bench/root"


def haproxy():
    return Middlebox(
        name="haproxy",
        about="haproxy, TCP mode with `option splice-auto`, knows no FTP",
        rules=EVERYTHING + FILTER % 'iifname "nothing"',
        program=(UNPACKED / "usr/sbin/haproxy", "-db", "-f", "{config}"),
        port=8021,
        config="""
global
    maxconn 6000
defaults
    mode tcp
    option splice-auto
    timeout connect 10s
    timeout client 1h
    timeout server 1h
listen everything
    bind 0.0.0.0:8021
    server wherever 0.0.0.0:0
""",
        measures=COMMON,
        package="haproxy",
    )


def suse():
    return Middlebox(
        name="suse",
        about="SuSE proxy-suite's `ftp-proxy`, standalone, `AllowTransProxy`; a session is a process",
        rules=EXAMPLE.read_text() + FILTER % 'iifname "nothing"',
        program=(UNPACKED / "usr/sbin/ftp-proxy", "-n", "-d", "-f", "{config}"),
        port=8021,
        config="""
[-Global-]
AllowTransProxy yes
DestinationAddress 10.2.0.2
DestinationPort 21
ForkLimit 10000
Listen 0.0.0.0
MaxClients 6000
PidFile /run/suse.pid
Port 8021
ServerType standalone
""",
        measures=COMMON,
        most=100,  # it turns away some of a thousand, whatever its limits are set to
        package="ftp-proxy",
    )


def squid():
    share = UNPACKED / "usr/share/squid"
    return Middlebox(
        name="squid",
        about="squid, `ftp_port ... intercept`, no cache and no log of accesses",
        rules=DATA_TOO + FILTER % 'iifname "nothing"',
        program=(UNPACKED / "usr/sbin/squid", "-N", "-f", "{config}"),
        port=8021,
        config=f"""
ftp_port 0.0.0.0:8021 intercept
# squid wants a port for HTTP; nobody is there.
http_port 127.0.0.1:3128
http_access allow all
ftp_epsv deny all
cache deny all
cache_mem 0
access_log none
cache_log /dev/null
cache_store_log none
pid_filename none
netdb_filename none
pinger_enable off
max_filedescriptors 20000
visible_hostname gateway
dns_nameservers 127.0.0.1
hosts_file none
unlinkd_program {UNPACKED}/usr/lib/squid/unlinkd
logfile_daemon {UNPACKED}/usr/lib/squid/log_file_daemon
mime_table {share}/mime.conf
icon_directory {share}/icons
error_directory {UNPACKED}/usr/share/squid-langpack/en
""",
        measures=COMMON,
        package="squid",
    )


def proftpd():
    return Middlebox(
        name="proftpd",
        about="ProFTPD with mod_proxy, `ProxyRole reverse`; a session is a process",
        rules=BY_SERVER + FILTER % 'iifname "nothing"',
        program=(UNPACKED / "usr/sbin/proftpd", "-n", "-q", "-c", "{config}"),
        port=8021,
        config=f"""
ServerName gateway
ServerType standalone
DefaultAddress 0.0.0.0
Port 8021
UseIPv6 off
User daemon
Group daemon
UseReverseDNS off
WtmpLog off
TransferLog none
SystemLog none
PidFile /run/proftpd.pid
ScoreboardFile none
MaxInstances none
TimeoutIdle 0
TimeoutLogin 0
TimeoutNoTransfer 0
AuthPAM off
ModulePath {UNPACKED}/usr/lib/proftpd
# mod_proxy lacks symbols without it; TLS is not on.
LoadModule mod_tls.c
LoadModule mod_proxy.c
<IfModule mod_delay.c>
DelayEngine off
</IfModule>
ProxyTables /run/proftpd-tables
<Global>
ProxyEngine on
ProxyRole reverse
</Global>
ProxyReverseServers ftp://10.2.0.2:21
<VirtualHost 0.0.0.0>
Port 8022
ProxyReverseServers ftp://10.2.0.3:21
</VirtualHost>
""",
        measures=COMMON,
        most=100,  # each takes 2 MiB, and 30 ms to begin
        package="proftpd-mod-proxy",
    )


def unpacked():
    """The programs of others that bench/setup has fetched."""
    return [box for box in (haproxy(), suse(), squid(), proftpd()) if box.program[0].exists()]


TABLE = [
    Middlebox("direct", "routing, no NAT and no filter"),
    NAT,
    CONTROL,
    ours("relay"),
    inetd("inetd", "{program}", ""),
    inetd("inetd-static", "{static}", " linked statically"),
    ours("redirect"),
    ours("kernel"),
    BLIND,
    *unpacked(),
]
