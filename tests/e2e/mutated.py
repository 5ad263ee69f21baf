"""A good receiver's side of a session, changed at random: by a seed, so that a failure can be played again."""

import copy
import json
import random
import threading

from lies import BAD, ESC
from receiver import Connection, Gone, Receiver
from wire import STAGES, frame

VALUES = [None, True, False, 0, -1, 1, 3.5, 2 ** 31, 2 ** 53, 2 ** 64, 1e300, "", "x", ESC, "x" * 70000, [], {}, [[]], [1] * 500,
          {"type": "abort"}, "running", "returned", "lost", "prepared", "ran", "unknown", "wait", *STAGES]
TYPES = ["hello", "alive", "checked", "done", "abort", "goodbye", "verdict", "settled", "listening", "ready", "running", "go",
         "params", "query"]
PATIENCE_S = 1.5  # of a receiver that has said something wrong


def flip(chance, data):
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def cut(chance, data):
    start = chance.randrange(len(data))
    return data[:start] + data[chance.randrange(start, len(data) + 1):]


def double(chance, data):
    start = chance.randrange(len(data))
    end = chance.randrange(start, len(data) + 1)
    return data[:end] + data[start:]


def insert(chance, data):
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice((chance.randbytes(chance.randrange(1, 40)), BAD, ESC.encode(), bytes(5))) + data[at:]


def lengthen(chance, data):
    size = int.from_bytes(data[:4], "big") + chance.choice((-5, -1, 1, 2, 300, 2 ** 20, 2 ** 31))
    return (size % 2 ** 32).to_bytes(4, "big") + data[4:]


def change_member(chance, data):
    try:
        message = json.loads(data[4:])
    except ValueError:
        return flip(chance, data)
    changed = copy.deepcopy(message)
    name = chance.choice(sorted(changed))
    what = chance.randrange(5)
    if what == 0:
        del changed[name]
    elif what == 1:
        changed["type"] = chance.choice(TYPES)
    elif what == 2:
        changed[chance.choice(("state", "stage", "kind", "text", "refusals", "plan", "flush_ms", "record"))] = chance.choice(VALUES)
    else:
        changed[name] = chance.choice(VALUES)
    return frame(changed)


def add_message(chance, data):
    other = {"type": chance.choice(TYPES), "stage": chance.choice(STAGES), "plan": [], "text": ESC, "kind": chance.choice(
        ("refused", "peer", "lost")), "state": chance.choice(("running", "returned", "lost", "prepared", "ran", "wait"))}
    return frame(other) + data if chance.randrange(2) else data + frame(other)


CHANGES = [flip, flip, cut, double, insert, lengthen, change_member, change_member, change_member, add_message, add_message,
           lambda _, data: data * 2, lambda _, __: b""]


class Mutator:
    """Of one stream: what is written to it. Where a stream is changed does not depend on what others do."""

    def __init__(self, seed, stream):
        self.chance = random.Random(f"{seed} {stream}")
        rare = stream not in ("control 0",)
        self.places = set() if rare and self.chance.randrange(3) else {
            self.chance.randrange(14 if stream == "control 0" else 4) for _ in range(self.chance.choice((1, 1, 2, 3)))}
        self.count = 0
        self.kept = b""

    def __call__(self, data):
        number, self.count = self.count, self.count + 1
        data, self.kept = data + self.kept, b""
        if number not in self.places or not data:
            return data
        if self.chance.randrange(12) == 0:  # it comes behind the next one
            self.kept = data
            return b""
        if self.chance.randrange(15) == 0:
            raise Gone
        return self.chance.choice(CHANGES)(self.chance, data)


class MutatedConnection(Connection):
    def __init__(self, connection, mutator):
        super().__init__(connection.stream, connection.errors)
        self.said = connection.said
        self.mutator = mutator
        self.stream.settimeout(PATIENCE_S)

    def write(self, data):
        changed = self.mutator(data)
        if changed:
            super().write(changed)


class MutatedReceiver(Receiver):
    def __init__(self, seed):
        super().__init__({})
        self.seed = seed
        self.counts = {}
        self.lock = threading.Lock()

    def serve(self, words, connection):
        stream = words[-1] if words[0] == "lane" else "control"
        with self.lock:
            number = self.counts[stream] = self.counts.get(stream, -1) + 1
        mutator = Mutator(self.seed, f"{stream} {number}")
        connection.said = self.said
        try:
            return super().serve(words, MutatedConnection(connection, mutator))
        except (ValueError, KeyError):  # the sender has said what an honest receiver does not expect
            return 1
