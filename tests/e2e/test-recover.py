#!/usr/bin/env python3
"""What only a person can decide, and what they are told: on real QEMU, over real ssh.

    test-recover.py [--long] [UNITTEST ARGUMENTS]      needs build/release/xmig; --long: all of it
"""

import os
import signal
import subprocess
import sys
import unittest

from moving import Scene, Watch, is_stopped, receivers


class Recovering(unittest.TestCase):
    """One guest each, with what the tests share."""

    image_format = "raw"

    def setUp(self):
        self.scene = Scene(disks=1, size=24, content=4, disk_load="4,200,4", ram_load="8,2,rand",
                           image_format=self.image_format)
        self.scene.__enter__()
        self.addCleanup(self.scene.__exit__)

    # ---- the scene ----

    def stop_at(self, point):
        """A send that stands still at `point`, its process and the one that is stopped."""
        sender = self.scene.start_send("--fault", point + ":stop")
        side = point.rpartition(":")[2]
        stopped = []

        def look():
            stopped[:] = [pid for pid in ([sender.pid] if side == "send" else receivers(self.scene)) if is_stopped(pid)]
            return stopped or sender.poll() is not None
        self.scene.wait(look, f"{point}", 120)
        self.assertTrue(stopped, "the sender ended before the moment came")
        return sender, stopped[0]

    def kill_source_qemu(self):
        os.kill(self.scene.guest.pid(), signal.SIGKILL)
        self.scene.wait(lambda: self.scene.guest.state() == "gone", "the source's QEMU to end")

    def kill(self, process):
        process.kill()
        process.communicate()

    def recover(self, side, *arguments, expect):
        done = self.scene.xmig(side, "recover", *arguments)
        self.assertEqual(done.returncode, expect, done.stdout)
        return done.stdout

    def the_migration(self):
        return self.scene.migrations("source")[-1]

    def assert_closed(self, side):
        self.assertEqual(self.scene.xmig(side, "list").stdout.count("'"), 0, self.scene.xmig(side, "list").stdout)

    # ---- the source's copy is dead, the target's complete ----

    def assert_forward_loses_nothing(self, watch):
        said = self.recover("source", self.the_migration(), expect=6)
        self.assertIn(f"xmig recover --forward {self.the_migration()}", said)
        self.assertIn(f"xmig recover --back {self.the_migration()}", said)
        self.assertEqual(self.scene.next_guest().state(), "paused")
        self.recover("source", "--forward", self.the_migration(), expect=0)
        watch.wait_move()
        watch.wait_beats(10)
        self.assertEqual(watch.ask("verify", 120), "V ok")
        self.assert_closed("source")
        self.scene.wait(lambda: not receivers(self.scene), "the receiver to end")
        self.assert_closed("target")

    def go_forward(self):
        with Watch(self.scene.guest.heartbeat, self.scene.next_guest().heartbeat) as watch:
            watch.wait_beats(3)
            sender, _ = self.stop_at("COMMIT:before:send")
            self.kill(sender)
            self.kill_source_qemu()
            self.assert_forward_loses_nothing(watch)


class Recover(Recovering):
    def test_forward_goes_on_with_the_targets_copy(self):
        self.go_forward()

    def test_a_retry_after_a_cut_at_prepared_is_at_once(self):
        with Watch(self.scene.guest.heartbeat, self.scene.next_guest().heartbeat) as watch:
            watch.wait_beats(3)
            sender, _ = self.stop_at("COMMIT:before:send")
            self.kill(sender)
            result, status = self.scene.send()
            self.assertEqual((status, result["outcome"]), (0, "done"), result)
            watch.wait_move()
            watch.wait_beats(10)
            self.assertEqual(watch.ask("verify", 120), "V ok")
        self.scene.wait(lambda: not receivers(self.scene), "the receivers to end")
        self.assert_closed("source")
        self.assert_closed("target")
        self.assertEqual(len(self.scene.next_guest().images()), 1)


class More(Recovering):
    def test_a_send_whose_qemu_ends_at_the_handing_over_destroys_no_complete_copy(self):
        with Watch(self.scene.guest.heartbeat, self.scene.next_guest().heartbeat) as watch:
            watch.wait_beats(3)
            sender, receiver = self.stop_at("PREPARED:after:recv")
            self.kill_source_qemu()
            os.kill(receiver, signal.SIGCONT)
            result = self.scene.result_of(sender)
            self.assertEqual((sender.returncode, result["where"]), (6, "unknown"), result)
            self.assert_forward_loses_nothing(watch)

    def test_a_retry_while_the_first_is_undecided_is_refused_with_its_command(self):
        sender, _ = self.stop_at("COMMIT:after:send")
        self.kill(sender)
        undecided = self.the_migration()
        for receiver in receivers(self.scene):
            os.kill(receiver, signal.SIGKILL)
        state = self.scene.environment("target")["XMIG_STATE_DIR"]
        os.rename(state, state + ".away")  # no journal there: nothing is known
        result, status = self.scene.send()
        os.rename(state + ".away", state)
        self.assertEqual(status, 3, result)
        self.assertIn(f"xmig recover {undecided}", result["error"]["text"])

    def test_forward_is_refused_where_the_disks_have_been_written_to(self):
        sender, _ = self.stop_at("COMMIT:before:send")
        self.kill(sender)
        self.kill_source_qemu()
        with open(self.scene.guest.images()[0], "r+b") as image:
            image.write(image.read(1))
        said = self.recover("source", "--forward", "--yes", self.the_migration(), expect=6)
        self.assertIn("somebody has written to", said)
        self.assertEqual(self.scene.next_guest().state(), "paused")

    def test_back_gives_the_targets_copy_up(self):
        sender, _ = self.stop_at("COMMIT:before:send")
        self.kill(sender)
        self.kill_source_qemu()
        images = self.scene.guest.images()
        said = self.recover("source", "--back", self.the_migration(), expect=8)
        self.assertIn("its disks are here", said)
        self.assertEqual(self.scene.next_guest().state(), "gone")
        self.assertEqual(self.scene.guest.images(), images)


class Lost(Recovering):
    """The target owned the guest, and its QEMU was killed as it began to run."""

    def lose(self):
        sender, receiver = self.stop_at("RESUMING:after:recv")
        os.kill(self.scene.next_guest().pid(), signal.SIGKILL)
        self.scene.wait(lambda: self.scene.next_guest().state() == "gone", "the target's QEMU to end")
        os.kill(receiver, signal.SIGCONT)
        self.scene.result_of(sender)
        self.assertEqual(sender.returncode, 8)
        said = self.recover("source", self.the_migration(), expect=8)
        self.assertIn("start it there from its disks there", said)
        said = self.recover("target", self.the_migration(), expect=8)
        self.assertIn("start it here from its disks here", said)

    def start_by_hand(self):
        image = self.scene.next_guest().images()[0]
        qemu = subprocess.Popen(["qemu-system-x86_64", "-display", "none", "-S", "-drive",
                                 f"file={image},format=raw,if=virtio"], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.scene.running.append(qemu)
        self.scene.wait(lambda: self.has_open(qemu.pid, image), "the new QEMU to open its disk")

    @staticmethod
    def has_open(pid, path):
        """For writing: QEMU opens it only to read at first."""
        links = [os.path.join(f"/proc/{pid}/fd", name) for name in os.listdir(f"/proc/{pid}/fd")]
        return any(os.path.realpath(link) == path and os.lstat(link).st_mode & 0o200
                   for link in links if os.path.lexists(link))

    def test_is_closed_on_both_hosts_after_a_start_by_hand(self):
        self.lose()
        self.start_by_hand()
        self.assertIn("was started here again", self.recover("target", self.the_migration(), expect=0))
        self.recover("source", self.the_migration(), expect=0)
        self.assertEqual(self.scene.guest.state(), "gone")
        self.assert_closed("source")
        self.assert_closed("target")


class RecoverQcow2(Recovering):
    """A format that QEMU may write to as it closes an image."""

    image_format = "qcow2"

    def test_forward_goes_on_with_the_targets_copy(self):
        self.go_forward()


if __name__ == "__main__":
    LONG = "--long" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--long"]
    unittest.main(verbosity=2, defaultTest=None if LONG else "Recover")
