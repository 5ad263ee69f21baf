#!/usr/bin/env python3
"""A VM moves as it is now, not as it was started: what the monitor has changed goes along, or is refused.

    test-machine.py [UNITTEST ARGUMENTS]      needs build/release/xmig; no guest is needed
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import folders
from moving import XMIG, Hypervisor, is_stopped, receivers


class Machine:
    """A QEMU without a guest, in a folder of its own; it moves on this host, to another name."""

    def __init__(self, *words, machine="pc", within=()):
        self.folder = tempfile.mkdtemp(prefix="xmig-machine-")
        self.name = os.path.basename(self.folder)  # nobody else's on this host
        self.within = within  # words before each command here
        self.words = [*within, "qemu-system-x86_64", "-name", self.name, "-m", "64", "-nodefaults", "-display", "none",
                      "-machine", f"{machine},accel=tcg", "-qmp", f"unix:{self.folder}/qmp,server=on,wait=off",
                      "-qmp", f"unix:{self.folder}/other,server=on,wait=off",
                      *(word.replace("%", self.folder) for word in words)]
        self.source = Hypervisor(self.folder + "/qmp")
        self.other = Hypervisor(self.folder + "/other")  # while xmig holds the first
        self.target = Hypervisor(f"{self.folder}/{self.name}-b-qmp")
        self.environment = {**os.environ, "XMIG_STATE_DIR": self.folder + "/state",
                            "XMIG_RUNTIME_DIR": self.folder + "/run"}
        self.log = None
        for name, size in (("disk", 4), ("old.iso", 1), ("new.iso", 2)):
            with open(os.path.join(self.folder, name), "wb") as file:
                file.write(os.urandom(4096))
                file.truncate(size << 20)

    def __enter__(self):
        self.log = open(self.folder + "/log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        try:
            self.wait(lambda: self.source.state() == "running" or self.process.poll() is not None, "QEMU")
            if self.process.poll() is not None:
                self.log.seek(0)
                raise RuntimeError(self.log.read())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        self.process.wait()
        self.log.close()
        folders.remove(self.folder)

    def processes(self):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if self.folder.encode() in file.read() and int(pid) != os.getpid():
                        found.append(int(pid))
            except OSError:
                continue
        return found

    @staticmethod
    def wait(condition, what, timeout_s=60):
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"waited {timeout_s} s for {what}"
            time.sleep(0.02)

    def hmp(self, command):
        return self.source.ask("human-monitor-command", **{"command-line": command})

    def start_send(self, *options, to=("local:",)):
        return subprocess.Popen([*self.within, XMIG, "send", f"qemu:{self.folder}/qmp", *to, "--json", "--no-guardian",
                                 "--name", self.name + "-b", *(option.replace("%", self.folder) for option in options)],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, env=self.environment)

    @staticmethod
    def result_of(process):
        output, _ = process.communicate(timeout=120)
        results = [event for event in map(json.loads, output.splitlines()) if event["type"] == "result"]
        return results[-1], process.returncode

    def send(self, *options, **more):
        return self.result_of(self.start_send(*options, **more))

    def drive(self, side, name):
        for block in side.ask("query-block"):
            if name in (block["device"], block.get("qdev")):
                return block
        raise KeyError(name)

    def medium(self, side, name):
        inserted = self.drive(side, name).get("inserted")
        return os.path.basename(inserted["image"]["filename"]) if inserted else ""


DISK = ("-drive", "file=%/disk,format=raw,if=virtio")
CD = ("-drive", "file=%/old.iso,format=raw,if=ide,media=cdrom,id=cd0")
CD_OF_BLOCKDEV = ("-blockdev", "driver=file,filename=%/old.iso,node-name=iso,read-only=on",
                  "-device", "virtio-scsi-pci", "-device", "scsi-cd,id=cd0,drive=iso")


class Moving(unittest.TestCase):
    def moves(self, machine, *options, **more):
        result, status = machine.send(*options, **more)
        self.assertEqual((status, result["where"]), (0, "target"), result)

    def is_refused(self, machine, *words, options=(), **more):
        """Before anything is touched."""
        result, status = machine.send(*options, **more)
        self.assertEqual((status, result["where"]), (3, "source"), result)
        for word in words:
            self.assertIn(word, result["error"]["text"])
        self.assertEqual(machine.source.state(), "running")

    def change_during(self, machine, change, **more):
        """Make a change while the receiver stands still, before the guest's RAM is sent."""
        process = machine.start_send("--fault", "block-ready-wait:end:recv:stop", **more)
        machine.wait(lambda: any(map(is_stopped, receivers(machine))), "the receiver to stop")
        try:
            change()
        finally:
            for pid in receivers(machine):
                os.kill(pid, signal.SIGCONT)
        result, status = machine.result_of(process)
        self.assertEqual((status, result["where"]), (4, "source"), result)
        self.assertEqual(machine.source.state(), "running")
        return result["error"]["text"]


class AsItIs(Moving):
    # ---- media ----

    def test_a_changed_cd_stays_changed(self):
        for cd in (CD, CD_OF_BLOCKDEV):
            with self.subTest(cd=cd), Machine(*DISK, *cd) as machine:
                machine.source.ask("blockdev-change-medium", **{"id" if cd is CD_OF_BLOCKDEV else "device": "cd0"},
                                   filename=machine.folder + "/new.iso", format="raw")
                self.moves(machine)
                self.assertEqual(machine.medium(machine.target, "cd0"), "new.iso")
                self.assertTrue(machine.drive(machine.target, "cd0")["inserted"]["ro"])

    def test_an_ejected_cd_does_not_come_back(self):
        for cd in (CD, CD_OF_BLOCKDEV, ("-cdrom", "%/old.iso")):
            with self.subTest(cd=cd), Machine(*DISK, *cd) as machine:
                name = "ide1-cd0" if cd[0] == "-cdrom" else "cd0"
                machine.source.ask("eject", **{"id" if cd is CD_OF_BLOCKDEV else "device": name}, force=True)
                if cd is not CD_OF_BLOCKDEV:
                    os.unlink(machine.folder + "/old.iso")
                self.moves(machine)
                self.assertEqual(machine.medium(machine.target, name), "")

    def test_an_inserted_cd_goes_along(self):
        with Machine(*DISK, "-drive", "if=ide,media=cdrom,id=cd0") as machine:
            machine.hmp(f"change cd0 {machine.folder}/new.iso raw")
            self.moves(machine)
            self.assertEqual(machine.medium(machine.target, "cd0"), "new.iso")

    def test_an_ejected_floppy_does_not_come_back(self):
        with Machine(*DISK, "-drive", "file=%/old.iso,format=raw,if=floppy,readonly=on") as machine:
            machine.hmp("eject -f floppy0")
            self.moves(machine)
            self.assertEqual(machine.medium(machine.target, "floppy0"), "")

    def test_eject_leaves_the_drive_empty_at_the_target(self):
        for cd in (CD, CD_OF_BLOCKDEV):
            with self.subTest(cd=cd), Machine(*DISK, *cd) as machine:
                self.moves(machine, "--eject", "cd0")
                self.assertEqual(machine.medium(machine.target, "cd0"), "")

    def test_a_cd_lies_elsewhere_at_the_target(self):
        with Machine(*DISK, *CD) as machine:
            shutil.copy(machine.folder + "/old.iso", machine.folder + "/there.iso")
            self.moves(machine, "--disk", "cd0=%/there.iso")
            self.assertEqual(machine.medium(machine.target, "cd0"), "there.iso")

    def test_a_cd_that_is_not_at_the_target_is_refused(self):
        with Machine(*DISK, *CD) as machine:
            self.is_refused(machine, "'cd0'", "none.iso", "--eject cd0", options=("--disk", "cd0=%/none.iso"))

    def test_eject_of_what_is_no_drive_is_refused(self):
        with Machine(*DISK, *CD) as machine:
            self.is_refused(machine, "--eject virtio0", options=("--eject", "virtio0"))

    def test_a_cd_that_is_changed_during_the_move_ends_it(self):
        with Machine(*DISK, *CD) as machine:
            text = self.change_during(machine, lambda: machine.other.ask("eject", device="cd0", force=True))
            self.assertIn("the medium or the I/O limits of the drive 'cd0' were changed", text)

    # ---- I/O limits ----

    def test_io_limits_go_along(self):
        node = ("-blockdev", "driver=raw,node-name=d,file.driver=file,file.filename=%/disk")
        disks = (DISK, (*node, "-device", "virtio-blk-pci,drive=d"), (*node, "-device", "virtio-blk-pci,drive=d,id=v"),
                 (*node, "-device", "virtio-scsi-pci", "-device", "scsi-hd,drive=d,id=s"))
        for disk in disks:
            with self.subTest(disk=disk), Machine(*disk) as machine:
                drive = machine.source.ask("query-block")[0]
                which = {"device": "virtio0"} if disk is DISK else {"id": drive["qdev"]}
                machine.source.ask("block_set_io_throttle", **which, bps=1000000, bps_rd=0, bps_wr=0, iops=100,
                                   iops_rd=0, iops_wr=0, iops_max=300, iops_max_length=7, group="slow")
                self.moves(machine)
                now = machine.target.ask("query-block")[0]["inserted"]
                self.assertEqual([now.get(name) for name in ("bps", "iops", "iops_max", "iops_max_length", "group")],
                                 [1000000, 100, 300, 7, "slow"])

    def test_io_limits_that_were_lifted_stay_lifted(self):
        with Machine("-drive", "file=%/disk,format=raw,if=virtio,throttling.iops-total=50") as machine:
            machine.source.ask("block_set_io_throttle", device="virtio0", bps=0, bps_rd=0, bps_wr=0, iops=0, iops_rd=0,
                               iops_wr=0)
            self.moves(machine)
            self.assertEqual(machine.drive(machine.target, "virtio0")["inserted"]["iops"], 0)

    # ---- devices ----

    def test_what_qemu_makes_by_itself_was_not_added(self):
        lines = (("-smp", "2,maxcpus=4", "-usb", "-usbdevice", "tablet", "-vga", "cirrus", "-device", "i6300esb",
                  "-net", "nic", "-net", "user", "-debugcon", "null", "-parallel", "null", "-fda", "%/old.iso"),
                 ("-serial", "mon:null", "-chardev", "null,id=m,mux=on", "-serial", "chardev:m", "-monitor", "chardev:m",
                  "-audio", "none,model=hda", "-vga", "virtio", "-object", "iothread,id=io",
                  "-object", "memory-backend-ram,id=ram0,size=64M", "-numa", "node,memdev=ram0",
                  "-netdev", "hubport,hubid=1,id=port", "-netdev", "user,id=n", "-device", "e1000,netdev=n"))
        for words in lines:
            with self.subTest(words=words), Machine(*DISK, *words) as machine:
                process = machine.start_send("-n")
                _, errors = process.communicate(timeout=60)
                self.assertEqual(process.returncode, 0, errors)

    def test_a_device_that_was_plugged_in_is_refused(self):
        for properties in ({}, {"id": "late"}):
            with self.subTest(properties=properties), Machine(*DISK) as machine:
                machine.source.ask("device_add", driver="virtio-rng-pci", **properties)
                self.is_refused(machine, "device", "device_del")

    def test_a_device_that_the_guest_has_given_up_is_refused(self):
        """Through the port by which a guest's ACPI ejects a slot: 4 has -device's, 3 has -nic's."""
        for slot in (3, 4):
            with self.subTest(slot=slot), Machine(*DISK, "-nic", "user,model=e1000", "-device",
                                                  "virtio-rng-pci,addr=4") as machine:
                before = str(machine.source.ask("query-pci"))
                machine.hmp("o /4 0xae10 0")
                machine.hmp(f"o /4 0xae08 {1 << slot}")
                self.assertNotEqual(str(machine.source.ask("query-pci")), before)
                self.is_refused(machine, "taken out after")

    def test_a_device_in_another_slot_ends_the_move_before_anything_is_copied(self):
        with Machine(*DISK, "-device", "virtio-rng-pci,id=rng,addr=4") as machine:
            machine.source.ask("device_del", id="rng")
            machine.hmp("o /4 0xae10 0")
            machine.hmp("o /4 0xae08 0x10")
            self.assertEqual(machine.source.ask("device_add", driver="virtio-rng-pci", id="rng", addr="9"), {})
            result, status = machine.send()
            self.assertEqual((status, result["where"], result["bytes"]), (4, "source", 0), result)
            self.assertIn("'rng' is in the PCI slot 9.0 at the source", result["error"]["text"])

    def test_a_device_that_is_plugged_in_during_the_move_ends_it(self):
        with Machine(*DISK) as machine:
            text = self.change_during(machine, lambda: machine.other.ask("device_add", driver="virtio-rng-pci"))
            self.assertIn("was added while the VM was being moved", text)

    def test_what_was_added_is_refused(self):
        changes = (("object-add", {"qom-type": "rng-builtin", "id": "late"}),
                   ("chardev-add", {"id": "late", "backend": {"type": "null", "data": {}}}),
                   ("netdev_add", {"type": "user", "id": "late"}))
        for command, arguments in changes:
            with self.subTest(command=command), Machine(*DISK) as machine:
                self.assertEqual(machine.source.ask(command, **arguments), {})
                self.is_refused(machine, "'late'", "added after the VM's start")

    def test_what_was_taken_out_is_refused(self):
        changes = (("object-del", ("-object", "rng-builtin,id=early")),
                   ("chardev-remove", ("-chardev", "null,id=early")),
                   ("netdev_del", ("-netdev", "user,id=early")))
        for command, words in changes:
            with self.subTest(command=command), Machine(*DISK, *words) as machine:
                self.assertEqual(machine.source.ask(command, id="early"), {})
                self.is_refused(machine, "'early'", "not there any more")

    def test_a_gdbserver_that_was_started_is_refused(self):
        with Machine(*DISK) as machine:
            machine.hmp(f"gdbserver unix:{machine.folder}/gdb,server=on,wait=off")
            self.is_refused(machine, "gdbserver none")

    def test_a_disk_that_somebody_reads_through_nbd_is_refused(self):
        with Machine(*DISK) as machine:
            machine.source.ask("nbd-server-start", addr={"type": "unix", "data": {"path": machine.folder + "/nbd"}})
            node = machine.drive(machine.source, "virtio0")["inserted"]["node-name"]
            machine.source.ask("block-export-add", type="nbd", id="backup", **{"node-name": node})
            self.is_refused(machine, "'backup'", "block-export-del")

    def test_a_password_that_cannot_be_carried_is_told(self):
        with Machine(*DISK, "-vnc", "unix:%/vnc,password=on") as machine:
            process = machine.start_send("-n")
            _, errors = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 0, errors)
            self.assertIn("VNC's password cannot be read from QEMU", errors)

    # ---- networks of the user's ----

    def test_forwarded_ports_are_as_they_are_now(self):
        for net in (("-netdev", "user,id=n,hostfwd=tcp:127.0.0.1:47101-:22"),
                    ("-netdev", '{"type":"user","id":"n","hostfwd":[{"str":"tcp:127.0.0.1:47101-:22"}]}'),
                    ("-nic", "user,hostfwd=tcp:127.0.0.1:47101-:22")):
            with self.subTest(net=net), Machine(*DISK, *net) as machine:
                network = "n " if net[0] == "-netdev" else ""
                machine.hmp(f"hostfwd_remove {network}tcp:127.0.0.1:47101")
                self.moves(machine)
                self.assertNotIn("HOST_FORWARD", machine.target.ask(
                    "human-monitor-command", **{"command-line": "info usernet"}))


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Line(Moving):
    """What would end the target's QEMU at its start."""

    def test_a_port_that_is_taken_is_refused(self):
        lines = (("-netdev", "user,id=n,hostfwd=tcp:127.0.0.1:{}-:22"),
                 ("-serial", "tcp:127.0.0.1:{},server=on,wait=off"),
                 ("-chardev", "socket,id=c,host=127.0.0.1,port={},server=on,wait=off"),
                 ("-gdb", "tcp:127.0.0.1:{}"),
                 ("-netdev", "socket,id=n,listen=127.0.0.1:{}"))
        for option, value in lines:
            port = str(free_port())
            with self.subTest(value=value), Machine(*DISK, option, value.format(port)) as machine:
                self.is_refused(machine, "port " + port, "Address already in use")

    def test_vnc_takes_the_next_display_on_one_host(self):
        with Machine(*DISK, "-vnc", "127.0.0.1:91,to=95") as machine:
            self.moves(machine)
            ports = [int(side.ask("query-vnc")["service"]) for side in (machine.target,)]
            self.assertGreater(ports[0], 5991)

    def test_a_device_without_a_rom_moves(self):
        with Machine(*DISK, "-device", "virtio-net-pci,romfile=") as machine:
            self.moves(machine)

    def test_a_rom_is_found_where_qemu_finds_it(self):
        with Machine(*DISK, "-device", "virtio-net-pci,romfile=efi-virtio.rom") as machine:
            self.moves(machine)

    def test_a_rom_that_is_not_there_is_refused(self):
        rom = "/usr/lib/ipxe/qemu/efi-virtio.rom"
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(rom, folder + "/own.rom")
            with Machine(*DISK, "-device", f"virtio-net-pci,romfile={folder}/own.rom") as machine:
                os.unlink(folder + "/own.rom")
                self.is_refused(machine, "own.rom", "does not find at the target")


class Networks:
    """Two network name spaces, for two hosts; needs root."""

    def __init__(self, test):
        self.names = {side: f"xmig-{side}-{os.getpid()}" for side in "ab"}
        for name in self.names.values():
            subprocess.run(["ip", "netns", "add", name], check=True)
            test.addCleanup(subprocess.run, ["ip", "netns", "del", name], check=True)

    def within(self, side):
        return ["ip", "netns", "exec", self.names[side]]

    def run(self, side, *commands):
        for command in commands:
            subprocess.run([*self.within(side), *command.split()], check=True)

    def read(self, side, path):
        """A file, or what a link points to; "": it is not there."""
        script = f"cat /sys/class/net/{path} 2>/dev/null || basename $(readlink /sys/class/net/{path}) 2>/dev/null"
        return subprocess.run([*self.within(side), "sh", "-c", script], stdout=subprocess.PIPE, text=True,
                              check=False).stdout.strip()

    def machine(self):
        return Machine(*DISK, "-netdev", "tap,id=n,ifname=tap7,script=no,downscript=no",
                       "-device", "virtio-net-pci,netdev=n", within=self.within("a"))

    def to(self, machine):
        """The words for a target in the other name space."""
        path = machine.folder + "/rsh"
        with open(path, "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\nshift\nexec {' '.join(self.within('b'))} sh -c \"$*\"\n")
        os.chmod(path, 0o755)
        state = f"XMIG_STATE_DIR={machine.folder}/there XMIG_RUNTIME_DIR={machine.folder}/there-run"
        return ("host", "--rsh", path, "--remote-path", f"env {state} {XMIG}")


class Taps(Moving):
    def setUp(self):
        self.networks = Networks(self)
        self.networks.run("a", "ip link add br7 type bridge", "ip tuntap add tap7 mode tap",
                          "ip link set tap7 master br7 mtu 1400 up")

    def moved(self, machine, *options):
        self.moves(machine, *options, to=self.networks.to(machine))

    def refused(self, machine, *words, options=()):
        self.is_refused(machine, *words, options=options, to=self.networks.to(machine))

    def test_a_tap_is_a_port_of_the_bridge_of_that_name(self):
        self.networks.run("a", "bridge link set dev tap7 isolated on")
        self.networks.run("b", "ip link add br7 type bridge")
        with self.networks.machine() as machine:
            self.moved(machine)
            state = [self.networks.read("b", "tap7/" + name) for name in ("master", "mtu", "brport/isolated")]
            self.assertEqual(state, ["br7", "1400", "1"])
            self.assertTrue(int(self.networks.read("b", "tap7/flags"), 16) & 1, "the tap is down")

    def test_a_tap_is_a_port_of_the_bridge_that_is_named(self):
        self.networks.run("b", "ip link add other type bridge")
        with self.networks.machine() as machine:
            self.moved(machine, "--bridge", "br7=other")
            self.assertEqual(self.networks.read("b", "tap7/master"), "other")

    def test_a_bridge_that_is_not_there_is_refused(self):
        with self.networks.machine() as machine:
            self.refused(machine, "'tap7'", "the bridge 'br7', which is not at the target", "--bridge")
            self.refused(machine, "no network of the VM's is on a bridge", options=("--bridge", "br8=br7"))
            self.assertFalse(os.path.exists(machine.folder + "/there"), "something was touched")

    def test_a_tap_that_is_routed_by_hand_has_to_be_there(self):
        self.networks.run("a", "ip link set tap7 nomaster")
        with self.networks.machine() as machine:
            self.refused(machine, "it is in no bridge", "ip tuntap add tap7 mode tap")
            self.networks.run("b", "ip tuntap add tap7 mode tap")
            self.moved(machine)

    def test_a_tap_without_a_bridge_can_be_given_one(self):
        self.networks.run("a", "ip link set tap7 nomaster")
        self.networks.run("b", "ip link add br7 type bridge")
        with self.networks.machine() as machine:
            self.moved(machine, "--bridge", "tap7=br7")
            self.assertEqual(self.networks.read("b", "tap7/master"), "br7")

    def test_a_tap_in_use_is_refused(self):
        self.networks.run("b", "ip link add br7 type bridge")
        with self.networks.machine() as machine, Machine(
                "-netdev", "tap,id=n,ifname=tap7,script=no,downscript=no", within=self.networks.within("b")) as other:
            self.refused(machine, "the tap 'tap7' is in use at the target already", f"process {other.process.pid}")

    def test_a_tap_in_another_bridge_is_refused(self):
        self.networks.run("b", "ip link add br7 type bridge", "ip link add br8 type bridge",
                          "ip tuntap add tap7 mode tap", "ip link set tap7 master br8")
        with self.networks.machine() as machine:
            self.refused(machine, "is a port of 'br8' at the target, and not of 'br7'")

    def test_a_tap_that_was_there_is_put_back_by_an_undo(self):
        self.networks.run("b", "ip link add br7 type bridge", "ip tuntap add tap7 mode tap")
        with self.networks.machine() as machine:
            result, status = machine.send("--fault", "ram-stream:end:recv", to=self.networks.to(machine))
            self.assertEqual((status, result["where"]), (4, "source"), result)
            self.assertEqual(self.networks.read("b", "tap7/master"), "")
            self.assertEqual(self.networks.read("b", "tap7/type"), "1")

    def test_another_bridge_during_the_move_ends_it(self):
        self.networks.run("b", "ip link add br7 type bridge")
        with self.networks.machine() as machine:
            text = self.change_during(machine, lambda: self.networks.run("a", "ip link set tap7 nomaster"),
                                      to=self.networks.to(machine))
            self.assertIn("the bridge of a tap", text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
