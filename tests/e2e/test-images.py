#!/usr/bin/env python3
"""What becomes of images, and of what is around the data, when a VM moves. Needs no guest.

    test-images.py [UNITTEST ARGUMENTS]      needs build/release/xmig and QEMU
"""

import concurrent.futures
import json
import os
import subprocess
import time
import unittest

from idle import Monitor, Scene, TARGET_QEMU

MIB, TIB = 1 << 20, 1 << 40


class Images(unittest.TestCase):
    def assert_moved(self, outcome):
        text, result, status = outcome
        self.assertEqual((status, result and result["where"]), (0, "target"), result)


class LargeDisks(Images):
    """A target that is zeroed in full takes QEMU 7.2 longer than a minute, and a table for each 512 MiB."""

    def move(self, scene, *drive):
        scene.start(*drive)
        self.assert_moved(scene.send())

    def assert_next_to_nothing_is_written(self, path, size):
        self.assertLess(Scene.allocated(path), size // 4000)
        self.assertEqual(Scene.info(path)["virtual-size"], size)

    def test_an_empty_disk_of_8_tib_moves(self):
        with Scene() as scene:
            self.move(scene, *scene.drive(scene.image("d.qcow2", "8T")))
            self.assert_next_to_nothing_is_written(scene.path("b-d.qcow2"), 8 * TIB)

    def test_an_empty_raw_disk_of_256_gib_moves(self):
        with Scene() as scene:
            self.move(scene, *scene.drive(scene.image("d.raw", "256G", "raw"), "raw"))
            self.assert_next_to_nothing_is_written(scene.path("b-d.raw"), TIB // 4)

    def test_an_empty_disk_that_lies_on_another_moves(self):
        with Scene() as scene:
            scene.image("base.qcow2", "64G")
            overlay = scene.image("d.qcow2", "64G", "qcow2", "-b", scene.path("base.qcow2"), "-F", "qcow2")
            self.move(scene, *scene.drive(overlay))
            self.assert_next_to_nothing_is_written(scene.path("b-d.qcow2"), TIB // 16)


class Limited(Images):
    """12.25 MiB at 4 MiB/s: 3.1 s."""

    def drives(self, scene):
        for index, size in enumerate((MIB // 4, 12 * MIB)):
            path = scene.image(f"d{index}.raw", str(size), "raw")
            with open(path, "r+b") as file:
                file.write(os.urandom(size))
            yield from ("-drive", f"file={path},format=raw,if=virtio,id=v{index}")

    def mirror(self, scene):
        """How long that took, in seconds."""
        said, _, status = scene.send("--bwlimit", "4M", "--until", "block-ready-wait")
        self.assertEqual(status, 0, said)
        return sum(event["elapsed_ms"] for event in map(json.loads, said.splitlines())
                   if event["type"] == "stage-end" and event["stage"] in ("drive-mirror", "block-ready-wait")) / 1000

    def test_a_small_disk_leaves_its_share_to_a_large_one(self):
        with Scene() as scene:
            scene.start(*self.drives(scene))
            took_s = self.mirror(scene)
            self.assertGreater(took_s, 2.5)
            self.assertLess(took_s, 5)  # half of the budget would take 6.1 s

    def test_qemu_answers_while_a_slow_mirror_starts(self):
        with Scene() as scene:
            other = scene.path("other")
            scene.start(*self.drives(scene), "-qmp", f"unix:{other},server=on,wait=off")
            with Monitor(other) as monitor, concurrent.futures.ThreadPoolExecutor() as pool:
                mirror = pool.submit(self.mirror, scene)
                longest_s = 0
                while not concurrent.futures.wait([mirror], timeout=0.01).done:
                    asked = time.monotonic()
                    monitor("query-status")
                    longest_s = max(longest_s, time.monotonic() - asked)
                mirror.result()
            self.assertLess(longest_s, 1.5)  # all that is on its way takes 3 s


class Thin(Images):
    """What is thin stays thin, what is full stays full, and the plan says which."""

    def move(self, scene, *drive):
        scene.start(*drive)
        self.assert_moved(scene.send())

    def raw_image(self, scene, name="d.raw"):
        """64 MiB, of which 1 MiB holds data and 1 MiB zeroes that are allocated."""
        path = scene.image(name, "64M", "raw")
        with open(path, "r+b") as file:
            file.write(os.urandom(MIB) + bytes(MIB))
        return path

    def test_a_thin_disk_stays_thin(self):
        with Scene() as scene:
            self.move(scene, *scene.drive(self.raw_image(scene), "raw"))
            self.assertLess(scene.allocated(scene.path("b-d.raw")), 3 * MIB)

    def test_a_thin_disk_with_nodes_of_its_own_stays_thin(self):
        with Scene() as scene:
            self.move(scene, "-blockdev", f"driver=file,node-name=f,filename={self.raw_image(scene)}",
                      "-blockdev", "driver=raw,node-name=d,file=f", "-device", "virtio-blk-pci,drive=d")
            self.assertLess(scene.allocated(scene.path("b-d.raw")), 3 * MIB)

    def test_a_thin_disk_of_which_the_user_says_that_it_ignores_discards_moves(self):
        with Scene() as scene:
            self.move(scene, *scene.drive(self.raw_image(scene), "raw", "discard=ignore"))

    def test_a_disk_that_is_allocated_in_full_stays_so(self):
        with Scene() as scene:
            path = scene.image("d.raw", "16M", "raw")
            subprocess.run(["fallocate", "-l", "16M", path], check=True)
            self.move(scene, *scene.drive(path, "raw"))
            self.assertGreaterEqual(scene.allocated(scene.path("b-d.raw")), 16 * MIB)

    def plan(self, scene, *drive):
        scene.start(*drive)
        text, _, status = scene.send("--dry-run")
        self.assertEqual(status, 0, text)
        return text

    def test_the_plan_says_thin(self):
        with Scene() as scene:
            self.assertIn("(raw, thin, 64.0 MiB)", self.plan(scene, *scene.drive(self.raw_image(scene), "raw")))

    def test_the_plan_says_fully_allocated_and_why(self):
        with Scene() as scene:
            path = scene.image("d.raw", "16M", "raw")
            subprocess.run(["fallocate", "-l", "16M", path], check=True)
            self.assertIn("(raw, fully allocated: as at the source, ", self.plan(scene, *scene.drive(path, "raw")))

    def compressed_image(self, scene, size):
        """As good as nothing, that becomes `size` bytes when it is written out."""
        with open(scene.path("plain"), "wb") as file:
            for _ in range(size // MIB):
                file.write(b"x" * MIB)
        path = scene.path("d.qcow2")
        subprocess.run(["qemu-img", "convert", "-c", "-O", "qcow2", scene.path("plain"), path], check=True)
        os.unlink(scene.path("plain"))
        return path

    def test_the_plan_says_what_a_compressed_image_becomes(self):
        with Scene() as scene:
            text = self.plan(scene, *scene.drive(self.compressed_image(scene, 32 * MIB)))
            self.assertIn("compressed, which the target's is not: 32.3 MiB are written there", text)

    def test_a_compressed_image_that_has_no_room_is_refused(self):
        with Scene() as scene, scene.small_file_system("small", "16M") as small:
            scene.start(*scene.drive(self.compressed_image(scene, 32 * MIB)))
            text, result, status = scene.send("--disk", f"v0={small}/d.qcow2")
            self.assertEqual(status, 3, text)
            self.assertIn("take 32.3 MiB", result["error"]["text"])


class Shared(Images):
    def test_images_that_both_hosts_use_keep_their_words(self):
        for image_format in ("raw", "qcow2"):
            with self.subTest(image_format), Scene() as scene:
                path = scene.image("d." + image_format, "8M", image_format)
                scene.start(*scene.drive(path, image_format))
                text, _, status = scene.send("--without", "drive-mirror", "--disk", f"v0={path}")
                self.assertEqual(status, 0, text)


class Settings(Images):
    """What another tool has left on does not change our stream, and is on again after a failure."""

    LEFT_ON = [["multifd", "x-ignore-shared", "auto-converge"], ["postcopy-ram", "xbzrle", "compress"]]

    def leave_on(self, scene, *capabilities, **parameters):
        with scene.monitor() as qemu:
            qemu("migrate-set-capabilities", capabilities=[{"capability": name, "state": True}
                                                           for name in capabilities])
            qemu("migrate-set-parameters", **parameters)

    def settings(self, monitor):
        capabilities = {item["capability"] for item in monitor("query-migrate-capabilities") if item["state"]}
        return capabilities, monitor("query-migrate-parameters")

    def known(self, scene):
        with scene.monitor() as qemu:
            return {item["capability"] for item in qemu("query-migrate-capabilities")}

    def test_what_was_left_on_ends_no_move(self):
        for names in self.LEFT_ON:
            with self.subTest(names), Scene() as scene:
                scene.start(*scene.drive(scene.image("d.raw", "4M", "raw"), "raw"))
                self.leave_on(scene, *(set(names) & self.known(scene)))
                self.assert_moved(scene.send())

    def test_parameters_that_were_left_end_no_move(self):
        with Scene() as scene:
            scene.start(*scene.drive(scene.image("d.raw", "4M", "raw"), "raw"))
            self.leave_on(scene, tls_creds="nobody", tls_hostname="nowhere", max_bandwidth=1)
            self.assert_moved(scene.send())

    def test_what_was_left_on_is_on_again_after_a_failure(self):
        with Scene() as scene:
            scene.start(*scene.drive(scene.image("d.raw", "4M", "raw"), "raw"))
            self.leave_on(scene, "multifd", "auto-converge", tls_creds="nobody", max_bandwidth=12345, downtime_limit=77)
            with scene.monitor() as qemu:
                before = self.settings(qemu)
            _, result, status = scene.send("--fault", "ram-stream:end:recv")
            self.assertEqual((status, result["where"]), (4, "source"), result)
            with scene.monitor() as qemu:
                self.assertEqual(self.settings(qemu), before)

    def test_what_xmig_needs_is_off_again_at_the_target(self):
        with Scene() as scene:
            scene.start(*scene.drive(scene.image("d.raw", "4M", "raw"), "raw"))
            self.assert_moved(scene.send())
            with scene.target_monitor() as qemu:
                self.assertEqual(self.settings(qemu)[0] & {"events", "return-path", "pause-before-switchover"}, set())


class Starting(Images):
    def test_a_qemu_that_has_its_socket_and_does_not_listen_yet_is_waited_for(self):
        """Between the two lie some instructions, or the whole second of a busy host."""
        with Scene() as scene:
            slow = scene.path("qemu-system-slow")  # one of the target's own: in its PATH
            scene.environment["PATH"] += ":" + scene.folder
            with open(slow, "w", encoding="utf-8") as file:
                file.write(f"""#!/usr/bin/env python3
import os, socket, sys, time
paths = [word.partition("path=")[2].partition(",")[0] for word in sys.argv if "qmp.sock" in word]
if paths:
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(paths[0])
    time.sleep(1)
os.execvp("{TARGET_QEMU}", ["{TARGET_QEMU}", *sys.argv[1:]])
""")
            os.chmod(slow, 0o755)
            scene.start(*scene.drive(scene.image("d.raw", "4M", "raw"), "raw"))
            self.assert_moved(scene.send("--device-model", os.path.basename(slow)))


    def test_a_program_that_is_none_of_the_targets_own_is_not_run(self):
        """Nor in a dry run: the source's path may be anything."""
        with Scene() as scene:
            mark = scene.path("was-run")
            program = scene.path("qemu-system-evil")
            with open(program, "w", encoding="utf-8") as file:
                file.write(f"#!/bin/sh\ntouch {mark}\n")
            os.chmod(program, 0o755)
            scene.start(*scene.drive(scene.image("d.raw", "4M", "raw"), "raw"))
            for dry_run in ([], ["--dry-run"]):
                said, result, status = scene.send("--device-model", program, *dry_run)
                self.assertEqual((status, result["where"]), (3, "source"), said)
                self.assertIn("qemu-system-evil", result["error"]["text"])
            self.assertFalse(os.path.exists(mark))


class Contents(Images):
    """What an image holds besides the guest's blocks goes along, or ends the move before it begins."""

    def image(self, scene):
        path = scene.image("d.qcow2", "8M")
        subprocess.run(["qemu-img", "snapshot", "-c", "before-upgrade", path], check=True)
        return path

    def assert_refused(self, outcome, *words):
        text, result, status = outcome
        self.assertEqual(status, 3, text)
        for word in words:
            self.assertIn(word, result["error"]["text"])

    def test_internal_snapshots_are_not_lost_without_a_word(self):
        with Scene() as scene:
            scene.start(*scene.drive(self.image(scene)))
            for options in (["--dry-run"], []):
                self.assert_refused(scene.send(*options), "before-upgrade", "--lose v0=snapshots")
            self.assert_moved(scene.send("--lose", "v0=snapshots"))

    def test_snapshots_of_an_image_beneath_count_too(self):
        with Scene() as scene:
            base = self.image(scene)
            overlay = scene.image("top.qcow2", "8M", "qcow2", "-b", base, "-F", "qcow2")
            scene.start(*scene.drive(overlay))
            self.assert_refused(scene.send("--dry-run"), "before-upgrade")

    def bitmaps(self, monitor):
        return sorted((bitmap["name"], bitmap["granularity"], bitmap["persistent"], bitmap["recording"])
                      for block in monitor("query-block")
                      for bitmap in block["inserted"].get("dirty-bitmaps", []) if bitmap.get("name"))

    def move_with_bitmaps(self, scene, image_format, *options):
        path = scene.image("d." + image_format, "8M", image_format)
        if image_format == "qcow2":
            subprocess.run(["qemu-img", "bitmap", "--add", path, "stored"], check=True)
        scene.start(*scene.drive(path, image_format))
        with scene.monitor() as qemu:
            qemu("block-dirty-bitmap-add", node="v0", name="new", granularity=4096)
            before = self.bitmaps(qemu)
        self.assert_moved(scene.send(*options))
        return before

    def test_bitmaps_travel(self):
        with Scene() as scene:
            before = self.move_with_bitmaps(scene, "qcow2")
            with scene.target_monitor() as qemu:
                self.assertEqual(len(before), 2)
                self.assertEqual(self.bitmaps(qemu), before)

    def test_bitmaps_of_a_raw_disk_travel_with_the_guest_stopped(self):
        with Scene() as scene:
            before = self.move_with_bitmaps(scene, "raw", "--ram", "stopped")
            with scene.target_monitor() as qemu:
                self.assertEqual(self.bitmaps(qemu), before)

    def test_bitmaps_are_lost_only_when_that_is_said(self):
        with Scene() as scene:
            self.move_with_bitmaps(scene, "qcow2", "--lose", "v0=bitmaps")
            with scene.target_monitor() as qemu:
                self.assertEqual(self.bitmaps(qemu), [])

    def test_the_width_of_reference_counts_stays(self):
        with Scene() as scene:
            scene.start(*scene.drive(scene.image("d.qcow2", "8M", "qcow2", "-o", "refcount_bits=64")))
            self.assert_moved(scene.send())
            data = scene.info(scene.path("b-d.qcow2"))["format-specific"]["data"]
            self.assertEqual(data["refcount-bits"], 64)

    def test_an_image_whose_data_is_in_another_file_is_refused(self):
        with Scene() as scene:
            data = scene.path("d.data")
            scene.start(*scene.drive(scene.image("d.qcow2", "8M", "qcow2", "-o", f"data_file={data}")))
            for options in (["--dry-run"], []):
                self.assert_refused(scene.send(*options), data, "qemu-img convert")

    @staticmethod
    def encrypted_image(scene, secret):
        """qemu-img measures how fast this machine is, and gives up by chance ("Unable to get accurate CPU usage")."""
        for _ in range(50):
            try:
                return scene.image("d.qcow2", "8M", "qcow2", "--object", secret, "-o",
                                   "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10")
            except subprocess.CalledProcessError:
                pass
        raise AssertionError("qemu-img cannot make an encrypted image")

    def start_encrypted(self, scene):
        secret = "secret,id=s,data=abc"
        path = self.encrypted_image(scene, secret)
        scene.start("-object", secret, *scene.drive(path, "qcow2", "encrypt.key-secret=s"))
        return path

    def test_an_encrypted_image_is_refused(self):
        with Scene() as scene:
            path = self.start_encrypted(scene)
            self.assert_refused(scene.send(), path, "is encrypted")

    def test_an_encrypted_image_beneath_a_snapshot_is_refused(self):
        with Scene() as scene:
            path = self.start_encrypted(scene)
            with scene.monitor() as qemu:
                qemu("blockdev-snapshot-sync", device="v0", snapshot_file=scene.path("snap.qcow2"), format="qcow2")
            self.assert_refused(scene.send(), path, "is encrypted")

    def test_a_raw_image_is_not_called_qcow2(self):
        with Scene() as scene:
            scene.start(*scene.drive(scene.image("d.raw", "4M", "raw"), "raw"))
            with scene.monitor() as qemu:
                qemu("blockdev-snapshot-sync", device="v0", snapshot_file=scene.path("snap.qcow2"), format="qcow2")
            self.assert_refused(scene.send("--disk", f"v0={scene.path('x.qcow2')}"), "x.qcow2", "raw")
            self.assert_moved(scene.send())
            self.assertEqual(scene.info(scene.path("b-snap.raw"))["format"], "raw")


class Sameness(Images):
    """What the VM only reads must hold the same at the target; its size does not tell."""

    def files(self, scene):
        """Two of the same size."""
        for name in ("seed.img", "other.img"):
            with open(scene.path(name), "wb") as file:
                file.write(os.urandom(MIB))
        return scene.path("seed.img"), scene.path("other.img")

    def start(self, scene, *more):
        scene.start(*scene.drive(scene.image("d.raw", "4M", "raw"), "raw"), *more)

    def assert_other_content_is_refused(self, scene, seed, other):
        text, result, status = scene.send_to_where(seed, other)
        self.assertEqual(status, 3, text)
        self.assertIn(seed, result["error"]["text"])
        self.assertIn("holds something else", result["error"]["text"])
        self.assertFalse(os.path.exists(scene.path("b-d.raw")))

    def test_a_read_only_disk_of_other_content_is_refused(self):
        with Scene() as scene:
            seed, other = self.files(scene)
            self.start(scene, "-drive", f"file={seed},format=raw,if=virtio,readonly=on")
            self.assert_other_content_is_refused(scene, seed, other)
            self.assert_moved(scene.send_to_where(seed, other, "--trust", seed))

    def test_a_medium_of_other_content_is_refused(self):
        with Scene() as scene:
            seed, other = self.files(scene)
            self.start(scene, "-drive", f"file={seed},format=raw,media=cdrom,if=ide")
            self.assert_other_content_is_refused(scene, seed, other)

    def test_a_medium_of_another_size_moves_only_when_it_is_trusted(self):
        with Scene() as scene:
            seed, other = self.files(scene)
            os.truncate(other, 2 * MIB)
            self.start(scene, "-drive", f"file={seed},format=raw,media=cdrom,if=ide")
            text, result, status = scene.send_to_where(seed, other)
            self.assertEqual(status, 3, text)
            self.assertIn("the one at the target is another: it has 2.0 MiB", result["error"]["text"])
            self.assert_moved(scene.send_to_where(seed, other, "--trust", seed))

    def test_firmware_of_other_content_is_refused(self):
        with Scene() as scene:
            seed, other = self.files(scene)
            self.start(scene, "-fw_cfg", f"name=opt/x,file={seed}")
            self.assert_other_content_is_refused(scene, seed, other)

    def test_the_same_content_moves(self):
        with Scene() as scene:
            seed, _ = self.files(scene)
            self.start(scene, "-drive", f"file={seed},format=raw,if=virtio,readonly=on")
            self.assert_moved(scene.send_to_where(seed, seed))


if __name__ == "__main__":
    unittest.main(verbosity=2)
