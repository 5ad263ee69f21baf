#!/usr/bin/env python3
"""A VM with a TPM moves, and its TPM is the same. Needs no guest: the firmware starts the TPM.

    test-tpm.py [UNITTEST ARGUMENTS]      needs build/release/xmig, QEMU and swtpm
"""

import contextlib
import importlib
import os
import subprocess
import unittest

moving = importlib.import_module("test-machine")
DISK, Machine, Moving = moving.DISK, moving.Machine, moving.Moving
TPM = ("-tpmdev", "emulator,id=t,chardev=c", "-device", "tpm-crb,tpmdev=t")


def content(path):
    with open(path, "rb") as file:
        return file.read()


@contextlib.contextmanager
def with_tpm(*words, socket="socket,id=c,path=%/tpm-sock"):
    """A machine with swtpm, which has a state in the folder `tpmstate`."""
    machine = Machine(*DISK, "-chardev", socket, *TPM)
    folder = os.path.join(machine.folder, "tpmstate")
    os.mkdir(folder, 0o700)
    with open(machine.folder + "/key", "w", encoding="ascii") as file:
        file.write("0" * 32)
    with open(machine.folder + "/swtpm.log", "w", encoding="utf-8") as log:
        # Made anew, so that nobody but its copy can have the same.
        swtpm = subprocess.Popen(["swtpm", "socket", "--tpm2", "--tpmstate", "dir=tpmstate", "--ctrl",
                                  "type=unixio,path=tpm-sock", *words], cwd=machine.folder, stderr=log)
        try:
            Machine.wait(lambda: os.path.exists(machine.folder + "/tpm-sock"), "swtpm")
            with machine:
                Machine.wait(lambda: os.path.exists(folder + "/tpm2-00.permall"), "the firmware")
                yield machine
        finally:
            swtpm.kill()
            swtpm.wait()


def swtpms(machine):
    found = []
    for pid in machine.processes():
        with contextlib.suppress(OSError), open(f"/proc/{pid}/comm", encoding="ascii") as file:
            if file.read().strip() == "swtpm":
                found.append(pid)
    return found


class Tpm(Moving):
    def there(self, machine, name):
        return f"{machine.folder}/{machine.name}-b-{name}"

    def test_a_tpm_goes_along_with_its_state(self):
        with with_tpm("--terminate", "--flags", "not-need-init") as machine:
            before = content(machine.folder + "/tpmstate/tpm2-00.permall")
            self.moves(machine)
            after = content(self.there(machine, "tpmstate") + "/tpm2-00.permall")
            self.assertEqual(len(after), len(before))
            # The firmware has gone on meanwhile; another TPM would have other seeds and proofs, hundreds of bytes.
            self.assertLess(sum(one != other for one, other in zip(before, after)), 64)
            self.assertEqual(os.stat(self.there(machine, "tpmstate")).st_mode & 0o777, 0o700)
            self.assertEqual([tpm["model"] for tpm in machine.target.ask("query-tpm")], ["tpm-crb"])
            self.assertEqual(len(swtpms(machine)), 1)

    def test_an_undo_ends_it_and_removes_what_it_made(self):
        with with_tpm("--pid", "file=tpm-pid", "--log", "file=tpm-log,level=1") as machine:
            result, status = machine.send("--fault", "ram-stream:end:recv")
            self.assertEqual((status, result["where"]), (4, "source"), result)
            self.assertFalse(os.path.exists(self.there(machine, "tpmstate")))
            for name in ("tpm-sock", "tpm-pid", "tpm-log"):
                self.assertFalse(os.path.exists(self.there(machine, name)), name)
            self.assertEqual(swtpms(machine), [])
            self.assertEqual(machine.source.state(), "running")
            self.moves(machine)
            [swtpm] = swtpms(machine)
            self.assertIn(b"--terminate", content(f"/proc/{swtpm}/cmdline").split(b"\0"))

    def test_a_folder_that_holds_a_state_already_is_refused(self):
        with with_tpm() as machine:
            os.mkdir(self.there(machine, "tpmstate"), 0o700)
            with open(self.there(machine, "tpmstate") + "/tpm2-00.permall", "wb"):
                pass
            self.is_refused(machine, "holds the state of a TPM already")

    def test_a_word_of_swtpms_that_is_not_understood_is_refused(self):
        with with_tpm("--migration-key", "file=key,format=hex") as machine:
            self.is_refused(machine, "would not start swtpm with 'migration-key'")


if __name__ == "__main__":
    unittest.main()
