#!/usr/bin/env python3
"""What becomes of images, and of what is around the data, when a VM moves. Needs no guest.

    test-images.py [UNITTEST ARGUMENTS]      needs build/release/xmig and QEMU
"""

import unittest

from idle import Scene

TIB = 1 << 40


class Images(unittest.TestCase):
    def assert_moved(self, outcome):
        text, result, status = outcome
        self.assertEqual((status, result and result["where"]), (0, "target"), text)


class LargeDisks(Images):
    """A target that is zeroed in full takes QEMU 7.2 longer than a minute, and a table for each 512 MiB."""

    def move(self, scene, *drive):
        scene.start(*drive)
        self.assert_moved(scene.send())

    def assert_next_to_nothing_is_written(self, path, size):
        self.assertLess(Scene.allocated(path), size // 4000)
        self.assertEqual(Scene.info(path)["virtual-size"], size)

    def test_an_empty_disk_of_8_tib_moves(self):
        with Scene() as scene:
            self.move(scene, *scene.drive(scene.image("d.qcow2", "8T")))
            self.assert_next_to_nothing_is_written(scene.path("b-d.qcow2"), 8 * TIB)

    def test_an_empty_raw_disk_of_256_gib_moves(self):
        with Scene() as scene:
            self.move(scene, *scene.drive(scene.image("d.raw", "256G", "raw"), "raw"))
            self.assert_next_to_nothing_is_written(scene.path("b-d.raw"), TIB // 4)

    def test_an_empty_disk_that_lies_on_another_moves(self):
        with Scene() as scene:
            scene.image("base.qcow2", "64G")
            overlay = scene.image("d.qcow2", "64G", "qcow2", "-b", scene.path("base.qcow2"), "-F", "qcow2")
            self.move(scene, *scene.drive(overlay))
            self.assert_next_to_nothing_is_written(scene.path("b-d.qcow2"), TIB // 16)


if __name__ == "__main__":
    unittest.main(verbosity=2)
