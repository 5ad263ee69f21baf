#!/usr/bin/env python3
"""A running guest with its disks moves over real ssh: nothing is lost, nothing is left over.

    test-move.py [UNITTEST ARGUMENTS]      needs build/release/xmig and root or KVM-less QEMU
"""

import filecmp
import os
import signal
import subprocess
import unittest

from moving import GUEST, Scene, Watch, as_raw, is_stopped, receivers

BLKVERIFY = os.path.join(GUEST, "blkverify")


class Move(unittest.TestCase):
    def assert_moved(self, scene, result, status):
        self.assertIsNotNone(result)
        self.assertEqual((status, result["outcome"], result["where"]), (0, "done", "target"), result)

    def assert_nothing_left_over(self, scene):
        """No process, no half-made image; of the sockets only those of the running QEMU."""
        self.assertEqual(scene.processes("-incoming"), [scene.next_guest().pid()])
        self.assertEqual(scene.processes("ssh-ctl"), [])
        self.assertEqual([name for name in os.listdir(scene.vm_folder) if "partial" in name], [])

    def assert_guest_is_well(self, watch):
        watch.wait_beats(20)
        self.assertEqual(watch.ask("verify", 120), "V ok")

    def move(self, scene, *options):
        """One move, watched; the guest must not miss a beat, and must find all it wrote."""
        target = scene.next_guest()
        with Watch(scene.guest.heartbeat, target.heartbeat) as watch:
            watch.wait_beats(5)
            result, status = scene.send(*options)
            self.assert_moved(scene, result, status)
            watch.wait_move()
            self.assert_guest_is_well(watch)
        self.assertEqual(scene.guest.state(), "gone")
        self.assertEqual(target.state(), "running")
        self.assert_nothing_left_over(scene)
        scene.moved()
        return result

    def test_moves_with_one_raw_disk_and_back_again(self):
        with Scene(disks=1) as scene:
            self.move(scene)
            self.move(scene)

    def test_moves_with_two_qcow2_disks(self):
        with Scene(disks=2, image_format="qcow2") as scene:
            self.move(scene)

    def test_moves_a_q35_machine_with_a_busy_writer(self):
        with Scene(disks=2, machine="q35", memory=160, disk_load="16,2000,8", ram_load="32,20,rand") as scene:
            self.move(scene)

    def test_moves_compressed(self):
        with Scene(disks=2) as scene:
            self.move(scene, "--compress")

    def test_a_lane_that_is_damaged_on_the_way_is_named(self):
        """Both QEMUs see only that the stream ends."""
        with Scene(disks=1) as scene, Watch(scene.guest.heartbeat) as watch:
            wrapper = os.path.join(scene.folder, "wrapper")
            with open(wrapper, "w", encoding="utf-8") as file:
                file.write("#!/bin/sh\n"
                           "[ \"$2 $5\" != \"lane lz4/ram\" ] || dd bs=4 count=1 of=/dev/null 2>/dev/null\n"
                           "exec \"$@\"\n")
            os.chmod(wrapper, 0o755)
            scene.target_words.append(wrapper)
            result, status = scene.send("--compress")
            self.assertEqual((status, result["where"]), (4, "source"), result)
            self.assertIn("lane lz4/ram: damaged on its way to the target", result["error"]["text"])
            self.assert_guest_is_well(watch)

    def test_disks_are_identical_at_the_switch(self):
        """The receiver is stopped as it owns the guest: neither copy runs, and nothing writes."""
        with Scene(disks=2) as scene:
            target = scene.next_guest()
            process = scene.start_send("--fault", "OWNED:after:recv:stop")
            receiver = self.stopped_receiver(scene)
            self.assertEqual(target.state(), "paused")
            pairs = zip(scene.guest.images(), target.images())
            for mine, theirs in pairs:
                self.assertTrue(filecmp.cmp(mine, theirs, shallow=False), f"{mine} and {theirs} differ")
            self.assertEqual(len(target.images()), 2)
            os.kill(receiver, signal.SIGCONT)
            self.assert_moved(scene, scene.result_of(process), process.returncode)

    def test_a_thin_disk_stays_thin(self):
        with Scene(disks=1, size=512, content=1) as scene:
            self.move(scene)
            image = scene.guest.images()[0]
            self.assertEqual(os.stat(image).st_size, 512 << 20)
            self.assertLess(os.stat(image).st_blocks * 512, 40 << 20)

    def test_moves_on_one_host_without_ssh(self):
        with Scene(disks=1) as scene:
            self.move_locally(scene)

    def move_locally(self, scene):
        target = scene.next_guest()
        with Watch(scene.guest.heartbeat, target.heartbeat) as watch:
            watch.wait_beats(5)
            result, status = scene.send(dest="local:")
            self.assert_moved(scene, result, status)
            watch.wait_move()
            self.assert_guest_is_well(watch)

    def test_authenticates_once(self):
        with Scene(disks=2) as scene:
            self.move(scene)
            with open(os.path.join(scene.folder, "sshd/log"), encoding="utf-8") as log:
                self.assertEqual(log.read().count("Accepted publickey"), 1)

    def test_ctrl_c_before_the_switch_rolls_back(self):
        with Scene(disks=1) as scene, Watch(scene.guest.heartbeat) as watch:
            before = sorted(os.listdir(scene.vm_folder))
            watch.wait_beats(5)
            process = scene.start_send("--fault", "block-ready-wait:end:recv:stop")
            receiver = self.stopped_receiver(scene)
            process.send_signal(signal.SIGINT)
            os.kill(receiver, signal.SIGCONT)
            result = scene.result_of(process)
            self.assertEqual((process.returncode, result["where"]), (130, "source"), result)
            self.assert_guest_is_well(watch)
            scene.wait(lambda: not scene.processes("-incoming"), "the target's QEMU to be gone")
            self.assertEqual(sorted(os.listdir(scene.vm_folder)), before)

    def test_a_rollback_does_not_hold_up_the_guest(self):
        """The mirrors are cut while they run: QEMU must not wait for them with the guest stopped."""
        with Scene(disks=2) as scene, Watch(scene.guest.heartbeat) as watch:
            watch.wait_beats(5)
            result, status = scene.send("--until", "block-ready-wait")
            self.assertEqual((status, result["where"]), (0, "source"), result)
            self.assert_guest_is_well(watch)
            self.assertLess(watch.longest_s, 4)

    def test_a_deadline_that_has_passed_is_named(self):
        with Scene(disks=1) as scene:
            result, status = scene.send("--bwlimit", "1M", "--deadline", "2s")
            self.assertEqual((status, result["where"]), (4, "source"), result)
            self.assertIn("--deadline of 2.0 s", result["error"]["text"])
            self.assertEqual(result["error"]["kind"], "timeout")

    def test_a_hang_up_does_not_stop_a_move(self):
        with Scene(disks=1) as scene:
            process = scene.start_send("--fault", "drive-mirror:end:recv:stop")
            receiver = self.stopped_receiver(scene)
            process.send_signal(signal.SIGHUP)
            os.kill(receiver, signal.SIGCONT)
            self.assert_moved(scene, scene.result_of(process), process.returncode)

    def test_the_old_images_are_fenced_until_somebody_takes_the_fence_off(self):
        with Scene(disks=1) as scene:
            image = scene.guest.images()[0]
            self.move(scene)
            fenced = [os.path.join(scene.vm_folder, name) for name in os.listdir(scene.vm_folder)
                      if ".moved-" in name]
            self.assertEqual((len(fenced), os.path.exists(image)), (1, False))
            self.assertEqual(scene.xmig("source", "fence", "off", fenced[0]).returncode, 0)
            self.assertTrue(os.path.exists(image))

    def test_a_dry_run_touches_nothing(self):
        with Scene(disks=1) as scene:
            before = sorted(os.listdir(scene.vm_folder))
            _, status = scene.send("--dry-run")
            self.assertEqual(status, 0)
            self.assertEqual(sorted(os.listdir(scene.vm_folder)), before)
            self.assertEqual(scene.migrations("source") + scene.migrations("target"), [])
            self.assertEqual(scene.processes("-incoming"), [])

    def test_an_image_that_exists_at_the_target_is_not_overwritten(self):
        with Scene(disks=1) as scene:
            image = os.path.join(scene.vm_folder, scene.next_guest().name + "-disk0.raw")
            with open(image, "w", encoding="ascii") as file:
                file.write("precious")
            result, status = scene.send()
            self.assertEqual((status, result["outcome"]), (3, "refused"), result)
            self.assertIn("disk0", result["error"]["text"])
            with open(image, encoding="ascii") as file:
                self.assertEqual(file.read(), "precious")

    def test_a_peer_without_xmig_gets_a_cure(self):
        with Scene(disks=1) as scene:
            result, status = scene.send("--remote-path", "no-such-xmig")
            self.assertNotEqual(status, 0)
            self.assertIn("--remote-path", result["error"]["text"])
            self.assertEqual(scene.guest.state(), "running")

    def test_every_flushed_write_is_in_the_moved_image(self):
        with Scene(disks=1, image_format="qcow2") as scene:
            self.move(scene)
            with Watch(scene.guest.heartbeat) as watch:
                beat = watch.wait_beats(1)
                watch.ask("pause")
            image = as_raw(scene.guest.images()[0], scene.folder)
            subprocess.run([BLKVERIFY, image, "0", "8", str(beat.acked[0])], check=True)

    def stopped_receiver(self, scene):
        """The receiver's pid, once --fault …:stop has stopped it."""
        found = []

        def look():
            found[:] = [pid for pid in receivers(scene) if is_stopped(pid)]
            return found
        scene.wait(look, "the receiver to stop")
        return found[0]


if __name__ == "__main__":
    unittest.main(verbosity=2)
