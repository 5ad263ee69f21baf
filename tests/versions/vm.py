"""The VMs of the matrix: small, most of them without an operating system, with two disks each."""

import os
import random
import shutil
import subprocess

MACHINES = {"pc": "pc-i440fx-7.2", "q35": "pc-q35-7.2"}
BUSES = ("virtio-blk", "virtio-scsi", "ide", "ahci", "nvme")
FORMATS = ("raw", "qcow2")
SIZE = 16 << 20


class Patterns:
    """A sparse image in each format, with some data at its beginning, in its middle and at its end."""

    def __init__(self, folder, size=SIZE):
        self.folder = folder
        data = random.Random(21)
        with open(self.path("raw"), "wb") as file:
            file.truncate(size)
            for at in (0, size // 2 - 4096, size - 65536):
                file.seek(at)
                file.write(data.randbytes(65536))
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", self.path("raw"), self.path("qcow2")],
                       check=True)

    def path(self, form):
        return os.path.join(self.folder, "pattern." + form)

    def is_in(self, path, form):
        done = subprocess.run(["qemu-img", "compare", "-q", "-f", "raw", "-F", form, self.path("raw"), path],
                              check=False)
        return done.returncode == 0

    def copy(self, form, path):
        if form == "raw":
            subprocess.run(["cp", "--sparse=always", self.path(form), path], check=True)
        else:
            shutil.copy(self.path(form), path)


def controller(bus):
    return {"virtio-scsi": ["-device", "virtio-scsi-pci,id=scsi"],
            "ahci": ["-device", "ahci,id=sata"],
            "ide": ["-device", "piix3-ide,id=pata,addr=9"]}.get(bus, [])


def disk(bus, number, node):
    device = {"virtio-blk": "virtio-blk-pci", "virtio-scsi": "scsi-hd,bus=scsi.0", "nvme": f"nvme,serial=n{number}",
              "ide": f"ide-hd,bus=pata.{number}", "ahci": f"ide-hd,bus=sata.{number}"}[bus]
    return ["-device", f"{device},drive={node},id=disk{number}"]


def image(folder, form):
    return f"{folder}/disk.{form}"


def words(name, folder, machine, bus, formats=FORMATS, extra=()):
    """The command line of a VM whose firmware finds nothing to boot."""
    line = ["qemu-system-x86_64", "-name", name, "-machine", MACHINES.get(machine, machine) + ",accel=tcg", "-m", "64",
            "-nodefaults", "-display", "none", "-qmp", f"unix:{folder}/qmp,server=on,wait=off", *controller(bus)]
    for number, form in enumerate(formats):
        line += ["-drive", f"if=none,id=drive{number},format={form},file={image(folder, form)}"]
        line += disk(bus, number, f"drive{number}")
    return [*line, *extra, "-daemonize"]
