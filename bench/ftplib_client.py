"""Downloads a file many times in one session with Python's ftplib, as scripts do; says how long each took, in ns."""

import ftplib
import sys
import time

address, count, name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
host, port = address.split(":")
ftp = ftplib.FTP(timeout=60)
# The relay announces its own address; since 3.10 ftplib dials it only if told so.
ftp.trust_server_pasv_ipv4_address = True
ftp.connect(host, int(port))
ftp.login()
times = []
for _ in range(count):
    began = time.monotonic_ns()
    ftp.retrbinary(f"RETR {name}", len)
    times.append(time.monotonic_ns() - began)
ftp.quit()
print(*times)
