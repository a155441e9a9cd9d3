"""What the figures are held against. Nothing fails by them: a benchmark says how things are."""

import statistics
import typing


class Aim(typing.NamedTuple):
    text: str
    figure: str
    box: str
    base: str  # "": the figure itself counts
    holds: typing.Callable
    added: bool = False  # what it is more than the base, and not the ratio


TABLE = [
    Aim("kernel: download at least 0.97 of NAT's", "download", "kernel", "nat", lambda ratio: ratio >= 0.97),
    Aim("kernel: upload at least 0.97 of NAT's", "upload", "kernel", "nat", lambda ratio: ratio >= 0.97),
    Aim("kernel: no CPU for data (under 1 ms per GiB)", "download-cpu", "kernel", "", lambda ms: ms < 1),
    Aim("a grant under 200 µs", "grant", "kernel", "", lambda us: us < 200),
    Aim("kernel: files/s from vsftpd at least 0.9 of NAT's", "vsftpd", "kernel", "nat", lambda ratio: ratio >= 0.9),
    Aim("kernel: files/s from vsftpd as it comes at least 0.9 of NAT's", "plain", "kernel", "nat", lambda ratio: ratio >= 0.9),
    *(
        Aim(f"{box}: files/s from {server} at least 20 times direct", figure, box, "direct", lambda ratio: ratio >= 20)
        for figure, server, boxes in (
            ("plain", "vsftpd as it comes", ("relay", "redirect")),
            ("nagle", "the stub with Nagle on", ("control", "relay", "redirect", "kernel")),
        )
        for box in boxes
    ),
    Aim("relay: download at least the blind relay's", "download", "relay", "blind", lambda ratio: ratio >= 1),
    Aim("relay: upload at least the blind relay's", "upload", "relay", "blind", lambda ratio: ratio >= 1),
    Aim("relay: at most 360 ms of CPU per GiB", "download-cpu", "relay", "", lambda ms: ms <= 360),
    Aim("relay: 50 at once at least 0.5 of direct", "crowd", "relay", "direct", lambda ratio: ratio >= 0.5),
    Aim("from inetd: at most 1.5 ms of CPU per session", "session-cpu", "inetd", "", lambda ms: ms <= 1.5),
    Aim("from --listen: at most 0.6 ms of CPU per session", "session-cpu", "relay", "", lambda ms: ms <= 0.6),
    Aim("from inetd: banner at most 1 ms later", "banner", "inetd", "direct", lambda us: us < 1000, added=True),
    Aim("from --listen: banner at most 0.3 ms later", "banner", "relay", "direct", lambda us: us < 300, added=True),
    Aim("a command at most 50 µs later", "command", "relay", "direct", lambda us: us < 50, added=True),
    *(
        Aim(f"{box}: {files} at least {least} of direct", figure, box, "direct", lambda ratio, least=least: ratio >= least)
        for figure, files in (
            ("vsftpd-free", "small files from vsftpd, all CPUs,"),
            ("stub-free", "small files from the stub, all CPUs,"),
            ("vsftpd", "small files from vsftpd, one CPU,"),
            ("stub", "small files from the stub, one CPU,"),
        )
        for box, least in (("relay", 0.8), ("kernel", 0.95))
    ),
    Aim("from --listen: at most 60 KiB per idle session, of 5000", "idle-5000", "relay", "", lambda kib: kib <= 60),
    Aim("from inetd, static: at most 1.5 ms of CPU per session", "session-cpu", "inetd-static", "", lambda ms: ms <= 1.5),
    Aim("from inetd, static: banner at most 1 ms later", "banner", "inetd-static", "direct", lambda us: us < 1000, added=True),
    Aim("from inetd, static: at most 120 KiB per idle session, of 5000", "idle-5000", "inetd-static", "", lambda kib: kib <= 120),
    Aim("from inetd: at most 120 KiB per idle session, of 5000", "idle-5000", "inetd", "", lambda kib: kib <= 120),
    Aim("the 5000th session taken as fast as the 100th", "accept-5000", "relay", "relay/accept-100", lambda ratio: ratio <= 1.1),
]


def judged(values):
    """(aim, figure, whether it is reached) for all that was measured."""
    for aim in TABLE:
        of_rounds = values.get(aim.figure, {}).get(aim.box)
        box, _, figure = aim.base.partition("/")  # of another figure, if one is named
        base = values.get(figure or aim.figure, {}).get(box)
        if of_rounds is None or aim.base and base is None:
            continue
        if aim.base:
            of_rounds = [a - b if aim.added else a / b for a, b in zip(of_rounds, base)]
        figure = statistics.median(of_rounds)
        yield aim, figure, aim.holds(figure)
