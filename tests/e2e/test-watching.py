#!/usr/bin/env python3
"""A move over TLS, watched and steered on both hosts: status, limit, cancel, report, and its trace.

    test-watching.py [UNITTEST ARGUMENTS]     needs build/release/xmig; no guest is needed
"""

import importlib
import json
import os
import subprocess
import tempfile
import time
import unittest

import folders
from authority import Listener
from moving import XMIG

traces = importlib.import_module("test-trace")

SOON = 60
MIB = 1 << 20


def until(condition, what):
    end = time.monotonic() + SOON
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"still waiting for {what}")
        time.sleep(0.05)


class Watching(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="xmig-watching-")
        self.addCleanup(folders.remove, self.folder)
        for side, other in ("source", "target"), ("target", "source"):
            self.xmig(side, "keys", "init")
            self.xmig(other, "keys", "trust", self.fingerprint(side), side)
        with open(os.path.join(self.environment("target")["XMIG_CONFIG_DIR"], "recv.conf"), "w",
                  encoding="ascii") as file:
            file.write("[source]\nvms = *\nhypervisors = simulated\nimage-directories = /simulated\n")
        self.listener = Listener(XMIG, self.environment("target"), os.path.join(self.folder, "listen.log"))
        self.addCleanup(self.listener.process.wait)
        self.addCleanup(self.listener.process.kill)

    def environment(self, side):
        return {**os.environ, "LC_ALL": "C", **{f"XMIG_{kind}_DIR": os.path.join(self.folder, side, kind.lower())
                                                for kind in ("STATE", "RUNTIME", "CONFIG")}}

    def xmig(self, side, *words, status=0):
        done = subprocess.run([XMIG, *words], env=self.environment(side), stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=2 * SOON)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout + " ".join(done.stderr.split())

    def fingerprint(self, side):
        return self.xmig(side, "keys", "show").split("this host")[1].split()[0]

    def start(self, vm, *options, **environment):
        run = subprocess.Popen([XMIG, "send", "--simulate", "--json", vm, f"tls://localhost:{self.listener.port}",
                                *options], env={**self.environment("source"), **environment}, text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(run.stdout.close)
        self.addCleanup(run.wait)
        self.addCleanup(run.kill)
        return run

    def result(self, run):
        return json.loads(run.communicate(timeout=2 * SOON)[0].splitlines()[-1])

    def status(self, side):
        """Of the only move, or None."""
        lines = [json.loads(line) for line in self.xmig(side, "status", "--json").splitlines() if line[0] == "{"]
        return next((line for line in lines if line["type"] == "status"), None)

    def done(self, side):
        told = self.status(side)
        return told["transfers"][0]["done"] if told and told["transfers"] else 0

    def is_slow(self):
        before, at = self.done("source"), time.monotonic()
        until(lambda: time.monotonic() - at > 1, "a second")
        return self.done("source") - before < MIB

    def test_a_move_that_began_without_a_limit_gets_one_and_is_called_off_at_the_target(self):
        run = self.start("demo,disks=1,disk-size=4G,ram=64K")
        until(lambda: self.done("source"), "the first bytes")
        self.assertIn("at most 64.0 KiB/s", self.xmig("source", "limit", "demo", "64K"))
        self.assertIn("the source limits what it sends", self.xmig("target", "limit", "demo", "1M", status=3))
        until(self.is_slow, "the limit")
        until(lambda: self.done("target"), "the target to be told")
        for side in "source", "target":
            told = self.status(side)
            self.assertEqual((told["stage"], told["max_downtime_ms"]), ("block-ready-wait", 100))
        self.xmig("source", "limit", "demo", "0")
        until(lambda: not self.is_slow(), "no limit any more")
        self.assertIn("the VM stayed", self.xmig("target", "cancel", "demo"))
        self.assertEqual((self.result(run)["where"], run.returncode), ("source", 4))

    def test_both_hosts_have_the_report_and_the_trace_and_what_went_between_them(self):
        trace = os.path.join(self.folder, "trace.json")
        with traces.Collector() as collector:
            result = self.result(self.start("demo,disks=1,disk-size=1M,ram=1M", "--trace", trace,
                                            OTEL_EXPORTER_OTLP_ENDPOINT=collector.address))
            self.assertEqual(result["outcome"], "done", result)
            sides = collector.spans()
        for spans in sides.values():
            self.assertEqual([span["name"] for span in spans if traces.kind(span) == "stage"], traces.STAGES)
        with open(trace, encoding="utf-8") as file:
            self.assertEqual({event["pid"] for event in json.load(file)["traceEvents"]}, {1, 2})
        sent = {one["subject"]: one["sent"] for one in result["transfers"]}
        self.assertEqual(set(sent), {"disk/vda", "ram"})
        for each in sent.values():
            self.assertTrue(MIB <= each < 1.1 * MIB, sent)
        for side in "source", "target":
            page = os.path.join(self.folder, side + ".html")
            self.xmig(side, "report", "--output", page)
            with open(page, encoding="utf-8") as file:
                text = file.read()
            self.assertIn("block-ready-wait", text)
            self.assertIn("on the wire", text)


if __name__ == "__main__":
    unittest.main()
