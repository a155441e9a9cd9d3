"""Downloads files many times in one session with Python's ftplib, as scripts do; says how long each took, in ns."""

import ftplib
import sys
import time

address, orders = sys.argv[1], zip(sys.argv[2::2], sys.argv[3::2])  # how often, and which file
host, port = address.split(":")
ftp = ftplib.FTP(timeout=60)
# The relay announces its own address; since 3.10 ftplib dials it only if told so.
ftp.trust_server_pasv_ipv4_address = True
ftp.connect(host, int(port))
ftp.login()
times = []
for count, name in orders:
    for _ in range(int(count)):
        began = time.monotonic_ns()
        ftp.retrbinary(f"RETR {name}", len)
        times.append(time.monotonic_ns() - began)
ftp.quit()
print(*times)
