"""What both sides say, built from docs/wire-protocol.md alone, so that a test can say it wrongly."""

import array
import copy
import json
import os
import socket
import struct
import time

PROTOCOL = 3
MESSAGE_MAX = 1024 * 1024
STAGES = ("params-copy", "qemu-defer-start", "drive-mirror", "block-ready-wait", "ram-stream", "incoming-resume")
ABSENT = object()  # as a member's value: the member is left out


class Silence(Exception):
    """The peer has neither spoken nor closed within the time."""


# ---- frames ----

def frame(message):
    """Of a message, or of bytes in place of its JSON."""
    body = message if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False).encode(
        "utf-8", "surrogateescape")
    return struct.pack(">I", len(body)) + body


def frames_of(data):
    """The messages in a recording's bytes; an incomplete last one is left out."""
    found, at = [], 0
    while len(data) - at >= 4:
        size, = struct.unpack(">I", data[at:at + 4])
        if len(data) - at - 4 < size:
            break
        found.append(json.loads(data[at + 4:at + 4 + size].decode("utf-8")))
        at += 4 + size
    return found


def changed(members, changes):
    """A copy of them; a change may name a member of a member, or an element: qemu__words__0."""
    whole = copy.deepcopy(members)
    for path, value in changes.items():
        *way, last = path.split("__")
        part = whole
        for step in way:
            part = part[int(step) if isinstance(part, list) else step]
        if value is ABSENT:
            del part[last]
        else:
            part[int(last) if isinstance(part, list) else last] = value
    return whole


# ---- messages ----

def new_id():
    return os.urandom(8).hex()


def sender_hello(**changes):
    """Of a move of a simulated VM; `intent="query"` asks instead."""
    return changed({"type": "hello", "protocol": PROTOCOL, "version": "0.1.0", "machine": "ab" * 16,
                    "features": ["look", "lz4"], "intent": "move", "id": new_id(), "token": "cd" * 16,
                    "host": "simulated", "stages": list(STAGES), "from": "mallory@elsewhere", "guardian": False,
                    "lease_ms": 1000, "alive_ms": 500, "lost_ms": 1500, "dry_run": False}, changes)


def receiver_hello(**changes):
    return changed({"type": "hello", "protocol": PROTOCOL, "version": "0.1.0", "machine": "ef" * 16,
                    "features": ["look", "lz4"], "ticket": "12" * 16, "door": "/nowhere/recv.sock"}, changes)


def simulated_params(disk_count=1, **changes):
    return changed({"type": "params", "name": "demo", "memory": 65536,
                    "disks": [{"name": f"vd{chr(97 + i)}", "size": 65536} for i in range(disk_count)]}, changes)


def qemu_params(folder, **changes):
    """As they arrive of a QEMU without a guest whose one raw disk is to become `folder`/b.raw."""
    image = os.path.join(folder, "b.raw")
    drive = "/machine/peripheral-anon/device[0]/virtio-backend"
    return changed({
        "type": "params", "name": "b", "memory": 67108864,
        "disks": [{"name": "v0", "size": 4194304, "allocated": 4096, "written": 4096,
                   "source": os.path.join(folder, "a.raw"), "image": image, "format": "raw", "bitmaps": [],
                   "unmaps": True, "mode": 0o644, "uid": 0, "gid": 0, "user": "root", "group": "root", "drive": "v0",
                   "qdev": drive, "node": ""}],
        "qemu": {"program": "qemu-system-x86_64", "machine": "pc-i440fx-7.2", "accelerator": "tcg", "major": 7,
                 "minor": 2, "uid": 0, "user": "root", "drops_privileges": False, "program_chosen": True,
                 "words": ["-name", "b", "-m", "64", "-nodefaults", "-display", "none", "-machine",
                           "pc-i440fx-7.2,accel=tcg", "-drive",
                           f"file={image},format=raw,if=virtio,id=v0,discard=unmap"],
                 "outputs": [], "sockets": [], "pidfiles": [], "searched": [], "audio": [], "bridges": [], "needs": [],
                 "ports": [], "slots": {}, "taps": [], "media": [],
                 "drives": [{"name": "v0", "device": "v0", "qdev": drive, "medium": False,
                             "limits": dict.fromkeys(("bps", "bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr"), 0)}]},
    }, changes)


# ---- a connection ----

class Connection:
    """Over a socket, of TLS or not. A peer that has gone is no error to who speaks."""

    def __init__(self, sock):
        self.socket = sock
        self.rest = b""
        self.heard = []  # all messages, in order
        self.ended = False

    def close(self):
        self.socket.close()

    def end(self):
        """No more from this side; the other may still speak."""
        try:
            # Of TCP alone: who reads on with Python's ssl cannot say TLS's own last word.
            with socket.socket(fileno=os.dup(self.socket.fileno())) as below:
                below.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def raw(self, data, timeout=10):
        """False: the peer has gone, or takes no more."""
        self.socket.settimeout(timeout)
        try:
            self.socket.sendall(data)
        except OSError:
            return False
        return True

    def send(self, *messages):
        """Each a message, or bytes in place of its JSON."""
        return self.raw(b"".join(frame(message) for message in messages))

    def say(self, said, **members):
        return self.send({"type": said, **members})

    def take(self, size, until):
        """None: there was an end before."""
        while len(self.rest) < size:
            left = until - time.monotonic()
            if left <= 0:
                raise Silence(f"nothing more after {self.heard[-3:]}")
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                data = b""
            if not data:
                self.ended = True
                return None
            self.rest += data
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def hear(self, timeout=20):
        """The next message that is not `alive`; None: the end. What is not strict JSON is an error."""
        until = time.monotonic() + timeout
        while True:
            header = self.take(4, until)
            if header is None:
                return None
            size, = struct.unpack(">I", header)
            assert size <= MESSAGE_MAX, f"a message of {size} bytes"
            body = self.take(size, until)
            if body is None:
                return None
            message = json.loads(body.decode("utf-8"))
            if message["type"] != "alive":
                self.heard.append(message)
                return message

    def hear_until(self, *kinds, timeout=20):
        """The next of these; None: an end or an `abort` came before."""
        until = time.monotonic() + timeout
        while True:
            message = self.hear(max(0.01, until - time.monotonic()))
            if message is None or message["type"] in kinds:
                return message
            if message["type"] == "abort":
                return None


# ---- lanes ----

def ask_door(path, request, fds=(), timeout=10):
    """The door's answer, and the descriptors that come with it."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(timeout)
        sock.connect(path)
        line = request if isinstance(request, bytes) else json.dumps(request).encode() + b"\n"
        sock.sendmsg([line], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else [])
        data, parts, _, _ = sock.recvmsg(65536, socket.CMSG_SPACE(4 * 4))
        taken = array.array("i")
        for _, kind, content in parts:
            if kind == socket.SCM_RIGHTS:
                taken.frombytes(content)
        return (json.loads(data) if data else None), list(taken)


def open_lane(path, ticket, name):
    """A lane as a socket, through the door; None: refused."""
    _, fds = ask_door(path, {"lane": name, "ticket": ticket})
    for memory in fds[1:]:  # that lanes share
        os.close(memory)
    return socket.socket(fileno=fds[0]) if fds else None


def lane_frame(kind, content):
    """Of a simulated VM's lane: b"B" and bytes, or b"F" and the final number in decimal digits."""
    return kind + struct.pack(">I", len(content)) + content
