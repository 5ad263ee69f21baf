#!/usr/bin/env python3
"""What a move tells those who collect traces: a file for Perfetto, and OTLP for a collector.

    test-trace.py [UNITTEST ARGUMENTS]     needs build/release/xmig
"""

import http.server
import json
import os
import socket
import subprocess
import tempfile
import threading
import unittest

import folders
from moving import XMIG

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
STAGES = ["params-copy", "qemu-defer-start", "drive-mirror", "block-ready-wait", "ram-stream", "incoming-resume"]


class Collector:
    """An HTTP server that keeps what it is told; use it with `with`."""

    def __init__(self, status=200):
        taken = self.taken = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                taken.append((self.path, dict(self.headers), json.loads(body)))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def spans(self):
        """Of both hosts: side → spans."""
        sides = {}
        for resource in self.taken[0][2]["resourceSpans"]:
            of = {one["key"]: one["value"]["stringValue"] for one in resource["resource"]["attributes"]}
            sides[of["xmig.side"]] = resource["scopeSpans"][0]["spans"]
        return sides


def kind(span):
    return next(one["value"]["stringValue"] for one in span["attributes"] if one["key"] == "xmig.kind")


def length(span):
    return int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"])


class Trace(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="xmig-trace-")
        self.addCleanup(folders.remove, self.folder)
        self.file = os.path.join(self.folder, "trace.json")

    def send(self, *options, size="1M", **environment):
        places = [f"XMIG_{kind}_DIR={self.folder}/{kind}" for kind in ("STATE", "RUNTIME")]
        done = subprocess.run(
            [XMIG, "send", "--simulate", "--json", f"web,disks=1,disk-size={size},ram=1M", "local:", "--remote-path",
             " ".join(["env", *places, XMIG]), *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            stdin=subprocess.DEVNULL, timeout=60, check=False,
            env={**os.environ, **dict(place.split("=", 1) for place in places), **environment})
        return done, json.loads(done.stdout.splitlines()[-1])

    def assert_moved(self, done, result):
        self.assertEqual((done.returncode, result["type"], result["outcome"]), (0, "result", "done"), done.stderr)

    def test_the_stages_fill_the_whole_time(self):
        done, result = self.send("--trace", self.file, size="8M")
        self.assert_moved(done, result)
        with open(self.file, encoding="utf-8") as file:
            events = json.load(file)["traceEvents"]
        spans = [event for event in events if event["ph"] == "X" and event["pid"] == 1]
        parts = [event for event in spans if event["cat"] in ("stage", "between")]
        self.assertEqual([event["name"] for event in parts if event["cat"] == "stage"], STAGES)
        wall = result["elapsed_ms"] * 1000
        self.assertAlmostEqual(sum(event["dur"] for event in parts), wall, delta=wall * 0.01)
        for before, after in zip(parts, parts[1:]):
            self.assertEqual(before["ts"] + before["dur"], after["ts"])
        there = [event["name"] for event in events if event["ph"] == "X" and event["pid"] == 2]
        self.assertEqual([name for name in there if name in STAGES], STAGES)
        records = [event["name"] for event in events if event["ph"] == "i" and event["cat"] == "record"]
        self.assertEqual(records[:5], ["PAUSING", "PREPARED", "COMMIT", "OWNED", "RESUMING"])
        self.assertEqual(sorted(records[5:]), ["CLOSED", "CLOSED", "DONE", "RUNNING"])  # within a millisecond

    def test_both_hosts_are_in_the_trace_that_the_environment_names(self):
        with Collector() as collector:
            done, result = self.send(OTEL_EXPORTER_OTLP_ENDPOINT=collector.address + "/",
                                     OTEL_EXPORTER_OTLP_HEADERS="authorization=Basic%20eA==,x-two=2",
                                     TRACEPARENT=f"00-{TRACE}-{PARENT}-01")
            self.assert_moved(done, result)
            self.assertEqual(len(collector.taken), 1)
            path, headers, _ = collector.taken[0]
            self.assertEqual((path, headers["Content-Type"], headers["authorization"], headers["x-two"]),
                             ("/v1/traces", "application/json", "Basic eA==", "2"))
            sides = collector.spans()
        every = sides["send"] + sides["recv"]
        self.assertEqual({span["traceId"] for span in every}, {TRACE})
        self.assertEqual(len({span["spanId"] for span in every}), len(every))
        root = sides["send"][0]
        self.assertEqual((root["name"], root["parentSpanId"]), ("xmig send", PARENT))
        self.assertLessEqual({span["parentSpanId"] for span in every[1:]}, {span["spanId"] for span in every})
        for spans in sides.values():
            self.assertEqual([span["name"] for span in spans if kind(span) == "stage"], STAGES)
        whole = sum(length(span) for span in sides["send"] if kind(span) in ("stage", "between"))
        self.assertAlmostEqual(whole, length(root), delta=length(root) * 0.01)

    def test_a_whole_address_for_traces_is_taken_as_it_is(self):
        with Collector() as collector:
            self.send(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=collector.address + "/mine",
                      OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
            self.assertEqual([path for path, *_ in collector.taken], ["/mine"])

    def test_a_move_that_fails_is_told_as_an_error(self):
        with Collector() as collector:
            done, _ = self.send("--fault", "drive-mirror:end:recv", OTEL_EXPORTER_OTLP_ENDPOINT=collector.address,
                                TRACEPARENT="nonsense")
            self.assertEqual(done.returncode, 4)
            root = collector.spans()["send"][0]
        self.assertEqual(root["status"]["code"], 2)
        self.assertIn("--fault", root["status"]["message"])
        self.assertNotIn("parentSpanId", root)

    def test_no_collector_keeps_a_move_from_its_result(self):
        with socket.create_server(("127.0.0.1", 0)) as silent, Collector(500) as failing:
            for address in ("http://127.0.0.1:1", f"http://127.0.0.1:{silent.getsockname()[1]}", failing.address,
                            "nonsense://x"):
                with self.subTest(address=address):
                    done, result = self.send(OTEL_EXPORTER_OTLP_ENDPOINT=address, OTEL_EXPORTER_OTLP_TIMEOUT="300")
                    self.assert_moved(done, result)
                    self.assertIn("did not take the trace", done.stderr)

    def test_a_file_that_cannot_be_written_ends_it_before_it_begins(self):
        done, result = self.send("--trace", "/nowhere/trace.json")
        self.assertEqual((done.returncode, result["outcome"]), (1, "local-error"), done.stderr)
        self.assertIn("/nowhere/trace.json", done.stderr)


if __name__ == "__main__":
    unittest.main()
