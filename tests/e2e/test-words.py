#!/usr/bin/env python3
"""What xmig says to a person: all refusals at once, which host they speak of, and what helps.

    test-words.py [UNITTEST ARGUMENTS]      needs build/release/xmig; no guest is needed
"""

import importlib
import os
import subprocess
import unittest

from moving import XMIG

Machine = importlib.import_module("test-machine").Machine

DISK = ("-drive", "file=%/disk,format=raw,if=none,id=vda", "-device", "virtio-blk-pci,drive=vda")


def read_only(folder):
    """Words before a command that shall not be able to write there: the superuser may everywhere else."""
    return ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs -o ro none {folder} && exec "$@"', "sh"]


def say(machine, *words, vm=None, to="local:", name=True, within=()):
    """What `xmig send` prints, and its exit status."""
    named = ["--name", machine.name + "-b"] if name else []
    done = subprocess.run([*within, XMIG, "send", vm or f"qemu:{machine.folder}/qmp", to, *named,
                           *(word.replace("%", machine.folder) for word in words)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
                          env=machine.environment, check=False)
    return done.stdout + done.stderr, done.returncode


class AllAtOnce(unittest.TestCase):
    def test_both_sides_refusals_are_told_together(self):
        with Machine(*DISK) as machine:
            words = ("-n", "--disk", "vdx=/tmp/x", "--eject", "cd9", "--disk", "vda=%/none/there")
            said, status = say(machine, *words)
            lines = said.splitlines()
            self.assertEqual(status, 3, said)
            for start, text in (("xmig: here: ", "--eject cd9"), ("xmig: here: ", "--disk vdx"),
                                ("xmig: on this host: ", "cannot make")):
                self.assertTrue(any(line.startswith(start) and text in line for line in lines), (text, said))
            result, status = machine.send(*words)
            self.assertEqual((status, result["outcome"]), (3, "refused"))
            self.assertEqual([each["side"] for each in result["refusals"]], ["send", "send", "recv"], result)
            for each in result["refusals"]:
                self.assertIn(each["text"], result["error"]["text"])

    def test_every_option_that_cannot_be_moved_is_named(self):
        with Machine(*DISK, "-fsdev", "synth,id=f", "-fsdev", "synth,id=g") as machine:
            said, status = say(machine, "-n")
            self.assertEqual(status, 3, said)
            self.assertIn("'-fsdev synth,id=f", said)
            self.assertIn("'-fsdev synth,id=g", said)


class Names(unittest.TestCase):
    def test_a_wrong_disks_name_is_answered_with_the_right_ones(self):
        with Machine(*DISK) as machine:
            said, status = say(machine, "-n", "--disk", "vdx=/tmp/x")
            self.assertEqual(status, 3)
            self.assertIn("it has: vda", said)


class Cures(unittest.TestCase):
    """Whoever is refused is told what helps."""

    def test_a_vm_that_does_not_run_is_to_be_let_run(self):
        with Machine(*DISK) as machine:
            machine.source.ask("stop")
            said, status = say(machine, "-n")
            self.assertEqual(status, 3, said)
            self.assertIn("let it run first", said)

    def test_a_human_monitor_is_called_one(self):
        with Machine(*DISK, "-monitor", "unix:%/human,server=on,wait=off") as machine:
            said, status = say(machine, "-n", vm=f"qemu:{machine.folder}/human")
            self.assertEqual(status, 3, said)
            self.assertIn("-qmp unix:", said)

    def test_a_runtime_directory_that_cannot_be_made_names_its_variable(self):
        with Machine(*DISK) as machine:
            machine.environment["XMIG_RUNTIME_DIR"] = machine.folder + "/disk/none"
            said, status = say(machine, "-n")
            self.assertEqual(status, 1, said)
            self.assertIn("XMIG_RUNTIME_DIR", said)


class Begun(unittest.TestCase):
    def test_nothing_begun_is_never_four(self):
        with Machine(*DISK) as machine:
            said, status = say(machine, "--rsh", "false", to="nowhere")
            self.assertEqual(status, 1, said)

    def test_a_state_directory_that_cannot_be_written_is_noticed_by_a_dry_run(self):
        with Machine(*DISK) as machine:
            os.mkdir(machine.folder + "/fixed")
            machine.environment["XMIG_STATE_DIR"] = machine.folder + "/fixed/state"
            said, status = say(machine, "-n", within=read_only(machine.folder + "/fixed"))
            self.assertEqual(status, 3, said)
            self.assertIn("xmig: here: the migration's journal", said)
            self.assertIn("xmig: on this host: the migration's journal", said)


class OneName(unittest.TestCase):
    def test_an_unknown_vm_is_answered_with_those_that_run(self):
        with Machine(*DISK) as machine:
            said, status = say(machine, "-n", vm="nobody-has-this-name")
            self.assertEqual(status, 3)
            self.assertIn(machine.name, said)

    def test_the_vm_keeps_one_name(self):
        with Machine(*DISK) as machine:
            said, status = say(machine, "-n")
            self.assertEqual(status, 0, said)
            self.assertIn(f"moving '{machine.name}' to", said)
            self.assertNotIn("'qemu:/", said)

    def test_a_name_moves_no_cursor(self):
        with Machine("-name", "we\033[1Ab\nü") as machine:
            said, status = say(machine, "-n")
            self.assertEqual(status, 0, said)
            self.assertIn("moving 'we\\x1b[1Ab\\nü' to", said)
            self.assertNotIn("\033", said)
            self.assertEqual(machine.send("-n")[1], 0)  # programs get it as it is, in JSON
            self.assertNotIn("\033", say(machine, "-n", vm="nobody-has-this-name")[0])

    def test_two_vms_of_one_name_are_told_apart(self):
        with Machine() as one, Machine("-name", one.name) as other:
            said, status = say(one, "-n", vm=f"qemu:{one.name}")
            self.assertEqual(status, 3)
            self.assertIn(one.folder + "/qmp", said)
            self.assertIn(other.folder + "/qmp", said)


class AtWork(unittest.TestCase):
    def test_a_dry_run_of_a_vm_that_is_being_moved_says_so(self):
        with Machine(*DISK) as machine:
            mover = subprocess.Popen([XMIG, "send", f"qemu:{machine.folder}/qmp", "local:", "--name", machine.name + "-b",
                                      "--bwlimit", "64K", "--no-guardian"], stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=machine.environment)
            try:
                machine.wait(lambda: machine.other.ask("query-block-jobs"), "the mirror to be at work")
                for words in ("-n",), ():
                    said, status = say(machine, *words)
                    self.assertEqual(status, 3, said)
                    self.assertIn("this VM is being moved already: process", said)
            finally:
                mover.terminate()
                mover.wait()


class Tidying(unittest.TestCase):
    def xmig(self, machine, *words):
        done = subprocess.run([XMIG, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60, env=machine.environment, check=False)
        return done.stdout + done.stderr, done.returncode

    def test_old_images_and_journals_go_at_a_persons_word_and_a_running_vms_log_stays(self):
        with Machine(*DISK) as machine:
            result, status = machine.send()
            self.assertEqual(status, 0, result)
            old = f"{machine.folder}/disk.moved-{result['id']}"
            said, status = self.xmig(machine, "clean", result["id"])
            self.assertEqual((status, os.path.exists(old)), (0, True), said)
            self.assertIn(old, said)
            said, status = self.xmig(machine, "forget", "--older", "12h")
            self.assertEqual((status, said), (0, ""))
            said, status = self.xmig(machine, "clean", "--yes", result["id"])
            self.assertEqual((status, os.path.exists(old)), (0, False), said)
            self.assertEqual(machine.target.state(), "running")
            said, status = self.xmig(machine, "forget", result["id"])
            self.assertEqual((status, os.listdir(machine.folder + "/state")), (3, [result["id"]]), said)
            self.assertIn("qemu.log", said)
            self.assertEqual(machine.target.state(), "running")
            with open(f"{machine.folder}/state/{result['id']}/qemu.log", encoding="utf-8"):  # a reader is no VM
                machine.target.ask("quit")
                machine.wait(lambda: not machine.processes(), "the end of QEMU")
                said, status = self.xmig(machine, "forget", result["id"])
            self.assertEqual((status, os.listdir(machine.folder + "/state")), (0, []), said)

    def test_another_file_of_that_name_stays(self):
        with Machine(*DISK) as machine:
            result, _ = machine.send()
            old = f"{machine.folder}/disk.moved-{result['id']}"
            os.rename(old, old + "-aside")
            with open(old, "w", encoding="ascii") as file:
                file.write("a stranger's")
            said, status = self.xmig(machine, "clean", "--yes", result["id"])
            self.assertEqual((status, os.path.exists(old)), (0, True), said)

    def test_nothing_of_an_unfinished_migration_is_touched(self):
        with Machine(*DISK) as machine:
            say(machine, "--no-guardian", "--fault", "PAUSING:after:send:crash")
            migration = os.listdir(machine.folder + "/state")[0]
            for command in ("clean", "--yes"), ("forget",):
                said, status = self.xmig(machine, *command, migration)
                self.assertEqual(status, 3, said)
                self.assertIn(f"'xmig recover {migration}'", said)
            self.assertTrue(os.path.exists(machine.folder + "/disk"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
