#!/bin/bash
# What the suite does in dom0 of a lab host: dom0.sh FUNCTION [ARGUMENT...]; the suite puts it
# into the PATH there, and reads it into a subshell (. dom0.sh), which is quicker than a start.
set -uo pipefail

run=/run/suite # what was started in the background, and what it has said

fail() { echo "$*" >&2 && exit 1; }

# Until `COMMAND...` succeeds. Neither often nor with a `sleep`: a host has one processor, and
# to start a program takes it a while.
await() { # SECONDS COMMAND...
    local end=$((SECONDS + $1)) nothing
    shift
    exec {nothing}<> <(:)
    until "$@"; do
        ((SECONDS < end)) || return 1
        read -r -t 0.3 -u "$nothing"
    done
    return 0
}

# ---- processes ----

start() { # LABEL COMMAND...
    local label=$1
    shift
    mkdir -p "$run" && rm -f "$run/$label".*
    : >"$run/$label.log" # at once: whoever asks next finds it
    # shellcheck disable=SC2016 # for the inner shell
    setsid bash -c 'label=$1; shift; "$@" >"$label.log" 2>&1 </dev/null; echo $? >"$label.part"
        mv "$label.part" "$label.status"' suite "$run/$label" "$@" </dev/null >/dev/null 2>&1 &
}

has_ended() { [[ -e $run/$1.status ]]; }

status() { # LABEL SECONDS: its exit status, when it has ended
    await "$2" has_ended "$1" || fail "$1 has not ended after $2 s"
    cat "$run/$1.status"
}

output() { cat "$run/$1.log"; }

finish() { # LABEL: it is asked to
    pkill -INT -s "$(pgrep -o -f "suite $run/$1 ")" . || fail "there is no $1"
    await 30 has_ended "$1" || fail "$1 does not end"
}

# A program that obeys lines of its standard input, started so that they can come from anywhere.
start_obeying() { # LABEL COMMAND...
    mkdir -p "$run" && rm -f "$run/lines-$1" && mkfifo "$run/lines-$1"
    # shellcheck disable=SC2016 # for the inner shell
    start "$1" bash -c 'lines=$1; shift; exec "$@" <>"$lines"' obeying "$run/lines-$1" "${@:2}"
}

answers() { grep -cE '^(ok|failed)' "$run/$1.log"; }

has_answered() { has_ended "$1" || (($(answers "$1") > $2)); } # LABEL ANSWERS_BEFORE

tell() { # LABEL LINE [SECONDS]: what it answers, which ends in a line of "ok" or "failed"
    local lines before
    lines=$(wc -l <"$run/$1.log") before=$(answers "$1")
    echo "$2" >"$run/lines-$1"
    await "${3:-120}" has_answered "$1" "$before" || fail "$1 has not answered '$2'"
    tail -n +$((lines + 1)) "$run/$1.log"
}

# A TCP connection to the guest's echo server, kept busy until we are interrupted. Prints each
# answer's number, and how long the longest one took.
stream() { # ADDRESS
    exec python3 -u -c '
import signal, socket, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
longest = number = 0
try:
    peer = socket.create_connection((sys.argv[1], 7), timeout=600)
    while True:
        number += 1
        begun = time.monotonic()
        peer.sendall(b"%8d" % number)
        answer = b""
        while len(answer) < 8:
            part = peer.recv(8 - len(answer))
            if not part:
                raise OSError("the end")
            answer += part
        if int(answer) != number:
            raise OSError("a wrong answer")
        longest = max(longest, time.monotonic() - begun)
        print("answer", number)
        time.sleep(0.3)
except KeyboardInterrupt:
    print("longest", round(longest, 2))
except OSError as error:
    print("broken:", error)' "$1"
}

has_answers() { (($(grep -c '^answer' "$run/$1.log") >= $2)); }

await_answers() { # LABEL MORE SECONDS
    local present

    present=$(grep -c '^answer' "$run/$1.log")
    await "$3" has_answers "$1" $((present + $2)) || fail "$1 gets no answers: $(tail -n 1 "$run/$1.log")"
}

lost_pings() { # LABEL
    sed -n 's/^\([0-9]*\) packets transmitted, \([0-9]*\) received.*/\1 \2/p' "$run/$1.log" | awk '{ print $1 - $2 }'
}

# Pids of the xmig processes that are `xmig WORD`; with the destination local: it is /proc/self/exe.
xmigs() { # WORD
    local folder name words

    for folder in /proc/[0-9]*; do
        # What has ended meanwhile must not go by the name of the one before.
        { read -r name <"$folder/comm" && mapfile -d '' -t words <"$folder/cmdline"; } 2>/dev/null || continue
        [[ $name != @(xmig|exe) || ${words[1]-} != "$1" ]] || echo "${folder##*/}"
    done
}

is_stopped() { # PID
    local line=

    { read -r line <"/proc/$1/stat"; } 2>/dev/null
    [[ ${line##*) } == T* ]]
}

# The process of a side that stands still because of --fault …:stop.
stopped() { # send|recv
    local pid

    for pid in $(xmigs "$1"); do
        ! is_stopped "$pid" || echo "$pid"
    done
}

# Looks at the processes anew only as long as there is none of that side.
has_stopped_or_ended() { # send|recv
    local pid

    ! has_ended send || return 0
    [[ ${watched-} ]] || watched=$(xmigs "$1")
    for pid in $watched; do
        ! is_stopped "$pid" || return 0
        [[ -d /proc/$pid ]] || watched=
    done
    return 1
}

await_stopped() { # send|recv SECONDS
    await "$2" has_stopped_or_ended "$1" && [[ $(stopped "$1") ]]
}

go_on() { # send|recv
    local pid

    for pid in $(stopped "$1"); do kill -CONT "$pid"; done
}

terminate() { # send|recv
    local pid

    for pid in $(xmigs "$1"); do kill -TERM "$pid"; done
}

incoming_domain() { xl list | awk '$1 ~ /--incoming$/ { print $2 }'; }

# The device model that was started to receive, whatever its domain is called by now.
incoming_models() { pgrep -f 'xen-qemu.*-incoming defer'; }

# ---- over TLS ----

own_key() { # which is made if need be
    xmig keys init >/dev/null && xmig keys show | sed -n 's/^this host *//p'
}

# To go on where one was struck needs no more than this, as with a service manager.
listen() {
    start listen xmig listen :7077
    await 60 grep -q 'listening at' "$run/listen.log" || fail "nobody listens: $(cat "$run/listen.log")"
}

# Whoever has that key may move guests to here.
receive_from() { # KEY NAME
    xmig keys trust "$1" "$2" >/dev/null
    printf '[%s]\nvms = *\nhypervisors = xen\nimage-directories = /lab\nusers = *\nnetworks = *\nlisteners = *\nfaults = yes\n' \
        "$2" >/etc/xmig/recv.conf
    listen
}

# ---- faults ----

strike() { # sender|receiver|ssh|listener|dm
    local pids

    case $1 in
    sender) pids=$(xmigs send) ;;
    receiver) pids=$(xmigs recv) ;;
    ssh) pids=$(pgrep -f 'ssh.*ssh-ctl') ;;
    listener) pids=$(xmigs listen) ;; # and its connections
    dm) pids=$(incoming_models) ;;
    esac
    [[ $pids ]] || fail "there is no $1 to kill"
    # shellcheck disable=SC2086
    kill -KILL $pids
}

# ---- the guest ----

# Of a guest's disks in their order: what the guest would read from them.
digests() { # IMAGE...: one that was handed over has another name
    local image

    for image; do
        [[ -e $image ]] || image=$(compgen -G "$image.moved-*")
        qemu-img convert -U -O raw "$image" /tmp/digest.raw && md5sum </tmp/digest.raw || fail "$image"
        rm -f /tmp/digest.raw
    done
}

# The same of volumes that dom0's kernel serves: the page cache does not see what it writes.
volume_digests() { # DEVICE...
    local device

    for device; do
        dd if="$device" iflag=direct bs=1M status=none | md5sum || fail "$device"
    done
}

# Volumes for the disks of a guest that is to come here.
make_volumes() { # SIZE DEVICE...
    local size=$1 device

    truncate -s 1G /lab/lvm.img
    vgs lab >/dev/null 2>&1 || vgcreate -qq lab "$(losetup --find --show /lab/lvm.img)"
    for device in "${@:2}"; do
        lvcreate -qq -y -W n -L "$size" -n "${device##*/}" lab
    done
}

# Nothing tracks the writes to a volume: its table is the plain one, and there is no second one over its extents.
have_plain_tables() { # DEVICE...
    local device table

    for device; do
        table=$(dmsetup table "$(readlink -f "$device")")
        [[ $table == "0 "*" linear "* ]] || fail "$device has the table '$table'"
    done
    [[ ! $(dmsetup ls | grep xmig-) ]] || fail "left over: $(dmsetup ls | grep xmig-)"
}

# The most memory that the stopped sender has had, in KiB.
peak_memory() { # send|recv
    awk '/^VmHWM/ { print $2 }' "/proc/$(xmigs "$1" | awk '{ print $1 }')/status"
}

has_grown() { # FILE SIZE
    (($(stat -c %s "$1" 2>/dev/null || echo 0) >= $2))
}

# Until the guest has printed about COUNT more ticks.
await_ticks() { # NAME COUNT SECONDS
    local tick=25 file=/lab/$1.log size

    size=$(stat -c %s "$file" 2>/dev/null || echo 0)
    await "$3" has_grown "$file" $((size + $2 * tick)) || fail "$1 does not tick: $(tail -n 2 "$file")"
}

frontend_states() { # DOMID
    local path

    for path in $(xenstore-list -p "/local/domain/$1/device/vbd"); do
        [[ $(xenstore-read "$path/device-type") = cdrom ]] || xenstore-read "$path/state"
    done
}

are_connected() { # DOMID
    local states

    states=$(frontend_states "$1") && [[ $states && ! ${states//[$'4\n']/} ]]
}

await_frontends() { # DOMID SECONDS
    await "$2" are_connected "$1" || fail "the disks' frontends are in the states $(frontend_states "$1" | xargs)"
}

# Its network interfaces are on no bridge, or nobody is at their other end.
is_not_connected() { # NAME
    local domid path

    domid=$(xl domid "$1") && [[ -e /sys/class/net/vif$domid.0 ]] || fail "$1 has no interface"
    for path in /sys/class/net/vif"$domid".*; do
        [[ ! -e $path/brport || $(cat "$path/carrier" 2>/dev/null) != 1 ]] || fail "${path##*/} is connected"
    done
}

vm_of() { xenstore-read "/local/domain/$(xl domid "$1")/vm"; }

identity() { # NAME
    local vm

    vm=$(vm_of "$1") && echo "$vm" && xenstore-read "$vm/rtc/timeoffset"
}

# As the device model does when the guest has set its clock.
set_clock() { # NAME SECONDS
    xenstore-write "$(vm_of "$1")/rtc/timeoffset" "$2" && identity "$1"
}

memory() { xl list "$1" | awk 'NR == 2 { print $3 }'; } # MiB

memory_limit() { # NAME: in pages
    xl debug-keys q
    xl dmesg | sed -n "/^(XEN) General information for domain $(xl domid "$1"):/,/max_pages=/s/.*max_pages=//p" | tail -n 1
}

has_no_more_memory() { (($(memory "$1") <= $2)); }

await_less_memory() { # NAME MIB SECONDS
    await "$3" has_no_more_memory "$1" "$2" || fail "$1 has $(memory "$1") MiB"
}

has_other_domid() { # NAME DOMID
    local now

    now=$(xl domid "$1" 2>/dev/null) && [[ $now != "$2" ]]
}

await_rebuilt() { # NAME DOMID SECONDS
    await "$3" has_other_domid "$1" "$2" || fail "$1 has not been made anew after $3 s"
}

is_gone() { ! xl domid "$1" >/dev/null 2>&1; }

await_gone() { # NAME SECONDS
    await "$2" is_gone "$1" || fail "$1 is still there after $2 s"
}

# ---- what must not be there ----

# All that a domain has left behind which is not there any more, and what xmig keeps only
# while it is at work. Few processes: each takes a while here.
leftovers() {
    local domains known id path

    domains=$(xl list)
    known=" 0 $(awk 'NR > 2 { print $2 }' <<<"$domains" | xargs) "
    grep -e --incoming -e --migratedaway <<<"$domains"
    xenstore-ls -f / | awk -v known="$known" '
        function check(id) { if (id ~ /^[0-9]+$/ && !index(known, " " id " ")) ids[id] }
        { split($1, part, "/") }
        part[2] == "vm" && part[3] && !part[4] { vms++ }
        part[2] == "libxl" { check(part[3]) }
        part[2] != "local" { next }
        { check(part[4]) }
        part[5] == "device-model" { check(part[6]) }
        part[5] == "backend" && part[8] { check(part[7]) } # an empty node is what xl and QEMU leave if they end it at once
        END {
            for (id in ids) print "xenstore: domain " id
            if (vms > split(known, all, " ")) print "xenstore: " vms " nodes in /vm"
        }'
    for path in /var/run/xen/qmp-*-* /var/lib/xen/userdata-*.*.* /var/lib/xen/qemu-resume.*; do
        [[ -e $path ]] || continue
        case $path in
        *userdata-*) id=${path#*userdata-?.} && id=${id%%.*} ;;
        *qemu-resume.*) id=${path##*.} ;;
        *) id=${path##*-} ;;
        esac
        [[ $known == *" $id "* ]] || echo "$path"
    done
    ps axo args | awk -v known="$known" '
        /xen-qemu/ && match($0, / -xen-domid [0-9]+ /) {
            split(substr($0, RSTART), word, " ")
            if (!index(known, " " word[2] " ")) print "the device model of domain " word[2]
        }
        $1 ~ /ssh/ && /ssh-ctl/ || $1 ~ /(^|\/)(xmig|exe)$/ && $2 ~ /^(send|recv|lane|recover|guard)$/'
    find /run/xmig /lab -mindepth 1 \( -path '/run/*' \( -type s -o -type d \) -o -name '*.partial' \) 2>/dev/null
    for path in /sys/class/net/vif*; do
        id=${path##*/vif} && id=${id%%.*}
        [[ ! -e $path || $known == *" $id "* ]] || echo "${path##*/}"
    done
    xl info | awk '/outstanding_claims/ && $3 != 0 { print "claims " $3 }'
}

# What ends by itself is given a moment to.
nothing_left_over() {
    left=$(leftovers)
    [[ ! $left ]]
}

has_no_disks() { # IMAGE...
    local image

    for image; do
        [[ ! -e $image ]] || fail "$image is there"
    done
}

has_disks() { # IMAGE..., by its name or the one that the fence has given it
    local image

    for image; do
        [[ -e $image ]] || compgen -G "$image.moved-*" >/dev/null || fail "$image is gone"
    done
}

await_clean() { # SECONDS
    await "$1" nothing_left_over || fail "left over: $left"
}

# ---- consoles ----

# What xenconsoled logs of a PVH guest is where other guests print, also of one that arrives.
log_consoles() { # NAME...
    local name

    for name; do
        ln -sfn "/lab/$name.log" "/var/log/xen/console/guest-$name.log"
        ln -sfn "/lab/$name.log" "/var/log/xen/console/guest-$name--incoming.log"
    done
}

# ---- evidence ----

evidence() {
    local file

    xl list
    xmig list
    for file in "$run"/*.log /lab/*.log /var/log/xen/qemu-dm-*.log /var/lib/xmig/*/*; do
        [[ ! -f $file ]] || { echo "== $file" && tail -n 60 "$file" | tr -d '\0'; }
    done
    echo '== xl dmesg' && xl dmesg | tail -n 40
    echo '== ps' && ps axf
    echo '== xenstore' && xenstore-ls
}

"$@"
