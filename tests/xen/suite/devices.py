"""Guests with other devices than two IDE disks, and what is refused of them. Each makes a guest
of its own beside the scene's.
"""

import shlex

from guest import Guest
from kills import settle
from lab import expect
from table import CHECK, FULL, LONG, scenario

NETWORK = 'vif=["mac=00:16:3e:00:00:01,bridge=xenbr0"]'
LVM = "truncate -s 1G lvm.img && vgcreate -qq lab $(losetup -f --show lvm.img)"


def disk(name, letters, form, access="rw", rest="backendtype=qdisk,"):
    return f"'format={form},vdev={letters},access={access},{rest}target=/lab/{name}.{letters}.{form}'"


def make(s, name, *lines, prepare="true", starts=True):
    """A guest that ticks; `lines` are more of its configuration."""
    words = " ".join(shlex.quote(line) for line in lines)
    s.source.run(f"cd /lab && lab-guest tick {name} --no-start {words} && {prepare} && xl create -q {name}.cfg")
    if starts:
        s.source.suite("await_ticks", name, 3, 300)
    return Guest(s.source, name)


def sends(s, guest, *options):
    """To this host, under the next name."""
    at = guest.arrives_as(s.source, guest.name[:-1] + str(int(guest.name[-1]) + 1))
    s.source.suite("start", "send", "xmig", "send", "-v", "--name", at.name, *options, guest.name, "local:")
    return at


def moves(s, guest, *options):
    at = sends(s, guest, *options)
    status = s.sent()
    expect(status == 0, f"xmig send ended with {status}: {s.last_words()}")
    at = guest.moved(at)
    at.goes_on()
    s.is_clean()
    return at


def device_model(s, guest):
    return s.source.run(f"tr '\\0' ' ' </proc/$(xenstore-read /local/domain/{guest.domid()}/image/device-model-pid)"
                        "/cmdline")


def mixed(s):
    """IDE, SCSI and PV disks, raw and qcow2, files and an LVM volume, a CD-ROM, a network."""
    noise = "head -c 3000000 /dev/urandom"
    prepare = (
        f"{LVM} && lvcreate -qq -y -L 16M -n m1 lab && lvcreate -qq -y -L 16M -n m2 lab && "
        "qemu-img create -q -f qcow2 m1.sda.qcow2 32M && truncate -s 4M m1.hdc.raw && "
        f"{noise} >m1.xvde.raw && truncate -s 16M m1.xvde.raw && {noise} >noise && "
        "qemu-img convert -q -O qcow2 noise m1.xvdf.qcow2 && qemu-img resize -q m1.xvdf.qcow2 24M")
    disks = ",".join([disk("m1", "hda", "raw"), "'format=raw,vdev=hdb,access=rw,target=/dev/lab/m1'",
                      disk("m1", "hdc", "raw", "ro", "devtype=cdrom,"), disk("m1", "sda", "qcow2"),
                      disk("m1", "xvde", "raw"), disk("m1", "xvdf", "qcow2")])
    guest = make(s, "m1", NETWORK, f"disk=[{disks}]", prepare=prepare)
    guest = moves(s, guest, "--disk", "hdb=/dev/lab/m2")
    for unused in ("sda.qcow2", "xvde.raw", "xvdf.qcow2"):
        here, there = (s.source.suite("digests", f"/lab/{name}.{unused}") for name in ("m1", "m2"))
        expect(here == there, f"{unused} differs")
    said = s.source.run("xl block-list m2")
    expect(said.count("/qdisk/") == 5 and said.count("/vbd/") == 1, f"xl block-list says: {said}")
    bridge = s.source.run(f"readlink /sys/class/net/vif{guest.domid()}.0-emu/master")
    expect(bridge.strip().endswith("xenbr0"), "the network is on no bridge")
    s.source.run("xl destroy m2")
    s.is_clean()


def takes_volumes(s):
    """A block device is never overwritten by mistake, and the guest never sees more of it than its disk."""
    guest = make(s, "m1", prepare=f"{LVM} && lvcreate -qq -y -L 64M -n full lab && lvcreate -qq -y -L 68M -n large lab && "
                 "lvcreate -qq -y -L 60M -n small lab && "
                 "dd if=/dev/urandom of=/dev/lab/full bs=1M count=1 status=none")
    for volume, word in (("full", "holds data"), ("small", "lvextend -L 67108864b /dev/lab/small"),
                         ("none", "No such file")):
        sends(s, guest, "--disk", f"hda=/dev/lab/{volume}")
        status = s.sent()
        expect(status == 3 and word in s.said, f"/dev/lab/{volume}: {status}, {s.last_words()}")
    guest = moves(s, guest, "--disk", "hda=/dev/lab/full", "--overwrite", "hda")
    guest = to_a_larger_volume(s, guest)
    domid = guest.domid()
    guest.types("r", "REBOOT")
    guest.forget()
    s.source.suite("await_rebuilt", guest.name, domid, 300)
    guest.goes_on()


def to_a_larger_volume(s, guest):
    larger = ["--disk", "hda=/dev/lab/large"]
    mappings = "find /dev/mapper -name 'xmig-*'"
    sends(s, guest, *larger, "--fault", "block-ready-wait:end:send")
    expect(s.sent() == 4 and not s.source.run(mappings), "a failed move leaves a mapping")
    s.is_clean()
    larger += ["--overwrite", "hda"]
    sends(s, guest, *larger, "--fault", "block-ready-wait:end:send:stop", "--lease", "60s")
    s.await_stopped("send")
    s.source.suite("strike", "receiver")
    s.source.suite("go_on", "send")
    expect(settle(s, s.sent()) == 4 and not s.source.run(mappings), "a killed receiver leaves a mapping")
    s.is_clean()
    guest = moves(s, guest, *larger)
    mapping = s.source.run(mappings).strip()
    expect(f"dmsetup create {mapping.split('/')[-1]} --table '0 131072 linear /dev/lab/large 0'" in s.said,
           f"no word of how to make it again: {s.said}")
    expect(s.source.run(f"blockdev --getsize64 {mapping}").strip() == str(64 << 20), "the guest sees more")
    expect(s.source.run("tail -c 4M /dev/lab/large | tr -d '\\0' | wc -c").strip() == "0", "what is behind it was written to")
    return guest


def media(s):
    """A medium is what lies in the drive now; it is found elsewhere, or taken out."""
    disks = disk("m1", "hda", "raw") + "," + disk("m1", "hdc", "raw", "ro", "devtype=cdrom,")
    guest = make(s, "m1", f"disk=[{disks}]", prepare="truncate -s 4M m1.hdc.raw && truncate -s 5M other.iso")
    s.source.run("xl cd-insert m1 hdc /lab/other.iso")
    guest = moves(s, guest)
    expect("file=/lab/other.iso" in device_model(s, guest), "another medium lies in the drive")
    sends(s, guest, "--disk", "hdc=/lab/none.iso")
    expect(s.sent() == 3 and "--eject hdc" in s.said, f"no word of --eject: {s.last_words()}")
    guest = moves(s, guest, "--eject", "hdc")
    expect("id=ide-5632,file" not in device_model(s, guest), "the drive is not empty")
    guest.goes_on()


def network_script_fails(s):
    """The guest runs at the target, and a person is told what is missing there."""
    script = "/lab/vif-script"
    s.source.run(f"printf '#!/bin/sh\nexec /etc/xen/scripts/vif-bridge \"$@\"\n' >{script} && chmod 755 {script}")
    guest = make(s, "m1", f'vif=["mac=00:16:3e:00:00:01,bridge=xenbr0,script={script}"]')
    s.source.run(f"sed -i '2i [ \"$1\" != add ] || exit 1' {script}")
    guest = moves(s, guest)
    expect(f"not joined to its network: network interface 0: {script} add" in s.said, f"no word of it: {s.said}")
    s.source.run(f"xl destroy {guest.name}")
    s.is_clean()


def ahci(s):
    """The BIOS reads it by AHCI, now and when the guest is restarted at the target."""
    guest = make(s, "m1", "hdtype='ahci'", "--params", "interval_ms=100 ram_mib=2")
    guest = moves(s, guest)
    expect("-device ahci" in device_model(s, guest), "it has no AHCI controller")
    here, there = (s.source.suite("digests", f"/lab/{name}.hda.raw") for name in ("m1", "m2"))
    expect(here == there, "the disks differ")
    domid = guest.domid()
    guest.types("r", "REBOOT")
    guest.forget()
    s.source.suite("await_rebuilt", guest.name, domid, 300)
    guest.goes_on()


def writes_too_fast(s):
    """It ends at the deadline, and tells what would have been needed."""
    guest = make(s, "m1", "--params", "interval_ms=0 ram_mib=6 dirty=400 blocks=256", "memory=16")
    domid = guest.domid()
    sends(s, guest, "--bwlimit", "1M", "--max-downtime", "100ms", "--deadline", "90s")
    status = s.sent()
    expect(status == 4 and "needs" in s.said and "KiB/s" in s.said, f"{status}: {s.last_words()}")
    expect(guest.domid() == domid, "it is another domain")
    guest.goes_on()
    s.is_clean()


def mirrors(s, *lines):
    """A guest whose disks take half a minute to be mirrored: that has begun."""
    disks = ",".join([disk("m1", "hda", "raw"), disk("m1", "hdb", "raw"),
                      disk("m1", "hdc", "raw", "ro", "devtype=cdrom,")])
    guest = make(s, "m1", "--disks", "2", f"disk=[{disks}]", *lines, prepare="truncate -s 4M m1.hdc.raw other.iso && "
                 "head -c 30000000 /dev/urandom | dd of=m1.hdb.raw conv=notrunc status=none")
    sends(s, guest, "--bwlimit", "1M")
    s.source.suite("await", 300, "grep", "-q", "^xmig: block-ready-wait: ", "/run/suite/send.log")
    return guest


def changed_under_way(s, change, status, word):
    """Somebody does something to the guest while its disks are mirrored."""
    guest = mirrors(s)
    s.source.run(change)
    ended = s.sent()
    expect(ended == status and word in s.said, f"xmig send ended with {ended}: {s.last_words()}")
    if status == 4:
        guest.goes_on()
    s.is_clean()


def started_again(s):
    """A disk that somebody else writes to is not moved; and after the move the old configuration starts nothing."""
    guest = make(s, "m1")
    image = "/lab/m1.hda.raw"
    pid = s.source.run(f"(exec 9<>{image}; exec setsid sleep 900) </dev/null >/dev/null 2>&1 & echo $!").strip()
    sends(s, guest, "--dry-run")
    status = s.sent()
    expect(status == 3 and f"process {pid} " in s.said and image in s.said, f"it ended with {status}: {s.last_words()}")
    s.source.run(f"kill {pid}")
    moves(s, guest)
    s.source.run("! xl create -q /lab/m1.cfg 2>/dev/null && ! xl list m1 2>/dev/null")
    s.is_clean()


def ends_by_itself(s, key, answer, status, word):
    """While its disks are mirrored: xl does what it always does."""
    guest = mirrors(s)
    domid = guest.domid()
    guest.types(key, answer)
    guest.forget()
    ended = s.sent()
    expect(ended == status and word in s.said, f"xmig send ended with {ended}: {s.last_words()}")
    if status == 4:
        s.source.suite("await_rebuilt", guest.name, domid, 300)
        guest.goes_on()
    else:
        s.source.suite("await_gone", guest.name, 300)
    s.is_clean()


def second_sender(s):
    guest = mirrors(s)
    status, said = s.source.run("xmig send -n --name m3 m1 local: 2>&1", check=False)
    expect(status == 3 and "is being moved already" in said, f"the second one ended with {status}: {said}")
    s.source.suite("terminate", "send")
    status = s.sent()
    expect(status == 143, f"the first one ended with {status}: {s.last_words()}")
    guest.goes_on()
    s.is_clean()


def refused(s, lines, word):
    guest = make(s, "m1", *lines, starts=False)
    sends(s, guest, "--dry-run")
    status = s.sent()
    expect(status == 3 and word in s.said, f"xmig send ended with {status}: {s.last_words()}")
    s.source.run("xl destroy m1")
    s.is_clean()


REFUSED = {
    "nested": (["nestedhvm=1"], "nested virtualisation"),
    "spice": (["spice=1", "spicehost='127.0.0.1'", "spiceport=5999", "spicedisable_ticketing=1"], "SPICE"),
    "altp2m": (["altp2m='external'"], "altp2m"),
    "channel": (["channel=['name=x,connection=pty']"], "a channel"),
    "unknown-option": (["device_model_args_hvm=['-seed','5']"], "does not know"),
}

scenario("one-4.17", "mixed-devices", mixed, rung=CHECK)
scenario("one-4.20", "mixed-devices", mixed, rung=FULL)
scenario("one-4.17", "network-script-fails", network_script_fails)
scenario("one-4.17", "ahci", ahci)
scenario("one-4.20", "ahci", ahci, rung=FULL)
scenario("one-4.17", "writes-too-fast", writes_too_fast)
scenario("one-4.17", "volumes", takes_volumes)
scenario("one-4.17", "media", media)
scenario("one-4.17", "disk-attached-under-way", changed_under_way,
         "truncate -s 1M /lab/more.raw; xl block-attach m1 format=raw,vdev=xvdj,access=rw,backendtype=qdisk,target=/lab/more.raw", 4, "attached")
scenario("one-4.17", "medium-changed-under-way", changed_under_way, "xl cd-insert m1 hdc /lab/other.iso", 4, "the medium",
         rung=FULL)
scenario("one-4.17", "destroyed-under-way", changed_under_way, "xl destroy m1", 8,
         "its disks are here: '/lab/m1.hda.raw'")
scenario("one-4.17", "reboots-under-way", ends_by_itself, "r", "REBOOT", 4, "rebooted")
scenario("one-4.17", "powers-off-under-way", ends_by_itself, "p", "POWEROFF", 8,
         "its disks are here: '/lab/m1.hda.raw'", rung=FULL)
scenario("one-4.17", "second-sender", second_sender)
scenario("one-4.17", "old-copy-started-again", started_again)
for a_name, (some_lines, a_word) in REFUSED.items():
    scenario("one-4.17", "refused-" + a_name, refused, some_lines, a_word,
             rung=LONG if a_name == "channel" else FULL)
