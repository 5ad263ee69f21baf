"""Good sessions, changed by a seed: bits, cuts, lengths, words twice, in another order or of another session.

What a receiver makes of one is not foretold; it must end, and leave nothing behind.
"""

import contextlib
import copy
import json
import os
import random
import struct

import wire
from hostile import Wrong
from sender import AT_ONCE_S, Sender

NUMBERS = (-1, 0, 1, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 53 + 1, 2 ** 64, 1e300, 0.5)
TEXTS = ("", "..", "../../decoy", "/", "\x1b[31m", "\u202e", "x" * 70000, "%s%n", "\0", "\ud800", "null", "0" * 16)
OTHERS = (None, True, False, [], {}, [[]], [None] * 1000, {"": {"": {}}})


def good_words(host, identity):
    """What a whole move says on the control connection; of a QEMU only the checks."""
    if host == "qemu":
        return [wire.sender_hello(id=identity, host="qemu", dry_run=True), "params", {"type": "checked", "plan": []},
                {"type": "goodbye"}]
    if host == "query":
        return [wire.sender_hello(id=identity, intent="query"), {"type": "query", "committed": True},
                {"type": "settled", "running": True}, {"type": "goodbye"}]
    done = [{"type": "done", "stage": stage} for stage in wire.STAGES]
    return [wire.sender_hello(id=identity), wire.simulated_params(2), {"type": "checked", "plan": []}, *done[:-1],
            {"type": "go"}, done[-1], {"type": "goodbye"}]


def places_in(value, way=()):
    """All places in JSON, as ways from its root."""
    yield way
    if isinstance(value, dict):
        for name, each in value.items():
            yield from places_in(each, (*way, name))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from places_in(each, (*way, number))


class Mutation:
    """All that is random, from one seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.seed = seed
        self.host = self.random.choices(("simulated", "qemu", "query"), (6, 3, 1))[0]
        self.breaks_lanes = self.random.random() < 0.3
        self.said = []  # what was changed, for people

    def note(self, text):
        self.said.append(text)

    # ---- a member ----

    def change_member(self, message):
        places = [way for way in places_in(message) if way and way != ("id",)]
        *way, last = self.random.choice(places)
        part = message
        for step in way:
            part = part[step]
        how = self.random.randrange(5)
        if how == 0 and isinstance(part, dict):
            del part[last]
        elif how == 1 and isinstance(part, list):
            part.append(part[last])
        else:
            part[last] = copy.deepcopy(self.random.choice(self.random.choice((NUMBERS, TEXTS, OTHERS))))
        self.note(f"{message.get('type')}: {'.'.join(map(str, (*way, last)))}")

    # ---- the order of messages ----

    def change_order(self, messages):
        one, other = (self.random.randrange(len(messages)) for _ in range(2))
        how = self.random.choice(("twice", "swapped", "left out", "moved", "many times"))
        if how == "twice":
            messages.insert(one, messages[one])
        elif how == "swapped":
            messages[one], messages[other] = messages[other], messages[one]
        elif how == "left out":
            del messages[one]
        elif how == "moved":
            messages.insert(other, messages.pop(one))
        else:
            messages[one:one] = [messages[one]] * 80
        self.note(f"message {one} {how} ({other})")

    # ---- bytes ----

    def change_bytes(self, data):
        if not data:
            return data
        at = self.random.randrange(len(data))
        how = self.random.choice(("bit", "cut", "out", "more", "length", "twice"))
        self.note(f"{how} at byte {at} of {len(data)}")
        if how == "bit":
            return data[:at] + bytes([data[at] ^ 1 << self.random.randrange(8)]) + data[at + 1:]
        if how == "cut":
            return data[:at]
        if how == "out":
            return data[:at] + data[at + self.random.randrange(1, 20):]
        if how == "more":
            return data[:at] + self.random.randbytes(self.random.randrange(1, 40)) + data[at:]
        if how == "length":
            return struct.pack(">I", self.random.choice((0, 1, len(data), wire.MESSAGE_MAX, 2 ** 31, 2 ** 32 - 1))) + data[4:]
        return data + data[:at]

    def frames(self, messages):
        """Two in three sessions are JSON that is wrong, the others are bytes that are."""
        kinds = self.random.choices(("member", "order", "bytes"), (5, 3, 3), k=self.random.choice((1, 1, 1, 2, 3)))
        for kind in kinds:
            if kind == "member":
                self.change_member(self.random.choice(messages))
            elif kind == "order" and messages:
                self.change_order(messages)
        if not messages:
            return []
        frames = [wire.frame(json.dumps(each).encode()) for each in messages]
        if "bytes" in kinds:
            number = self.random.randrange(len(frames))
            frames[number] = self.change_bytes(frames[number])
        return frames

    def lane_bytes(self):
        data = wire.lane_frame(b"B", bytes(1000)) + wire.lane_frame(b"F", b"65536")
        return self.change_bytes(data) if self.breaks_lanes else data


def feed_lanes(sender, mutation):
    """All lanes that there are at once; a lane that is refused is no matter."""
    for name in ("disk/vda", "disk/vdb", "ram"):
        if mutation.random.random() < 0.2:
            name = "lz4/" + name
        with contextlib.suppress(OSError, ValueError, TypeError, wire.Silence):
            lane = sender.lane(name)
            if lane:
                lane.settimeout(2)
                lane.sendall(mutation.lane_bytes())


def answers_to(sender, frame, within=0.5):
    """What the receiver says next, if it says something soon: a good sender waits for its turn."""
    try:
        return sender.connection.hear(within)
    except wire.Silence:
        return {}


def converse(sender, mutation):
    messages = good_words(mutation.host, sender.id)
    folder = sender.host.path("images")
    messages = [wire.qemu_params(folder) if each == "params" else each for each in messages]
    for number, frame in enumerate(mutation.frames(messages)):
        if not sender.raw(frame):
            break
        if sender.answer is None:
            sender.answer = answers_to(sender, frame, 5)
        elif mutation.random.random() < 0.5:
            answers_to(sender, frame, 0.1)
        if number == 4 and sender.answer and "ticket" in sender.answer and mutation.host == "simulated":
            feed_lanes(sender, mutation)


def play_mutated(seed, door):
    """Raises Wrong, with what was changed."""
    mutation = Mutation(seed)
    sender = Sender(door)
    try:
        converse(sender, mutation)
        if mutation.random.random() < 0.5:
            sender.connection.end()
        with contextlib.suppress(wire.Silence):
            while sender.connection.hear(AT_ONCE_S) is not None:
                pass
        sender.close()
        door.await_end(2 * AT_ONCE_S)
        left = [name for name in os.listdir(door.host.path("state")) if len(name) == 16]
        door.host.judge(door.ids | set(left))
    except (Wrong, ValueError, KeyError) as error:
        raise Wrong(f"seed {seed} ({mutation.host}: {'; '.join(mutation.said)}): {error!r}") from error
    finally:
        sender.close()
