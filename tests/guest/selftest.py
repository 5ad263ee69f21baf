#!/usr/bin/env python3
"""Shows that the test guest and its verifiers find what they are there to find.

    selftest.py [OUT_DIR]    OUT_DIR is where the guest is, or will be, built

The heartbeat is tested on sockets of the test's own, the rest on a real guest.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from heartbeat import Broken, Watch

HERE = os.path.dirname(os.path.abspath(__file__))
BLOCK = 4096
out_dir = os.path.join(HERE, "../../build/guest")


class Heartbeat(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.paths = [os.path.join(self.folder, name) for name in ("source", "destination")]
        self.listeners = [self.listen(path) for path in self.paths]
        self.watch = Watch(*self.paths)
        self.source, self.destination = [sock.accept()[0] for sock in self.listeners]

    def tearDown(self):
        self.watch.close()
        for sock in (*self.listeners, self.source, self.destination):
            sock.close()
        shutil.rmtree(self.folder)

    @staticmethod
    def listen(path):
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(path)
        sock.listen()
        return sock

    def say_at_source(self, text):
        """Also waits until it has been heard: the last line must be whole."""
        self.source.sendall(b"cut off\n" + text)
        count = text.count(b"\n")
        self.assertTrue(self.watch.wait_until(lambda: self.watch.count >= count, 10))

    def assert_broken(self, why, wait, *args, timeout_s=10):
        self.assertRaisesRegex(Broken, why, wait, *args, timeout_s=timeout_s)

    def test_joins_a_line_that_the_move_has_cut_in_two(self):
        self.say_at_source(b"H 7 70 5 3\nH 8 8")
        self.destination.sendall(b"0 6 4\nH 9 90 6 4\nH 10 100 6 4\n")
        self.assertGreaterEqual(self.watch.wait_move(timeout_s=10), 0)
        self.assertEqual(self.watch.beat[:4], (10, 100, 6, (4,)))
        self.assertEqual(self.watch.moves, 1)

    def test_notices_a_heartbeat_lost_in_the_move(self):
        self.say_at_source(b"H 7 70 5 3\n")
        self.destination.sendall(b"H 9 90 6 4\n")
        self.assert_broken("does not follow", self.watch.wait_move)

    def test_notices_an_acknowledged_write_that_is_taken_back(self):
        self.say_at_source(b"H 7 70 5 3\n")
        self.destination.sendall(b"H 8 80 5 2\n")
        self.assert_broken("does not follow", self.watch.wait_move)

    def test_notices_a_source_that_runs_on(self):
        self.say_at_source(b"H 7 70 5 3\n")
        self.destination.sendall(b"H 8 80 5 3\nH 9 90 5 3\nH 10 100 5 3\n")
        self.watch.wait_move(timeout_s=10)
        self.source.sendall(b"H 8 80 5 3\n")
        self.assert_broken("two guests", self.watch.wait_until, lambda: False)

    def test_notices_silence(self):
        self.say_at_source(b"H 7 70 5 3\n")
        self.assert_broken("waited 0.1 s for 1 heartbeat", self.watch.wait_beats, 1, timeout_s=0.1)

    def test_notices_a_guest_that_says_it_is_broken(self):
        self.say_at_source(b"H 7 70 5 3\n")
        self.source.sendall(b"FAIL disk 0: write 9: Input/output error\n")
        self.assert_broken("FAIL disk 0", self.watch.wait_beats, 1)


class Guest(unittest.TestCase):
    """A paused guest with 300 writes on its disk; each test repairs what it has damaged."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.image = os.path.join(cls.folder, "disk0.raw")
        subprocess.run([os.path.join(HERE, "start"), "selftest", cls.folder, "--guest", out_dir,
                        "--disk-load", "4,0,8", "--ram-load", "16,4,text"],
                       check=True, stdout=subprocess.DEVNULL)
        with open(os.path.join(cls.folder, "pid"), encoding="ascii") as file:
            cls.pid = int(file.read())
        cls.watch = Watch(os.path.join(cls.folder, "heartbeat"))
        cls.addClassCleanup(cls.end)
        cls.watch.wait_beats(1)
        cls.watch.ask("burst 300")
        cls.watch.wait_until(lambda: cls.watch.beat.acked == (300,), 60)
        cls.watch.ask("pause")

    @classmethod
    def end(cls):
        cls.watch.close()
        os.kill(cls.pid, signal.SIGTERM)
        while os.path.exists(f"/proc/{cls.pid}"):
            time.sleep(0.05)
        shutil.rmtree(cls.folder)

    def tearDown(self):
        self.doCleanups()
        self.assertEqual(self.watch.ask("verify"), "V ok")
        self.assertEqual(self.blkverify()[0], 0)

    def blkverify(self, disk=0, acked=300):
        done = subprocess.run([os.path.join(out_dir, "blkverify"), self.image, str(disk), "4",
                               str(acked)], stdout=subprocess.PIPE, text=True, check=False)
        return done.returncode, done.stdout

    def written_blocks(self):
        with open(self.image, "rb") as file:
            data = file.read(4 << 20)
        return [i for i in range(len(data) // BLOCK) if data[i * BLOCK:].startswith(b"xmig-blk")]

    def overwrite(self, path, offset, data):
        """For the rest of the test."""
        with open(path, "r+b", buffering=0) as file:
            file.seek(offset)
            before = file.read(len(data))
        self.write(path, offset, data)
        self.addCleanup(self.write, path, offset, before)

    @staticmethod
    def write(path, offset, data):
        with open(path, "r+b", buffering=0) as file:
            file.seek(offset)
            file.write(data)

    def test_is_content_with_what_it_wrote(self):
        self.assertEqual(self.watch.ask("verify"), "V ok")
        self.assertEqual(self.blkverify()[0], 0)

    def test_finds_a_torn_block(self):
        block = self.written_blocks()[7]
        self.overwrite(self.image, block * BLOCK + 512, bytes(512))
        self.assertRegex(self.watch.ask("verify"), f"^V FAIL disk 0: block {block} is torn")
        self.assertRegex(self.blkverify()[1], f"^block {block}: torn")
        self.assertEqual(self.blkverify()[0], 1)

    def test_finds_a_write_that_is_missing(self):
        block = self.written_blocks()[7]
        self.overwrite(self.image, block * BLOCK, bytes(BLOCK))
        self.assertRegex(self.watch.ask("verify"), f"^V FAIL disk 0: block {block} holds write 0 instead of")
        self.assertRegex(self.blkverify()[1], f"^block {block}: stale, holds write 0 ")
        self.assertEqual(self.blkverify()[0], 1)
        self.assertEqual(self.blkverify(acked=0)[0], 0)

    def test_finds_a_block_of_another_place_or_disk(self):
        one, other = self.written_blocks()[7:9]
        with open(self.image, "rb") as file:
            file.seek(other * BLOCK)
            self.overwrite(self.image, one * BLOCK, file.read(BLOCK))
        self.assertRegex(self.blkverify()[1], f"^block {one}: is block {other} of disk 0")
        self.assertEqual(self.blkverify()[0], 1)
        self.assertRegex(self.watch.ask("verify"), f"^V FAIL disk 0: block {one} is another's")
        self.assertRegex(self.blkverify(disk=1)[1], "^block [0-9]*: is block [0-9]* of disk 0")

    def test_finds_a_changed_page_of_memory(self):
        memory = f"/proc/{self.pid}/mem"
        self.overwrite(memory, self.find_page(memory) + 100, b"!")
        self.assertRegex(self.watch.ask("verify"), "^V FAIL ram: 1 of 4096 pages")

    def find_page(self, memory):
        """The address, in QEMU, of a page of the guest's text."""
        text = re.compile(rb"(?:[a-z ]{8}[0-9a-f]{8}){256}")
        with open(f"/proc/{self.pid}/maps", encoding="ascii") as maps, open(memory, "rb") as file:
            for start, end in re.findall(r"(?m)^(\w+)-(\w+) rw-", maps.read()):
                start, end = int(start, 16), int(end, 16)
                if end - start < 256 << 20:  # less than all of the guest's memory
                    continue
                for address in range(start, end, BLOCK):
                    file.seek(address)
                    if text.fullmatch(file.read(BLOCK)):
                        return address
        return self.fail("no page of the guest's text is in QEMU's memory")


if __name__ == "__main__":
    if len(sys.argv) == 2 and not sys.argv[1].startswith("-"):
        out_dir = sys.argv.pop()
    unittest.main(verbosity=2)
