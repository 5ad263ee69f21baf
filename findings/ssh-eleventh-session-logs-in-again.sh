#!/bin/bash
# A program that runs each of its channels as `ssh` over one ControlMaster has one login, up to the
# server's MaxSessions (10 where nothing is configured). The eleventh is refused by the server, and
# ssh then makes a whole new login by itself and exits with 0: only a line on standard error tells.
# With passwords, one-time tokens or a limit on logins that is where such a program fails.
#
# Seen with Debian 12's OpenSSH 1:9.2p1-2+deb12u10: 14 sessions at once over one master are 5 logins (the
# master's own and one for each session above ten), 4 lines of "Session open refused by peer", and
# 14 exit statuses of 0.
set -euo pipefail
# shellcheck source=packages.sh
source "$(dirname "$0")/packages.sh"

root=$(debian_root bookworm openssh-server=1:9.2p1-2+deb12u10 openssh-client=1:9.2p1-2+deb12u10)
mount_devices "$root"
mkdir -p "$root/run/sshd" "$root/root/.ssh"
chroot "$root" ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
cp "$root/root/.ssh/id_ed25519.pub" "$root/root/.ssh/authorized_keys"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
chroot "$root" /usr/sbin/sshd -D -e -o "Port $port" -o 'ListenAddress 127.0.0.1' \
    -o 'LogLevel INFO' -o 'UsePAM no' 2>"$root/tmp/server" &
for ((n = 0; n < 300; n++)); do ! grep -qs "Server listening" "$root/tmp/server" || break; sleep 0.1; done

client() { # ARGUMENT...
    chroot "$root" ssh -F none -p "$port" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        -o LogLevel=ERROR -o ControlPath=/tmp/master "$@" root@127.0.0.1 "${command[@]}"
}

command=()
client -M -N -f
command=(sh -c "'echo here; until [ -e /tmp/enough ]; do sleep 0.1; done'")
pids=()
for ((n = 0; n < 14; n++)); do
    client >"$root/tmp/out$n" 2>"$root/tmp/err$n" &
    pids+=($!)
done
for ((n = 0; n < 14; n++)); do until [[ -s $root/tmp/out$n ]]; do sleep 0.1; done; done
touch "$root/tmp/enough"
good=0
for pid in "${pids[@]}"; do ! wait "$pid" || good=$((good + 1)); done
command=()
client -O exit 2>/dev/null || true

expect 'sessions that ended with 0' "$good" 14
expect 'logins' "$(grep -c 'Accepted publickey' "$root/tmp/server")" 5
expect 'complaints' "$(cat "$root"/tmp/err* | grep -c 'Session open refused by peer')" 4
finish
