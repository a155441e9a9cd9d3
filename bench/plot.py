"""The figures that a reader looks for first, as a picture (SVG): bars for what each middlebox does, a curve for memory."""

import math
import statistics
from xml.sax.saxutils import escape

import measures

BARS = (
    ("download", "one download, ratio to direct", True),
    ("upload", "one upload, ratio to direct", True),
    ("crowd", "50 downloads at once, ratio to direct", True),
    ("vsftpd-free", "files of 1 KiB from vsftpd, all CPUs, ratio to direct", True),
    ("stub-free", "files of 1 KiB from the stub, all CPUs, ratio to direct", True),
    ("stub", "files of 1 KiB from the stub, all on one CPU, ratio to direct", True),
    ("sessions", "sessions per second, ratio to direct", True),
    ("download-cpu", "CPU, ms per GiB downloaded", False),
    ("session-cpu", "CPU, ms per session", False),
)
WIDTH, LEFT, BAR, LINE = 760, 110, 420, 18
COLOURS = ("#1b6ca8", "#c05621", "#2f855a", "#6b46c1", "#b7791f", "#97266d", "#4a5568", "#2c7a7b", "#9b2c2c", "#285e61",
           "#744210", "#553c9a", "#718096")


def text(x, y, words, anchor="start", weight="normal"):
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" font-weight="{weight}">{escape(words)}</text>\n'


def bars(values, names, figure, title, of_direct, top):
    found = values.get(figure, {})
    shown = {name: statistics.median(found[name]) for name in names if name in found}
    if of_direct and "direct" in found:
        shown = {name: statistics.median(a / b for a, b in zip(found[name], found["direct"])) for name in shown}
    longest = max(shown.values(), default=0) or 1
    drawn = text(0, top, title, weight="bold")
    for row, (name, value) in enumerate(shown.items(), 1):
        y, length = top + row * LINE, value / longest * BAR
        drawn += text(LEFT - 8, y, name, "end")
        colour = COLOURS[names.index(name) % len(COLOURS)]
        drawn += f'<rect x="{LEFT}" y="{y - 11:.0f}" width="{length:.1f}" height="13" fill="{colour}"/>\n'
        drawn += text(LEFT + length + 6, y, f"{value:.2f}")
    return drawn, top + (len(shown) + 2) * LINE


def curve(values, names, top):
    """Memory of an idle session, by how many there are."""
    points = {
        name: [(step, statistics.median(values[f"idle-{step}"][name])) for step in measures.STEPS
               if name in values.get(f"idle-{step}", {})]
        for name in names
    }
    points = {name: found for name, found in points.items() if found}
    if not points:
        return "", top
    # Tenfold steps upward, for what is compared differs a thousandfold.
    tens = math.ceil(math.log10(max(kib for found in points.values() for _, kib in found)))
    height, least, most = 100 * tens, measures.STEPS[0], measures.STEPS[-1]
    drawn = text(0, top, "memory (PSS) per idle session, KiB, by number of sessions; both scales logarithmic", weight="bold")
    bottom = top + 20 + height

    def level(kib):
        return bottom - math.log10(max(kib, 1)) / tens * height

    def across(step):
        return LEFT + math.log(step / least) / math.log(most / least) * BAR

    drawn += f'<path d="M{LEFT} {top + 20} V{bottom} H{LEFT + BAR}" fill="none" stroke="black"/>\n'
    for ten in range(tens + 1):
        drawn += text(LEFT - 8, level(10**ten) + 4, str(10**ten), "end")
        drawn += f'<path d="M{LEFT} {level(10**ten):.0f} H{LEFT + BAR}" stroke="#cccccc"/>\n'
    for step in measures.STEPS:
        drawn += text(across(step), bottom + LINE, str(step), "middle")
    lowest = math.inf
    # From the lowest end upward, each label clear of the one before.
    for name, found in sorted(points.items(), key=lambda point: point[1][-1][1]):
        colour = COLOURS[names.index(name) % len(COLOURS)]
        at = [(across(step), level(kib)) for step, kib in found]
        drawn += f'<polyline points="{" ".join(f"{x:.0f},{y:.1f}" for x, y in at)}" fill="none" stroke="{colour}" stroke-width="2"/>\n'
        lowest = min(lowest - LINE, at[-1][1] + 4)
        drawn += f'<path d="M{at[-1][0]:.0f} {at[-1][1]:.1f} L{LEFT + BAR + 16} {lowest - 4:.1f}" stroke="{colour}" stroke-dasharray="2 3"/>\n'
        drawn += text(LEFT + BAR + 20, lowest, f"{name} {found[-1][1]:.0f}")
    return drawn, bottom + 3 * LINE


def svg(found, boxes):
    values, names = found["values"], [box.name for box in boxes]
    top, drawn = 2 * LINE, ""
    for figure, title, of_direct in BARS:
        if figure in values:
            piece, top = bars(values, names, figure, title, of_direct, top)
            drawn += piece
    piece, top = curve(values, names, top)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-10 0 {WIDTH} {top}" font-family="sans-serif" font-size="12">\n'
        f'<rect x="-10" width="{WIDTH}" height="{top}" fill="white"/>\n{drawn}{piece}</svg>\n'
    )
