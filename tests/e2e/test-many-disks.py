#!/usr/bin/env python3
"""A VM of many disks moves with one login, or is refused before anything is touched.

    test-many-disks.py [UNITTEST ARGUMENTS]      needs build/release/xmig; no guest is needed
"""

import os
import unittest

from moving import Hypervisor
from ssh_scene import Scene


class ManyDisks(unittest.TestCase):
    def moves(self, disks, *configuration):
        with Scene(disks, *configuration) as scene:
            status, output = scene.send()
            self.assertEqual(status, 0, output)
            self.assertEqual(scene.logins(), 1, output)
            self.assertTrue(scene.moved())
            self.assertNotIn("refused", output)

    def test_fourteen_disks_move_with_one_login_where_sshd_is_as_installed(self):
        self.moves(14)

    def test_twenty_four_disks_move_with_one_login(self):
        self.moves(24)

    def test_few_disks_move_where_hardly_a_session_is_permitted(self):
        self.moves(2, "MaxSessions 2")

    def test_many_disks_move_without_forwarding_where_there_are_sessions_enough(self):
        self.moves(14, "DisableForwarding yes", "MaxSessions 20")

    def test_where_it_cannot_be_done_nothing_is_touched_and_the_setting_is_named(self):
        with Scene(14, "AllowStreamLocalForwarding no") as scene:
            status, output = scene.send()
            self.assertEqual(status, 3, output)
            self.assertIn("MaxSessions 17", output)
            self.assertIn("permits 10 in one login", output)
            self.assertEqual(scene.logins(), 1, output)
            self.assertEqual(Hypervisor(scene.folder + "/qmp").state(), "running")
            self.assertFalse([name for name in os.listdir(scene.folder) if name.startswith(scene.target)])


if __name__ == "__main__":
    unittest.main()
