# shellcheck shell=bash
# The hosts of one lab: QEMU processes h1 and h2, each with a folder $LAB/hN of its disk
# (an overlay of the image, with the snapshots), `host` (how it was started), sockets and logs.

BOOT_TIMEOUT_S=600

alive() { # HOST
    local pid

    pid=$(cat "$LAB/h$1/pid" 2>/dev/null) && [[ $(tr '\0' ' ' <"/proc/$pid/cmdline") == *"$LAB/h$1/"* ]]
} 2>/dev/null

running() {
    local h

    for h in 1 2; do ! alive "$h" || echo "$h"; done
}

need_host() { # HOST
    [[ ${1:-} == [12] ]] || die "which host: 1 or 2?"
    alive "$1" || die "host $1 is not up"
}

monitor() { # HOST LINE
    "$HERE/monitor.py" "$LAB/h$1/qmp" "$2"
}

describe_host() { # SPEC: SUITE[+oxenstored][-FEATURE]
    local spec=${1/-backports/_backports} lacks store=xenstored suite
    lacks=${spec#"${spec%%-*}"} spec=${spec%%-*}
    suite=${spec%%+*}
    suite=${suite/_/-}
    [[ $spec != *+* ]] || store=${spec#*+}
    [[ $store == xenstored || $store == oxenstored ]] || die "unknown xenstore daemon '$store'"
    [[ -e $LAB_DIR/image/$suite ]] || (build "$suite" >&2) || exit 1
    printf '%s\n' "SUITE=$suite" "XENSTORED=$store" "LACKS=$lacks" "MEM=${XMIG_LAB_MEM:-1024}" \
        "DOM0_MEM=${XMIG_LAB_DOM0_MEM:-512}" "IMAGE=$(readlink -f "$LAB_DIR/image/$suite")" \
        "EMULATOR='$("$QEMU" --version | head -n1)'"
}

# The processor is the plainest with SVM and nested paging: with more features (SMAP, MONITOR,
# XSAVE ...) Xen or dom0 fail under emulation in one way or another. README.md tells the rest.
start_host() { # HOST [QEMU_ARGUMENT...]
    local h=$1 at=$LAB/h$1 xen linux SUITE XENSTORED LACKS MEM DOM0_MEM IMAGE EMULATOR
    shift
    # shellcheck source=/dev/null
    source "$at/host"
    [[ -d $IMAGE ]] || die "the image of h$h is gone: lab build $SUITE; lab up"
    xen="console=com1 com1=115200,8n1 dom0_mem=${DOM0_MEM}M,max:${DOM0_MEM}M dom0_max_vcpus=1"
    xen+=" noreboot cpuidle=no spec-ctrl=no xpti=no iommu=no"
    linux="console=hvc0 lab.id=$h lab.xenstored=$XENSTORED mitigations=off tsc=reliable"
    linux+=" random.trust_cpu=on"
    rm -f "$at"/{serial,qmp,ssh,lan,port,serial.log}
    echo "$EPOCHREALTIME" >"$at/started"
    setsid "$QEMU" -name "xmig-lab-h$h" -machine q35 -accel tcg,tb-size=256 -cpu "qemu64,+svm,+npt${LACKS:+,$LACKS}" \
        -smp 1 -m "$MEM" -nodefaults -no-user-config -display none \
        -kernel "$IMAGE/xen" -append "$xen" -initrd "$IMAGE/vmlinux $linux,$IMAGE/initrd.img" \
        -drive "file=$at/disk.qcow2,if=virtio,cache=unsafe" \
        -netdev user,id=owner,restrict=on,hostfwd=tcp:127.0.0.1:0-:22 \
        -device virtio-net-pci,netdev=owner,romfile= \
        -netdev "dgram,id=lan,local.type=unix,local.path=$at/lan,remote.type=unix,remote.path=$LAB/h$((3 - h))/lan" \
        -device "virtio-net-pci,netdev=lan,mac=52:54:00:09:00:0$h,romfile=" \
        -chardev "socket,id=serial,path=$at/serial,server=on,wait=off,logfile=$at/serial.log" \
        -serial chardev:serial -qmp "unix:$at/qmp,server=on,wait=off" "$@" \
        >"$at/qemu.log" 2>&1 </dev/null 8>&- 9>&- &
    echo $! >"$at/pid"
    # On a busy machine the new process is a shell for a while, by which alive() does not know it.
    while [[ /proc/$!/exe -ef /proc/$$/exe ]]; do sleep 0.01; done
    disown # no job of ours: how it ends is no news
}

end_host() { # HOST
    local at=$LAB/h$1 pid i

    [[ ! -S $at/ssh ]] || ssh -O exit -o ControlPath="$at/ssh" lab >/dev/null 2>&1 || true
    if alive "$1"; then
        pid=$(cat "$at/pid")
        kill "$pid"
        for ((i = 0; i < 100; i++)); do
            alive "$1" || break
            sleep 0.1
        done
        ! alive "$1" || kill -9 "$pid"
    fi
    rm -f "$at/pid"
}

stop() {
    local h

    for h in 1 2; do end_host "$h"; done
}

# Waits until `TEST HOST` holds, as long as the host's QEMU lives.
wait_for() { # SECONDS TEST HOST
    local end=$((SECONDS + $1))

    until "$2" "$3"; do
        alive "$3" || { say "h$3: QEMU has ended: $(tail -n3 "$LAB/h$3/qemu.log")" && return 1; }
        ((SECONDS < end)) || { say "h$3: not '${2//_/ }' after $1 s" && return 1; }
        sleep 0.2
    done
}

has_booted() { grep -aq 'LAB-READY' "$LAB/h$1/serial.log" 2>/dev/null; }
has_ended_boot() { has_booted "$1" || grep -aqE 'LAB-FAILED|Panic on CPU|Dom0 crashed|Kernel panic' "$LAB/h$1/serial.log" 2>/dev/null; }
has_monitor() { monitor "$1" 'info status' >/dev/null 2>&1; }

# Also sets the clock, which stands still in a snapshot.
has_ssh() { on_host "$1" "date -s @$(date +%s) >/dev/null" 2>/dev/null; }

new_disk() { # HOST
    qemu-img create -q -f qcow2 -F raw -b "$(sed -n 's/^IMAGE=//p' "$LAB/h$1/host")/dom0.img" \
        "$LAB/h$1/disk.qcow2"
}

wait_for_boot() { # HOST
    wait_for "$BOOT_TIMEOUT_S" has_ended_boot "$1" && has_booted "$1" && wait_for 120 has_ssh "$1" ||
        return 1
    say "h$1 is up after $(since "$(cat "$LAB/h$1/started")") s"
}

try_boot() { # HOST...
    local h

    for h; do new_disk "$h" && start_host "$h"; done
    for h; do wait_for_boot "$h" || return 1; done
}

up() { # [SPEC [SPEC]]
    local hosts=() spec

    (($#)) || set -- bookworm
    (($# <= 2)) || die 'a lab has at most two hosts'
    stop
    rm -rf "$LAB"/h[12]
    for spec; do
        hosts+=($((${#hosts[@]} + 1)))
        mkdir -p "$LAB/h${hosts[-1]}"
        describe_host "$spec" >"$LAB/h${hosts[-1]}/host"
    done
    try_boot "${hosts[@]}" && return
    say 'a host has not come up: trying once more'
    for spec in "${hosts[@]}"; do cp "$LAB/h$spec/serial.log" "$LAB/h$spec/serial.log.failed"; done
    stop
    try_boot "${hosts[@]}" || die "cannot boot, see $LAB/h*/serial.log"
}

# As if the power had failed: what dom0 had not flushed is lost.
crash() { # HOST
    need_host "$1"
    kill -9 "$(cat "$LAB/h$1/pid")"
    end_host "$1"
}

# Boots a host that is down from the disk it has.
boot() { # HOST
    [[ -f $LAB/h${1:-}/disk.qcow2 ]] || die "there is no host '${1:-}'"
    ! alive "$1" || die "host $1 is up"
    start_host "$1"
    wait_for_boot "$1" || die "cannot boot, see $LAB/h$1/serial.log"
}

# ssh to a host, by one connection that stays open: a login takes seconds there.
on_host() { # HOST [SSH_OPTION...] COMMAND
    local at=$LAB/h$1
    shift
    [[ -s $at/port ]] || monitor "${at: -1}" 'info usernet' |
        awk '/HOST_FORWARD/ { print $4 }' >"$at/port"
    ssh -F none -i "$LAB_DIR/key/id" -p "$(cat "$at/port")" -o StrictHostKeyChecking=no \
        -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ConnectTimeout=60 -o BatchMode=yes \
        -o ServerAliveInterval=20 -o ServerAliveCountMax=6 -o ControlMaster=auto \
        -o ControlPath="$at/ssh" -o ControlPersist=yes root@127.0.0.1 "$@"
}

run() { # [-i] [-t SECONDS] HOST COMMAND...
    local limit=300 input=-n

    while [[ ${1:-} == -* ]]; do
        case $1 in
        -i) input=-T && shift ;;
        -t) limit=$2 && shift 2 ;;
        *) die "run: unknown option $1" ;;
        esac
    done
    need_host "${1:-}"
    local h=$1
    shift
    timeout -k 10 $((limit + 60)) bash -c 'on_host "$@"' lab "$h" "$input" \
        "timeout -k 10 $limit bash -c $(printf '%q' "$*")"
}
export -f on_host monitor

# What was put there is there after a power failure, too.
put() { # HOST DIRECTORY FILE...
    local h=$1 to=$2 file args=()
    shift 2
    need_host "$h"
    for file; do args+=(-C "$(readlink -f "$(dirname "$file")")" "$(basename "$file")"); done
    tar -cf - "${args[@]}" |
        on_host "$h" "mkdir -p $(printf %q "$to") && tar -xmf - --no-same-owner -C $(printf %q "$to") && sync"
}

get() { # HOST FILE [TARGET]
    need_host "$1"
    on_host "$1" -n "cat $(printf %q "$2")" >"${3:-/dev/stdout}"
}

# QEMU does not load what it has saved while the processor was at work for an HVM guest. Xen and
# dom0 have a table of segments of Xen's size (LAST_RESERVED_GDT_BYTE); no guest has made one so
# large for itself. A busy guest's host needs some tries.
is_in_a_guest() { # HOST
    ! monitor "$1" 'info registers' | grep -q '^GDT=.* 0000efff'
}

stop_outside_guests() { # HOST...
    local h try inside

    for ((try = 0; try < 500; try++)); do
        inside=
        for h; do monitor "$h" stop; done
        for h; do ! is_in_a_guest "$h" || inside=yes; done
        [[ $inside ]] || return 0
        for h; do monitor "$h" cont; done
    done
    die 'the hosts are at work for their guests all the time'
}

save() { # TAG
    local h hosts

    mapfile -t hosts < <(running)
    ((${#hosts[@]})) || die 'no host is up'
    stop_outside_guests "${hosts[@]}"
    for h in "${hosts[@]}"; do monitor "$h" "savevm $1" || die "cannot save h$h"; done
    for h in "${hosts[@]}"; do monitor "$h" cont; done
}

has_snapshot() { # HOST TAG
    qemu-img snapshot -l "$LAB/h$1/disk.qcow2" 2>/dev/null | awk 'NR > 2 { print $2 }' | grep -qxF "$2"
}

load() { # TAG
    local h hosts=() now

    stop
    now=$("$QEMU" --version | head -n1)
    for h in 1 2; do
        has_snapshot "$h" "$1" || continue
        grep -qxF "EMULATOR='$now'" "$LAB/h$h/host" ||
            die 'the snapshot is from another version of QEMU: lab up'
        start_host "$h" -S -loadvm "$1"
        hosts+=("$h")
    done
    ((${#hosts[@]})) || die "there is no snapshot '$1'"
    for h in "${hosts[@]}"; do wait_for 120 has_monitor "$h" || die "cannot load h$h"; done
    for h in "${hosts[@]}"; do monitor "$h" cont; done
    for h in "${hosts[@]}"; do
        wait_for 120 has_ssh "$h" || die "h$h does not answer"
        say "h$h is back after $(since "$(cat "$LAB/h$h/started")") s"
    done
}

# Become a copy of another lab, which is down: its disks and its snapshots.
clone() { # LAB
    local h from=$LAB_DIR/labs/$1

    [[ $1 && $from != "$LAB" ]] || die 'which other lab?'
    stop
    rm -rf "$LAB"/h[12]
    for h in 1 2; do
        [[ -f $from/h$h/disk.qcow2 ]] || continue
        ! (LAB=$from && alive "$h") || die "host $h of lab $1 is up"
        mkdir -p "$LAB/h$h"
        cp "$from/h$h/host" "$LAB/h$h/"
        cp --reflink=auto "$from/h$h/disk.qcow2" "$LAB/h$h/"
    done
}

status() {
    local h

    for h in 1 2; do
        [[ -f $LAB/h$h/host ]] || continue
        echo "h$h: $(alive "$h" && echo "up, pid $(cat "$LAB/h$h/pid")" || echo down);" \
            "$(sed -n 's/^SUITE=//p; s/^XENSTORED=//p' "$LAB/h$h/host" | xargs);" \
            "snapshots: $(qemu-img snapshot -lU "$LAB/h$h/disk.qcow2" | awk 'NR > 2 { print $2 }' | xargs)"
    done
}
