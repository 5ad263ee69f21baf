#!/usr/bin/env python3
"""Sends one line to the monitor of a QEMU and prints the answer: monitor.py QMP_SOCKET LINE"""
import json
import socket
import sys

TIMEOUT_S = 600


def main(path, line):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(TIMEOUT_S)
        sock.connect(path)
        stream = sock.makefile("rwb")

        def call(command, **arguments):
            request = {"execute": command, "arguments": arguments}
            stream.write(json.dumps(request).encode() + b"\n")
            stream.flush()
            for answer in map(json.loads, stream):
                if "event" not in answer:
                    return answer
            sys.exit("QEMU has closed its monitor")

        stream.readline()  # greeting
        call("qmp_capabilities")
        answer = call("human-monitor-command", **{"command-line": line})
        text = answer.get("return", answer.get("error", {}).get("desc", ""))
        sys.stdout.write(text)
        return 1 if "error" in answer or "Error" in text else 0


sys.exit(main(*sys.argv[1:]))
