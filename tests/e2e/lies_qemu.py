"""What a target can do to a real QEMU at the source: rows as in lies.py, whose VM is a QEMU without a guest."""

import hashlib
import importlib
import os

from lies import ABSENT, ESC, gives_up, lane_says, leave, only_alive, other, silent
from receiver import Door, Receiver, Run, Wrong
from wire import frame

DISK = ("-drive", "file=%/disk,format=raw,if=none,id=vda", "-device", "virtio-blk-pci,drive=vda")
SIZE = 4 << 20
REPLY, OPTION = 0x3e889045565a9, 8 + 4 + 4
SOON = ("--deadline", "6s")
ACK, INFO, UNKNOWN = 1, 3, 0x80000001
INPUT_OUTPUT = 5


def negotiate(connection, size):
    """As an NBD server, until the client has asked for the export; its size is what we say."""
    connection.write(b"NBDMAGICIHAVEOPT\0\x03")
    connection.read_bytes(4)
    while True:
        head = connection.read_bytes(OPTION)
        option = head[8:12]
        connection.read_bytes(int.from_bytes(head[12:], "big"))

        def reply(kind, data=b"", option=option):
            connection.write(REPLY.to_bytes(8, "big") + option + kind.to_bytes(4, "big") + len(data).to_bytes(4, "big") + data)
        if int.from_bytes(option, "big") not in (6, 7):
            reply(UNKNOWN)
            continue
        reply(INFO, b"\0\0" + size.to_bytes(8, "big") + b"\0\x05")
        reply(ACK)
        if option[3] == 7:
            return


def nbd(size, error=0, other_cookie=False, answers=True):
    def lie(_, connection, __):
        negotiate(connection, size)
        while True:
            head = connection.read_bytes(28)
            cookie, length = head[8:16], int.from_bytes(head[24:], "big")
            kind = int.from_bytes(head[6:8], "big")
            if kind == 1:
                connection.read_bytes(length)
            if answers:
                connection.write(b"\x67\x44\x66\x98" + error.to_bytes(4, "big") + (bytes(8) if other_cookie else cookie) +
                                 (bytes(length) if kind == 0 and not error else b""))
    return lie


def disk(lie, **more):
    return {"lane disk/vda": lie, **more}


GOOD = nbd(SIZE)
ROWS = [
    ("the disk's lane closes", disk(leave), 4, "vda", ()),
    ("the disk's lane speaks HTTP", disk(lane_says(b"HTTP/1.1 200 OK\r\n\r\n")), 4, "vda", SOON),
    ("the disk's lane is silent", disk(silent), 4, "vda|not over within", SOON),
    ("the disk's lane floods", disk(lane_says(os.urandom(65536), 1000)), 4, "vda", SOON),
    ("the disk has no bytes there", disk(nbd(0)), 4, "vda|not over within", SOON),
    ("the disk is a sector there", disk(nbd(512)), 4, "vda|not over within", SOON),
    ("the disk is of 4 EiB there", disk(nbd(1 << 62)), 4, "vda|not over within", SOON),
    ("the disk is of 2^64 bytes there", disk(nbd((1 << 64) - 1)), 4, "vda|not over within", SOON),
    ("the disk takes no write", disk(nbd(SIZE, error=INPUT_OUTPUT)), 4, "vda|not over within", SOON),
    ("the disk answers another's write", disk(nbd(SIZE, other_cookie=True)), 4, "vda|not over within", SOON),
    ("the disk answers no write", disk(nbd(SIZE, answers=False)), 4, "vda|not over within", SOON),
    ("RAM's lane closes", disk(GOOD, **{"lane ram": leave}), 4, "ram-stream", SOON),
    ("RAM's lane takes nothing", disk(GOOD, **{"lane ram": silent}), 4, "ram-stream|not over within", SOON),
    ("RAM's lane answers with rubbish", disk(GOOD, **{"lane ram": lane_says(b"\xff" * 5000)}), 4, "ram-stream|not over within", SOON),
    ("RAM's lane says that all is there", disk(GOOD, **{"lane ram": lane_says(b"\0\x01\0\x04\0\0\0\0" * 3)}), 4,
     "ram-stream|not over within", SOON),
    ("it never takes the VM that it has", disk(GOOD, **{"lane ram": silent, "done drive-mirror": only_alive}), 4, "not over within", SOON),
    ("another protocol", {"hello": other(protocol=9, version=ESC)}, 3, "speaks protocol 9", ()),
    ("no ticket", {"hello": other(ticket=ABSENT)}, 1, "ticket", ()),
    ("it gives up and moves the cursor", disk(GOOD, **{"done drive-mirror": gives_up(text=ESC)}), 4, r"\\x1b\[2K", ()),
    ("a plan that moves the cursor", {"checked": other(plan=[{"stage": "params-copy", "text": ESC}])}, 0, r"\\x1b\[2K", ("-n",)),
    ("it closes in the middle", disk(GOOD, **{"done drive-mirror": leave}), 4, "lost the connection", ()),
    ("'ready' before anything", disk(GOOD, **{"done drive-mirror": lambda _, connection, __: connection.write(
        frame({"type": "ready"}))}), 4, "not permitted", ()),
]


def rows():
    for name, *rest in ROWS:
        yield "QEMU: " + name, *rest


def content(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def attempt(told, options, limit_s):
    """The run, when what must hold has held: QEMU says that its VM runs, and its disk is as before."""
    machine_module = importlib.import_module("test-machine")
    with machine_module.Machine(*DISK) as machine:
        before = content(machine.folder + "/disk")
        door = Door(machine.folder, Receiver(told))
        try:
            run = Run(["send", f"qemu:{machine.folder}/qmp", door.dest, *door.options, "--json", "-v", "--no-guardian", *options],
                      {**machine.environment, "ASAN_OPTIONS": "quarantine_size_mb=8"}, machine.folder, limit_s)
            run.check(limit_s)
        finally:
            door.close()
        if machine.source.state() != "running":
            raise Wrong(f"exit {run.status}, and QEMU says '{machine.source.state()}'")
        if content(machine.folder + "/disk") != before:
            raise Wrong("the disk has changed")
        if machine.other.ask("query-block-jobs"):
            raise Wrong("a mirror is left")
        return run
