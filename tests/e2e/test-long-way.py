#!/usr/bin/env python3
"""A VM moves over a long way: from one host to the other it takes a while, and each answer as long again.

    test-long-way.py [UNITTEST ARGUMENTS]      needs build/release/xmig; no guest is needed
"""

import re
import unittest

from long_way import LongWay, Stopwatch, Writer


class LongWays(unittest.TestCase):
    def downtime(self, output):
        """In seconds, as a person is told."""
        found = re.search(r"with ([0-9.]+) (m?)s of downtime", output)
        self.assertTrue(found, output)
        return float(found[1]) / (1000 if found[2] else 1)

    def test_twelve_disks_cost_the_guest_no_round_trip_each(self):
        """Neither while their lanes open, nor in the pause: to flush them one after the other would take 12 s."""
        with LongWay(0, 12) as scene, Stopwatch(scene) as watch:
            status, output = scene.send_late(500, "--max-pause", "60s")
            self.assertEqual(status, 0, output)
            self.assertLess(watch.longest_s(), 4, output)
            self.assertLess(self.downtime(output), 8, output)

    def test_a_disk_that_is_written_to_all_the_time_is_waited_for_no_longer(self):
        """With 300 writes a second there is always one under way for a round trip."""
        with LongWay(25, 1) as scene, Writer(scene, 300):
            status, output = scene.send("--deadline", "120s")
            self.assertEqual(status, 0, output)
            self.assertTrue(scene.moved())


if __name__ == "__main__":
    unittest.main()
