"""A world for each middlebox: client, gateway and server in network namespaces, joined by two wires.

    client 10.1.0.2 -- lan0 10.1.0.1 [gateway] wan0 10.2.0.1 -- 10.2.0.2 to 10.2.0.5 servers

All worlds stand side by side with the same addresses, and only one is in use at a time. Every wait has a bound.
"""

import atexit
import contextlib
import functools
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

import middleboxes
import servers

ANSWER_S = 120  # the longest that a client may take for one order
READY_S = 10
LOG = pathlib.Path("/run/log")
GROUPS = pathlib.Path("/run/groups")


def sh(*words, text=None):
    """Runs a command that must succeed."""
    done = subprocess.run(words, input=text, text=True, capture_output=True, timeout=READY_S)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")


@contextlib.contextmanager
def bound(seconds, what):
    """Whatever waits inside is interrupted after that time."""
    def late(*_):
        raise TimeoutError(f"{what}: no answer within {seconds} s")
    signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def prepare():
    """What all worlds share: /run, and a /dev with room for a log that is read, as on any gateway."""
    sh("mount", "-t", "tmpfs", "-o", "mode=755", "run", "/run")
    os.makedirs("/run/netns")
    os.makedirs("/run/dev")
    for node in ("null", "zero", "full", "random", "urandom"):
        pathlib.Path("/run/dev", node).touch()
        sh("mount", "--bind", f"/dev/{node}", f"/run/dev/{node}")
    os.symlink("/proc/self/fd", "/run/dev/fd")
    shared = pathlib.Path("/run/dev/shm")
    shared.mkdir()
    shared.chmod(0o1777)
    sh("mount", "--rbind", "/run/dev", "/dev")
    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    log.bind("/dev/log")
    os.chmod("/dev/log", 0o666)
    # The kernel counts what a gateway's processes cost, those that have ended too (cgroups(7), version 2).
    GROUPS.mkdir()
    sh("mount", "-t", "cgroup2", "none", str(GROUPS))
    threading.Thread(target=read_log, args=(log,), daemon=True).start()
    servers.prepare()


def read_log(log):
    with LOG.open("wb", buffering=0) as kept:
        while True:
            kept.write(log.recv(65536) + b"\n")


def others():
    """The environment of a program that bench/setup has unpacked: its libraries are beside it. Ours has none of it, for each
    session from inetd would look there first."""
    libraries = middleboxes.UNPACKED / "usr/lib" / f"{os.uname().machine}-linux-gnu"
    return {**os.environ, "LD_LIBRARY_PATH": str(libraries)}


class World:
    def __init__(self, box, program, static, peer):
        self.box = box
        self.peer = peer
        self.cpus = os.sched_getaffinity(0)
        self.client_at, self.gateway, self.server_at = (f"{box.name}-{end}" for end in ("client", "gateway", "server"))
        # Groups are the machine's and not a namespace's: named for this process, and taken away with it.
        self.group = GROUPS / f"ftp-proxy-bench-{os.getppid()}-{box.name}"
        self.group.mkdir()
        atexit.register(self.end)
        self.programs = []
        self.join()
        if box.rules:
            sh("ip", "netns", "exec", self.gateway, "nft", "-f", "-", text=box.rules)
        self.start(self.server_at, peer, "serve", servers.STUB)
        self.start(self.server_at, peer, "serve-nagle", servers.NAGLE)
        vsftpd, environment = servers.vsftpd()
        for address in (servers.PROMPT, servers.PLAIN):
            self.start(self.server_at, vsftpd, servers.config(address), env=environment)
        self.await_listeners(self.server_at, 21, 4)
        if box.program:
            config = pathlib.Path(f"/run/{box.name}.conf")
            config.write_text(box.config)
            words = [str(word).format(program=program, static=static, peer=peer, config=config) for word in box.program]
            counted = functools.partial((self.group / "cgroup.procs").write_text, "0")
            environment = others() if box.package else None
            self.programs.append(self.start(self.gateway, *words, env=environment, preexec_fn=counted))
            self.await_listeners(self.gateway, box.port, 1)
        self.at_rest = self.running()
        self.client = self.start(self.client_at, peer, "client", stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def join(self):
        for name in (self.client_at, self.gateway, self.server_at):
            sh("ip", "netns", "add", name)
            sh("ip", "-n", name, "link", "set", "lo", "up")
        for end, host, wire, net in (
            (self.client_at, "client0", "lan0", "10.1.0"),
            (self.server_at, "server0", "wan0", "10.2.0"),
        ):
            sh("ip", "link", "add", host, "netns", end, "type", "veth", "peer", "name", wire, "netns", self.gateway)
            for name, link, address in ((end, host, f"{net}.2/24"), (self.gateway, wire, f"{net}.1/24")):
                sh("ip", "-n", name, "address", "add", address, "dev", link)
                sh("ip", "-n", name, "link", "set", link, "up")
            sh("ip", "-n", end, "route", "add", "default", "via", f"{net}.1")
        for address in (servers.PROMPT, servers.PLAIN, servers.NAGLE.split(":")[0]):
            sh("ip", "-n", self.server_at, "address", "add", f"{address}/24", "dev", "server0")
        sh("ip", "-n", self.client_at, "route", "add", servers.PROMPT, "via", "10.1.0.1", "quickack", "1")
        sh("ip", "-n", self.gateway, "route", "add", servers.PROMPT, "dev", "wan0", "quickack", "1")
        sh("ip", "netns", "exec", self.gateway, "sysctl", "-qw", "net.ipv4.ip_forward=1")

    def start(self, where, *words, **how):
        command = ["ip", "netns", "exec", where, *map(str, words)]
        return subprocess.Popen(command, text=True, **{"stdin": subprocess.DEVNULL, **how})

    def run(self, where, *words):
        """A program from its start to its end, on the CPUs that this world is confined to; what it says."""
        confined = functools.partial(os.sched_setaffinity, 0, self.cpus)
        program = self.start(where, *words, preexec_fn=confined, stdout=subprocess.PIPE)
        said, _ = program.communicate(timeout=ANSWER_S)
        if program.returncode != 0:
            raise RuntimeError(f"{self.box.name}: {' '.join(map(str, words))}: exit status {program.returncode}")
        return said

    def await_listeners(self, where, port, count):
        """Asks the namespace's own table, for a connection would be a session."""
        listening = f":{port:04X} 00000000:0000 0A"
        until = time.monotonic() + READY_S
        while self.sockets(where).count(listening) < count:
            if time.monotonic() > until:
                raise TimeoutError(f"{where}: too few listen at port {port}; the log: {LOG.read_text()[-500:]}")
            time.sleep(0.05)

    @staticmethod
    def sockets(where):
        table = ["ip", "netns", "exec", where, "cat", "/proc/net/tcp"]
        return subprocess.run(table, capture_output=True, text=True, timeout=READY_S).stdout

    def order(self, *words):
        """One line to the client; the numbers that it answers."""
        order = " ".join(map(str, words))
        with bound(ANSWER_S, f"{self.box.name}: {order}"):
            self.client.stdin.write(order + "\n")
            self.client.stdin.flush()
            answer = self.client.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.box.name}: {order}: the client ended; the log: {LOG.read_text()[-1000:]}")
        return [int(word) for word in answer.split()]

    @contextlib.contextmanager
    def session(self, server=servers.STUB):
        self.order("open", server)
        yield
        self.order("close")

    def processes(self, *places):
        """The folders in /proc of all that runs there, whoever their parents are."""
        wanted = {os.stat(f"/run/netns/{place}").st_ino for place in places}
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if os.stat(process / "ns/net").st_ino in wanted:
                    yield process

    def cpu(self):
        """Seconds of CPU so far of the gateway's program and all that it started, ended or not."""
        usage = (self.group / "cpu.stat").read_text().split()[1]
        return int(usage) / 1e6

    def cpu_since(self, began):
        return self.cpu() - began

    def memory(self):
        """KiB of the gateway's program and all that it started: each page is shared out among those that have it."""
        total = 0
        for process in (self.group / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                lines = pathlib.Path("/proc", process, "smaps_rollup").read_text().splitlines()
                total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return total

    def running(self):
        return len((self.group / "cgroup.procs").read_text().split())

    def settle(self):
        """Waits until the sessions' processes have ended, so that they are no part of what comes next."""
        until = time.monotonic() + READY_S
        while self.running() > self.at_rest:
            if time.monotonic() > until:
                raise TimeoutError(f"{self.box.name}: processes of sessions that are over do not end")
            time.sleep(0.002)

    def end(self):
        """The kernel takes a group away once nobody is in it."""
        until = time.monotonic() + READY_S
        with contextlib.suppress(OSError):
            (self.group / "cgroup.kill").write_text("1")
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                return self.group.rmdir()
            time.sleep(0.05)

    def confine(self, cpus):
        """Client, gateway and server, and what they start later, run on these CPUs."""
        self.cpus = cpus
        for process in self.processes(self.client_at, self.gateway, self.server_at):
            with contextlib.suppress(OSError):
                os.sched_setaffinity(int(process.name), cpus)
