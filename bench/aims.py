"""What the figures are held against. Nothing fails by them: a benchmark says how things are."""

import statistics
import typing


class Aim(typing.NamedTuple):
    text: str
    figure: str
    box: str
    base: str  # "": the figure itself counts
    holds: typing.Callable


TABLE = [
    Aim("kernel: download at least 0.97 of NAT's", "download", "kernel", "nat", lambda ratio: ratio >= 0.97),
    Aim("kernel: upload at least 0.97 of NAT's", "upload", "kernel", "nat", lambda ratio: ratio >= 0.97),
    Aim("kernel: no CPU for data (under 1 ms per GiB)", "download-cpu", "kernel", "", lambda ms: ms < 1),
    Aim("a grant under 200 µs", "grant", "kernel", "", lambda us: us < 200),
    Aim("kernel: files/s from vsftpd at least 0.9 of NAT's", "vsftpd", "kernel", "nat", lambda ratio: ratio >= 0.9),
    Aim("the same, delayed ACKs on", "plain", "kernel", "nat", lambda ratio: ratio >= 0.9),
]


def judged(values):
    """(aim, figure, whether it is reached) for all that was measured."""
    for aim in TABLE:
        found = values.get(aim.figure, {})
        if aim.box not in found or aim.base and aim.base not in found:
            continue
        of_rounds = found[aim.box]
        if aim.base:
            of_rounds = [a / b for a, b in zip(of_rounds, found[aim.base])]
        figure = statistics.median(of_rounds)
        yield aim, figure, aim.holds(figure)
