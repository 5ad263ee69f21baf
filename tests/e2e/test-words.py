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
        with Machine(*DISK, "-fsdev", "local,id=f,path=%,security_model=none",
                     "-fsdev", "local,id=g,path=%,security_model=none") as machine:
            said, status = say(machine, "-n")
            self.assertEqual(status, 3)
            self.assertIn("'-fsdev local,id=f", said)
            self.assertIn("'-fsdev local,id=g", said)


class Names(unittest.TestCase):
    def test_a_wrong_disks_name_is_answered_with_the_right_ones(self):
        with Machine(*DISK) as machine:
            said, status = say(machine, "-n", "--disk", "vdx=/tmp/x")
            self.assertEqual(status, 3)
            self.assertIn("it has: vda", said)


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


if __name__ == "__main__":
    unittest.main(verbosity=2)
