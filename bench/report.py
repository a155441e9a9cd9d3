"""Medians, ratios and how sure they are, as Markdown."""

import math
import statistics

import aims

# What a reader wants to know of each base: whoever forwards in the kernel beside NAT, whoever does in user space beside the floor.
BASES = {
    "direct": None,  # all
    "nat": ("control", "redirect", "kernel"),
    "blind": ("relay", "redirect", "haproxy", "suse", "squid", "proftpd"),
}


def interval(values):
    """The median's own 95 % interval, by order statistics: nothing is assumed about how the noise is distributed."""
    values, n = sorted(values), len(values)
    below, rank = 0.0, 0
    while rank < n // 2 and below + math.comb(n, rank) / 2**n <= 0.025:
        below += math.comb(n, rank) / 2**n
        rank += 1
    rank = max(rank - 1, 0)
    return values[rank], values[n - 1 - rank]


def absolute(values, figure, box):
    if box not in values[figure.name]:
        return "–"
    said = figure.form.format(statistics.median(values[figure.name][box]))
    return said if float(said) else said.lstrip("-")  # no less than nothing


def ratio(values, figure, box, base):
    """Round by round, since what disturbs the machine disturbs neighbours alike."""
    if box not in values[figure.name]:
        return "–"
    of_rounds = [a / b for a, b in zip(values[figure.name][box], values[figure.name][base])]
    low, high = interval(of_rounds)
    sure = f" ({low:.2f}–{high:.2f})" if len(of_rounds) > 1 else ""
    return f"{statistics.median(of_rounds):.2f}{sure}"


def row(cells):
    return "| " + " | ".join(cells) + " |\n"


def table(title, boxes, figures, cell):
    text = f"\n{title}\n\n" + row(["", *boxes]) + row(["---"] * (len(boxes) + 1))
    return text + "".join(row([figure.unit, *(cell(figure, box) for box in boxes)]) for figure in figures)


def markdown(found, boxes, measures):
    values, machine = found["values"], found["machine"]
    names = [box.name for box in boxes]
    figures = [figure for measure in measures for figure in measure.figures if figure.name in values]
    compared = [figure for figure in figures if figure.ratio]
    text = f"{machine['processor']}; {machine['kernel']}; {', '.join(machine['versions'])}.\n"
    text += f"{found['rounds']} rounds; load of the machine meanwhile {machine['load'][1]:.1f}.\n\n"
    text += "".join(f"- `{box.name}`: {box.about}\n" for box in boxes)
    text += "".join(f"\n**`{box}` was left out from {why}**\n" for box, why in found["left_out"].items())
    text += table("Medians of the rounds:", names, figures, lambda f, box: absolute(values, f, box))
    for base, wanted in BASES.items():
        others = [name for name in names if name != base and (wanted is None or name in wanted)]
        of_base = [figure for figure in compared if base in values[figure.name]]
        if base in names and others and of_base:
            title = f"Ratio to `{base}`, median of the rounds, and the 95 % interval of that median:"
            text += table(title, others, of_base, lambda f, box: ratio(values, f, box, base))
    if found["rounds"] == 1:
        return text  # decides nothing
    text += "\n| aim | measured | |\n| --- | --- | --- |\n"
    for aim, figure, reached in aims.judged(values):
        text += row([aim.text, f"{figure:.3g}", "reached" if reached else "not reached"])
    return text
