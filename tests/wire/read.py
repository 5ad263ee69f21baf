#!/usr/bin/env python3
"""Reads recordings of control connections, and says what in them docs/wire-protocol.md forbids.

    read.py [-v] RECORDING|DIRECTORY...

Written from that page alone: it shares nothing with the program but the page. A recording is
what tests/wire/tap.h writes. Exit status 1: something is wrong, or there was nothing to read.
"""
import json
import os
import re
import struct
import sys

CEILING = 1024 * 1024
OTHER = {"S": "R", "R": "S"}


def is_uint(value):
    return type(value) in (int, float) and 0 <= value <= 2**53 and value == int(value)


def is_hex(digits):
    return lambda value: isinstance(value, str) and re.fullmatch("[0-9a-f]{%d}" % digits, value)


def is_one_of(*words):
    return lambda value: value in words


def is_list_of(check):
    return lambda value: isinstance(value, list) and all(check(item) for item in value)


def is_text(value):
    return isinstance(value, str)


def is_bool(value):
    return isinstance(value, bool)


def is_object(*required):
    return lambda value: isinstance(value, dict) and all(name in value for name in required)


KIND = is_one_of("refused", "system", "protocol", "peer", "lost", "timeout", "cancelled", "crash")
STATE = is_one_of("running", "returned", "lost", "wait", "unknown", "prepared", "ran", "incomplete")
FROM_BOTH = {"protocol": lambda v: v == 3, "version": is_text, "machine": is_text,
             "features": is_list_of(is_text)}
FROM_SENDER = FROM_BOTH | {"id": is_hex(16), "token": is_hex(32), "lease_ms": is_uint,
                           "alive_ms": is_uint, "lost_ms": is_uint, "dry_run": is_bool,
                           "fault?": is_text}

CARRIED = is_list_of(is_object("subject", "sent"))

# Who may say it, and its members; "?": it may be missing, "*": there may be others.
MESSAGES = {
    "hello move": ("S", FROM_SENDER | {"intent": is_one_of("move"), "host": is_text,
                                       "stages": is_list_of(is_text), "guardian?": is_bool,
                                       "from?": is_text, "max_downtime_ms?": is_uint,
                                       "max_pause_ms?": is_uint}),
    "hello query": ("S", FROM_SENDER | {"intent": is_one_of("query")}),
    "hello": ("R", FROM_BOTH | {"ticket?": is_hex(32), "door?": is_text, "bandwidth?": is_uint}),
    "params": ("S", {"name": is_text, "disks": is_list_of(is_object("name", "size")), "*": None}),
    "checked": ("SR", {"plan": is_list_of(is_object("stage", "text"))}),
    "done": ("SR", {"stage": is_text}),
    "listening": ("R", {"flush_ms?": is_uint}),
    "ready": ("R", {}),
    "go": ("S", {"alone?": is_bool}),
    "running": ("R", {}),
    "query": ("S", {"committed": is_bool, "look?": is_bool, "back?": is_bool, "history?": is_bool}),
    "verdict": ("R", {"state": STATE, "record?": is_text, "text?": is_text}),
    "settled": ("S", {"running": is_bool}),
    "abort": ("SR", {"kind": KIND, "text": is_text, "refusals?": is_list_of(is_object("stage", "text"))}),
    "alive": ("SR", {}),
    "ping": ("SR", {"sent_us": is_uint, "progress?": is_list_of(is_object("subject", "done", "total"))}),
    "pong": ("SR", {"sent_us": is_uint, "now_us": is_uint, "progress?": CARRIED}),
    "limit": ("S", {"bytes_per_s": is_uint}),
    "history": ("SR", {"lines": is_text}),
    "goodbye": ("SR", {"progress?": CARRIED}),
}
STAGE_OF = {"params": "params-copy", "listening": "ram-stream", "ready": "incoming-resume",
            "go": "incoming-resume", "running": "incoming-resume"}


class Wrong(Exception):
    pass


def must(holds, text):
    if not holds:
        raise Wrong(text)


class Conversation:
    """What has been said so far on one connection."""

    def __init__(self):
        self.said = {"S": [], "R": []}  # the types, in order
        self.done = {"S": 0, "R": 0}    # stages it is through with
        self.intent = None
        self.look = False
        self.dry_run = False
        self.stages = []
        self.last_state = None          # of the verdicts
        self.prepared = False           # was one of them
        self.shares = {"S": False, "R": False}  # does it know pings and histories?
        self.limits = {"S": False, "R": False}  # can it limit lanes?
        self.asked_for_history = False  # by a query
        self.pings = {"S": [], "R": []}

    def take(self, side, message):
        kind = message["type"]
        must(isinstance(kind, str), "its type is not a string")
        self.check_members(side, kind, message)
        must("goodbye" not in self.said[side], f"{kind} after goodbye")
        if kind == "history":
            self.on_history(side, message)
            self.said[side].append(kind)
        elif kind != "alive":
            must("abort" not in self.said[side] or kind in ("verdict", "settled", "goodbye"),
                 f"{kind} after abort")
            getattr(self, "on_" + kind, self.on_stage_message)(side, message)
            self.said[side].append(kind)

    def check_members(self, side, kind, message):
        known = f"hello {message.get('intent')}" if kind == "hello" and side == "S" else kind
        must(known in MESSAGES, f"there is no message '{known}'")
        speakers, members = MESSAGES[known]
        must(side in speakers, f"{kind} is not said by this side")
        for name, check in members.items():
            if name.rstrip("?") in message:
                must(check(message[name.rstrip("?")]), f"{kind}: its '{name}' is wrong")
            else:
                must(name[-1] in "?*", f"{kind}: its '{name}' is missing")
        for name in message:
            must(name == "type" or name in members or name + "?" in members or "*" in members,
                 f"{kind}: no page knows its '{name}'")

    def both(self, kind):
        return kind in self.said["S"] and kind in self.said["R"]

    def on_hello(self, side, message):
        must("hello" not in self.said[side], "a second hello")
        self.shares[side] = "history" in message["features"]
        self.limits[side] = "limit" in message["features"]
        if side == "S":
            must(not self.said["S"], "hello is not the first word")
            self.intent = message["intent"]
            self.dry_run = message["dry_run"]
            self.stages = message.get("stages", [])
            must(len(set(self.stages)) == len(self.stages), "a stage twice")
        else:
            must("hello" in self.said["S"], "an answer to a hello that was not said")
            must(("ticket" in message) == (self.intent == "move"), "a ticket is for lanes")

    def on_ping(self, side, message):
        must(self.shares[OTHER[side]] or self.asked_for_history, "a ping to a peer that may not know it")
        self.pings[side].append(message["sent_us"])

    def on_pong(self, side, message):
        must(message["sent_us"] in self.pings[OTHER[side]], "a pong to no ping")
        self.pings[OTHER[side]].remove(message["sent_us"])

    def on_limit(self, side, _):
        must(self.intent == "move" and self.limits[OTHER[side]], "a limit for a peer that may not know it")

    def on_history(self, side, _):
        must(self.shares[OTHER[side]] or self.asked_for_history, "a history for a peer that may not know it")
        must("history" not in self.said[side], "a second history")

    def on_checked(self, side, _):
        must(self.intent == "move" and self.both("hello"), "checked before the hellos")
        must("params" in self.said["S"], "checked before params")
        must("checked" not in self.said[side], "a second checked")

    def on_done(self, side, message):
        must(self.intent == "move", "done in a query")
        must(self.both("checked"), "done before both have checked")
        must(not self.dry_run, "done, when nothing was to be done")
        here = self.done[side]
        must(here < len(self.stages) and message["stage"] == self.stages[here],
             f"through with '{message['stage']}' out of order")
        must(self.done[OTHER[side]] >= here, "a stage ahead of the other side")
        must(message["stage"] != "incoming-resume" or "running" in self.said["R"],
             "through with incoming-resume before the VM runs")
        self.done[side] += 1

    def on_query(self, _, message):
        must(self.intent == "query" and self.both("hello"), "query out of place")
        must("query" not in self.said["S"], "a second query")
        self.look = message.get("look", False)
        self.asked_for_history = message.get("history", False)

    def on_stage_message(self, side, message):
        kind = message["type"]
        if self.intent == "query":
            must(kind in ("go", "running"), f"{kind} in a query")
        else:
            must(self.both("hello"), f"{kind} before the hellos")
            must(self.stages[self.done[side]:][:1] == [STAGE_OF[kind]], f"{kind} at another stage")
            must(self.done[OTHER[side]] >= self.done[side], f"{kind} ahead of the other side")
            must(kind == "params" or self.both("checked"), f"{kind} before both have checked")
            must(kind == "params" or not self.dry_run, f"{kind}, when nothing was to be done")
        must(kind not in self.said[side], f"a second {kind}")
        if kind == "go":
            must("ready" in self.said["R"] or self.prepared, "go before ready")
        if kind == "running":
            must("go" in self.said["S"], "running without a go")

    def on_verdict(self, _, message):
        asked = {"query", "go", "abort"} & set(self.said["S"]) or "abort" in self.said["R"]
        must(asked, "a verdict that nobody asked for")
        self.last_state = message["state"]
        # A later word may cross the go. After "ran" a person has chosen it.
        self.prepared = self.prepared or self.last_state in ("prepared", "ran")

    def on_settled(self, *_):
        must({"abort", "query"} & set(self.said["S"]) or self.last_state, "settled, but what?")

    def on_abort(self, side, _):
        must("abort" not in self.said[side], "a second abort")

    def on_goodbye(self, side, _):
        must(self.said[side], "nothing but goodbye")

    def end(self):
        must(not self.look or "goodbye" not in self.said["R"] or "goodbye" in self.said["S"],
             "a look that ends without the sender's goodbye")


def pieces(recording):
    at = 0
    while at < len(recording):
        must(len(recording) >= at + 5, "the recording ends in the middle of a piece")
        side, size = recording[at:at + 1].decode("latin-1"), recording[at + 1:at + 5]
        at += 5 + struct.unpack(">I", size)[0]
        must(side in OTHER and at <= len(recording), "this is no recording")
        yield side, recording[at - struct.unpack(">I", size)[0]:at]


def no_twins(pairs):
    must(len(dict(pairs)) == len(pairs), "a member twice")
    return dict(pairs)


def parse(frame):
    try:
        message = json.loads(frame.decode("utf-8"), object_pairs_hook=no_twins)
    except ValueError as error:
        raise Wrong(f"not JSON: {error}: {frame[:60]!r}") from error
    must(isinstance(message, dict) and "type" in message, "an object with a type is due")
    return message


def messages(recording):
    """Each whole message, with who said it. A connection may break in the middle of one."""
    rest = {"S": b"", "R": b""}
    for side, piece in pieces(recording):
        rest[side] += piece
        while len(rest[side]) >= 4:
            size = struct.unpack(">I", rest[side][:4])[0]
            must(size <= CEILING, f"a message of {size} bytes")
            if len(rest[side]) < 4 + size:
                break
            frame, rest[side] = rest[side][4:4 + size], rest[side][4 + size:]
            yield side, parse(frame)


def complaint(recording, verbose=False):
    """None: the recording is as it should be."""
    conversation = Conversation()
    count = 0
    try:
        for side, message in messages(recording):
            count += 1
            if verbose:
                print("  " + ("→ " if side == "S" else "← ") + json.dumps(message))
            conversation.take(side, message)
        conversation.end()
    except Wrong as wrong:
        return f"after message {count}: {wrong}"
    return None


def recordings(paths):
    for path in paths:
        if os.path.isdir(path):
            yield from sorted(os.path.join(path, name) for name in os.listdir(path))
        else:
            yield path


def main(arguments):
    verbose = "-v" in arguments
    paths = list(recordings(argument for argument in arguments if argument != "-v"))
    status = 0 if paths else 1
    print(f"{len(paths)} recordings")
    for path in paths:
        if verbose:
            print(path)
        with open(path, "rb") as file:
            found = complaint(file.read(), verbose)
        if found:
            print(f"{path}: {found}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
