#!/usr/bin/env python3
"""A machine without Xen, and the journal of a move of a Xen guest: without-xen.py PROGRAM"""
import hashlib
import json
import os
import subprocess
import sys
import tempfile

ID = "0123456789abcdef"
SPACE = 65536  # a journal's file is as long as all that can follow


def write_journal(state, machine):
    """BEGIN and PAUSING of a sender, as core/journal.c writes them."""
    os.makedirs(f"{state}/{ID}", 0o700)
    checksum, lines = f"{ID}/send", b""
    for seq, record in enumerate(("BEGIN", "PAUSING"), 1):
        facts = {"host": "xen", "dest": "local:", "source_vm": "web", "vm": "web", "token": "0" * 32,
                 "mirrors_disks": True} if record == "BEGIN" else {}
        text = json.dumps({"seq": seq, "record": record, "time": "2026-01-01T00:00:00.000Z",
                           "machine": machine, "boot": "none", "pid": 1, **facts}, separators=(",", ":"))
        checksum = hashlib.sha256((checksum + text).encode()).hexdigest()[:16]
        lines += f"{checksum} {text}\n".encode()
    path = f"{state}/{ID}/send.journal"
    with open(path, "wb") as file:
        file.write(lines.ljust(SPACE, b"\0"))
    return path


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as state:
        with open("/etc/machine-id", encoding="ascii") as file:
            path = write_journal(state, file.read().strip())
        before = open(path, "rb").read()
        environ = dict(os.environ, XMIG_STATE_DIR=state, XMIG_RUNTIME_DIR=f"{state}/run")
        os.mkdir(f"{state}/run", 0o700)
        done = subprocess.run([program, "recover", ID], env=environ, check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        print(done.stdout, f"exit {done.returncode}")
        assert "this machine is not a Xen host" in done.stdout, "the cause is named"
        assert done.returncode == 6, "undecided"
        assert open(path, "rb").read() == before, "the journal is as it was"


if __name__ == "__main__":
    main()
