# shellcheck shell=bash
# Proves the lab on one host or two: guests tick without an error while they are saved,
# restored, snapshotted with their host, and moved by xl.

# Whether guest NAME on host N has printed tick NUMBER or a later one, and none in error.
expect_ticks() { # N NAME AFTER
    local last

    for _ in {1..120}; do
        last=$(run "$1" "lab-ticks $2 $3") || true
        [[ $last != *errors=[1-9]* ]] || break
        [[ ! $last =~ last=([1-9][0-9]*) ]] || ((BASH_REMATCH[1] < $3 + 5)) || {
            say "   $last" && return
        }
        sleep 1
    done
    run "$1" "tail -n 5 /lab/$2.log; xl list; xl dmesg | tail" >&2 || true
    die "FAILED: $2 does not tick well on h$1 after tick $3: $last"
}

last_tick() { run "$1" "lab-ticks $2 || true" | sed 's/.* last=\([0-9]*\) .*/\1/'; }

proves() { say "-- $*"; }

selftest_one_host() {
    proves 'a tick guest runs: its own writes, flushes, reads and RAM are right'
    guest 1 tick t1 --disks 2 --params 'ram_mib=2 dirty=8 blocks=16'
    expect_ticks 1 t1 1

    proves 'it survives xl save and xl restore'
    run 1 'set -ex; xl save t1 /lab/t1.save; verify-stream-v2 -f xl -i /lab/t1.save
           xl restore /lab/t1.save; rm /lab/t1.save' >"$LAB/save.log" 2>&1 ||
        die "FAILED: xl save or restore, see $LAB/save.log"
    expect_ticks 1 t1 "$(last_tick 1 t1)"

    proves 'it survives a snapshot of its host, taken while it runs'
    save selftest
    run 1 'touch /lab/later; sync'
    load selftest
    run 1 '[[ ! -e /lab/later ]]' || die 'FAILED: the host was not set back'
    expect_ticks 1 t1 "$(last_tick 1 t1)"

    proves 'a host whose power fails keeps what was flushed, and only that'
    run 1 'echo 1 >/lab/flushed; sync; echo 1 >/lab/lost'
    crash 1
    boot 1
    run 1 '[[ -s /lab/flushed && ! -s /lab/lost ]]' || die 'FAILED: crash'
    load selftest

    proves 'a command that hangs is ended, and exit codes come through'
    local code=0
    run -t 2 1 'sleep 100' || code=$?
    ((code == 124)) || die "FAILED: exit code $code"
    code=0
    run 1 'exit 7' || code=$?
    ((code == 7)) || die "FAILED: exit code $code"

    proves 'disks may be qcow2 images, loop devices and LVM volumes'
    run 1 'xl destroy t1'
    guest 1 tick q1 --format qcow2
    run 1 'xl destroy q1; qemu-img check -q /lab/q1.hda.qcow2' || die 'FAILED: qcow2 image'
    guest 1 tick l1 --store lvm
    run 1 'xl destroy l1 && lvremove -qqy lab'
    guest 1 tick o1 --store loop vcpus=2
    run 1 'xl destroy o1'
}

selftest_linux() {
    proves 'a Linux guest runs with PV disks and a network'
    guest 1 linux g1 --params net=10.9.0.101/24 "vif=['mac=00:16:3e:00:00:65']"
    run 1 "ping -c 2 -w 60 10.9.0.101 && lab-say g1 verify '^V ok'" >/dev/null || die 'FAILED: g1'
}

# xl does not move disks. The copy made while the guest runs lacks the last writes, which the
# guest must notice, and nothing else.
selftest_two_hosts() {
    local last kinds

    proves 'xl moves a running guest from one host to the other'
    load selftest
    run 1 'tar -C / --warning=no-file-changed -cSf - lab/t1.hd{a,b}.raw | ssh h2 tar -C / -xSf -'
    last=$(last_tick 1 t1)
    run -t 900 1 'xl migrate t1 h2' >"$LAB/migrate.log" 2>&1 ||
        die "FAILED: xl migrate, see $LAB/migrate.log"
    run 1 '! xl domid t1' >/dev/null 2>&1 || die 'FAILED: t1 is still on h1'
    run 2 'xl domid t1' >/dev/null || die 'FAILED: t1 is not on h2'

    proves 'the guest goes on where it was, and has noticed that its last writes are missing'
    for _ in {1..60}; do
        kinds=$(run 2 "lab-ticks t1 $last" | sed -n 's/.*kinds=//p') || true
        [[ ! $kinds ]] || break
        sleep 1
    done
    [[ $kinds == 2 ]] || die "FAILED: errors of kind '$kinds' instead of 2"
    last=$(last_tick 2 t1)
    expect_ticks 2 t1 $((last + 20)) # by then it has overwritten what was wrong
}

selftest() { # [HOST [HOST]]
    local start=$EPOCHREALTIME

    (($#)) || set -- bookworm bookworm
    trap stop EXIT
    up "$@"
    selftest_one_host
    selftest_linux
    (($# < 2)) || selftest_two_hosts
    say "all is well ($(since "$start") s)"
}
