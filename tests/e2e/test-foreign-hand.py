#!/usr/bin/env python3
"""Another hand at the VM while xmig moves it: a second monitor that continues, stops or ends the
guest, or completes a mirror; a guest that panics or turns itself off. Never two running copies,
no acknowledged write lost, and words that say what happened.

    test-foreign-hand.py [UNITTEST ARGUMENTS]
"""

import json
import os
import signal
import unittest

from moving import Hypervisor, Scene, Watch, is_stopped, receivers


class ForeignHand(unittest.TestCase):
    """A scene for each: what was done to a guest stays done."""

    def setUp(self):
        self.scene = Scene(disks=2, size=24, content=4, disk_load="4,200,4", ram_load="8,2,rand")
        self.scene.__enter__()
        self.addCleanup(self.scene.__exit__)

    # ---- the hand ----

    def hand(self, guest=None):
        return Hypervisor((guest or self.scene.guest).hand)

    def stopped(self, sender, side):
        found = []

        def look():
            candidates = [sender.pid] if side == "send" else receivers(self.scene)
            found[:] = [pid for pid in candidates if is_stopped(pid)]
            return found or sender.poll() is not None
        self.scene.wait(look, f"the {side} side to stop", 120)
        self.assertTrue(found, "the sender ended before the moment came")
        return found[0]

    def at(self, moment, act, *options):
        """What `act` does while xmig stands still at the moment; the result and the exit status."""
        sender = self.scene.start_send("--fault", moment + ":stop", *options)
        stopped = self.stopped(sender, moment.rpartition(":")[2])
        act()
        os.kill(stopped, signal.SIGCONT)
        result = self.scene.result_of(sender)
        return result, sender.returncode

    def migration(self):
        return self.scene.migrations("source")[-1]

    def recover(self, *options, side="source"):
        done = self.scene.xmig(side, "recover", *options, self.migration())
        return done.returncode, done.stdout

    def records(self, side):
        name = {"source": "send.journal", "target": "recv.journal"}[side]
        path = os.path.join(self.scene.environment(side)["XMIG_STATE_DIR"], self.migration(), name)
        with open(path, "rb") as file:
            return [json.loads(line.split(b" ", 1)[1]) for line in file.read().rstrip(b"\0").splitlines()]

    def last_record(self, side):
        return [entry["record"] for entry in self.records(side) if entry["record"] != "NOTE"][-1]

    def states(self):
        return self.hand().state(), self.hand(self.scene.next_guest()).state()

    def assert_nothing_at_the_target(self):
        self.scene.wait(lambda: not self.scene.processes("-incoming"), "the target's QEMU to be gone")
        self.scene.wait(lambda: not self.scene.next_guest().images(), "the target's images to be gone")

    # ---- the source, before it is handed over ----

    def test_a_source_that_is_continued_before_commit_goes_on(self):
        with Watch(self.scene.guest.heartbeat) as watch:
            watch.wait_beats(3)
            result, status = self.at("COMMIT:before:send", lambda: self.hand().ask("cont"))
            self.assertEqual((status, result["where"]), (4, "source"), result)
            self.assertIn("somebody has let the guest run", json.dumps(result))
            watch.wait_beats(10)
            self.assertEqual(watch.ask("verify", 120), "V ok")
        self.assert_nothing_at_the_target()

    def stop_and_look(self, act, state, words):
        result, status = self.at("block-ready-wait:begin:send", act)
        self.assertEqual((status, result["where"]), (5, "source"), result)
        self.assertIn(words, json.dumps(result))
        self.assertEqual(self.states(), (state, "gone"))
        self.assert_nothing_at_the_target()
        self.assertEqual(self.last_record("source"), "CLOSED")
        status, said = self.recover()
        self.assertEqual(status, 5, said)
        self.assertIn(words, said)
        self.assertEqual(self.states(), (state, "gone"))

    def test_a_guest_that_somebody_stops_stays_stopped_here(self):
        self.stop_and_look(lambda: self.hand().ask("stop"), "paused", "somebody has stopped it")

    def end_and_look(self, moment, act, words):
        result, status = self.at(moment, act)
        self.assertEqual((status, result["where"]), (8, "nowhere"), result)
        self.assertIn(words, json.dumps(result))
        self.assertIn(self.scene.guest.images()[0], json.dumps(result))
        self.assert_nothing_at_the_target()
        self.assertEqual(self.last_record("source"), "CLOSED")
        status, said = self.recover()
        self.assertEqual(status, 8, said)
        self.assertIn(words, said)
        self.assertIn(self.scene.guest.images()[0], said)

    def test_a_guest_that_turns_itself_off_has_ended(self):
        def poweroff():
            with Watch(self.scene.guest.heartbeat) as watch:
                watch.wait_beats(1)
                watch.ask("poweroff", 30)
            self.scene.wait(lambda: self.hand().state() == "gone", "the guest to turn itself off")
        self.end_and_look("block-ready-wait:begin:send", poweroff, "it has turned itself off")

    def test_a_guest_that_has_turned_itself_off_is_not_set_running_again(self):
        """QEMU stays, as with -no-shutdown."""
        def poweroff():
            self.hand().ask("set-action", shutdown="pause")
            with Watch(self.scene.guest.heartbeat) as watch:
                watch.wait_beats(1)
                watch.ask("poweroff", 30)
            self.scene.wait(lambda: self.hand().state() == "shutdown", "the guest to turn itself off")
        self.stop_and_look(poweroff, "shutdown", "it has turned itself off")

    def test_a_qemu_that_somebody_quits_has_ended(self):
        def leave():
            self.hand().ask("quit")
            self.scene.wait(lambda: self.hand().state() == "gone", "QEMU to end")
        self.end_and_look("ram-stream:begin:send", leave, "somebody has ended its QEMU")

    def test_a_guest_that_reboots_is_moved(self):
        result, status = self.at("block-ready-wait:begin:send", lambda: self.hand().ask("system_reset"))
        self.assertEqual((status, result["where"]), (0, "target"), result)
        self.assertEqual(self.states(), ("gone", "running"))

    # ---- the source, after it was handed over ----

    def test_an_old_copy_that_is_continued_before_go_is_taken_back(self):
        with Watch(self.scene.guest.heartbeat) as watch:
            watch.wait_beats(3)
            result, status = self.at("COMMIT:after:send", lambda: self.hand().ask("cont"))
            self.assertEqual((status, result["where"]), (4, "source"), result)
            watch.wait_beats(10)
            self.assertEqual(watch.ask("verify", 120), "V ok")
        self.assert_nothing_at_the_target()

    def test_an_old_copy_that_was_handed_over_cannot_be_continued(self):
        """QEMU itself refuses, for its images are fenced."""
        answers = []
        result, status = self.at("OWNED:after:recv", lambda: answers.append(self.hand().ask("cont")))
        self.assertIn("error", answers[0])
        self.assertEqual((status, result["where"]), (0, "target"), result)

    # ---- the target's copy ----

    def test_a_copy_that_is_continued_too_early_is_stopped_and_kept(self):
        def cont():
            target = self.scene.next_guest()
            self.hand(target).ask("cont")
        sender = self.scene.start_send("--fault", "COMMIT:before:send:stop", "--lease", "3s")
        stopped = self.stopped(sender, "send")
        with Watch(self.scene.next_guest().heartbeat) as watch:
            cont()
            self.scene.wait(lambda: self.hand(self.scene.next_guest()).state() == "paused", "the copy to be stopped", 5)
            del watch
        os.kill(stopped, signal.SIGKILL)
        sender.wait()
        self.scene.wait(lambda: not receivers(self.scene), "the lease to end")
        self.assertEqual(self.last_record("target"), "PREPARED")
        status, said = self.recover()
        self.assertEqual(status, 6, said)
        self.assertEqual(self.hand(self.scene.next_guest()).state(), "paused")
        status, said = self.recover("--forward")
        self.assertEqual(status, 0, said)
        with Watch(self.scene.next_guest().heartbeat) as watch:
            watch.wait_beats(10)
            self.assertEqual(watch.ask("verify", 120), "V ok")

    def test_a_copy_that_ran_without_its_receiver_is_known_by_its_time(self):
        """Nobody is connected when it runs: its vCPU's time tells."""
        sender = self.scene.start_send("--fault", "COMMIT:before:send:stop")
        stopped = self.stopped(sender, "send")
        for pid in receivers(self.scene):
            os.kill(pid, signal.SIGKILL)
        target = self.hand(self.scene.next_guest())
        target.ask("cont")
        with Watch(self.scene.next_guest().heartbeat) as watch:
            watch.wait_beats(3)
        target.ask("stop")
        os.kill(stopped, signal.SIGKILL)
        sender.wait()
        status, said = self.recover()
        self.assertEqual(status, 6, said)
        status, said = self.recover("--back")
        self.assertEqual(status, 4, said)
        self.assertEqual(self.states(), ("running", "gone"))

    def test_a_paused_copy_without_its_receiver_is_given_back(self):
        sender = self.scene.start_send("--fault", "COMMIT:before:send:stop")
        stopped = self.stopped(sender, "send")
        for pid in receivers(self.scene):
            os.kill(pid, signal.SIGKILL)
        for _ in range(20):
            self.hand(self.scene.next_guest()).ask("query-cpus-fast")
            self.hand(self.scene.next_guest()).ask("human-monitor-command", **{"command-line": "info registers"})
        os.kill(stopped, signal.SIGKILL)
        sender.wait()
        status, said = self.recover()
        self.assertEqual(status, 4, said)
        self.assertEqual(self.states(), ("running", "gone"))

    # ---- the mirrors ----

    def mirror(self, command):
        jobs = [job["device"] for job in self.hand().ask("query-block-jobs")]
        self.assertEqual(len(jobs), 2)
        for job in jobs:
            self.hand().ask(command, device=job)

    def end_the_mirrors(self, command):
        with Watch(self.scene.guest.heartbeat) as watch:
            watch.wait_beats(3)
            result, status = self.at("block-ready-wait:end:send", lambda: self.mirror(command))
            self.assertEqual((status, result["where"]), (4, "source"), result)
            watch.wait_beats(20)
            self.assertEqual(watch.ask("verify", 120), "V ok")
            nodes = json.dumps(self.hand().ask("query-named-block-nodes", flat=True))
            self.assertNotIn(self.migration()[:8], nodes)
        self.assert_nothing_at_the_target()

    def test_mirrors_that_somebody_cancels_end_the_move(self):
        self.end_the_mirrors("block-job-cancel")

    def test_mirrors_that_somebody_completes_end_the_move_and_lose_nothing(self):
        self.end_the_mirrors("block-job-complete")


if __name__ == "__main__":
    unittest.main(verbosity=2)
