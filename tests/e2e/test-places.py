#!/usr/bin/env python3
"""Where a target makes files, what it leaves alone, and what a plan says of the VM's own doors.

    test-places.py [UNITTEST ARGUMENTS]      needs build/release/xmig; no guest is needed
"""

import importlib
import os
import stat
import unittest

moving = importlib.import_module("test-machine")
Machine, Moving = moving.Machine, moving.Moving
say = importlib.import_module("test-words").say

DISK = ("-drive", "file=%/disk,format=raw,if=virtio")


class Places(Moving):
    def test_an_image_is_made_where_nobody_else_may_write(self):
        with Machine(*DISK) as machine:
            shared = machine.folder + "/shared"
            os.mkdir(shared)
            os.chmod(shared, 0o777)
            self.is_refused(machine, "others may write in the directory", shared,
                            options=("--disk", "virtio0=%/shared/disk"))
            self.assertEqual(os.listdir(shared), [])
            os.chmod(shared, 0o755)
            self.moves(machine, "--disk", "virtio0=%/shared/disk")

    def test_what_is_in_the_place_of_a_log_or_a_socket_is_not_opened(self):
        with Machine(*DISK, "-serial", "file:%/console") as machine:
            console = f"{machine.folder}/{machine.name}-b-console"
            os.mkfifo(console)
            self.is_refused(machine, console, "no regular file")
            self.assertTrue(stat.S_ISFIFO(os.stat(console).st_mode))
            os.unlink(console)
            socket = f"{machine.folder}/{machine.name}-b-qmp"
            with open(socket, "w", encoding="ascii") as file:
                file.write("somebody's")
            self.is_refused(machine, socket, "no socket")
            with open(socket, encoding="ascii") as file:
                self.assertEqual(file.read(), "somebody's")

    def test_a_rollback_removes_what_the_copy_has_made_and_nothing_else(self):
        with Machine(*DISK, "-serial", "file:%/console", "-pidfile", "%/pid") as machine:
            copy = f"{machine.folder}/{machine.name}-b-"
            before = set(os.listdir(machine.folder))

            def replace():
                self.assertTrue(os.path.exists(copy + "pid"))
                os.unlink(copy + "console")
                with open(copy + "console", "w", encoding="ascii") as file:
                    file.write("somebody's")

            process = machine.start_send("--fault", "block-ready-wait:end:recv:stop")
            machine.wait(lambda: any(map(moving.is_stopped, moving.receivers(machine))), "the receiver to stop")
            replace()
            for pid in moving.receivers(machine):
                os.kill(pid, moving.signal.SIGCONT)
                os.kill(pid, moving.signal.SIGTERM)
            result, status = machine.result_of(process)
            self.assertEqual((status, result["where"]), (4, "source"), result)
            with open(copy + "console", encoding="ascii") as file:
                self.assertEqual(file.read(), "somebody's")
            self.assertEqual(set(os.listdir(machine.folder)) - before - {"state", "run"},
                             {os.path.basename(copy) + "console"})


class Plans(unittest.TestCase):
    def test_a_plan_says_where_the_vm_listens(self):
        for password, words in (("", ": whoever connects there needs no password"), (",password=on", "")):
            with Machine(*DISK, "-vnc", "127.0.0.1:41" + password) as machine:
                said, status = say(machine, "-n")
                self.assertEqual(status, 0, said)
                self.assertIn("QEMU listens at 127.0.0.1, a port from 5941 to 5999 (-vnc)" + words,
                              " ".join(said.split()))


if __name__ == "__main__":
    unittest.main()
