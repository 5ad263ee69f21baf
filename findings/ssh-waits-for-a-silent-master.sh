#!/bin/bash
# `ssh -o ConnectTimeout=5` gives up a server that is silent after 5 s. Over a ControlMaster it connects to the
# master's socket only, and no timeout is for that: while the master is stopped (^Z, a frozen control group) each ssh
# to that host waits for it, although the server is well, and neither ends nor makes a connection of its own, as it
# does where the master refuses. Who needs an answer in bounded time sets a limit from outside, or goes past the
# master (ControlPath=none).
#
# Seen with Debian 12's OpenSSH 1:9.2p1-2+deb12u10: past the master to a stopped server 255 ("Connection timed out
# during banner exchange"). With the master stopped for 10 s: past it 0, at once; through it 0, after the 10 s.
set -euo pipefail
# shellcheck source=packages.sh
source "$(dirname "$0")/packages.sh"

root=$(debian_root bookworm openssh-server=1:9.2p1-2+deb12u10 openssh-client=1:9.2p1-2+deb12u10)
mount_devices "$root"
mkdir -p "$root/run/sshd" "$root/root/.ssh"
chroot "$root" ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
cp "$root/root/.ssh/id_ed25519.pub" "$root/root/.ssh/authorized_keys"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
chroot "$root" /usr/sbin/sshd -D -e -o "Port $port" -o 'ListenAddress 127.0.0.1' -o 'UsePAM no' 2>"$root/tmp/server" &
server=$!
for ((n = 0; n < 300; n++)); do ! grep -qs "Server listening" "$root/tmp/server" || break; sleep 0.1; done

client=(chroot "$root" ssh -F none -p "$port" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null
    -o LogLevel=ERROR -o BatchMode=yes -o ConnectTimeout=5 root@127.0.0.1)

"${client[@]}" -o ControlPath=/tmp/master -M -N &
master=$!
trap 'kill -CONT "$master" "$server" 2>/dev/null || true; clean_up' EXIT
await "$root/tmp/master"

kill -STOP "$server"
status=0
"${client[@]}" -o ControlPath=none true 2>"$root/tmp/said" || status=$?
kill -CONT "$server"
expect 'past the master, the server stopped' "$status $(tr -d '\r' <"$root/tmp/said" | cut -d ' ' -f 1-6)" \
    '255 Connection timed out during banner exchange'

kill -STOP "$master"
"${client[@]}" -o ControlPath=/tmp/master true &
waiting=$!
status=0
"${client[@]}" -o ControlPath=none true || status=$?
expect 'past the master, the master stopped' "$status" 0
sleep 10
expect 'through the master, 10 s later' "$(kill -0 "$waiting" 2>/dev/null && echo waits)" waits
kill -CONT "$master"
status=0
wait "$waiting" || status=$?
expect 'when the master goes on' "$status" 0
finish
