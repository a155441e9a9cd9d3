#!/usr/bin/env python3
"""One client's stalled downloads against another client's throughput: prints both rates and their ratio.

Run it as root, for the bound on pipes does not hold for root: the sessions run as the user that the proxy drops to.
Everything is on the loopback interface."""

import argparse
import fcntl
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SERVER, FRONT, STALLER, OTHER = "127.0.0.4", "127.0.0.3", "127.0.0.2", "127.0.0.5"
PATIENCE_S = 30
BLOCK = bytes(1 << 20)
ENDLESS = 1 << 40
# Of a stalled download's ends at client and server, which stand on other machines: their memory is not the gateway's.
FAR_BUFFER = 1 << 18


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default=ROOT / "target/release/ftp-proxy", help="the proxy to measure")
    parser.add_argument("--stalled", type=int, default=90, help="downloads of which no byte is read any more")
    parser.add_argument("--bytes", type=int, default=1 << 30, help="of the download that is timed")
    parser.add_argument("--rounds", type=int, default=5, help="the figures are medians")
    parser.add_argument("--direct", action="store_true", help="without the proxy: what the stalled downloads cost the system")
    parser.add_argument("options", nargs="*", help="more options of the proxy, after --")
    return parser.parse_args()


def listener(address):
    made = socket.create_server((address, 0), backlog=512)
    return made, made.getsockname()


def serve(control):
    """A server that knows PASV and RETR, whose argument is the length of the file."""
    control.sendall(b"220 ready\r\n")
    passive = None
    for line in control.makefile("rb"):
        verb, _, argument = line.strip().partition(b" ")
        if verb == b"PASV":
            passive, (ip, port) = listener(SERVER)
            at = ",".join([*ip.split("."), str(port >> 8), str(port & 255)])
            control.sendall(f"227 ok ({at})\r\n".encode())
        elif verb == b"RETR":
            control.sendall(b"150 here\r\n")
            data, _ = passive.accept()
            if int(argument) == ENDLESS:
                data.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, FAR_BUFFER)
            try:
                left = int(argument)
                while left > 0:
                    left -= data.send(BLOCK[:left])
            except OSError:
                pass  # the client of a stalled download has gone
            data.close()
            control.sendall(b"226 done\r\n")
        else:
            control.sendall(b"230 well then\r\n")


def server():
    """In a process of its own, which ends with this one."""
    made, at = listener(SERVER)
    pid = os.fork()
    if pid == 0:
        while True:
            control, _ = made.accept()
            threading.Thread(target=lambda c=control: quietly(c), daemon=True).start()
    made.close()
    return pid, at


def quietly(control):
    try:
        serve(control)
    except OSError:
        pass


class Client:
    def __init__(self, at, address):
        self.address = address
        self.control = socket.create_connection(at, PATIENCE_S, (address, 0))
        self.lines = self.control.makefile("rb")
        self.hear(b"220")
        self.ask("USER joe", b"230")

    def hear(self, code):
        line = self.lines.readline()
        if not line.startswith(code):
            sys.exit(f"expected {code}, got {line}")
        return line

    def ask(self, command, code):
        self.control.sendall(f"{command}\r\n".encode())
        return self.hear(code)

    def download(self, length):
        numbers = self.ask("PASV", b"227").decode().split("(")[1].split(")")[0].split(",")
        port = int(numbers[4]) << 8 | int(numbers[5])
        data = socket.create_connection((".".join(numbers[:4]), port), PATIENCE_S, (self.address, 0))
        self.ask(f"RETR {length}", b"150")
        return data

    def rate(self, length):
        """MB/s of a download that is read as fast as it comes."""
        began, buffer = time.monotonic(), bytearray(1 << 20)
        data, left = self.download(length), length
        while left > 0:
            got = data.recv_into(buffer)
            if got == 0:
                sys.exit("the download is cut")
            left -= got
        took = time.monotonic() - began
        data.close()
        self.hear(b"226")
        return length / took / 1e6


def begin(program, server_at, options):
    with socket.create_server((FRONT, 0)) as free:
        at = free.getsockname()
    command = [program, "-R", "%s:%d" % server_at, "--listen", "%s:%d" % at, "--max-sessions", "1000",
               "--max-sessions-per-client", "0", *options]
    proxy = subprocess.Popen([*command, "--log-stderr"], stderr=subprocess.DEVNULL)
    for _ in range(100):
        try:
            Client(at, OTHER).control.close()
            return proxy, at
        except OSError:
            time.sleep(0.1)
    sys.exit("the proxy does not listen")


def pipe_pages(parent):
    """Pages that the pipes of all sessions hold of the bound (fs.pipe-user-pages-soft)."""
    pages = 0
    for child in pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        seen = set()
        for descriptor in pathlib.Path(f"/proc/{child}/fd").iterdir():
            target = os.readlink(descriptor)
            if target.startswith("pipe:") and target not in seen:
                seen.add(target)
                opened = os.open(descriptor, os.O_RDONLY | os.O_NONBLOCK)
                pages += fcntl.fcntl(opened, fcntl.F_GETPIPE_SZ) // os.sysconf("SC_PAGESIZE")
                os.close(opened)
    return pages


def main():
    args = arguments()
    server_pid, server_at = server()
    proxy, at = begin(args.program, server_at, args.options)
    try:
        if args.direct:
            at = server_at
        other = Client(at, OTHER)
        other.rate(args.bytes)
        before = statistics.median(other.rate(args.bytes) for _ in range(args.rounds))
        stalled = []
        for _ in range(args.stalled):
            client = Client(at, STALLER)
            data = client.download(ENDLESS)
            data.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, FAR_BUFFER)
            # Long enough for its pipe to become wide; then nothing is read any more.
            left = 32 << 20
            while left > 0:
                left -= len(data.recv(1 << 20))
            stalled.append((client, data))
        time.sleep(3)
        pages = pipe_pages(proxy.pid)
        new = Client(at, OTHER)  # with pipes that are made now
        after = statistics.median(new.rate(args.bytes) for _ in range(args.rounds))
        print(f"alone {before:.0f} MB/s, beside {args.stalled} stalled downloads {after:.0f} MB/s: {after / before:.2f}; "
              f"the pipes hold {pages} pages")
    finally:
        proxy.terminate()
        os.kill(server_pid, 9)
        proxy.wait()


main()
