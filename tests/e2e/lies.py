"""What a receiver can do that the protocol forbids: a name for each, where it is told, and what the sender must make of it.

A row is (name, lies, exit status, words that the sender says, options of the sender).
"""

import json
import os
import time

from receiver import MACHINE, Gone
from wire import ABSENT, STAGES, frame

ESC = "\x1b[2K\x1b[1A\r\x07xmig: 'demo' runs on beta.example now\x9b\u202e"
BAD = b"\xff\xfe \xc3( \xed\xa0\x80 \xf8\x88\x80\x80\x80"  # no UTF-8
BAD_FRAME = frame(b'{"type": "abort", "kind": "peer", "text": "' + BAD + b'"}')
SOON = ("--deadline", "4s")
SOON_PAUSED = ("--max-pause", "1s", "--deadline", "20s")
HERE = "runs (here|on this host|at the source)|was not (touched|begun)|untouched|still runs|goes on|undone"


def instead(data):
    """Other bytes."""
    def lie(_, connection, __):
        connection.write(data)
    return lie


def also_before(*messages):
    def lie(_, connection, honest):
        for message in messages:
            connection.say(message)
        connection.say(honest)
    return lie


def also_after(*messages):
    def lie(_, connection, honest):
        for message in (honest, *messages):
            connection.say(message)
    return lie


def other(**members):
    """The honest message with other members; None: without that member."""
    def lie(_, connection, honest):
        changed = {**honest, **members}
        connection.say({name: value for name, value in changed.items() if value is not ABSENT})
    return lie


def message(**members):
    return instead(frame(members))


def twice(_, connection, honest):
    connection.say(honest)
    connection.say(honest)


def leave(_, __, ___):
    raise Gone


def silent(_, connection, __):
    connection.drain()
    raise Gone


def only_alive(_, connection, __):
    """Never what is due, and never silent."""
    while True:
        connection.say({"type": "alive"})
        connection.hear(0.3)


def slowly(_, connection, honest):
    for byte in frame(honest):
        connection.write(bytes([byte]))
        time.sleep(0.002)


def half(_, connection, honest):
    data = frame(honest)
    connection.write(data[:len(data) // 2])
    raise Gone


def ends(status, errors=b"", words=b""):
    """The program ends with this status, having said so much."""
    def lie(receiver, connection, _):
        receiver.statuses["recv"] = status
        if errors:
            connection.complain(errors)
        if words:
            connection.write(words)
        raise Gone
    return {"first": lie}


def complains(errors):
    """An honest receiver whose standard error is not."""
    def lie(_, connection, honest):
        connection.complain(errors)
        connection.say(honest)
    return {"hello": lie}


def flood(data, times):
    def lie(_, connection, __):
        for _ in range(times):
            connection.write(data)
        connection.drain()
        raise Gone
    return lie


def gives_up(kind="peer", text="no", **members):
    def lie(_, connection, __):
        connection.say({"type": "abort", "kind": kind, "text": text, **members})
        raise Gone
    return lie


def verdict(state, **members):
    return message(type="verdict", state=state, **members)


WORDS = [
    ("its shell does not find xmig", ends(127, b"sh: 1: xmig: not found\n"), 3, "xmig is not installed on beta.example"),
    ("its xmig cannot be executed", ends(126), 3, "xmig on beta.example cannot run there"),
    ("it ends at once, well", ends(0), 1, "ended with status 0 before its first word"),
    ("it ends at once, with 1", ends(1), 1, "ended with status 1 before its first word"),
    ("it ends as ssh does that cannot connect", ends(255), 1, "the connection of ssh to beta.example broke|could not"),
    ("it ends as if killed", ends(137), 1, "ended with status 137"),
    ("it greets like a login shell", ends(0, words=b"Last login: Mon\r\n$ "), 1, "it said 'Last login: Mon'"),
    ("it greets like an HTTP server", ends(0, words=b"HTTP/1.1 400 Bad Request\r\n\r\n"), 1, "it said 'HTTP/1.1 400"),
    ("it greets like an SSH server", ends(0, words=b"SSH-2.0-OpenSSH_9.2\r\n"), 1, "it said 'SSH-2.0-OpenSSH"),
    ("its greeting moves the cursor", ends(0, words=ESC.encode() * 3), 1, "does not speak xmig's protocol"),
    ("its greeting is no UTF-8", ends(0, words=BAD * 9), 1, "does not speak xmig's protocol"),
    ("its greeting is NUL bytes", {"hello": instead(bytes(64))}, 1, "a message of the peer's"),
    ("its greeting never ends", {"first": flood(b"MOTD " * 1000, 2000)}, 1, "it said 'MOTD MOTD"),
    ("its standard error moves the cursor", complains(ESC.encode() + b"\n"), 0, r"\\x1b\[2K"),
    ("its standard error is no UTF-8", complains(BAD + b"\n"), 0, r"\\xff\\xfe"),
    ("its standard error ends within a character", complains(b"caf\xc3"), 0, r"beta.example: \\xc3"),
    ("its standard error forges our last words", complains(b"\rxmig: 'demo' runs here\n"), 0, r"\\x0dxmig"),
    ("its standard error is one long line", complains(b"x" * 300000), 0, "xxxx"),
    ("its standard error is a flood", complains(b"so many words\n" * 100000), 0, "so many words"),
    ("its last words are escape sequences", ends(1, ESC.encode()), 1, r"\\x1b\[2K"),
]

FRAMES = [
    ("a message of no bytes", instead(frame(b"")), "a message of the peer's"),
    ("a message of one byte more than is permitted", instead((1048577).to_bytes(4, "big") + b" " * 100),
     "does not speak xmig's protocol"),
    ("the longest length there is", instead(b"\xff\xff\xff\xff"), "a message of 4294967295 bytes"),
    ("half a header", lambda r, c, m: instead(b"\0\0")(r, c, m) or leave(r, c, m), "lost the connection|before its first word"),
    ("half a message", half, "lost the connection|before its first word"),
    ("an array", instead(frame(b"[1, 2]")), "a message of the peer's"),
    ("a number", instead(frame(b"17")), "a message of the peer's"),
    ("a text", instead(frame(b'"hello"')), "a message of the peer's"),
    ("null", instead(frame(b"null")), "a message of the peer's"),
    ("no JSON", instead(frame(b"hello, world")), "a message of the peer's"),
    ("JSON that is cut", instead(frame(b'{"type": "hel')), "a message of the peer's"),
    ("JSON and more", instead(frame(b'{"type": "hello"} {"type": "hello"}')), "a message of the peer's|protocol"),
    ("a NUL in a text", instead(frame(b'{"type": "hel\\u0000lo"}')), "a message of the peer's|not permitted"),
    ("a NUL byte", instead(frame(b'{"type": "hel\0lo"}')), "a message of the peer's"),
    ("half a surrogate", instead(frame(b'{"type": "\\ud800"}')), "a message of the peer's|not permitted"),
    ("nothing but '['", instead(frame(b"[" * 60000)), "a message of the peer's"),
    ("objects in objects", instead(frame(b'{"a":' * 60000)), "a message of the peer's"),
    ("more values than are permitted", instead(frame(b'{"type": "hello", "a": [' + b"0," * 70000 + b"0]}")),
     "more than 65536 values"),
    ("no type", instead(frame(b'{"protocol": 3}')), "a message without a type"),
    ("a type that is a number", instead(frame(b'{"type": 3}')), "a message without a type"),
    ("a type that is empty", instead(frame(b'{"type": ""}')), "the peer said ''"),
    ("a type of 100 kB", instead(frame({"type": "x" * 100000})), "which is not permitted now"),
    ("a type that moves the cursor", instead(frame({"type": ESC})), "which is not permitted now"),
    ("a type that is no UTF-8", instead(frame(b'{"type": "' + BAD + b'"}')), "not permitted now|a message of the peer's"),
    ("a type that nobody knows", instead(frame({"type": "format-disk"})), "said 'format-disk', which is not permitted"),
    ("two types", instead(frame(b'{"type": "alive", "type": "format-disk"}')), "peer|nothing came|deadline"),
]

HELLOS = [
    ("protocol 2", other(protocol=2), 3, "speaks protocol 2; this is xmig"),
    ("protocol 4", other(protocol=4), 3, "speaks protocol 4; this is xmig"),
    ("protocol 0", other(protocol=0), 3, "speaks protocol 0"),
    ("protocol 2^53", other(protocol=2 ** 53), 3, "speaks protocol 9007199254740992"),
    ("protocol 2^64", other(protocol=2 ** 64), 1, "the peer's hello"),
    ("protocol -1", other(protocol=-1), 1, "the peer's hello"),
    ("protocol 3.5", other(protocol=3.5), 1, "the peer's hello"),
    ("protocol 1e308", instead(frame(b'{"type": "hello", "protocol": 1e308}')), 1, "the peer's hello"),
    ("protocol '3'", other(protocol="3"), 1, "the peer's hello"),
    ("no protocol", other(protocol=ABSENT), 1, "the peer's hello"),
    ("a version that moves the cursor", other(protocol=9, version=ESC), 3, r"has xmig .*speaks protocol 9"),
    ("a version of 100 kB", other(protocol=9, version="9" * 100000), 3, "has xmig 9999"),
    ("a version that is a number", other(protocol=9, version=9), 3, "has xmig of an unknown version"),
    ("no machine", other(machine=ABSENT), 1, "the peer's hello.*machine"),
    ("a machine that is a number", other(machine=7), 1, "the peer's hello.*machine"),
    ("no ticket", other(ticket=ABSENT), 1, "the peer's hello.*ticket"),
    ("a ticket that is a list", other(ticket=["ab"]), 1, "the peer's hello.*ticket"),
    ("features that are a number", other(features=4), 0, "runs on beta.example now"),
    ("features that are no texts", other(features=[1, None, {"lz4": True}, ["look"]]), 0, "runs on beta.example now"),
    ("60,000 features", other(features=["f"] * 60000), 0, "runs on beta.example now"),
    ("no features", other(features=ABSENT), 0, "runs on beta.example now"),
    ("members that nobody knows", other(**{"x" * 1000: ESC, "": [[[[]]]]}), 0, "runs on beta.example now"),
    ("a door that is a number", other(door=5), 0, "runs on beta.example now"),
    ("another message first", also_before({"type": "checked", "plan": []}), 1, "said 'checked' where 'hello' was due"),
    ("hello twice", twice, 1, "said 'hello' where 'checked' was due"),
    ("hello three thousand times", flood(frame({"type": "hello"}), 3000), 1, "says more than anybody waits for|hello"),
    ("200 MB of `alive`", flood(frame({"type": "alive"}) * 10000, 1000), 1, "peer|deadline|nothing came"),
    ("goodbye", message(type="goodbye"), 1, "said goodbye where 'hello' was due"),
    ("it closes", leave, 1, "ended with status 0 before its first word"),
    ("only `alive`", only_alive, 1, "nothing came within 4.0 s"),
]

TICKETS = ["", "$(touch pwned)", "'; touch pwned; '", "a b", "x" * 5000, "../../etc", "-o ProxyCommand=x", ESC, "\n"]
MACHINES = ["", "x" * 300000, ESC, "../../../tmp", "0" * 32]
DOORS = ["", "x" * 5000, ESC, "/etc/passwd", "$(touch pwned)", "relative"]

ABORTS = [
    ("an abort of no kind", {"text": "no"}, "no"),
    ("an abort of no words", {"kind": "refused"}, "the peer gave no reason"),
    ("an abort whose kind is a number", {"kind": 5, "text": "five"}, "five"),
    ("an abort of a kind that nobody knows", {"kind": "explosion", "text": "it burst"}, "it burst"),
    ("a refusal", {"kind": "refused", "text": "not you"}, "not you"),
    ("a cancellation", {"kind": "cancelled", "text": "somebody stopped it"}, "somebody stopped it"),
    ("an abort of the kind 'crash'", {"kind": "crash", "text": "crash, as asked"}, "crash, as asked"),
    ("an abort of the kind 'none'", {"kind": "none", "text": "nothing"}, "nothing"),
    ("an abort that moves the cursor", {"kind": "refused", "text": ESC}, "2K"),
    ("an abort of 900 kB", {"kind": "refused", "text": "long " * 180000}, "long long"),
    ("an abort with a secret", {"kind": "refused", "text": "-object secret,id=s,data=hunter2 failed"}, "-object secret"),
    ("an abort whose text is an object", {"kind": "refused", "text": {"a": 1}}, "the peer gave no reason"),
    ("refusals that are a number", {"kind": "refused", "text": "no", "refusals": 5}, "no"),
    ("refusals that are an empty list", {"kind": "refused", "text": "no", "refusals": []}, ""),
    ("refusals that are no objects", {"kind": "refused", "text": "no", "refusals": [1, "two", None]}, r"\?"),
    ("refusals that move the cursor", {"kind": "refused", "text": "no", "refusals": [{"stage": ESC, "text": ESC}]}, "2K"),
    ("10,000 refusals", {"kind": "refused", "text": "no", "refusals": [{"stage": "x", "text": "why not"}] * 10000},
     "why not"),
    ("refusals at the wrong side", {"kind": "refused", "text": "no", "refusals": [{"side": "send", "text": "here!"}]},
     "here!"),
]

PLANS = [
    ("a plan that is absent", ABSENT, ""),
    ("a plan that is a number", 5, ""),
    ("a plan that is a text", "make the VM", ""),
    ("a plan of numbers", [1, 2, 3], ""),
    ("a plan in a plan", [[[{"text": "deep"}]]], ""),
    ("a plan that moves the cursor", [{"stage": "params-copy", "text": ESC}], r"\\x1b\[2K"),
    ("a plan for a stage with a strange name", [{"stage": ESC, "text": "do it"}], r"\\x1b\[2K"),
    ("a plan of 10,000 lines", [{"stage": "ram-stream", "text": "and on"}] * 10000, "and on"),
    ("a plan of one line of 900 kB", [{"stage": "ram-stream", "text": "word " * 180000}], "word word"),
    ("a plan without spaces", [{"stage": "ram-stream", "text": "x" * 500000}], "xxxx"),
    ("a plan with a secret", [{"stage": "ram-stream", "text": "-object secret,id=s,data=hunter2"}], "-object secret"),
    ("a plan that claims to be ours", [{"side": "send", "stage": "ram-stream", "text": "whose?"}], "whose?"),
]


def answers(*lies, first=leave):
    """After `go` it does `first`; then the answers to each question, the last one again and again."""
    given = iter(lies)
    last = [None]

    def lie(receiver, connection, honest):
        last[0] = next(given, last[0])
        last[0](receiver, connection, honest)
    return {"running": first, "answer": lie}


def prepared(receiver, connection, _):
    connection.say({"type": "verdict", "state": "prepared", "record": "PREPARED"})
    connection.wait_for("go")
    receiver.say(connection, "answer running", "running")


COMMITTED = [
    ("it gives the VM back", {"running": verdict("returned", text="its disks are gone")}, 4,
     "the target gave the VM back: its disks are gone"),
    ("it gives it back without a reason", {"running": verdict("returned")}, 4, "the target gave the VM back"),
    ("it gives it back with escape sequences", {"running": verdict("returned", text=ESC, record=ESC)}, 4, "gave the VM back"),
    ("its copy has died", {"running": verdict("lost", text="killed")}, 8, "its copy has died: killed"),
    ("its copy has run before", {"running": verdict("ran")}, 6, "let the target's copy run before"),
    ("it knows nothing", {"running": verdict("unknown")}, 6, "the target's answer is 'unknown'"),
    ("a state that never was", answers(verdict("running"), first=verdict("flying")), 0, "runs on beta.example now"),
    ("a state that moves the cursor", answers(verdict("running"), first=verdict(ESC)), 0, "runs on beta.example now"),
    ("a state that is a number", answers(verdict("running"), first=verdict(7)), 0, "runs on beta.example now"),
    ("a verdict without a state", answers(verdict("running"), first=message(type="verdict")), 0, "runs on beta.example now"),
    ("it closes, and answers later", answers(verdict("running")), 0, "runs on beta.example now"),
    ("it closes, and then gives it back", answers(verdict("returned", record="REFUSED")), 4, "gave the VM back"),
    ("it aborts after GO, and runs it", answers(verdict("running"), first=gives_up(text="no!")), 0, "runs on beta.example now"),
    ("it says 'done' for 'running'", answers(verdict("running"), first=message(type="done", stage="incoming-resume")), 0,
     "runs on beta.example now"),
    ("it says 'ready' again", answers(verdict("running"), first=message(type="ready")), 0, "runs on beta.example now"),
    ("it says 'listening' again", answers(verdict("running"), first=message(type="listening")), 0,
     "runs on beta.example now"),
    ("it says goodbye after GO", answers(verdict("running"), first=message(type="goodbye")), 0, "runs on beta.example now"),
    ("no JSON after GO", answers(verdict("running"), first=instead(frame(b"{"))), 0, "runs on beta.example now"),
    ("it runs it, and then gives it back",
     {"running": also_after({"type": "verdict", "state": "returned", "record": "REFUSED"})}, 0, "runs on beta.example now"),
    ("it runs it, and then refuses", {"running": also_after({"type": "abort", "kind": "refused", "text": "REFUSED"})}, 0,
     "runs on beta.example now"),
    ("it runs it, and then loses it", {"running": also_after({"type": "verdict", "state": "lost"})}, 0,
     "runs on beta.example now"),
    ("it runs it, and closes", {"done incoming-resume": leave}, 0, "runs on beta.example now"),
    ("it runs it, and ends with garbage", {"done incoming-resume": instead(b"\xff" * 99)}, 0, "runs on beta.example now"),
    ("it runs it, and its last 'done' has another name", {"done incoming-resume": other(stage="x")}, 0,
     "runs on beta.example now"),
    ("it runs it, and never says goodbye", {"goodbye": silent}, 0, "runs on beta.example now"),
    ("it says running twice", {"running": twice}, 0, "runs on beta.example now"),
    ("waits, waits, runs", answers(verdict("wait"), verdict("wait"), verdict("running")), 0, "runs on beta.example now"),
    ("waits, then gives back", answers(verdict("wait"), verdict("returned", record="REFUSED")), 4, "gave the VM back"),
    ("asked, it is prepared, takes GO and runs it", answers(prepared), 0, "runs on beta.example now"),
    ("asked, it is prepared, takes GO and gives it back", {**answers(prepared), "answer running": verdict("returned")}, 4,
     "gave the VM back"),
    ("asked, it is prepared, takes GO and closes; then it runs",
     {**answers(prepared, verdict("running")), "answer running": leave}, 0, "runs on beta.example now"),
    ("asked, it knows nothing", answers(verdict("unknown")), 6, "the target's answer is 'unknown'"),
    ("asked, it has lost it", answers(verdict("lost")), 8, "its copy has died"),
    ("asked, it says 'ran'", answers(verdict("ran")), 6, "let the target's copy run before"),
    ("asked, it says rubbish, and then the truth", answers(instead(b"\xff" * 9), verdict("running")), 0,
     "runs on beta.example now"),
    ("asked, it says abort, and then the truth", answers(gives_up(text=ESC), verdict("running")), 0,
     "runs on beta.example now"),
    ("asked, its ID is another's", {**answers(verdict("running")), "answer hello": other(machine="f" * 32)}, 6,
     "is now another machine"),
    ("asked, it has no ID", {**answers(verdict("running")), "answer hello": other(machine=ABSENT)}, 6, "machine"),
    ("asked, it has another protocol", {**answers(verdict("running")), "answer hello": other(protocol=9)}, 6,
     "speaks protocol 9"),
    ("asked, it runs a VM that it never took: from another machine",
     {**answers(verdict("running")), "answer hello": other(machine=MACHINE + "0")}, 6, "is now another machine"),
    ("asked, it waits for ever", answers(verdict("wait")), 6, "the target's answer is 'wait'"),
]


# A sender that has said GO and heard nothing that helps; then `xmig recover`, which hears the lies.
RECOVER = [
    ("it runs it", {"answer": verdict("running")}, 0, "runs on beta.example"),
    ("it gives it back", {"answer": verdict("returned", record="REFUSED", text="no room")}, 4, "no room|runs here"),
    ("it gives it back and moves the cursor", {"answer": verdict("returned", record=ESC, text=ESC)}, 4, r"\\x1b\[2K|runs here"),
    ("it has lost it", {"answer": verdict("lost", text=ESC)}, 8, r"\\x1b\[2K"),
    ("it has run", {"answer": verdict("ran")}, 6, "recover"),
    ("it knows nothing", {"answer": verdict("unknown", text=ESC)}, 6, r"\\x1b\[2K"),
    ("it is incomplete", {"answer": verdict("incomplete")}, 6, "incomplete"),
    ("a state that never was", {"answer": verdict("flying")}, 6, "flying"),
    ("a state that moves the cursor", {"answer": verdict(ESC)}, 6, r"\\x1b\[2K"),
    ("a state of 500 kB", {"answer": verdict("x" * 500000)}, 6, "xxxx"),
    ("a state that is a list", {"answer": verdict(["running"])}, 6, "."),
    ("it waits for ever", {"answer": verdict("wait")}, 6, "wait"),
    ("it is prepared and runs it", {"answer": prepared}, 0, "runs on beta.example"),
    ("it is prepared, takes GO and gives it back", {"answer": prepared, "answer running": verdict("returned")}, 4, "runs here"),
    ("it is prepared, takes GO and is silent of it", {"answer": prepared, "answer running": leave}, 6, "."),
    ("it is another machine", {"answer": verdict("running"), "answer hello": other(machine="f" * 32)}, 6, "is now another machine"),
    ("it has no machine", {"answer": verdict("running"), "answer hello": other(machine=ABSENT)}, 6, "machine"),
    ("it speaks protocol 9", {"answer": verdict("running"), "answer hello": other(protocol=9, version=ESC)}, 6, "protocol 9"),
    ("it says running for hello", {"answer hello": message(type="running")}, 6, "."),
    ("it refuses and moves the cursor", {"answer hello": gives_up("refused", ESC)}, 6, r"\\x1b\[2K"),
    ("it is not installed", ends(127, ESC.encode()), 6, r"\\x1b\[2K"),
    ("it greets", ends(0, words=b"Last login: Mon\r\n"), 6, "Last login"),
    ("it closes", {"answer": leave}, 6, "."),
    ("it aborts", {"answer": gives_up(text=ESC)}, 6, r"\\x1b\[2K"),
]


def lane_ends(status):
    def lie(receiver, _, __):
        receiver.statuses["lane"] = status
        raise Gone
    return lie


def lane_says(data, times=1):
    def lie(_, connection, __):
        for _ in range(times):
            connection.write(data)
        connection.drain()
    return lie


def lane_takes(size):
    """So many bytes, and then the lane ends."""
    def lie(_, connection, __):
        connection.read_bytes(size)
        raise Gone
    return lie


LANE = [
    ("is refused", lane_ends(1)),
    ("is refused by a shell", lane_ends(127)),
    ("ends at once, well", lane_ends(0)),
    ("takes nothing", lambda _, connection, __: connection.stream.recv(1, 2) and time.sleep(3)),
    ("ends after one byte", lane_takes(1)),
    ("ends in the middle", lane_takes(40000)),
    ("sends bulk back", lane_says(b"B\0\0\x10\0" + bytes(4096), 50)),
    ("sends 100 MB of bulk back", lane_says(b"B\0\0\x10\0" + bytes(4096), 25000)),
    ("sends a frame of 4 GiB", lane_says(b"B\xff\xff\xff\xff" + bytes(4096))),
    ("sends rubbish", lane_says(os.urandom(100))),
    ("acknowledges before it has anything", lane_says(b"A\0\0\0\x011")),
    ("acknowledges a number that is none", lane_says(b"A\0\0\0\x04many")),
    ("acknowledges 2^64", lane_says(b"A\0\0\0\x1418446744073709551616")),
    ("acknowledges an empty number", lane_says(b"A\0\0\0\0")),
    ("acknowledges a long number", lane_says(b"A\0\0\x20\0" + b"9" * 8192)),
    ("sends a FINAL", lane_says(b"F\0\0\0\x015" * 1000)),
]

ACKNOWLEDGE = [
    ("never acknowledges", silent),
    ("acknowledges another number", lambda _, connection, __: connection.write(b"A\0\0\0\x0277")),
    ("ends in place of acknowledging", leave),
]


def conversation():
    """(name, lies, status, words, options)"""
    for name, lies, status, words in WORDS:
        yield "words: " + name, lies, status, words, SOON if "never" in name else ()
    for name, lie, words in FRAMES:
        yield "hello is " + name, {"hello": lie}, 1, words, SOON
        yield "in the middle comes " + name, {"done drive-mirror": lie}, 4, words + "|not over within|where 'done'", SOON
    for name, lie, status, words in HELLOS:
        yield "hello: " + name, {"hello": lie}, status, words, SOON if status else ()
    for ticket in TICKETS:
        yield f"hello: the ticket is {ticket[:20]!a}", {"hello": other(ticket=ticket)}, None, "", SOON_PAUSED
    for machine in MACHINES:
        yield f"hello: the machine is {machine[:20]!a}", {"hello": other(machine=machine)}, 0, "runs on beta.example now", ()
    for door in DOORS:
        yield f"hello: the door is {door[:20]!a}", {"hello": other(door=door)}, 0, "runs on beta.example now", ()
    for name, members, words in ABORTS:
        refused = members.get("kind") == "refused"
        lie = gives_up(**{"kind": None, "text": None, **members})
        lie = message(type="abort", **members)
        yield name + " for hello", {"hello": lie}, 3 if refused else 1, "no" if "refusals" in name else words, ()
        yield name + " for a plan", {"checked": lie}, 3 if refused else 1, words, ()
        yield name + " in the middle", {"done drive-mirror": lie}, 4, "" if "refusals" in name else words, ()
    yield ("an abort that is no UTF-8", {"hello": instead(BAD_FRAME)}, 1, "", ())
    for name, plan, words in PLANS:
        yield name, {"checked": other(plan=plan)}, 0, words, ("-n",)
    yield from stages()
    for name, lies, status, words in COMMITTED:
        yield "after GO: " + name, lies, status, words, ()
    yield from lanes()
    yield from asides()
    for name, told, status, words in RECOVER:
        yield ("recover: " + name, {**answers(verdict("unknown")), "recover": told}, status, words, ())


def stages():
    points = ["checked", *("done " + stage for stage in STAGES[:5]), "listening", "ready"]
    for point in points:
        begun = 1 if point == "checked" else 4
        begun_or = {1: (1,), 4: (4,)}[begun]
        pause = SOON_PAUSED if point in ("done ram-stream", "ready") else SOON
        yield f"it closes for '{point}'", {point: leave}, begun_or, "lost the connection", pause
        yield f"it says goodbye for '{point}'", {point: message(type="goodbye")}, begun_or, "said goodbye|not permitted", pause
        yield f"it says only `alive` for '{point}'", {point: only_alive}, begun_or, "not over within|been paused for longer|nothing came", pause
        yield f"it aborts for '{point}'", {point: gives_up(text="gives up")}, begun_or, "gives up", pause
        yield f"it says '{point}' byte by byte", {point: slowly}, 0, "runs on beta.example now", ()
        yield f"it says '{point}' twice", {point: twice}, None, "", pause
        for kind in ("params", "go", "settled", "query", "running", "verdict", "hello"):
            yield (f"it says '{kind}' before '{point}'", {point: also_before({"type": kind, "state": "running"})},
                   None if point in ("ready", "done ram-stream") else begun_or, "", pause)
    for stage in ("", "params-copy", "no-such-stage", ESC, "x" * 500000, 7, ABSENT, None):
        yield (f"'done' is for {str(stage)[:20]!a}", {"done drive-mirror": other(stage=stage)}, 4, "done drive-mirror|stage|through", SOON)
    yield ("all 'done' at once", {"done params-copy": also_after(*({"type": "done", "stage": s} for s in STAGES[1:]))}, 4, "", SOON)
    yield ("'ready' before anything", {"done params-copy": also_before({"type": "ready"})}, 4, "not permitted", SOON)
    yield ("'running' before anything", {"done params-copy": also_before({"type": "running"})}, 4, "not permitted", SOON)
    yield ("'running' for 'ready'", {"ready": message(type="running")}, 4, "said 'running' where 'ready' was due", SOON_PAUSED)
    yield ("'ready' while RAM is on its way", {"listening": also_after({"type": "ready"})}, 4, "not permitted", SOON_PAUSED)
    yield ("'listening' early", {"done drive-mirror": also_before({"type": "listening"})}, 4, "not permitted", SOON)
    yield ("a flush of a year", {"listening": other(flush_ms=31536000000)}, 4, "was not paused", SOON)
    yield ("a flush of 2^53 ms", {"listening": other(flush_ms=2 ** 53)}, 4, "was not paused", SOON)
    yield ("a flush of 2^63 ms", {"listening": other(flush_ms=2 ** 63)}, None, "", SOON)
    yield ("a flush of -1 ms", {"listening": other(flush_ms=-1)}, 0, "", ())
    yield ("a flush that is a text", {"listening": other(flush_ms=ESC)}, 0, "", ())
    yield ("it gives the VM back before COMMIT", {"ready": verdict("returned", record="REFUSED")}, 4, "said 'verdict'", SOON_PAUSED)
    yield ("it has lost the VM before COMMIT", {"ready": verdict("lost")}, 4, "said 'verdict'", SOON_PAUSED)
    yield ("after our abort it says it runs the VM", {"done ram-stream": only_alive, "verdict": verdict("running")}, None, "",
           SOON_PAUSED)
    yield ("after our abort it says what never was", {"done drive-mirror": only_alive, "verdict": verdict("flying", text=ESC),
                                                       "closed": verdict("flying", text=ESC), "answer": verdict(ESC)}, 4, "", SOON)
    yield ("after our abort it closes", {"done drive-mirror": only_alive, "verdict": leave}, 4, "", SOON)
    yield ("after our abort it closes, and knows nothing",
           {"done drive-mirror": only_alive, "verdict": leave, "answer": verdict("unknown")}, 4, "", SOON)
    yield ("after our abort it closes, and is another machine",
           {"done drive-mirror": only_alive, "verdict": leave, "answer hello": other(machine="")}, 4, "another machine", SOON)
    yield ("after our abort it floods", {"done drive-mirror": only_alive, "verdict": flood(frame({"type": "alive"}) * 1000, 3000)},
           4, "", SOON)


def asides():
    """What may be said at any time."""
    texts = {"lines": ESC + "\n" + json.dumps({"type": ESC, "ms": 2 ** 64}) + "\n{"}
    for name, members in (("ping", {}), ("ping", {"ms": ESC, "n": -1}), ("pong", {}), ("pong", {"ms": 2 ** 64, "n": []}),
                          ("history", {}), ("history", {"lines": 5}), ("history", texts), ("history", {"lines": "x" * 900000})):
        what = f"{name} with {str(members)[:20]!a}"
        yield f"it says {what}", {"done drive-mirror": also_before({"type": name, **members})}, 0, "runs on beta.example now", ()
    shares = other(features=["look", "lz4", "history"])
    for what, lines in (("escape sequences", ESC), ("objects with escape sequences", json.dumps({"type": ESC, "ms": 1})), ("a number", 5),
                        ("1 MB", "{}\n" * 340000), ("no UTF-8", None), ("a line without an end", "{" * 500000)):
        lie = also_before({"type": "history", "lines": lines})
        if lines is None:
            lie = instead(frame(b'{"type": "history", "lines": "' + BAD + b'"}') + frame({"type": "goodbye"}))
        yield f"its history is {what}", {"hello": shares, "goodbye": lie}, 0, "runs on beta.example now", ()
    yield ("it has two histories", {"hello": shares, "goodbye": also_before(*({"type": "history", "lines": "{}"},) * 2)}, 0,
           "runs on beta.example now", ())
    yield ("it asks for the time for ever", {"hello": shares, "done drive-mirror": flood(frame({"type": "ping", "ms": 1}) * 1000, 300)},
           4, "not over within|peer", SOON)
    for name in "ping", "pong", "history":
        data = frame({"type": name, "lines": "{}\n" * 9999}) * 10
        yield f"it floods with '{name}'", {"done drive-mirror": flood(data, 300)}, 4, "not over within|peer", SOON


def lanes():
    for lane in "disk/vda", "ram":
        for name, lie in LANE:
            words = f"lane {lane}|vda|ram-stream|stood still|not over within|target has|drive-mirror|block-ready"
            yield f"lane {lane} {name}", {"lane " + lane: lie}, None if "takes nothing" not in name else (0, 4), words, SOON_PAUSED
        for name, lie in ACKNOWLEDGE:
            yield f"lane {lane} {name}", {"acknowledge " + lane: lie}, 4, "", SOON_PAUSED


def with_statuses(rows):
    """The statuses as a tuple; empty: any that tells the truth."""
    for name, lies, status, words, options in rows:
        yield name, lies, (status,) if isinstance(status, int) else status or (), words, options


def named():
    return with_statuses(conversation())
