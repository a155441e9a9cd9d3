"""On what the figures were measured."""

import os
import platform
import re
import subprocess


def first_line(*words):
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return (done.stdout or "unknown").splitlines()[0].strip()


def describe(program):
    with open("/proc/cpuinfo") as cpus:
        model = re.search(r"model name\s*: (.*)", cpus.read())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return {
        "processor": f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "versions": [
            first_line(program, "--version"), first_line("rustc", "--version"), first_line("nft", "--version"),
            f"Python {platform.python_version()}",
        ],
        "load": os.getloadavg(),
    }
