#!/usr/bin/env python3
"""The report of a real move, as a browser shows it.

    test-report.py [UNITTEST ARGUMENTS]    needs chromium, and what test-move.py needs
"""

import collections
import json
import os
import re
import subprocess
import unittest

from browser import Browser, pixels
from moving import XMIG, Scene

# Where each of the timeline's bars is, in pixels from the chart's left edge, and what it is called.
BARS = """[...document.querySelectorAll('#timeline svg.chart > svg')].map(bar => {
    const box = bar.querySelector('rect').getBoundingClientRect();
    const chart = bar.closest('svg.chart').getBoundingClientRect();
    return {name: bar.querySelector('title').textContent.split(':')[0], y: box.top, left: box.left - chart.left,
            right: box.right - chart.left, width: chart.width}; })"""
# Whatever is shown, and sticks out of the window, or has letters that nobody can read.
WRONG = """[...document.querySelectorAll('body *')].filter(one => {
    const box = one.getBoundingClientRect();
    return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1 ||
        parseFloat(getComputedStyle(one).fontSize) < 11); }).map(one => one.outerHTML.slice(0, 100))"""
WITHOUT_A_NAME = """[...document.querySelectorAll('svg[role=img]')].filter(one =>
    !one.querySelector(':scope > title') || !one.querySelector(':scope > desc')).length"""


def brightness(colour):
    return sum(colour) / 765


class Report(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scene = Scene(disks=1, memory=96)
        cls.addClassCleanup(cls.scene.__exit__)
        cls.scene.__enter__()
        cls.result, _ = cls.scene.send()
        cls.pages = {}
        for side in "source", "target":
            cls.pages[side] = os.path.join(cls.scene.folder, side + ".html")
            cls.scene.xmig(side, "report", "--output", cls.pages[side])
        cls.scene.end_everything()  # the guest would take the browser's time
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.__exit__)
        cls.browser.__enter__()

    def show(self, width=1600, scheme="light", side="source"):
        self.browser.complaints.clear()
        self.browser.show(self.pages[side], width, scheme)

    def test_is_one_file_without_a_script(self):
        with open(self.pages["source"], encoding="utf-8") as file:
            text = file.read()
        self.assertNotIn("<script", text)
        self.assertEqual(re.findall(r"(?:src|href)\s*=\s*\"(?!data:,)|url\(|@import", text), [])

    def test_fits_every_screen_and_the_browser_does_not_complain(self):
        for width in 400, 1600:
            for scheme in "light", "dark":
                with self.subTest(width=width, scheme=scheme):
                    self.show(width, scheme)
                    self.assertEqual(self.browser.value(WRONG), [])
                    self.assertLessEqual(self.browser.value("document.documentElement.scrollWidth"), width)
                    self.assertEqual(self.browser.complaints, [])
                    self.assertEqual(self.browser.value(WITHOUT_A_NAME), 0)

    def test_is_light_in_the_light_and_dark_in_the_dark(self):
        for scheme, is_right in ("light", lambda b: b > 0.9), ("dark", lambda b: b < 0.15):
            with self.subTest(scheme=scheme):
                self.show(800, scheme)
                seen = collections.Counter(pixels(self.browser.picture(0.3)))
                (first, most), _ = seen.most_common(2)
                self.assertTrue(is_right(brightness(first)), first)
                self.assertGreater(most, sum(seen.values()) * 0.3)
                ink = sum(count for colour, count in seen.items() if abs(brightness(colour) - brightness(first)) > 0.3)
                self.assertGreater(ink, sum(seen.values()) * 0.01)
                self.assertGreater(len(seen), 100)
                # the pause is pink, where the VM runs is green
                self.assertTrue(any(r > g + 80 and r > 180 and b > g for r, g, b in seen))
                self.assertTrue(any(g > r + 60 and g > b + 30 for r, g, b in seen))

    def test_both_hosts_are_on_one_clock(self):
        for side in "source", "target":
            with self.subTest(side=side):
                self.show(side=side)
                bars = self.browser.value(BARS)
                rows = [[bar for bar in bars if bar["y"] == y] for y in sorted({bar["y"] for bar in bars})]
                names = ["params-copy", "qemu-defer-start", "drive-mirror", "block-ready-wait", "ram-stream",
                         "incoming-resume"]
                self.assertEqual([[bar["name"] for bar in row] for row in rows], [names, names])
                for here, there in zip(*rows):
                    self.assertAlmostEqual(here["left"], there["left"], delta=here["width"] * 0.1)
                for before, after in zip(rows[0], rows[0][1:]):
                    self.assertAlmostEqual(before["right"], after["left"], delta=here["width"] * 0.03)
                self.assertIn("compared during the move",
                              self.browser.value("document.querySelector('#timeline').textContent"))

    def test_the_pause_is_split_to_the_millisecond(self):
        self.show()
        rows = self.browser.value("[...document.querySelectorAll('#pause tbody tr')].map(row => "
                                  "[...row.cells].map(cell => cell.firstChild && cell.firstChild.textContent))")
        parts = {row[0]: int(row[2].split()[0]) for row in rows if row[2]}
        records = [row[0] for row in rows if not row[2]]
        self.assertEqual(set(parts), {"pause", "drain", "ram", "handshake", "resume"})
        self.assertAlmostEqual(sum(parts.values()), self.result["downtime_ms"],
                               delta=100 + self.result["downtime_ms"] * 0.3)
        self.assertEqual(records[:5], ["PREPARED", "COMMIT", "OWNED", "RESUMING", "RUNNING"])
        self.assertIn(records[5:], ([], ["DONE"]))  # at once with the pause's end
        big = self.browser.value("document.querySelector('#pause .big').textContent")
        self.assertAlmostEqual(int(re.match("[0-9]+", big)[0]), self.result["downtime_ms"], delta=20)

    def test_every_disk_and_ram_has_curves_and_numbers(self):
        self.show()
        series = self.browser.value("[...document.querySelectorAll('.series')].map(one => "
                                    "[one.querySelector('h3').textContent, one.querySelectorAll('path').length, "
                                    "one.querySelectorAll('tbody tr').length])")
        self.assertEqual([one[0] for one in series], ["disk/virtio0", "ram"])
        for _, paths, rows in series:
            self.assertGreaterEqual(paths, 5)
            self.assertGreaterEqual(rows, 1)

    def test_a_page_can_be_made_while_the_vm_moves(self):
        scene = self.scene
        environment = {**os.environ, **scene.environment("source")}
        process = subprocess.Popen(
            [XMIG, "send", "--simulate", "--json", "web,disks=1,disk-size=1G", "local:", "--remote-path", XMIG],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
        try:
            for line in process.stdout:
                if json.loads(line)["type"] == "progress":
                    break
            page = os.path.join(scene.folder, "under-way.html")
            told = scene.xmig("source", "report", "web", "--json", "--output", page)
            self.assertEqual(told.returncode, 0, told.stdout)
            self.browser.show(page, 400, "light")
            self.assertEqual(self.browser.value("document.querySelector('.badge').textContent"), "no result yet")
            self.assertEqual(self.browser.value(WRONG), [])
        finally:
            process.terminate()
            process.communicate(timeout=60)


if __name__ == "__main__":
    unittest.main()
