"""Hosts whose first process is systemd, and a VM that is a unit of one and becomes a unit of the other."""

import os
import shlex
import subprocess
import time
import uuid

import vm
from cells import Cell, Wrong, says
from hosts import Host

# The first process there gets its own /dev, /run and control groups, and can set nothing of this machine.
# $1: the host's root, $2: its name.
BOOT = r"""
hostname "$2"
mount -t proc proc "$1/proc"
mount --bind "$1/proc/sys" "$1/proc/sys"
mount -o remount,bind,ro "$1/proc/sys"
mount --bind "$1/boot-id" "$1/proc/sys/kernel/random/boot_id"
mount -t sysfs -o ro sysfs "$1/sys"
mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup"
mount -t tmpfs run "$1/run"
umount -l "$1/dev"
mount -t tmpfs dev "$1/dev"
mkdir "$1/dev/pts" "$1/dev/shm" "$1/dev/net"
for device in null zero full random urandom tty net/tun; do
    : >"$1/dev/$device"
    mount --bind "/dev/$device" "$1/dev/$device"
done
mount -t devpts -o newinstance,ptmxmode=666 devpts "$1/dev/pts"
ln -s pts/ptmx "$1/dev/ptmx"
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$1" /lib/systemd/systemd --log-target=null --show-status=no
"""
BOOT_S = 120


def wait(condition, what):
    deadline = time.monotonic() + BOOT_S
    while not condition():
        if time.monotonic() > deadline:
            raise Wrong(f"waited {BOOT_S} s for {what}")
        time.sleep(0.05)


class UnitHost(Host):
    """A host that systemd boots. What is run there is in a scope, as what a login runs is in a session."""

    within = ("systemd-run", "--scope", "--quiet", "--collect", "--")

    def __init__(self, name, version, folder):
        self.groups = os.path.join(folder, name + "-groups")
        os.mkdir(self.groups)
        subprocess.run(["mount", "-t", "cgroup2", "cgroup2", self.groups], check=True)
        with open("/proc/self/cgroup", encoding="ascii") as file:
            own = next(line for line in file if line.startswith("0::")).strip()[len("0::"):]
        self.group = os.path.normpath(f"{self.groups}/{own}/xmig-{uuid.uuid4().hex}")
        super().__init__(name, version, folder)

    def start(self):
        with open(self.path("/boot-id"), "w", encoding="ascii") as file:
            file.write(f"{uuid.uuid4()}\n")
        for unit in ("ssh.service", "ssh.socket"):  # its port would be this machine's
            mask = self.path("/etc/systemd/system/" + unit)
            if not os.path.lexists(mask):
                os.symlink("/dev/null", mask)
        os.mkdir(self.group)
        self.keeper = subprocess.Popen(  # pylint: disable=consider-using-with
            ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec unshare --pid --uts --mount --ipc --cgroup --fork --kill-child '
             'sh -euc "$1" host "$2" "$3"', self.group, BOOT, self.root, self.name],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        wait(self.has_begun, "systemd")
        wait(lambda: self.run("systemctl is-system-running --wait")[1].strip() in ("running", "degraded"), "the boot")
        self.on("/tree/tests/e2e/sshd start " + self.way)

    def has_begun(self):
        try:
            with open(f"/proc/{self.keeper.pid}/task/{self.keeper.pid}/children", encoding="ascii") as file:
                self.init = file.read().split()[0]
            with open(f"/proc/{self.init}/comm", encoding="ascii") as file:
                return file.read() == "systemd\n"
        except (OSError, IndexError):
            return False

    def loses_power(self):
        super().end()
        with open(self.group + "/cgroup.kill", "w", encoding="ascii") as file:
            file.write("1")
        wait(self.has_ended, "processes to end")

    def has_ended(self):
        try:
            for at, _, _ in os.walk(self.group, topdown=False):
                os.rmdir(at)
            return True
        except OSError:
            return False

    def end(self):
        self.loses_power()
        subprocess.run(["umount", self.groups], check=True)


class UnitCell(Cell):
    """A VM that a unit of the host's starts."""

    def command(self):
        return super().command()[:-1]  # not in the background

    def unit(self):
        return f"/etc/systemd/system/{self.name}.service"

    def install(self, host, unit):
        """By its text. Returns what systemd finds wrong with it."""
        with open(host.path(self.unit()), "w", encoding="utf-8") as file:
            file.write(unit)
        said = host.on(f"systemd-analyze verify {self.unit()} 2>&1; systemctl daemon-reload; systemctl enable -q {self.name}")
        if said:
            raise Wrong(f"systemd does not like the unit: {said}")

    def start(self, host):
        os.makedirs(host.path(self.folder))
        for form in self.formats:
            self.lab.patterns.copy(form, host.path(vm.image(self.folder, form)))
        self.install(host, f"[Service]\nRestart=always\nExecStart={shlex.join(self.command())}\n"
                           "[Install]\nWantedBy=multi-user.target\n")
        host.on(f"systemctl start {self.name}")
        self.host = host
        self.is_running()

    def is_running(self):
        wait(lambda: self.host.qmp(self.folder).state() == "running", "the VM to run")

    def state(self, host):
        return host.run(f"systemctl is-active {self.name}")[1].strip()


def managed_by_systemd(lab, version):
    """Refused while systemd would start it again; moved, and after a boot of the target run by the unit that xmig prints;
    and moved back from there. The source's unit finds no images at its next boot.
    """
    hosts = [UnitHost(f"{letter}unit", version, lab.folder) for letter in "cd"]
    here, there = hosts
    here.meet(there)
    there.meet(here)
    cell = UnitCell(lab)
    try:
        cell.start(here)
        says(cell.refused(there), f"the VM is the unit {cell.name}.service ({cell.unit()}) with Restart=always")
        here.on(f"mkdir -p /run/systemd/system/{cell.name}.service.d\n"
                f"printf '[Service]\\nRestart=no\\n' >/run/systemd/system/{cell.name}.service.d/xmig.conf\n"
                "systemctl daemon-reload")
        says(cell.send(there, "--dry-run")[1], f"afterwards say 'systemctl disable {cell.name}.service' here")
        cell.move(there)
        says(there.on("systemctl list-units --plain --no-legend 'xmig-qemu-*.scope'"), "active running")
        cell.install(there, there.on(f"xmig unit {cell.name}"))
        for host in hosts:
            host.loses_power()
            host.start()
        cell.is_running()
        if cell.state(there) != "active":
            raise Wrong(f"the VM's unit is {cell.state(there)}")
        wait(lambda: cell.state(here) == "failed", "the old unit to fail")
        there.meet(here)
        says(cell.send(here, "--dry-run")[1], f"the VM is the unit {cell.name}.service ({cell.unit()})")
        cell.move(here)
        cell.end()
        cell.check_images()
        return "moved, started by its unit after a boot, moved back"
    finally:
        cell.end()
        for host in hosts:
            host.end()
