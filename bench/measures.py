"""The table of measures: what is done through a middlebox, and the figures that come of it."""

import dataclasses
import pathlib
import statistics
import sys
import typing

import servers

GIB = 1 << 30
PIECE = 16 << 20  # as in peer/bulk.rs
FTPLIB = pathlib.Path(__file__).with_name("ftplib_client.py")


@dataclasses.dataclass(frozen=True)
class Figure:
    name: str
    unit: str
    form: str = "{:.2f}"
    ratio: bool = True  # is a ratio to `direct` of any meaning?


@dataclasses.dataclass(frozen=True)
class Measure:
    name: str
    take: typing.Callable  # (world, size): {figure's name: value}
    figures: tuple
    size: int
    quick: int
    one_cpu: bool = False  # confined to one; see README.md
    once: bool = False  # in the first round only: it takes long, and its figures vary little


def bulk(verb, name):
    """One large file, as fast as its median piece: what else the machine does falls upon some of them. CPU is that of the
    gateway's processes from the login to the final reply, announcement included."""
    def take(world, size):
        with world.session():
            began = world.cpu()
            times = world.order(verb, size)
            cpu = world.cpu_since(began)
        return {name: PIECE / GIB / (statistics.median(times) / 1e9), f"{name}-cpu": cpu * 1e3 / (size / GIB)}
    return take


def small_files(server, name):
    """Files of 1 KiB, one after the other, PASV and a connection for each. Of the times the median counts: what else the
    machine does falls upon some of them."""
    def take(world, size):
        with world.session(server):
            began = world.cpu()
            times = world.order("files", size, servers.SMALL)
            cpu = world.cpu_since(began)
        return {
            name: 1e9 / statistics.median(times[1::2]),
            f"{name}-pasv": statistics.median(times[0::2]) / 1e3,
            f"{name}-cpu": cpu * 1e6 / (len(times) // 2),
        }
    return take


def ftplib(world, size):
    """The same by a client that people have: it says TYPE before each file, and takes its time itself."""
    times = world.run(world.client_at, sys.executable, FTPLIB, servers.VSFTPD, size, servers.SMALL)
    return {"ftplib": 1e9 / statistics.median(map(int, times.split()))}


def grants(world, size):
    """What a data connection costs at the packet filter: Grant and Revoke through a broker, without a session."""
    if world.box.name not in ("redirect", "kernel"):
        return {}
    times = [int(word) / 1e3 for word in world.run(world.gateway, world.peer, "grants", world.box.name, size).split()]
    granted = sorted(times[0::2])
    return {
        "grant": statistics.median(granted),
        "grant-p99": granted[len(granted) * 99 // 100],
        "revoke": statistics.median(times[1::2]),
    }


def sessions(world, size):
    """Sessions one after the other: connect, log in, QUIT, and the end of the connection."""
    began = world.cpu()
    times = world.order("sessions", servers.STUB, size)
    world.settle()  # what a process does after its last word is part of what it costs
    cpu = world.cpu_since(began)
    return {
        "sessions": 1e9 / statistics.median(times[1::2]),
        "banner": statistics.median(times[0::2]) / 1e3,
        "session-cpu": cpu * 1e3 / (len(times) // 2),
    }


def commands(world, size):
    """One command and its reply after the other, in one session."""
    with world.session():
        times = world.order("commands", size)
    return {"command": statistics.median(times) / 1e3}


CROWD = 50


def crowd(world, size):
    """Many at once, each of them with a file of its own."""
    time = world.order("crowd", servers.STUB, CROWD, size)[0]
    return {"crowd": CROWD * size / GIB / (time / 1e9)}


STEPS = (10, 100, 1000, 5000)  # as in peer figures below


def idle(world, size):
    """Sessions that have logged in and do nothing: what memory each has, and how fast more are taken, from few to many. What
    the program has without any is not counted."""
    if not world.programs:
        return {}
    before, figures, opened = world.memory(), {}, 0
    for step in STEPS:
        if step > min(size, world.box.most):
            break
        times = []
        while opened < step:
            more = min(step - opened, 500)  # an answer is one line
            times += world.order("idle", servers.STUB, more)
            opened += more
        figures[f"idle-{step}"] = (world.memory() - before) / step
        figures[f"accept-{step}"] = statistics.median(times) / 1e3
    world.order("leave")
    world.settle()
    return figures


def bulk_figures(name):
    return (
        Figure(name, f"one {name}, GiB/s"),
        Figure(f"{name}-cpu", "the program's CPU for it, ms per GiB", "{:.1f}", ratio=False),
    )


def file_figures(name, server, on="one CPU"):
    return (
        Figure(name, f"files of 1 KiB from {server}, {on}, per second", "{:.0f}"),
        Figure(f"{name}-pasv", "from PASV to 227, µs", "{:.0f}", ratio=False),
        Figure(f"{name}-cpu", "the program's CPU, µs per file", "{:.0f}", ratio=False),
    )


def free_figures(name, server):
    return file_figures(name, server, on="all CPUs")


def waiting_figures(name, server):
    """A server that waits for acknowledgements (servers.py)."""
    return (Figure(name, f"files of 1 KiB from {server}, per second", "{:.0f}"),)


TABLE = [
    Measure("download", bulk("get", "download"), bulk_figures("download"), GIB, GIB // 16),
    Measure("upload", bulk("put", "upload"), bulk_figures("upload"), GIB, GIB // 16),
    Measure("stub", small_files(servers.STUB, "stub"), file_figures("stub", "the stub"), 500, 20, one_cpu=True),
    Measure("vsftpd", small_files(servers.VSFTPD, "vsftpd"), file_figures("vsftpd", "vsftpd"), 500, 20, one_cpu=True),
    Measure("stub-free", small_files(servers.STUB, "stub-free"), free_figures("stub-free", "the stub"), 500, 20),
    Measure("vsftpd-free", small_files(servers.VSFTPD, "vsftpd-free"), free_figures("vsftpd-free", "vsftpd"), 500, 20),
    Measure("ftplib", ftplib, (
        Figure("ftplib", "the same with Python's ftplib, per second", "{:.0f}"),
    ), 500, 20, one_cpu=True),
    Measure("plain", small_files(servers.VSFTPD_PLAIN, "plain"), waiting_figures("plain", "vsftpd as it comes"), 500, 10),
    Measure("nagle", small_files(servers.NAGLE, "nagle"), waiting_figures("nagle", "the stub with Nagle on"), 500, 10),
    Measure("grant", grants, (
        Figure("grant", "a grant, µs", "{:.0f}", ratio=False),
        Figure("grant-p99", "99 of 100 grants are within, µs", "{:.0f}", ratio=False),
        Figure("revoke", "taking it away, µs", "{:.0f}", ratio=False),
    ), 500, 50, one_cpu=True),
    Measure("crowd", crowd, (
        Figure("crowd", f"{CROWD} downloads at once, GiB/s in all"),
    ), 16 << 20, 1 << 20),
    Measure("sessions", sessions, (
        Figure("sessions", "sessions per second, log-in and QUIT", "{:.0f}"),
        Figure("banner", "from the connection to 220, µs", "{:.0f}", ratio=False),
        Figure("session-cpu", "the program's CPU, ms per session", "{:.2f}", ratio=False),
    ), 200, 20),
    Measure("commands", commands, (
        Figure("command", "a command and its reply, µs", "{:.1f}", ratio=False),
    ), 2000, 50, one_cpu=True),
    Measure("idle", idle, tuple(
        figure for step in STEPS for figure in (
            Figure(f"idle-{step}", f"memory (PSS) per idle session, KiB, of {step}", "{:.0f}", ratio=False),
            Figure(f"accept-{step}", f"from the connection to 220, µs, up to {step} sessions", "{:.0f}", ratio=False),
        )
    ), 5000, 10, once=True),
]
