#!/usr/bin/env python3
"""The reader accepts every conversation that docs/wire-protocol.md permits, and complains of
whatever is left out of one, said twice, by the wrong side, or in another order."""
import copy
import json
import struct
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import read  # noqa: E402

STAGES = ["params-copy", "ram-stream", "incoming-resume"]
HELLO = {"type": "hello", "protocol": 3, "version": "1.2.3", "machine": "m", "features": []}
SENDER = HELLO | {"id": "0" * 16, "token": "0" * 32, "lease_ms": 1, "alive_ms": 1, "lost_ms": 1,
                  "dry_run": False}
MOVE = ("S", SENDER | {"intent": "move", "host": "qemu", "stages": STAGES})
ASK = ("S", SENDER | {"intent": "query"})


def say(side, what, **members):
    return side, {"type": what} | members


def both(what, **members):
    return [say("S", what, **members), say("R", what, **members)]


MEET = [MOVE, ("R", HELLO | {"ticket": "0" * 32}),
        say("S", "params", name="web", memory=4096, disks=[{"name": "vda", "size": 512}])]
GOODBYE = both("goodbye")
WHOLE = (MEET + both("checked", plan=[{"stage": "params-copy", "text": "do it"}]) +
         both("done", stage="params-copy") + [say("R", "listening")] +
         both("done", stage="ram-stream") +
         [say("R", "ready"), say("S", "go"), say("R", "running")] +
         both("done", stage="incoming-resume") + GOODBYE)
QUERY = [ASK, ("R", HELLO), say("S", "query", committed=True),
         say("R", "verdict", state="prepared", record="PREPARED"), say("S", "go"),
         say("R", "running"), say("R", "verdict", state="running", record="RUNNING")] + GOODBYE
LOOK = [ASK, ("R", HELLO), say("S", "query", committed=False, look=True),
        say("R", "verdict", state="wait")] + GOODBYE
REFUSED = MEET + [say("R", "abort", kind="refused", text="no room"),
                  say("S", "abort", kind="refused", text="no room"),
                  say("S", "settled", running=True)] + GOODBYE


def piece(side, data):
    return side.encode() + struct.pack(">I", len(data)) + data


def frame(text):
    return struct.pack(">I", len(text)) + text


def recorded(conversation):
    return b"".join(piece(side, frame(json.dumps(message).encode()))
                    for side, message in conversation)


class Reader(unittest.TestCase):
    def accepts(self, conversation):
        self.assertIsNone(read.complaint(recorded(conversation)))

    def refuses(self, conversation, text):
        self.assertIn(text, read.complaint(recorded(conversation)) or "no complaint")

    def test_accepts_what_the_page_permits(self):
        for conversation in (WHOLE, QUERY, LOOK, REFUSED, [], [MOVE]):
            self.accepts(conversation)

    def test_accepts_a_conversation_that_broke_anywhere(self):
        whole = recorded(WHOLE)
        for conversation in (WHOLE, QUERY, REFUSED):
            for end in range(len(conversation)):
                self.accepts(conversation[:end])
        self.assertIsNone(read.complaint(whole + piece("S", b"")))
        self.assertIsNone(read.complaint(recorded(MEET) + piece("R", frame(b"{}")[:-1])))

    def test_refuses_a_look_whose_goodbye_is_not_answered(self):
        self.refuses(LOOK[:-2] + LOOK[-1:], "without the sender's goodbye")

    def test_accepts_alive_wherever_nobody_has_said_goodbye(self):
        for at in range(len(WHOLE) - 1):
            self.accepts(WHOLE[:at] + both("alive") + WHOLE[at:])
        self.refuses(WHOLE + [say("R", "alive")], "alive after goodbye")

    def test_reads_a_message_that_came_in_pieces(self):
        pieces = (piece(side, data[i:i + 1])
                  for side, message in WHOLE
                  for data in [frame(json.dumps(message).encode())] for i in range(len(data)))
        self.assertIsNone(read.complaint(b"".join(pieces)))

    def test_misses_whatever_is_left_out(self):
        for conversation in (WHOLE[:-3], QUERY[:-3]):
            for at in range(len(conversation) - 1):
                if conversation[at][1]["type"] != "listening":
                    with self.subTest(conversation[at]):
                        self.refuses(conversation[:at] + conversation[at + 1:], "after message")

    def test_notices_whatever_is_said_twice(self):
        for at, (side, message) in enumerate(WHOLE):
            with self.subTest(message):
                self.refuses(WHOLE[:at + 1] + WHOLE[at:], "after message")

    def test_notices_who_says_what_is_the_others(self):
        for at, (side, message) in enumerate(WHOLE):
            if message["type"] in ("checked", "done", "goodbye"):
                continue
            with self.subTest(message):
                turned = (read.OTHER[side], message)
                self.refuses(WHOLE[:at] + [turned] + WHOLE[at + 1:], "after message")

    def test_misses_every_member_and_knows_no_other(self):
        for at, (side, message) in enumerate(WHOLE + QUERY[:3]):
            before = WHOLE[:at] if at < len(WHOLE) else QUERY[:at - len(WHOLE)]
            for name in message:
                if (message["type"], name) == ("params", "memory"):
                    continue
                with self.subTest(message=message, name=name):
                    poorer = {key: value for key, value in message.items() if key != name}
                    self.refuses(before + [(side, poorer)], "after message")
            if message["type"] != "params":
                self.refuses(before + [(side, message | {"novelty": 1})], "no page knows")

    def test_notices_a_member_of_another_type(self):
        for at, (side, message) in enumerate(WHOLE):
            for name in message:
                if (message["type"], name) == ("params", "memory"):
                    continue
                with self.subTest(message=message, name=name):
                    self.refuses(WHOLE[:at] + [(side, message | {name: None})], "after message")

    def test_notices_a_side_that_runs_ahead(self):
        at = WHOLE.index(say("R", "done", stage="params-copy"))
        self.refuses(WHOLE[:at] + [say("S", "done", stage="ram-stream")], "a stage ahead")
        self.refuses(WHOLE[:at - 1] + WHOLE[at:at + 1] + [say("R", "listening")],
                     "listening ahead of the other side")
        self.refuses(WHOLE[:at + 1] + [say("S", "go")], "go at another stage")

    def test_notices_words_after_an_abort(self):
        at = WHOLE.index(say("R", "ready"))
        gave_up = WHOLE[:at] + [say("R", "abort", kind="system", text="?")]
        self.refuses(gave_up + WHOLE[at:], "ready after abort")
        self.accepts(gave_up + [say("R", "verdict", state="returned")])

    def test_notices_a_verdict_that_nobody_asked_for(self):
        self.refuses(MEET + [say("R", "verdict", state="running")], "nobody asked")

    def test_notices_deeds_where_only_a_plan_was_asked_for(self):
        conversation = copy.deepcopy(WHOLE)
        conversation[0][1]["dry_run"] = True
        self.refuses(conversation, "done, when nothing was to be done")
        self.accepts(conversation[:5] + GOODBYE)

    def test_refuses_what_is_no_message(self):
        for text in (b"", b"[]", b"{}", b"{\"type\":1}", b"{\"type\":\"alive\"} x",
                     b"{\"type\":\"alive\",\"type\":\"alive\"}", b"{\"type\":\"\xff\"}"):
            with self.subTest(text):
                self.assertIsNotNone(read.complaint(piece("S", frame(text))))
        self.assertIn("1048577 bytes", read.complaint(piece("S", b"\0\x10\0\1")))

    def test_refuses_what_is_no_recording(self):
        for data in (b"S", b"S\0\0\0\1", b"X\0\0\0\0"):
            with self.subTest(data):
                self.assertIn("recording", read.complaint(data))


if __name__ == "__main__":
    unittest.main()
