"""On what the figures were measured."""

import os
import platform
import re
import subprocess


def first_line(*words, fields=""):
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    lines = [line for line in done.stdout.splitlines() if line.startswith(fields)]
    return (lines or ["unknown"])[0].strip()


def version(box):
    """Of the package that bench/setup has unpacked."""
    return first_line("apt-cache", "show", box.package, fields="Version").replace("Version:", box.name)


def describe(program, boxes):
    with open("/proc/cpuinfo") as cpus:
        model = re.search(r"model name\s*: (.*)", cpus.read())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return {
        "processor": f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "versions": [
            first_line(program, "--version"), first_line("rustc", "--version"), first_line("nft", "--version"),
            f"Python {platform.python_version()}",
            *(version(box) for box in boxes if box.package),
        ],
        "load": os.getloadavg(),
    }
