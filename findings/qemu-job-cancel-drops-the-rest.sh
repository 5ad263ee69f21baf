#!/bin/bash
# QEMU has two commands to end a job: block-job-cancel, and job-cancel, which is for jobs of all kinds. For a mirror
# that is ready they are thought to be the same. block-job-cancel writes what is left and ends the job as a success:
# the target is a whole copy. job-cancel drops what is left, and the target lacks writes that the guest was told are
# done. Both answer at once without an error, and with nothing left both copies are whole: so a test of an idle guest
# shows no difference. The event at the end does.
#
# Seen with Debian 12's qemu-system-x86 1:7.2+dfsg-7+deb12u18+b3 and Debian 13's 1:10.0.13+ds-0+deb13u1, with 4 MiB
# to write to a target that takes 1 MiB a second.
set -euo pipefail
# shellcheck source=packages.sh
source "$(dirname "$0")/packages.sh"

ended_by() { # ROOT COMMAND ARGUMENT: the event at the end, and whether the target is a copy
    local root=$1 machine

    rm -f "$root"/tmp/{image,copy,qmp}
    truncate -s 4M "$root"/tmp/{image,copy}
    chroot "$root" qemu-system-x86_64 -S -nodefaults -display none -machine pc,accel=tcg -m 32 \
        -qmp unix:/tmp/qmp,server=on,wait=off -object throttle-group,id=g,x-bps-write=1048576 \
        -drive file=/tmp/image,format=raw,if=none,id=d -device virtio-blk-pci,drive=d \
        -blockdev driver=throttle,node-name=t,throttle-group=g,file.driver=file,file.filename=/tmp/copy \
        >/dev/null 2>&1 &
    machine=$!
    await "$root/tmp/qmp"
    python3 - "$root/tmp/qmp" "$2" "$3" <<'END'
import json, socket, sys, time

path, command, argument = sys.argv[1:]
monitor = socket.socket(socket.AF_UNIX)
monitor.connect(path)
lines = monitor.makefile("rw")
lines.readline()
events = []

def ask(command, **arguments):
    lines.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
    lines.flush()
    while "return" not in (line := json.loads(lines.readline())):
        if "error" in line:
            sys.exit(str(line))
        events.append(line.get("event"))
    return line["return"]

ask("qmp_capabilities")
ask("blockdev-mirror", **{"job-id": "m", "device": "d", "target": "t", "sync": "none", "buf-size": 65536})
while "BLOCK_JOB_READY" not in events:
    ask("query-status")
ask("human-monitor-command", **{"command-line": "qemu-io d \"write -P 7 0 4M\""})
ask(command, **{argument: "m"})
while ask("query-jobs"):
    time.sleep(0.1)
print(*set(events) & {"BLOCK_JOB_COMPLETED", "BLOCK_JOB_CANCELLED"})
ask("quit")
END
    wait "$machine"
    cmp -s "$root/tmp/image" "$root/tmp/copy" && echo equal || echo different
}

bookworm=$(debian_root bookworm qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3)
trixie=$(debian_root trixie qemu-system-x86=1:10.0.13+ds-0+deb13u1)
for root in "$bookworm" "$trixie"; do
    expect "${root##*/}, block-job-cancel" "$(ended_by "$root" block-job-cancel device | xargs)" \
        'BLOCK_JOB_COMPLETED equal'
    expect "${root##*/}, job-cancel" "$(ended_by "$root" job-cancel id | xargs)" 'BLOCK_JOB_CANCELLED different'
done
finish
