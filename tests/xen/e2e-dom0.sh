#!/bin/bash
# Runs in dom0 of a lab host, where a guest ticks: moves it, and looks at what that leaves.
# e2e-dom0.sh SCENARIO [ARGUMENT...]; the scenarios are the functions below.
set -uo pipefail

fail() { echo "FAIL: $*" >&2 && exit 1; }
note() { echo "-- $*"; }

last_tick() { tr -d '\r' <"/lab/$1.log" | awk '/^TICK [0-9]+ .*err=/ { n = $2 } END { print n + 0 }'; }

# Ticks that the guest has printed since tick $2, and none of them wrong.
goes_on() { # NAME SINCE
    local i

    for ((i = 0; i < 240; i++)); do
        (($(last_tick "$1") >= $2 + 3)) && break
        sleep 0.5
    done
    (($(last_tick "$1") >= $2 + 3)) || fail "$1 does not tick after $2"
    lab-ticks "$1" "$2" || fail "$1 has ticked wrong"
}

domids() { xl list | awk 'NR > 2 { print $2 }'; }

# All that a domain has left behind which is not there any more.
leftovers() {
    local known id
    known=" 0 $(xl list | awk 'NR > 2 { print $2 }' | xargs) "

    for id in $(xenstore-list /local/domain; xenstore-list /libxl; xenstore-list /local/domain/0/device-model) \
        $(for kind in $(xenstore-list /local/domain/0/backend); do xenstore-list "/local/domain/0/backend/$kind"; done); do
        [[ $known == *" $id "* ]] || echo "xenstore: domain $id"
    done
    for id in /var/run/xen/qmp-*; do
        [[ -e $id && $known != *" ${id##*-} "* ]] && echo "$id"
    done
    for id in /var/lib/xen/userdata-*; do
        [[ -e $id && $known != *" $(cut -d. -f2 <<<"$id") "* ]] && echo "$id"
    done
    # A xenstore node of a VM for each domain, and no more.
    (($(xenstore-list /vm | wc -l) <= $(wc -w <<<"$known"))) || echo "/vm: $(xenstore-list /vm | xargs)"
    (($(pgrep -fc 'xen-qemu.*-xen-domid [1-9]') <= $(wc -w <<<"$known") - 1)) || echo 'a device model'
    find /run/xmig -type s
    find /run/xmig -mindepth 1 -type d
    find /lab -name '*.partial'
    xl list | grep -e --incoming -e --migratedaway
    ip -o link show 2>/dev/null | grep -o 'vif[0-9.]*' | sort -u | while read -r id; do
        [[ $known == *" $(tr -dc '0-9.' <<<"$id" | cut -d. -f1) "* ]] || echo "$id"
    done
    xl info | awk '/outstanding_claims/ && $3 != 0 { print "claims " $3 }'
}

clean() {
    local left
    left=$(leftovers)
    [[ ! $left ]] || fail "left over: $left"
}

# A copy of what a guest has printed: another device model may begin the file anew.
move() { # EXPECTED_STATUS XMIG_ARGUMENT...
    local expected=$1 status
    shift
    note "xmig send $*"
    xmig send -v "$@"
    status=$?
    ((status == expected)) || fail "xmig ended with $status, not $expected"
}

# NAME moves to NEW on this host.
one_host() { # NAME NEW [OPTION...]
    local name=$1 new=$2 since
    shift 2
    since=$(last_tick "$name")
    move 0 "$@" --name "$new" "$name" local:
    goes_on "$new" "$since"
    xl domid "$name" 2>/dev/null && fail "$name is still there"
    clean
    (($(tr -d '\r' <"/lab/$new.log" | awk '/^TICK/ { print $2; exit }') <= $(last_tick "$name") + 1)) ||
        fail 'ticks were lost'
}

# NAME moves to HOST, which has nothing of this one's disks.
two_hosts() { # NAME HOST [OPTION...]
    local name=$1 host=$2 since
    shift 2
    since=$(last_tick "$name")
    move 0 "$@" "$name" "$host"
    xl domid "$name" 2>/dev/null && fail "$name is still here"
    clean
    ssh "$host" "/root/e2e-dom0.sh arrived $name $since" || fail 'the other host'
    compgen -G "/lab/$name.hda*" >/dev/null || fail "the source's disk is gone"
}

arrived() { goes_on "$1" "$2" && clean; }

# … and back: what is still there of its disks is in nobody's way.
back() { # NAME HOST
    local name=$1 host=$2
    mkdir -p /lab/old && mv "/lab/$name".hd* /lab/old/
    ssh "$host" "xmig send -v $name h1" || fail 'the way back'
    goes_on "$name" "$(last_tick "$name")"
    clean
}

# The xmig of one side dies at POINT; recover settles it, and the guest goes on here.
crashed() { # NAME POINT
    local name=$1 since id status
    since=$(last_tick "$name")
    xmig send -v --name "$name-copy" --fault "$2:crash" "$name" local:
    id=$(basename "$(ls -td /var/lib/xmig/*/ | head -1)")
    note "xmig ended with $?; recovering $id"
    xmig recover -v --side send "$id"
    status=$?
    ((status == 4)) || fail "recover ended with $status, not 4"
    xmig recover -v --side recv "$id"
    goes_on "$name" "$since"
    clean
}

# A move that fails at POINT changes nothing.
rolled_back() { # NAME POINT [DEST]
    local name=$1 point=$2 since domid
    since=$(last_tick "$name") domid=$(xl domid "$name")
    move 4 --name "$name-copy" --fault "$point" "$name" "${3:-local:}"
    [[ $(xl domid "$name") == "$domid" ]] || fail "$name is another domain"
    goes_on "$name" "$since"
    clean
    [[ ! -e /lab/$name-copy.hda.raw ]] || fail 'a disk was left over'
}

# xmig is asked to end while STAGE is at work.
cancelled() { # NAME STAGE
    local name=$1 stage=$2 since domid pid status i
    since=$(last_tick "$name") domid=$(xl domid "$name")
    xmig send -v --name "$name-copy" "$name" local: >/tmp/cancelled 2>&1 &
    pid=$!
    for ((i = 0; i < 1200; i++)); do
        grep -q "^xmig: $stage: " /tmp/cancelled && break
        sleep 0.1
    done
    sleep 1
    kill -TERM "$pid" # a shell in the background ignores SIGINT, and so does what it starts
    wait "$pid"
    status=$?
    tail -n 12 /tmp/cancelled
    ((status == 143)) || fail "xmig ended with $status, not 143"
    [[ $(xl domid "$name") == "$domid" ]] || fail "$name is another domain"
    goes_on "$name" "$since"
    clean
}

# The guest is an ordinary domain of xl's.
ordinary() { # NAME
    local name=$1 since
    since=$(last_tick "$name")
    xl list -l "$name" | python3 -c 'import json,sys; json.load(sys.stdin)' || fail 'xl list -l'
    xl block-list "$name" | grep -q ' 768 *\|^768' || fail 'xl block-list'
    xl pause "$name" && xl unpause "$name" || fail 'xl pause'
    timeout 5 xl console -t serial "$name" </dev/null >/dev/null 2>&1
    xl save "$name" /lab/saved && xl restore /lab/saved || fail 'xl save, restore'
    rm -f /lab/saved
    goes_on "$name" "$since"
}

reboots() { # NAME
    local name=$1 domid i
    domid=$(xl domid "$name")
    xl qemu-monitor-command "$name" system_reset
    for ((i = 0; i < 120; i++)); do
        sleep 1
        [[ $(xl domid "$name" 2>/dev/null || echo "$domid") != "$domid" ]] && break
    done
    [[ $(xl domid "$name") != "$domid" ]] || fail "$name has not been rebuilt"
    goes_on "$name" 1
    clean
}

"$@" || exit
echo "OK: $*"
