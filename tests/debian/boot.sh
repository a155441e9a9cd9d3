#!/bin/sh
# boot.sh DIRECTORY begin PACKAGES: starts systemd as process 1 of namespaces of its own, with DIRECTORY/etc as /etc and
# DIRECTORY/run as /run. The network is the caller's. Only the units in DIRECTORY/etc/systemd/system exist. With DIRECTORY/usr
# what is unpacked in PACKAGES is there too.
set -eu
directory=$1
if [ "$2" = begin ]; then
    # A control group of its own, which is all of the tree that it sees. Its name is written down, so that it can be removed.
    groups=$directory/cgroup
    mkdir -p "$groups"
    mountpoint -q "$groups" || mount -t cgroup2 cgroup2 "$groups"
    if [ ! -e "$directory/group" ]; then
        echo "$groups/ftp-proxy-test-$(cat /proc/sys/kernel/random/uuid)" >"$directory/group"
        mkdir "$(cat "$directory/group")"
    fi
    echo $$ >"$(cat "$directory/group")/cgroup.procs"
    exec unshare --mount --pid --ipc --uts --cgroup --fork --kill-child --mount-proc --propagation private \
        sh "$0" "$directory" inside "$3"
fi
if [ -d "$directory/usr" ]; then
    # The unpacked packages, as if they were installed. /usr/local/sbin is a mount of the world's.
    mkdir -p "$directory/sbin"
    mount --bind /usr/local/sbin "$directory/sbin"
    mount -t overlay -o "ro,lowerdir=$directory/usr:$3/usr:/usr" overlay /usr
    mount --bind "$directory/sbin" /usr/local/sbin
fi
: >/dev/console
: >"$directory/console"
mount --bind "$directory/console" /dev/console
mount --bind "$directory/etc" /etc
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount --bind "$directory/run" /run
mount --bind /run/systemd/journal/dev-log /dev/log
unset LD_LIBRARY_PATH
exec env -i container=other SYSTEMD_UNIT_PATH=/etc/systemd/system PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=multi-user.target --log-target=console --show-status=no
