#!/bin/bash
# the Debian packages: built twice, installed on Debian 12 and 13, a VM moved between the two, purged
# packages: tests/xen/packages.txt
set -euo pipefail
packages=(bash-completion ca-certificates fish man-db openssh-client openssh-server procps
    qemu-system-x86 qemu-utils zsh) # what a host has before; all that xmig itself needs, apt has to find
top=$PWD out=$PWD/build/check/packages
declare -A suite=([alpha]=bookworm [beta]=trixie) init=()

say() { echo "-- $*"; }
die() { echo "FAILED: $*" && exit 1; }

# A mount namespace of our own: what is mounted goes when we go.
[[ ${XMIG_PACKAGES_INNER-} ]] || XMIG_PACKAGES_INNER=yes exec unshare --mount --propagation private "$0"

end() {
    local pid

    for pid in "${init[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
}
trap end EXIT

# ---- two hosts ----

# A fresh system above the cached one, with processes, a name and an identity of its own.
start_host() { # NAME
    local root at=$out/hosts/$1

    root=$(packaging/build-deb --system test "${suite[$1]}" "${packages[@]}")
    mkdir -p "$at"/{upper,work,root}
    mount -t overlay overlay -o "lowerdir=$root,upperdir=$at/upper,workdir=$at/work" "$at/root"
    mkdir -p "$at"/root/{tree,guest,vm,debs,run/sshd}
    mount --bind "$top" "$at/root/tree"
    mount --bind "$top/build/guest" "$at/root/guest"
    mount --rbind /dev "$at/root/dev"
    cp --remove-destination -L /etc/resolv.conf "$at/root/etc/resolv.conf"
    tr -d - </proc/sys/kernel/random/uuid >"$at/root/etc/machine-id"
    cp "$out/first/${suite[$1]}"/*.deb "$at/root/debs"
    unshare --pid --uts --mount --fork bash -c '
        hostname "$1" && mount -t proc proc "$2/proc" && echo $$ >/dev/null
        exec chroot "$2" sleep infinity' host "$1" "$at/root" &
    until init[$1]=$(pgrep -P $!); do kill -0 $!; done
    until [[ $(readlink "/proc/${init[$1]}/root") == "$at/root" ]]; do kill -0 "${init[$1]}"; done
}

on() { # NAME COMMAND: in a shell there
    nsenter --target "${init[$1]}" --mount --pid --uts --root --wd -- env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive TERM=dumb sh -euc "$2"
}

files() { # NAME: those of the system, without what apt and dpkg keep for themselves
    on "$1" 'find / -xdev \( -path /proc -o -path /dev -o -path /tree -o -path /guest -o -path /vm -o -path /debs \
        -o -path "/var/lib/apt/*" -o -path "/var/lib/dpkg/*" -o -path "/var/cache/*" -o -path "/var/log/*" \
        -o -path "/root/*" -o -path "/tmp/*" -o -path "/run/*" \) -prune -o -print | sort'
}

# ---- what must hold ----

installed() { # NAME
    say "$1: install (Debian ${suite[$1]})"
    on "$1" 'apt-get -qq update && apt-get -qq autoremove --purge >/dev/null'
    files "$1" >"$out/$1.before"
    on "$1" 'apt-get -qq install --no-install-recommends /debs/xmig_*.deb >/dev/null && dpkg -V xmig'
    on "$1" 'xmig --version | grep "^hypervisors: xen (not here: this machine is not a Xen host), qemu"'
    on "$1" '! ldd /usr/bin/xmig | grep -q xen'
    on "$1" 'apt-get -qq install --no-install-recommends /debs/xmig-xen_*.deb >/dev/null && dpkg -V xmig-xen'
    on "$1" '! ldd /usr/lib/xmig/hypervisor-xen.so | grep "not found"'
}

explains() { # NAME
    say "$1: manual pages, completions, units"
    on "$1" 'for page in $(dpkg -L xmig | sed -n "s|.*/man./\(.*\)\.[1-8]\.gz$|\1|p"); do
        man "$page" | grep -q NAME || { echo "no page $page"; exit 1; }; done'
    on "$1" 'bash -c ". /usr/share/bash-completion/bash_completion; . /usr/share/bash-completion/completions/xmig; \
        COMP_WORDS=(xmig send --max-) COMP_CWORD=2 COMP_LINE=\"xmig send --max-\" COMP_POINT=16; _xmig; \
        echo \${COMPREPLY[*]}" | grep -qx -- "--max-downtime --max-pause"'
    on "$1" 'fish -c "complete -C \"xmig send --max-\"" | cut -f1 | paste -sd" " | grep -qx -- "--max-downtime --max-pause"'
    on "$1" 'zsh -fc "autoload -U compinit; compinit -u; echo \$_comps[xmig]" | grep -qx _xmig && zsh -n /usr/share/zsh/vendor-completions/_xmig'
}

start_vm() {
    on alpha 'truncate -s 64M /vm/disk && qemu-system-x86_64 -name web -m 128 -nodefaults -display none \
        -machine pc-i440fx-7.2,accel=tcg -kernel /guest/vmlinuz -initrd /guest/initrd \
        -append "console=ttyS0 xg.tty=ttyS1 xg.hb_ms=20 xg.disk=/dev/vda,8,100,8 xg.ram=16,4,rand oops=panic panic=0" \
        -serial file:/vm/console -serial unix:/vm/heartbeat,server=on,wait=off \
        -drive file=/vm/disk,format=raw,if=virtio -qmp unix:/vm/qmp,server=on,wait=off -daemonize'
    tests/guest/heartbeat.py wait "/proc/${init[alpha]}/root/vm/heartbeat"
}

moves() {
    say 'a VM moves from Debian 12 to Debian 13'
    on beta '/tree/tests/e2e/sshd start /root/way' >/dev/null
    cp -r "$out/hosts/beta/root/root/way" "$out/hosts/alpha/root/root/"
    start_vm
    on alpha 'xmig send -q -e "ssh -F /root/way/rsh" qemu:web root@127.0.0.1'
    tests/guest/heartbeat.py wait "/proc/${init[beta]}/root/vm/heartbeat"
    tests/guest/heartbeat.py ask "/proc/${init[beta]}/root/vm/heartbeat" verify | grep -x 'V ok'
    on beta 'xmig list --all && xmig unit web | grep -A3 ExecStart='
    on beta '/tree/tests/e2e/sshd stop /root/way'
}

purged() { # NAME
    say "$1: purge"
    on "$1" 'apt-get -qq purge xmig xmig-xen >/dev/null && apt-get -qq autoremove --purge >/dev/null'
    files "$1" >"$out/$1.after"
    diff "$out/$1.before" "$out/$1.after" || die "$1: something is left, or gone"
}

rm -rf "$out"
packaging/build-deb --out "$out/first"
packaging/build-deb --suite bookworm --out "$out/second"
for deb in "$out"/first/bookworm/*.deb; do cmp "$deb" "$out/second/bookworm/${deb##*/}"; done
say 'two builds are the same'
tests/guest/build build/guest
for host in alpha beta; do
    start_host "$host"
    installed "$host"
    explains "$host"
done
moves
for host in alpha beta; do purged "$host"; done
