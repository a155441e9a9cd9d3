"""One errand with Python's ftplib: operation style host port user password local remote.

Prints `data peer ADDRESS` for every data connection, so that the test can see where it went or came from.
"""

import ftplib
import os
import sys

TIMEOUT = 20  # seconds


class Client(ftplib.FTP):
    def ntransfercmd(self, cmd, rest=None):
        connection, size = super().ntransfercmd(cmd, rest)
        print("data peer", connection.getpeername()[0])
        return connection, size


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
    elif operation == "resume-get":
        with open(local, "ab") as file:
            ftp.retrbinary("RETR " + remote, file.write, rest=file.tell())
    elif operation == "put":
        with open(local, "rb") as file:
            ftp.storbinary("STOR " + remote, file)
    elif operation == "append":
        with open(local, "rb") as file:
            ftp.storbinary("APPE " + remote, file)
    elif operation == "list":
        with open(local, "w") as file:
            ftp.dir(remote, lambda line: file.write(line + "\n"))
    else:
        raise SystemExit("no such operation: " + operation)
    ftp.quit()


main(*sys.argv[1:])
