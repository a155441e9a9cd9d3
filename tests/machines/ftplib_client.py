"""One errand with Python's ftplib: operation style host port user password local remote.

Prints `data peer ADDRESS PORT` for every data connection, so that the test can see where it went or came from.
"""

import ftplib
import os
import select
import socket
import struct
import sys
import time

TIMEOUT = 35  # seconds; less than the patience with the whole errand

# RFC 854.
IAC, IP, DM = b"\xff", b"\xf4", b"\xf2"


class Client(ftplib.FTP):
    def ntransfercmd(self, cmd, rest=None):
        connection, size = super().ntransfercmd(cmd, rest)
        print("data peer", *connection.getpeername()[:2])
        return connection, size


def reply(ftp):
    """The code of the next reply, whatever it is."""
    try:
        return ftp.getresp()[:3]
    except ftplib.Error as error:
        return str(error)[:3]


def abort(ftp, remote):
    """Gives up a transfer in the middle, and wants it confirmed in one of the ways RFC 959 knows."""
    ftp.voidcmd("TYPE I")
    connection = ftp.transfercmd("RETR " + remote)
    got = 0
    while got < 1 << 20:
        got += len(connection.recv(1 << 16))
    # As BSD's ftp(1) does: Telnet's "interrupt process" and Synch, then the command, then the data connection goes. A server
    # that is stuck in sending would not read the command before that.
    ftp.sock.sendall(IAC + IP + IAC)
    ftp.sock.send(DM, socket.MSG_OOB)
    ftp.sock.sendall(b"ABOR\r\n")
    connection.close()
    replies = []
    # pure-ftpd throws away a command that comes while it deals with ABOR, and it may answer once, twice or not at all: so
    # the next command waits until the server has been quiet.
    while select.select([ftp.sock], [], [], 1)[0]:
        replies.append(reply(ftp))
    ftp.putcmd("NOOP")
    while not replies or replies[-1] != "200":
        replies.append(reply(ftp))
    print("after ABOR:", *replies)
    # 150 is pure-ftpd's, in place of any final reply.
    if not set(replies[:-1]) <= {"150", "225", "226", "426"}:
        raise SystemExit("an answer that is none to ABOR: " + " ".join(replies))


def verdict(ftp):
    """Says what the server, or whoever stands in for it, says of the transfer."""
    try:
        code = "150"
        while code[0] == "1":
            code = reply(ftp)
        print("verdict:", code)
    except (EOFError, OSError):
        print("verdict: nothing")


def put_then_reset(ftp, remote):
    ftp.voidcmd("TYPE I")
    connection = ftp.transfercmd("STOR " + remote)
    connection.sendall(b"x" * (1 << 20))
    time.sleep(0.2)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    verdict(ftp)


def get_that_is_cut(ftp, remote):
    ftp.voidcmd("TYPE I")
    connection = ftp.transfercmd("RETR " + remote)
    got = 0
    try:
        while data := connection.recv(1 << 16):
            got += len(data)
        print("cut: the end after", got)
    except ConnectionResetError:
        print("cut: reset after", got)
    connection.close()
    if got >= 5 << 30:
        raise SystemExit("nobody has cut it")
    verdict(ftp)


def stay_away(ftp, remote):
    ftp.voidcmd("TYPE I")
    ftp.makepasv()
    ftp.putcmd("RETR " + remote)
    verdict(ftp)


def main(operation, style, host, port, user, password, local, remote):
    ftp = Client(timeout=TIMEOUT)
    ftp.set_debuglevel(1)
    ftp.set_pasv(style == "passive")
    if os.environ.get("TRUST_PASV"):
        ftp.trust_server_pasv_ipv4_address = True
    ftp.connect(host, int(port))
    ftp.login(user, password)
    if operation == "get":
        with open(local, "wb") as file:
            ftp.retrbinary("RETR " + remote, file.write)
    elif operation == "resume_get":
        with open(local, "ab") as file:
            ftp.retrbinary("RETR " + remote, file.write, rest=file.tell())
    elif operation == "put":
        with open(local, "rb") as file:
            ftp.storbinary("STOR " + remote, file)
    elif operation == "resume_put":
        with open(local, "rb") as file:
            ftp.storbinary("APPE " + remote, file)
    elif operation == "list":
        with open(local, "w") as file:
            ftp.dir(remote, lambda line: file.write(line + "\n"))
    elif operation == "abort_then_get":
        abort(ftp, remote)
        with open(local, "wb") as file:
            ftp.retrbinary("RETR pub/data.bin", file.write)
    elif operation == "get_of_one_that_dies":
        get_that_is_cut(ftp, remote)
        return
    elif operation in ("put_then_reset", "get_that_is_cut", "stay_away"):
        {"put_then_reset": put_then_reset, "get_that_is_cut": get_that_is_cut, "stay_away": stay_away}[operation](
            ftp, remote
        )
        with open(local, "wb") as file:
            ftp.retrbinary("RETR pub/data.bin", file.write)
    else:
        raise SystemExit("no such operation: " + operation)
    ftp.quit()


main(*sys.argv[1:])
