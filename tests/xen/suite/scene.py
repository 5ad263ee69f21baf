"""Scenes: labs in which a guest ticks, and what the scenarios do with it."""

import hashlib
import json
import os
import re
import subprocess
import time

from guest import Guest
from lab import HERE, LAB_DIR, Failed, Lab, expect

SNAPSHOT = "scene"
TICK = ["tick", "--disks", "2", "--format", "raw,qcow2", "--size", "32M",
        "--params", "interval_ms=500 ram_mib=4 dirty=32 blocks=256", "memory=8"]
# Linux reads the time thousands of times a second. Where a host's TSC is not known to be steady, as an emulated one's,
# Xen emulates that, which takes the host's only processor more than all else.
NATIVE_TSC = "tsc_mode='native'"
# Disks that are emulated at first and then PV, PV only, and a CD-ROM, with one medium at all hosts.
PV_DISKS = [("hda", "raw"), ("hdb", "raw"), ("hdc", "qcow2"), ("hdd", "raw"), ("xvde", "qcow2"), ("xvdf", "raw")]
PV = ["linux", "--disks", str(len(PV_DISKS)), "--format", ",".join(form for _, form in PV_DISKS),
      "--params", " ".join(f"xg.disk=/dev/xvd{letter},16,2,1" for letter in "bce") +
      " xg.ram=2,1,rand xg.hb_ms=2000 net=10.9.0.20/24 sysrq_always_enabled xen_legacy_crash",
      NATIVE_TSC, "memory=144", "vcpus=2", "vga='stdvga'", "videoram=16", "vnc=1", "usb=1", "usbdevice='tablet'",
      "viridian=1",
      "vif=['mac=00:16:3e:00:00:20,bridge=xenbr0,type=ioemu']",
      "disk=[" + ",".join(
          "'format=raw,vdev=hdd,access=ro,devtype=cdrom,backendtype=qdisk,target=/usr/local/share/lab/tick.img'"
          if vdev == "hdd" else
          f"'format={form},vdev={vdev},access=rw,backendtype=qdisk,target=/lab/t1.hd{vdev[-1]}.{form}'"
          for vdev, form in PV_DISKS) + "]"]
# Its disks are logical volumes, which dom0's kernel serves: one that is emulated at first, and one that is PV only.
ON_VOLUMES = ["linux", "--disks", "2", "--store", "lvm", "--format", "raw,raw",
              "--params", "xg.disk=/dev/xvdb,16,10,1 xg.ram=1,1,rand xg.hb_ms=1000", NATIVE_TSC,
              "disk=['format=raw,vdev=hda,access=rw,target=/dev/lab/t1.hda','format=raw,vdev=xvdb,access=rw,target=/dev/lab/t1.hdb']"]
LOADED = ["linux", "--disks", "2", "--format", "raw,qcow2",
          "--params", "xg.disk=/dev/xvdb,16,10,1 xg.ram=1,1,rand xg.hb_ms=1000", NATIVE_TSC]
PVH_ON_VOLUMES = ["linux", "--type", "pvh", "--disks", "2", "--store", "lvm", "--format", "raw,raw", "--size", "32M",
                  "--params", "xg.disk=/dev/xvdb,16,10,1 xg.ram=1,1,rand xg.hb_ms=1000", NATIVE_TSC, "vcpus=2"]
PVH = ["linux", "--type", "pvh", "--disks", "2", "--format", "raw,qcow2", "--size", "32M",
       "--params", "xg.disk=/dev/xvda,16,2,1 xg.disk=/dev/xvdb,16,2,1 xg.ram=2,1,rand xg.hb_ms=1000 net=10.9.0.20/24",
       NATIVE_TSC, "vcpus=2", "vif=['mac=00:16:3e:00:00:20,bridge=xenbr0']"]

# The hosts of each scene; a guest t1 is at work on the first. In one with a single host the guest
# moves by ssh from it to itself, under another name.
SCENES = {
    "one-4.17": ["bookworm"],
    "one-4.20": ["trixie"],
    "oxenstored-4.17": ["bookworm+oxenstored"],
    "oxenstored-4.20": ["trixie+oxenstored"],
    "two-4.17": ["bookworm", "bookworm"],
    "two-4.20": ["trixie", "trixie"],
    "upgrade": ["bookworm", "trixie"],
    "downgrade": ["trixie", "bookworm"],
    "lesser-4.17": ["bookworm", "bookworm-cx16"],
    "one-backports": ["trixie-backports"],
    "upgrade-qemu": ["trixie", "trixie-backports"],
    "pv-one-4.17": ["bookworm"],
    "pv-4.17": ["bookworm", "bookworm"],
    "pv-4.20": ["trixie", "trixie"],
    "pv-upgrade": ["bookworm", "trixie"],
    "load-4.17": ["bookworm"],
    "load-two-4.17": ["bookworm", "bookworm"],
    "phy-one-4.17": ["bookworm"],
    "phy-4.17": ["bookworm", "bookworm"],
    "phy-pvh-one-4.17": ["bookworm"],
    "phy-pvh-4.17": ["bookworm", "bookworm"],
    "pvh-one-4.17": ["bookworm"],
    "pvh-4.17": ["bookworm", "bookworm"],
    "pvh-4.20": ["trixie", "trixie"],
    "pvh-upgrade": ["bookworm", "trixie"],
    "pvh-oxenstored-4.17": ["bookworm+oxenstored"],
}
GUESTS = {"pv-one-4.17": PV, "pv-4.17": PV, "pv-4.20": PV, "pv-upgrade": PV,
          "load-4.17": LOADED, "load-two-4.17": LOADED,
          "phy-one-4.17": ON_VOLUMES, "phy-4.17": ON_VOLUMES}
GUESTS.update({name: PVH_ON_VOLUMES for name in SCENES if name.startswith("phy-pvh-")})
GUESTS.update({name: PVH for name in SCENES if name.startswith("pvh-")})


def suite_of(spec):
    return re.match("[a-z]+(-backports)?", spec)[0]


def built_for(spec):
    """The suite in which xmig is built for this host: backports have the same Xen, and the same libraries."""
    return suite_of(spec).removesuffix("-backports")


def image_of(suite):
    return os.path.basename(os.readlink(os.path.join(LAB_DIR, "image", suite)))


def read_lines(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="ascii") as file:
        return file.read().splitlines()


class Scene:
    """One lab; used by one scenario after the other, each from the same snapshot."""

    def __init__(self, name, programs, log, lab, guest=None):
        self.name = name
        self.programs = programs  # of xmig, for each suite
        self.specs = SCENES[name]
        self.lab = Lab(lab, log)
        self.options = guest or GUESTS.get(name, TICK)  # of `lab guest`
        self.hosts = [self.lab.host(number + 1) for number in range(len(self.specs))]
        self.source, self.target = self.hosts[0], self.hosts[-1]
        self.guest = None
        self.said = ""

    # ---- making it ----

    def key(self):
        """Of what the hosts and the guest are made from."""
        emulator = subprocess.run(["qemu-system-x86_64", "--version"], check=True, stdout=subprocess.PIPE).stdout
        made_of = [self.specs, [image_of(suite_of(spec)) for spec in self.specs], self.options]
        return hashlib.sha256(json.dumps(made_of).encode() + emulator).hexdigest()

    def files(self, spec):
        """{directory there: files here}"""
        program = self.programs[built_for(spec)]
        return {"/usr/local/bin": [program, os.path.join(os.path.dirname(program), "track"),
                                   os.path.join(HERE, "dom0.sh")],
                "/usr/local/lib/xmig": [os.path.join(os.path.dirname(program), "hypervisor-xen.so")]}

    def files_key(self):
        """Of what is put into the hosts."""
        digest = hashlib.sha256()
        for path in sorted({path for spec in self.specs for paths in self.files(spec).values() for path in paths}):
            with open(path, "rb") as file:
                digest.update(file.read())
        return digest.hexdigest()

    def prepare(self, like=None):
        """Make the snapshot, or what has changed in it: as a copy of the scene `like`, if given."""
        wanted = [self.key(), self.files_key()]
        path = os.path.join(self.lab.folder, "scene")
        present = read_lines(path) if SNAPSHOT in self.lab.call("status").split() else []
        if present == wanted:
            return
        if present:
            os.unlink(path)
        if like:
            self.lab.call("clone", like.lab.name)
        else:
            self.renew(is_there=present[:1] == wanted[:1])
        with open(path, "w", encoding="ascii") as file:
            file.write("\n".join(wanted))

    def renew(self, is_there):
        if is_there:
            self.lab.call("load", SNAPSHOT)
        else:
            self.lab.call("up", *self.specs)
            self.lab.call("guest", "1", self.options[0], "t1", *self.options[1:])
        for host, spec in zip(self.hosts, self.specs):
            for folder, files in self.files(spec).items():
                self.lab.call("put", str(host.number), folder, *files)
            self.lab.call("run", str(host.number), "dom0.sh log_consoles t1 t2")
        self.lab.call("save", SNAPSHOT)
        self.lab.call("stop")

    def begin(self):
        """Everything is as it was in the snapshot."""
        self.lab.call("load", SNAPSHOT)
        self.source, self.target = self.hosts[0], self.hosts[-1]
        self.guest = Guest(self.source, "t1")

    def end(self):
        for host in self.hosts:
            host.close()
        self.lab.call("stop", check=False)

    def evidence(self):
        """Into the log: what the hosts look like."""
        for host in self.hosts:
            try:
                host.suite("evidence", check=False)
            except Failed as failure:
                self.lab.note(str(failure))
            self.lab.call("console", str(host.number), "60", check=False)

    # ---- moving ----

    def has_volumes(self):
        return "lvm" in self.options

    def is_one_host(self):
        return self.source.number == self.target.number

    def next_name(self):
        if not self.is_one_host():
            return self.guest.name
        return "t2" if self.guest.name == "t1" else "t1"

    def destination(self):
        return self.guest.arrives_as(self.target, self.next_name())

    def listen(self):
        """The destination over TLS, from here on: both hosts have keys, and each trusts the other's."""
        target = self.target.suite("own_key").strip()
        self.target.suite("receive_from", self.source.suite("own_key").strip(), self.source.name)
        self.source.run(f"xmig keys trust {target} {self.target.name}")
        return f"tls://{self.target.name}:7077"

    def start_send(self, *options, dest=None):
        """xmig send, in the background."""
        names = ["--name", self.next_name()] if self.is_one_host() else []
        self.source.suite("start", "send", "xmig", "send", "-v", *names, *options, self.guest.name,
                          dest or self.target.name)

    def sent(self, limit=600):
        """The exit status of xmig send, when it has ended."""
        status = int(self.source.suite("status", "send", limit, limit=limit + 30))
        self.said = self.output()
        return status

    def output(self):
        return self.source.suite("output", "send")

    def send(self, *options, dest=None, limit=600):
        self.start_send(*options, dest=dest)
        return self.sent(limit)

    def await_stopped(self, side, limit=600):
        """Until the process of that side stands still, as --fault …:stop had it."""
        deadline = time.monotonic() + limit
        while self.host_of(side).suite("await_stopped", side, 20, check=False)[0] != 0:
            if self.source.suite("has_ended", "send", check=False)[0] == 0:
                raise Failed(f"the sender ended before xmig {side} stopped: {self.output()[-300:]}")
            expect(time.monotonic() < deadline, f"no xmig {side} has stopped after {limit} s")

    def host_of(self, side):
        return self.source if side == "send" else self.target

    def images(self, guest):
        """Those of its disks, the first of which is hda."""
        if self.has_volumes():
            return [f"/dev/lab/{guest.name}.hd{letter}" for letter in "ab"]
        formats = self.options[self.options.index("--format") + 1].split(",")
        return [f"/lab/{guest.name}.hd{letter}.{form}" for letter, form in zip("abcdef", formats)]

    # ---- what must hold ----

    def arrived(self, at):
        """The guest runs at `at` and has lost nothing; the source has its disks, and no more."""
        old = self.guest
        domains = old.host.domains()
        expect(old.name not in domains, f"{old.name} is still on {old.host.name}: {domains}")
        old.host.suite("has_disks", *self.images(old))
        self.guest = old.moved(at)
        self.guest.goes_on()
        self.is_clean()

    def stayed(self, domid):
        """The guest runs on at the source, the same domain, and the target has nothing of it."""
        expect(self.guest.domid() == domid, f"{self.guest.name} is another domain now")
        self.guest.goes_on()
        copy = Guest(self.target, self.next_name())
        if not self.is_one_host():
            expect(copy.name not in self.target.domains(), f"{copy.name} is on {self.target.name}")
        if not self.has_volumes():
            self.target.suite("has_no_disks", *self.images(copy))
        self.is_clean()

    def is_clean(self):
        for host in self.hosts:
            host.suite("await_clean", 120)

    def move(self, *options, dest=None):
        at = self.destination()
        status = self.send(*options, dest=dest)
        expect(status == 0, f"xmig send ended with {status}: {self.last_words()}")
        self.arrived(at)

    def last_words(self):
        return " / ".join(self.said.strip().splitlines()[-2:])

    def turn_round(self):
        """What comes next goes the other way. The old images there are in nobody's way."""
        if not self.is_one_host():
            self.source, self.target = self.target, self.source
        if self.has_volumes():  # what was moved away is read-only there
            self.target.run("blockdev --setrw " + " ".join(self.images(self.destination())))
        else:
            self.target.run(f"mkdir -p /lab/old && mv -f /lab/{self.next_name()}.hd* /lab/old/")
