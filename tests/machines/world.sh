#!/bin/sh
# world.sh ROOT COMMAND…: runs COMMAND in a world of its own: accounts, /run, /dev/log, a network of which nobody else
# knows. Started inside new mount, network and process namespaces, all of it vanishes with the last process, however that
# ends; the machine's own user database and network are not touched. ROOT holds the unpacked packages.
set -eu
root=$1
shift
world=/run/ftp-proxy
served=$world/srv

mount -t tmpfs -o mode=755 run /run
mkdir -p /run/netns "$world" "$world/log" "$world/empty" "$world/trials" "$world/dev"

# Accounts: ftp for anonymous sessions, alice (password: secret) for the others. Both live in the served folder. _ftp-proxy
# is the user that contrib/sysusers.d/ makes.
grep -Ev '^(ftp|alice|_ftp-proxy):' /etc/passwd >"$world/passwd"
grep -Ev '^(ftp|alice|_ftp-proxy):' /etc/group >"$world/group"
cat >>"$world/passwd" <<END
ftp:x:20021:20021::$served:/bin/sh
alice:x:20022:20022::$served:/bin/sh
_ftp-proxy:x:20023:20023::/:/usr/sbin/nologin
END
cat >>"$world/group" <<END
ftp:x:20021:
alice:x:20022:
_ftp-proxy:x:20023:
END
printf '%s\n' 'root:*:19000:0:99999:7:::' 'ftp:*:19000:0:99999:7:::' >"$world/shadow"
# shellcheck disable=SC2016
printf '%s\n' 'alice:$6$peers$KrBmzvhIULwqEdfeIsp4m8uL6wV13TVt4y6zpvDZa.TUYm1KPEels5fFjf5.KxYPUCAr2BsgkD8iKU6hLf0Xz/:19000:0:99999:7:::' >>"$world/shadow"
chmod 600 "$world/shadow"
# Names come from files alone: the machine's name servers are out of reach, and asking them takes seconds.
for database in passwd group shadow hosts services protocols; do
    echo "$database: files"
done >"$world/nsswitch.conf"
for file in passwd group shadow nsswitch.conf; do
    mount --bind "$world/$file" "/etc/$file"
done

# What is served: a small folder, a large one, a large file that takes no room, and one that is compared byte for byte.
mkdir -p "$served/pub/few" "$served/pub/many"
mkdir -m 1777 "$served/incoming"
(cd "$served/pub/few" && seq -f 'file-%05g' 1 50 | xargs touch)
(cd "$served/pub/many" && seq -f 'file-%05g' 1 10000 | xargs touch)
dd if=/dev/urandom of="$served/pub/data.bin" bs=1M count=3 status=none
cp "$served/pub/data.bin" "$served/pub/with space and ümlaut.bin"
truncate -s 5G "$served/pub/huge.bin"
for gigabyte in 0 2 4; do
    dd if="$served/pub/data.bin" of="$served/pub/huge.bin" bs=1M seek=$((gigabyte * 1024 + 1)) conv=notrunc status=none
done

# A /dev with room for our own /dev/log, so that what the proxies say can be read and the machine's log stays clean.
for node in null zero full random urandom tty; do
    : >"$world/dev/$node"
    mount --bind "/dev/$node" "$world/dev/$node"
done
mkdir "$world/dev/shm" "$world/dev/pts"
mount --rbind /dev/pts "$world/dev/pts"
mount -t tmpfs -o mode=1777 shm "$world/dev/shm"
ln -s pts/ptmx "$world/dev/ptmx"
ln -s /proc/self/fd "$world/dev/fd"
mount --rbind "$world/dev" /dev

# Room for the program where the shipped examples expect it.
mount -t tmpfs -o mode=755 sbin /usr/local/sbin

# The net outside the gateways: one wire on which servers and gateways meet.
ip link set lo up
ip link add wire type bridge
ip link set wire up

PATH=$root/usr/sbin:$root/usr/bin:$PATH
LD_LIBRARY_PATH=$root/usr/lib/$(uname -m)-linux-gnu:$root/lib/$(uname -m)-linux-gnu
PROFTPD_MODULES=$root/usr/lib/proftpd
export PATH LD_LIBRARY_PATH PROFTPD_MODULES
exec "$@"
