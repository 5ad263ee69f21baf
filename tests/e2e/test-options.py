#!/usr/bin/env python3
"""Every option of the manual of QEMU 7.2, with a QEMU that is started with it and moves: tests/qemu-help/lines.

    test-options.py [UNITTEST ARGUMENTS]      needs build/release/xmig; no guest is needed

XMIG_OPTIONS_PATH=FOLDER has the target's QEMU, if it shall be another one than the source's.
"""

import importlib.util
import os
import re
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.environ.get("XMIG_OPTIONS_PATH")

SPEC = importlib.util.spec_from_file_location("machine", os.path.join(HERE, "test-machine.py"))
machines = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(machines)


def lines():
    with open(os.path.join(HERE, "../qemu-help/lines"), encoding="ascii") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                outcome, words = line.split(None, 1)
                yield outcome, words.split()


class Options(unittest.TestCase):
    def move(self, outcome, words):
        machine = machines.Machine(*words)
        with open(machine.folder + "/small", "wb") as file:
            file.write(b"\xaa" * 512)
        if "-accel" in words:
            machine.words[machine.words.index("pc,accel=tcg")] = "pc"
        with machine:
            if FOLDER:
                machine.environment["PATH"] = f"{FOLDER}:{os.environ['PATH']}"
            result, status = machine.send(*(("--device-model", "qemu-system-x86_64") if FOLDER else ()))
        expected = (3, "source") if outcome == "refused" else (0, "target")
        self.assertEqual((status, result["where"]), expected, result.get("error", result))

    def test_each_line_moves_or_is_refused_before_anything_is_touched(self):
        for outcome, words in lines():
            if outcome in ("moves", "refused"):
                with self.subTest(line=" ".join(words)):
                    self.move(outcome, words)


if __name__ == "__main__":
    unittest.main()
