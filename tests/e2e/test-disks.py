#!/usr/bin/env python3
"""Disks behind filters, in parts of files, on block devices. Needs no guest.

    test-disks.py [UNITTEST ARGUMENTS]      needs build/release/xmig, QEMU, and loop devices
"""

import concurrent.futures
import contextlib
import json
import os
import signal
import subprocess
import time
import unittest

import idle
from moving import is_stopped, receivers

MIB = 1 << 20


class Scene(idle.Scene):
    """One beside which others may run: what is called b-… is the target's."""

    there = f"disks-{os.getpid()}"

    def path(self, name):
        return super().path(self.there + name[1:] if name.startswith("b-") else name)

    def send(self, *options, **more):
        return super().send("--name", self.there, *options, **more)


def content(path, size=4 * MIB, offset=0):
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(size)


class Disks(unittest.TestCase):
    def assert_moved(self, outcome):
        text, result, status = outcome
        self.assertEqual((status, result and result["where"]), (0, "target"), text)

    def assert_refused(self, outcome, *words):
        text, result, status = outcome
        self.assertEqual((status, result and result["where"]), (3, "source"), text)
        for word in words:
            self.assertIn(word, result["error"]["text"])
        self.assertNotIn("json:", result["error"]["text"])

    @staticmethod
    def filled(scene, name, size=4 * MIB):
        """A raw file without a hole."""
        path = scene.image(name, str(size), "raw")
        with open(path, "r+b") as file:
            file.write(os.urandom(size))
        return path


class Filters(Disks):
    GROUP = ("-object", "throttle-group,id=g,x-bps-total=1000000000")

    def nodes(self, monitor):
        """The drivers behind each device's drive, by name."""
        return {node["node-name"]: node["drv"] for node in monitor("query-named-block-nodes")
                if not node["node-name"].startswith("#")}

    def test_a_throttled_disk_moves_with_its_nodes(self):
        with Scene() as scene:
            path = scene.image("d.qcow2", "4M")
            scene.start(*self.GROUP, "-blockdev", json.dumps({
                "driver": "throttle", "node-name": "d0", "throttle-group": "g",
                "file": {"driver": "qcow2", "node-name": "f0",
                         "file": {"driver": "file", "node-name": "e0", "filename": path}}}),
                "-device", "virtio-blk-pci,drive=d0,id=v0")
            self.assert_moved(scene.send())
            with scene.target_monitor() as monitor:
                self.assertEqual(self.nodes(monitor), {"d0": "throttle", "f0": "qcow2", "e0": "file"})
            self.assertEqual(scene.info(scene.path("b-d.qcow2"))["format"], "qcow2")

    def test_a_thin_disk_behind_a_throttle_stays_thin(self):
        with Scene() as scene:
            path = scene.image("d.qcow2", "64G")
            scene.start(*self.GROUP, "-blockdev", f"driver=file,node-name=e,filename={path}",
                        "-blockdev", "driver=qcow2,node-name=f,file=e",
                        "-blockdev", "driver=throttle,node-name=d,throttle-group=g,file=f",
                        "-device", "virtio-blk-pci,drive=d")
            self.assert_moved(scene.send())
            self.assertLess(scene.allocated(scene.path("b-d.qcow2")), 16 * MIB)

    def test_content_behind_a_throttle_and_copy_on_read_is_copied(self):
        with Scene() as scene:
            path = self.filled(scene, "d.raw")
            before = content(path)
            scene.start(*self.GROUP, "-blockdev", f"driver=raw,node-name=f,file.driver=file,file.filename={path}",
                        "-blockdev", "driver=copy-on-read,node-name=c,file=f",
                        "-blockdev", "driver=throttle,node-name=d,throttle-group=g,file=c",
                        "-device", "virtio-blk-pci,drive=d")
            self.assert_moved(scene.send())
            self.assertEqual(content(scene.path("b-d.raw")), before)

    def test_bitmaps_beneath_a_throttle_travel(self):
        with Scene() as scene:
            path = scene.image("d.qcow2", "4M")
            scene.start(*self.GROUP, "-blockdev",
                        f"driver=qcow2,node-name=f,file.driver=file,file.filename={path}",
                        "-blockdev", "driver=throttle,node-name=d,throttle-group=g,file=f",
                        "-device", "virtio-blk-pci,drive=d")
            with scene.monitor() as monitor:
                monitor("block-dirty-bitmap-add", node="f", name="backup", persistent=True)
            self.assert_moved(scene.send())
            with scene.target_monitor() as monitor:
                [node] = [node for node in monitor("query-named-block-nodes") if node["node-name"] == "f"]
                self.assertEqual([bitmap["name"] for bitmap in node["dirty-bitmaps"]], ["backup"])

    def test_bitmaps_of_a_throttle_are_not_lost_silently(self):
        with Scene() as scene:
            path = scene.image("d.qcow2", "4M")
            scene.start(*self.GROUP, "-blockdev",
                        f"driver=qcow2,node-name=f,file.driver=file,file.filename={path}",
                        "-blockdev", "driver=throttle,node-name=d,throttle-group=g,file=f",
                        "-device", "virtio-blk-pci,drive=d")
            with scene.monitor() as monitor:
                monitor("block-dirty-bitmap-add", node="d", name="backup")
            self.assert_refused(scene.send(), "its bitmap 'backup' is one of the filter 'd'")
            self.assert_moved(scene.send("--lose", "d=bitmaps"))

    def test_a_cd_behind_a_throttle_stays_in_its_drive(self):
        with Scene() as scene:
            path = self.filled(scene, "cd.iso", MIB)
            scene.start(*self.GROUP, "-blockdev", json.dumps({
                "driver": "throttle", "node-name": "cd", "throttle-group": "g", "read-only": True,
                "file": {"driver": "raw", "read-only": True,
                         "file": {"driver": "file", "filename": path, "read-only": True}}}),
                "-device", "ide-cd,drive=cd,id=ide2")
            self.assert_moved(scene.send())
            with scene.target_monitor() as monitor:
                [block] = monitor("query-block")
                self.assertEqual(block["inserted"]["node-name"], "cd")

    def test_limits_of_a_throttle_are_as_they_are_now(self):
        with Scene() as scene:
            path = scene.image("d.qcow2", "4M")
            scene.start(*self.GROUP, "-blockdev", f"driver=throttle,node-name=d,throttle-group=g,file.driver=qcow2,"
                        f"file.file.driver=file,file.file.filename={path}", "-device", "virtio-blk-pci,drive=d")
            with scene.monitor() as monitor:
                monitor("qom-set", path="/objects/g", property="limits", value={"iops-total": 777})
            self.assert_moved(scene.send())
            with scene.target_monitor() as monitor:
                limits = monitor("qom-get", path="/objects/g", property="limits")
                self.assertEqual(limits["iops-total"], 777)

    def test_a_quorum_is_refused_with_the_reason(self):
        with Scene() as scene:
            paths = [self.filled(scene, f"d{i}.raw") for i in range(2)]
            children = ",".join(f"children.{i}.driver=file,children.{i}.filename={path}"
                                for i, path in enumerate(paths))
            scene.start("-blockdev", f"driver=quorum,node-name=d,vote-threshold=1,{children}",
                        "-device", "virtio-blk-pci,drive=d")
            self.assert_refused(scene.send(), "'quorum'", "several images")


class Parts(Disks):
    """Of a file that is larger than the disk: what Proxmox has for the variables of a firmware."""

    def test_a_part_of_a_file_becomes_a_file_of_its_own(self):
        with Scene() as scene:
            path = self.filled(scene, "d.raw")
            before = content(path, MIB, 4096)
            scene.start("-drive", f"file={path},format=raw,size={MIB},offset=4096,if=virtio,id=v0")
            self.assert_moved(scene.send())
            self.assertEqual(content(scene.path("b-d.raw")), before)

    def test_a_part_of_a_file_in_a_node_of_its_own_moves(self):
        with Scene() as scene:
            path = self.filled(scene, "d.raw")
            before = content(path, 540672)
            scene.start("-blockdev", json.dumps({"driver": "raw", "node-name": "d", "size": 540672,
                                                 "file": {"driver": "file", "filename": path}}),
                        "-device", "virtio-blk-pci,drive=d")
            self.assert_moved(scene.send())
            self.assertEqual(content(scene.path("b-d.raw")), before)

    def test_a_name_that_is_json_moves(self):
        with Scene() as scene:
            path = scene.image("d.qcow2", "4M")
            name = json.dumps({"driver": "qcow2", "file": {"driver": "file", "filename": path}}).replace(",", ",,")
            scene.start("-drive", f"file=json:{name},if=virtio,id=v0")
            self.assert_moved(scene.send())
            self.assertEqual(scene.info(scene.path("b-d.qcow2"))["format"], "qcow2")

    def test_a_temporary_snapshot_is_refused_with_the_reason(self):
        for words in (("-drive", "file=%,format=raw,if=virtio,snapshot=on"),
                      ("-drive", "file=%,format=raw,if=virtio", "-snapshot")):
            with Scene() as scene:
                path = self.filled(scene, "d.raw")
                scene.start(*(word.replace("%", path) for word in words))
                self.assert_refused(scene.send(), "snapshot", "temporary file", "commit all")


@contextlib.contextmanager
def device(path, size, sector=512):
    """A loop device of zeroes."""
    with open(path, "wb") as file:
        file.truncate(size)
    name = subprocess.run(["losetup", "--sector-size", str(sector), "-f", "--show", path], check=True, stdout=subprocess.PIPE,
                          text=True).stdout.strip()
    try:
        yield name
    finally:
        subprocess.run(["blockdev", "--setrw", name], check=True)
        subprocess.run(["losetup", "-d", name], check=True)


class Devices(Disks):
    """The target's image is a block device."""

    def start(self, scene):
        path = self.filled(scene, "d.raw")
        scene.start(*scene.drive(path, "raw"))
        return content(path)

    def moves_to(self, scene, target, *options):
        self.assert_moved(scene.send("--disk", f"v0={target}", *options))

    def inserted(self, scene):
        with scene.target_monitor() as monitor:
            [block] = [block for block in monitor("query-block") if "inserted" in block]
            return block["inserted"]

    def test_a_file_becomes_a_block_device(self):
        with Scene() as scene, device(scene.path("target"), 4 * MIB) as target:
            before = self.start(scene)
            self.moves_to(scene, target)
            self.assertEqual(content(target), before)
            self.assertNotIn("json:", self.inserted(scene)["file"])  # as large as the device: it may grow

    def test_a_qcow2_image_becomes_a_block_device_that_holds_it_raw(self):
        with Scene() as scene, device(scene.path("target"), 4 * MIB) as target:
            path = scene.image("d.qcow2", "4M")
            subprocess.run(["qemu-io", "-c", "write -P 7 1M 64k", path], check=True, stdout=subprocess.DEVNULL)
            scene.start("-blockdev", f"driver=file,node-name=f,filename={path}",
                        "-blockdev", "driver=qcow2,node-name=v0,file=f,l2-cache-size=1048576",
                        "-device", "virtio-blk-pci,drive=v0")
            self.moves_to(scene, target)
            self.assertEqual(content(target), bytes(MIB) + b"\7" * 65536 + bytes(3 * MIB - 65536))

    def test_of_a_larger_device_the_guest_is_shown_its_disk(self):
        drives = (lambda path: ["-drive", f"file={path},format=raw,if=virtio,id=v0"],
                  lambda path: ["-blockdev", json.dumps({"driver": "file", "node-name": "f", "filename": path}),
                                "-blockdev", json.dumps({"driver": "raw", "node-name": "v0", "file": "f"}),
                                "-device", "virtio-blk-pci,drive=v0"])
        for drive in drives:
            with Scene() as scene, device(scene.path("target"), 8 * MIB) as target:
                path = self.filled(scene, "d.raw")
                before = content(path)
                scene.start(*drive(path))
                self.moves_to(scene, target)
                self.assertEqual(content(target), before)
                self.assertEqual(self.inserted(scene)["image"]["virtual-size"], 4 * MIB)

    def test_a_block_device_becomes_another_and_is_fenced(self):
        with Scene() as scene, device(scene.path("source"), 4 * MIB) as source, \
                device(scene.path("target"), 4 * MIB) as target:
            with open(source, "r+b") as file:
                file.write(os.urandom(MIB))
            before = content(source)
            scene.start(*scene.drive(source, "raw"))
            text, result, status = scene.send("--disk", f"v0={target}")
            self.assert_moved((text, result, status))
            self.assertIn("read-only until this host is started anew", text)
            self.assertEqual(content(target), before)
            read_only = subprocess.run(["blockdev", "--getro", source], check=True, stdout=subprocess.PIPE).stdout
            self.assertEqual(read_only.strip(), b"1")

    def test_a_block_device_becomes_a_file(self):
        with Scene() as scene, device(scene.path("source"), 4 * MIB) as source:
            with open(source, "r+b") as file:
                file.write(os.urandom(MIB))
            before = content(source)
            scene.start("-blockdev", f"driver=host_device,node-name=f,filename={source}", "-blockdev",
                        "driver=raw,node-name=v0,file=f", "-device", "virtio-blk-pci,drive=v0")
            self.moves_to(scene, scene.path("new.raw"))
            self.assertEqual(content(scene.path("new.raw")), before)

    def test_what_a_device_held_is_gone_where_the_disk_is_empty(self):
        """… so a mirror must not take it for zero."""
        with Scene() as scene, device(scene.path("target"), 4 * MIB) as target:
            with open(target, "r+b") as file:
                file.write(os.urandom(4 * MIB))
            scene.start(*scene.drive(scene.image("d.raw", "4M", "raw"), "raw"))
            self.assert_refused(scene.send("--disk", f"v0={target}"), "holds data", "--overwrite v0")
            self.moves_to(scene, target, "--overwrite", "v0")
            self.assertEqual(content(target), bytes(4 * MIB))

    def test_the_plan_says_that_it_is_overwritten(self):
        with Scene() as scene, device(scene.path("target"), 8 * MIB) as target:
            self.start(scene)
            text, _, status = scene.send("--disk", f"v0={target}", "--dry-run")
            self.assertEqual(status, 0, text)
            self.assertIn(f"overwrite the first 4.0 MiB of the block device '{target}'", text)
            self.assertIn("also if the move is undone", text)

    def test_an_undo_leaves_the_device_there(self):
        with Scene() as scene, device(scene.path("target"), 4 * MIB) as target:
            self.start(scene)
            text, result, status = scene.send("--disk", f"v0={target}", "--fault", "ram-stream:end:recv")
            self.assertEqual((status, result["where"]), (4, "source"), text)
            self.assertTrue(os.path.exists(target))
            self.moves_to(scene, target, "--overwrite", "v0")

    def test_a_device_that_is_too_small_or_in_use_is_refused(self):
        with Scene() as scene, device(scene.path("small"), MIB) as small, device(scene.path("used"), 4 * MIB) as used:
            self.start(scene)
            self.assert_refused(scene.send("--disk", f"v0={small}"), "has 1048576 bytes")
            with open(used, "r+b"):
                self.assert_refused(scene.send("--disk", f"v0={used}"), "open for writing by process")
            descriptor = os.open(used, os.O_RDONLY | os.O_EXCL)  # as a file system has it that is mounted
            try:
                self.assert_refused(scene.send("--disk", f"v0={used}"), "busy")
            finally:
                os.close(descriptor)

    def test_a_disk_that_ends_within_a_sector_of_the_device_is_refused(self):
        with Scene() as scene, device(scene.path("target"), 8 * MIB, sector=4096) as target:
            path = self.filled(scene, "d.raw", 4 * MIB + 512)
            scene.start(*scene.drive(path, "raw"))
            self.assert_refused(scene.send("--disk", f"v0={target}"), "no whole sectors", "4096 bytes each")

    def test_a_device_that_a_fence_has_made_read_only_is_refused(self):
        with Scene() as scene, device(scene.path("target"), 4 * MIB) as target:
            self.start(scene)
            subprocess.run(["blockdev", "--setro", target], check=True)
            self.assert_refused(scene.send("--disk", f"v0={target}"), "read-only", f"xmig fence off {target}")

    def test_nobody_can_mount_it_meanwhile(self):
        with Scene() as scene, device(scene.path("target"), 4 * MIB) as target:
            self.start(scene)
            with concurrent.futures.ThreadPoolExecutor() as pool:
                move = pool.submit(scene.send, "--disk", f"v0={target}", "--fault", "block-ready-wait:end:recv:stop")
                while not any(map(is_stopped, receivers(scene))):
                    self.assertFalse(move.done(), move)
                    time.sleep(0.02)
                try:
                    with self.assertRaises(OSError):
                        os.open(target, os.O_RDONLY | os.O_EXCL)
                finally:
                    for pid in receivers(scene):
                        os.kill(pid, signal.SIGCONT)
                self.assert_moved(move.result())


class Network(Disks):
    def test_a_network_disk_that_both_hosts_use_moves_by_a_persons_word(self):
        with Scene() as scene:
            image, sock = self.filled(scene, "d.raw"), scene.path("nbd")
            server = subprocess.Popen(["qemu-nbd", "-t", "-e", "9", "-f", "raw", "-k", sock, image])
            try:
                while not os.path.exists(sock):
                    time.sleep(0.01)
                scene.start("-drive", f"file=nbd:unix:{sock},format=raw,if=virtio,id=v0")
                self.assert_refused(scene.send("--without", "drive-mirror"), "cannot be proven", "--shared v0")
                self.assert_moved(scene.send("--without", "drive-mirror", "--shared", "v0"))
            finally:
                server.kill()
                server.wait()


if __name__ == "__main__":
    unittest.main()
