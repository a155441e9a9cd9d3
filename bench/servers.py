"""The servers of every world: the stub, so that the middlebox is the limit, and a real one, as users have it."""

import os
import pathlib
import shutil

STUB = "10.2.0.2:21"
# vsftpd twice. It closes a data connection with SO_LINGER, so that its close(2) waits until the end of the data is acknowledged,
# and its 226 comes after that. Linux delays that acknowledgement by 40 ms, unless the client closes its own end first, as curl
# does. The benchmark's client closes after the 226. The wait hides everything else, so the route to the first of the two
# has `quickack`.
PROMPT, PLAIN = "10.2.0.3", "10.2.0.4"
# The stub again, with Nagle's algorithm on: its 226 waits until its 150 is acknowledged.
NAGLE = "10.2.0.5:21"
VSFTPD = f"{PROMPT}:21"
VSFTPD_PLAIN = f"{PLAIN}:21"
SMALL = 1024  # bytes of a small file

# Where tests/setup/peers unpacks Debian's packages.
UNPACKED = pathlib.Path(__file__).resolve().parent.parent / "tests/.work/root"
FOLDER = pathlib.Path("/run/served")

CONFIG = """
listen=YES
listen_address={address}
background=NO
anonymous_enable=YES
anon_root={folder}
secure_chroot_dir=/run/empty
ftp_username=daemon
xferlog_enable=NO
"""


def config(address):
    return pathlib.Path(f"/run/vsftpd-{address}.conf")


def vsftpd():
    """Its program and the environment that it needs."""
    program = UNPACKED / "usr/sbin/vsftpd"
    if program.exists():
        libraries = [UNPACKED / part / f"{os.uname().machine}-linux-gnu" for part in ("usr/lib", "lib")]
        return program, {**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, libraries))}
    program = shutil.which("vsftpd")
    if program is None:
        raise RuntimeError("no vsftpd here: run tests/setup/peers, which unpacks one")
    return program, None


def prepare():
    """A file that is named by its length, as the stub's are, for vsftpd to serve."""
    FOLDER.mkdir()
    pathlib.Path("/run/empty").mkdir()
    (FOLDER / str(SMALL)).write_bytes(b"x" * SMALL)
    for address in (PROMPT, PLAIN):
        config(address).write_text(CONFIG.format(address=address, folder=FOLDER))
