"""Volumes that dom0's kernel serves: what is written to them is tracked, and LVM, a full memory and `kill -9` come in
between. `track` does to the volume what a move does; the writer writes as a guest would.
"""

import re

from devices import LVM
from lab import expect
from table import CHECK, FULL, scenario

COPY, STOP, ID = "/lab/copy", "/run/suite/stop", "0123456789abcdef"
ORIGIN = f"xmig-{ID}-v-orig"


class Tracked:
    """A volume /dev/lab/v with a writer, and a `track` that obeys."""

    def __init__(self, s, *making, device="/dev/lab/v"):
        self.host = s.source
        self.device = device
        self.host.run(f"cd /lab && {LVM} && {' && '.join(making)}")
        self.fill()
        self.plain = self.table()

    def fill(self):
        self.host.run(f"dd if=/usr/local/share/lab/linux.img of={self.device} bs=1M count=8 conv=sync oflag=direct status=none")

    def name(self):
        return self.host.run(f"dmsetup info -c --noheadings -o name {self.device}").strip()

    def table(self):
        return self.host.run(f"dmsetup table {self.name()}")

    # ---- the writer ----

    def write(self):
        self.host.run(f"rm -f {STOP}")
        self.host.suite("start", "writer", "lab-writes", self.device, STOP)
        self.host.suite("await", 300, "grep", "-q", "writes", "/run/suite/writer.log")

    def written(self):
        """The writer ends, and has seen no error."""
        self.host.run(f"touch {STOP}")
        status = int(self.host.suite("status", "writer", 300))
        said = self.host.suite("output", "writer")
        expect(status == 0 and said.count("longest_ms") == 3, f"the writer ended with {status}: {said}")

    # ---- the tracking ----

    def track(self):
        self.host.suite("start_obeying", "track", "track")

    def tell(self, line):
        return self.host.suite("tell", "track", line, 600, limit=660)

    def does(self, line, word="ok"):
        said = self.tell(line)
        expect(re.search(word, said), f"{line}: {said}")
        return said

    def begin(self, *before):
        self.track()
        for line in before:
            self.does(line)
        self.does(f"begin {ID} v {self.device}")

    def is_whole(self):
        """The copy has all that was written."""
        self.host.run(f"dd if={self.device} iflag=direct bs=1M status=none | cmp - {COPY}")

    def is_plain(self):
        """The volume has its own table, runs, and nothing of ours is left."""
        expect(self.table() == self.plain, f"the table is {self.table()}, and was {self.plain}")
        left = self.host.run("dmsetup info -c --noheadings -o name,suspended; losetup -a")
        expect("xmig" not in left and "Suspended" not in left, f"there is left: {left}")

    def end(self):
        self.does("end")
        self.does("end")  # a second time does nothing
        self.is_plain()


def linear(s):
    return Tracked(s, "lvcreate -qq -y -W n -L 8M -n v lab")


# ---- what is written is noted ----

def tracked_volume(s, make):
    """Round by round under a writer that discards and zeroes, the copy becomes the volume."""
    volume = make(s)
    volume.write()
    volume.begin()
    volume.does(f"copy {COPY}")
    volume.does(f"round {COPY}", "[1-9][0-9]* bytes")
    volume.does(f"round {COPY}", "[1-9][0-9]* bytes")
    volume.written()
    volume.does("lock 1000")
    volume.does(f"round {COPY}", "[1-9][0-9]* bytes")
    volume.does("check")
    volume.is_whole()
    volume.does(f"round {COPY}", "^0 bytes")
    volume.end()


def of_several_lines(s):
    return Tracked(s, "lvcreate -qq -y -W n -L 4M -n v lab", "lvcreate -qq -y -W n -L 4M -n other lab",
                   "lvextend -qq -L 8M lab/v")


def striped(s):
    return Tracked(s, "truncate -s 1G lvm2.img", "vgextend -qq lab $(losetup -f --show lvm2.img)",
                   "lvcreate -qq -y -W n -i 2 -L 8M -n v lab")


def encrypted(s):
    return Tracked(s, "lvcreate -qq -y -W n -L 8M -n below lab",
                   "dmsetup create v --table \"0 16384 crypt aes-xts-plain64 $(printf %064d 7) 0 /dev/lab/below 0 "
                   "1 allow_discards\"", device="/dev/mapper/v")


def thin(s):
    return Tracked(s, "lvcreate -qq -y -L 32M --thinpool pool lab", "lvcreate -qq -y -V 8M -n v --thin lab/pool")


def thin_keeps_lvm_off(s):
    """A snapshot of a tracked thin volume would break the pool: it waits, and is made afterwards."""
    volume = thin(s)
    volume.begin()
    status, _ = s.source.run("timeout 15 lvcreate -qq -y -s -n taken lab/v", check=False)
    expect(status == 124, "LVM has made a snapshot of a tracked thin volume")
    s.source.run("lvs lab")
    volume.end()
    s.source.run("lvcreate -qq -y -s -n taken lab/v && lvcreate -qq -y -V 8M -n more --thin lab/pool")


def refused_volume(s, making, word):
    """What has a state of its own, or is no device of the device mapper, is not touched."""
    host = s.source
    host.run(f"cd /lab && {LVM} && {making}")
    host.suite("start_obeying", "track", "track")
    before = host.run("dmsetup table; dmsetup info -c")
    for line in "can /dev/target", f"begin {ID} v /dev/target":
        said = host.suite("tell", "track", line)
        expect("failed" in said and word in said and "qdisk" in said, f"{line}: {said}")
    expect(host.run("dmsetup table; dmsetup info -c") == before, "something was changed")


# ---- no room for the notes ----

def no_room_at_first(s):
    """The kernel refuses to resume with so little metadata: the plain table, at once."""
    volume = linear(s)
    volume.write()
    volume.track()
    volume.does("notes 28672")
    volume.does(f"begin {ID} v {volume.device}", "failed: .*No space left")
    volume.is_plain()
    volume.written()


def no_room_later(s):
    """Before the notes are full, the plain table is back; the writer sees no error."""
    volume = linear(s)
    volume.write()
    volume.begin("notes 81920")
    for _ in range(20):
        said = volume.tell(f"round {COPY}")
        if "failed" in said:
            break
    expect("no room" in said, f"it was never full: {said}")
    expect(volume.table() == volume.plain, "the volume has not its plain table")
    volume.does("check", "failed: .*has ended")
    volume.end()
    volume.written()


# ---- LVM meanwhile ----

def lvm_is_survived(s):
    """What only reads, and what may not be done to a volume in use."""
    volume = linear(s)
    volume.write()
    volume.begin()
    volume.does(f"copy {COPY}")
    s.source.run("lvs lab; vgs lab; pvs; vgchange -ay lab; vgscan; ! lvremove -f lab/v; ! lvchange -an lab/v")
    volume.does("check")
    volume.written()
    volume.does(f"round {COPY}")
    volume.does("check")
    volume.is_whole()
    volume.end()


def lvm_is_noticed(s, command):
    """LVM gives the volume its own table, without a word; what was copied counts for nothing then."""
    volume = linear(s)
    volume.write()
    volume.begin()
    volume.does(f"copy {COPY}")
    s.source.run(command)
    now = volume.table()
    volume.does(f"round {COPY}", "failed: .*another table")
    expect(volume.table() == now, "LVM's table was taken away again")
    volume.plain = now
    volume.end()
    volume.written()


def lvm_waits(s):
    """From the lock to the end nobody changes the volume group; who reads it does not wait."""
    volume = linear(s)
    volume.begin()
    volume.does("lock 1000")
    status, _ = s.source.run("timeout 15 lvresize -qq -L +4M lab/v", check=False)
    expect(status == 124, "LVM has changed the volume")
    s.source.run("lvs lab")
    volume.does(f"round {COPY}")
    volume.does("check")
    volume.end()
    s.source.run("lvresize -qq -L +4M lab/v")


def guests_group(s):
    """LVM sees a group that the guest has on its disk through any device with the volume's table, and not through the origin."""
    volume = linear(s)
    seeing = "--config devices/scan_lvs=1"
    s.source.run(f"wipefs -qa {volume.device}; pvcreate -qq -y {seeing} {volume.device}; vgcreate -qq {seeing} inner {volume.device}")
    s.source.run(f"dmsetup create other --table '{volume.plain.strip()}'")
    expect("inner" in s.source.run("vgs"), "a guest's group would not be seen in any case")
    s.source.run("dmsetup remove --retry other")
    expect("inner" not in s.source.run("vgs"), "the host sees the guest's group before all")
    volume.begin()
    expect("inner" not in s.source.run("vgs; pvs; vgscan; pvscan"), "the host sees the guest's group through the origin")
    s.source.run("vgchange -ay")
    volume.does(f"round {COPY}")
    volume.end()


# ---- dead processes ----

def killed(s, *lines, by_hand="true"):
    """The guest goes on, and what is left is found and taken away."""
    volume = linear(s)
    volume.write()
    volume.begin()
    for line in lines:
        volume.does(line)
    s.source.run(f"pkill -9 -x track; {by_hand}")
    s.source.suite("start_obeying", "second", "track")
    said = s.source.suite("tell", "second", "leftovers fedcba9876543210")
    expect(ORIGIN not in said, f"another migration's: {said}")
    said = s.source.suite("tell", "second", "leftovers")
    expect(ORIGIN in said and "ok" in said, said)
    volume.is_plain()
    volume.written()


def fence_stays(s):
    """What was made read-only meanwhile, since the guest runs elsewhere, is so afterwards."""
    volume = linear(s)
    volume.begin()
    s.source.run(f"blockdev --setro {volume.device}")
    volume.end()
    expect(s.source.run(f"blockdev --getro {volume.device}").strip() == "1", "the volume can be written to")


def living_is_left_alone(s):
    volume = linear(s)
    volume.begin()
    s.source.suite("start_obeying", "second", "track")
    expect(ORIGIN not in s.source.suite("tell", "second", "leftovers"), "a living process's tracking was ended")
    volume.does("check")
    volume.end()


def power_fails(s):
    """The plain volume, with all that was flushed."""
    volume = linear(s)
    volume.begin()
    s.source.run(f"printf flushed | dd of={volume.device} bs=4096 count=1 conv=sync,notrunc oflag=direct status=none; sync")
    s.source.power_fails()
    s.source.boot()
    s.source.run("cd /lab && losetup -f --show lvm.img && vgchange -qq -ay lab")
    volume.is_plain()
    expect("flushed" in s.source.run(f"dd if={volume.device} bs=4096 count=1 iflag=direct status=none | tr -d '\\0'"),
           "a flushed write is lost")


RAID = ("truncate -s 1G lvm2.img && vgextend -qq lab $(losetup -f --show lvm2.img) && "
        "lvcreate -qq -y --type mirror -m 1 --mirrorlog core -L 8M -n v lab && ln -sfn /dev/lab/v /dev/target")
FILE = "truncate -s 16M raw.img && ln -sfn $(losetup -f --show raw.img) /dev/target"

for scene in "one-4.17", "one-4.20":
    rung = CHECK if scene == "one-4.17" else FULL
    scenario(scene, "kernel-disk-linear", tracked_volume, linear, rung=rung)
    for kind, make in (("several-lines", of_several_lines), ("striped", striped), ("encrypted", encrypted), ("thin", thin)):
        scenario(scene, f"kernel-disk-{kind}", tracked_volume, make, rung=FULL)
    scenario(scene, "kernel-disk-thin-keeps-lvm-off", thin_keeps_lvm_off, rung=FULL)
    scenario(scene, "kernel-disk-refused-mirror", refused_volume, RAID, "'mirror'", rung=FULL)
    scenario(scene, "kernel-disk-refused-file", refused_volume, FILE, "no device of the device mapper", rung=FULL)
    scenario(scene, "kernel-disk-no-room-at-first", no_room_at_first, rung=FULL)
    scenario(scene, "kernel-disk-no-room-later", no_room_later, rung=FULL)
    scenario(scene, "kernel-disk-lvm-survived", lvm_is_survived, rung=FULL)
    for name, command in (("refresh", "lvchange --refresh lab/v"), ("resize", "lvresize -qq -L +4M lab/v"),
                          ("snapshot", "lvcreate -qq -y -s -L 16M -n taken lab/v")):
        scenario(scene, f"kernel-disk-lvm-{name}", lvm_is_noticed, command, rung=FULL)
    scenario(scene, "kernel-disk-lvm-waits", lvm_waits, rung=FULL)
    scenario(scene, "kernel-disk-guests-group", guests_group, rung=FULL)
    scenario(scene, "kernel-disk-killed", killed, rung=FULL)
    scenario(scene, "kernel-disk-killed-between-rounds", killed, f"copy {COPY}", f"round {COPY}", "lock 1000", rung=FULL)
    scenario(scene, "kernel-disk-killed-suspended", killed, by_hand="dmsetup suspend --noflush --nolockfs lab-v", rung=FULL)
    scenario(scene, "kernel-disk-fence-stays", fence_stays, rung=FULL)
    scenario(scene, "kernel-disk-living-left-alone", living_is_left_alone, rung=FULL)
    scenario(scene, "kernel-disk-power-fails", power_fails, rung=FULL)
