"""Misbehaviours of the control connection: frames, hellos, parameters, and the order of words."""

import contextlib
import json
import struct
import time

import wire
from sender import AT_ONCE_S, Misbehaviour, answers, ends, refuses
from wire import ABSENT

IS = Misbehaviour


def length(size):
    return struct.pack(">I", size)


def after_hello(*messages):
    def act(sender):
        sender.begin()
        sender.send(*messages)
    return act


def raw(data, end=False):
    def act(sender):
        sender.raw(data)
        if end:
            sender.connection.end()
    return act


def hello(**changes):
    return lambda sender: sender.hello(**changes)


def params(**changes):
    def act(sender):
        sender.begin()
        sender.send(wire.simulated_params(**changes))
    return act


def at(station, *messages):
    def act(sender):
        sender.to(station)
        sender.send(*messages)
    return act


def done(stage):
    return {"type": "done", "stage": stage}


IDLE_S = 180  # a sender that may be silent for a second may do nothing else for so long


def lives(station=None, **said):
    """It says only that it is alive, in these words, from that station on (None: no hello), for as long as somebody
    listens.
    """
    def act(sender):
        if station:
            sender.to(station, alive_ms=500, lost_ms=1000)
        until = time.monotonic() + IDLE_S + AT_ONCE_S
        while time.monotonic() < until and sender.send({"type": "alive", **said}):
            with contextlib.suppress(wire.Silence):
                if (sender.connection.hear(.05) or {"type": "abort"})["type"] == "abort":
                    return
    return act


def body_of(hello_text):
    return hello_text.encode("utf-8", "surrogateescape")


GOOD = json.dumps(wire.sender_hello())
DEEP = 900

FRAMES = [
    IS("not a word, and the end", raw(b"", end=True), ends()),
    IS("half a length", raw(b"\0\0", end=True), ends()),
    IS("a length, and the end", raw(length(10), end=True), ends()),
    IS("half a message", raw(wire.frame(body_of(GOOD))[:100], end=True), ends()),
    IS("a length of 1 MiB and a byte", raw(length(wire.MESSAGE_MAX + 1)), refuses("does not speak xmig's protocol")),
    IS("a length of 4 GiB", raw(b"\xff" * 4), refuses("does not speak xmig's protocol")),
    IS("a login's banner", raw(b"Last login: never\n"), refuses("said 'Last login: never'"), in_check=True),
    IS("a banner with an escape sequence", raw(b"\x1b]0;owned\x07\n"), refuses("does not speak")),
    IS("a banner of bad UTF-8", raw(b"\xff\xfe\xfd\xfc\xfb\n" * 3), refuses("does not speak")),
    IS("a message of no bytes", raw(length(0)), refuses("not JSON")),
    IS("a message of blanks", raw(wire.frame(b"    ")), refuses("not JSON")),
    IS("not JSON", raw(wire.frame(b"hello")), refuses("not JSON: 'hello'")),
    IS("not JSON, but an escape sequence", raw(wire.frame(b"\x1b[2J\x1b[H")), refuses("not JSON")),
    IS("not JSON, but bad UTF-8", raw(wire.frame(b"\xc3\x28\xa0\xa1\xf0\x28\x8c\xbc")), refuses("not JSON"),
       in_check=True),
    IS("60 bytes and then half a character", raw(wire.frame(b"x" * 59 + "\u20ac".encode() * 4)), refuses("not JSON")),
    IS("an array", raw(wire.frame(b"[]")), refuses("not an object")),
    IS("a number", raw(wire.frame(b"3")), refuses("not an object")),
    IS("null", raw(wire.frame(b"null")), refuses("not an object")),
    IS("two objects in a message", raw(wire.frame(b"{}{}")), refuses("more after the end")),
    IS("a NUL after the object", raw(wire.frame(b'{"type":"hello"}\0')), refuses("NUL")),
    IS("a NUL in a text", raw(wire.frame(b'{"type":"hel\0lo"}')), refuses("NUL")),
    IS("an escaped NUL in the type", raw(wire.frame(b'{"type":"hello\\u0000x"}')), refuses("NUL")),
    IS("an object that does not end", raw(wire.frame(b'{"type":"hello"')), refuses("not JSON")),
    IS("a lone surrogate", raw(wire.frame(b'{"type":"\\ud800"}')), refuses("not JSON|not permitted")),
    IS("an object in itself, 900 times", raw(wire.frame(b'{"type":' * DEEP + b"1" + b"}" * DEEP)),
       refuses("'type' is not a string")),
    IS("arrays in arrays, 100,000 times", raw(wire.frame(b'{"type":' + b"[" * 60000)), refuses("not JSON")),
    IS("an array in an array, too often to count", raw(wire.frame(b"[" * 500000)), refuses("more than 65536 values")),
    IS("65,537 values", raw(wire.frame(b'{"type":"hello","x":[' + b"0," * 65537 + b"0]}")),
       refuses("more than 65536 values"), in_check=True),
    IS("a megabyte of members with one name",
       raw(wire.frame(b"{" + b'"type":"hello",' * 60000 + b'"protocol":3}')), refuses("'type' is there twice")),
    IS("a number of 10,000 digits", raw(wire.frame(b'{"type":"hello","protocol":' + b"9" * 10000 + b"}")),
       refuses("not a whole number|not JSON")),
    IS("a number with a great exponent", raw(wire.frame(b'{"type":"hello","protocol":1e999}')),
       refuses("not a whole number|not JSON")),
    IS("a name twice", raw(wire.frame(b'{"type":"hello","x":[{"a":1,"a":2}]}')), refuses("'a' is there twice")),
    IS("not a number", raw(wire.frame(b'{"type":"hello","protocol":NaN}')), refuses("not JSON")),
    IS("no type", raw(wire.frame(b'{"protocol":3}')), refuses("a message without a type")),
    IS("a type that is a number", raw(wire.frame(b'{"type":3}')), refuses("'type' is not a string")),
    IS("a type that nobody knows", raw(wire.frame(b'{"type":"shell"}')), refuses("said 'shell'")),
    IS("a type with an escape sequence", raw(wire.frame(b'{"type":"\\u001b[31mred"}')), refuses("not permitted now")),
    IS("a type of a megabyte", raw(wire.frame(b'{"type":"' + b"x" * 1000000 + b'"}')), refuses("said 'xxx")),
    IS("a type of a megabyte of quotes", raw(wire.frame(b'{"type":"' + b'\\"' * 500000 + b'"}')),
       refuses("said '\"\"\"")),
    IS("the hello in single quotes", raw(wire.frame(GOOD.replace('"', "'").encode())), refuses("not JSON")),
    IS("a message for the receiver only", raw(wire.frame({"type": "running"})), refuses("not permitted now")),
]

HELLO_TEXTS = ("type", "id", "token", "intent")
HELLOS = [
    *[IS(f"a hello without {name}", hello(**{name: ABSENT}), refuses(f"{name}' is missing"))
      for name in ("protocol", "id", "token", "intent")],
    *[IS(f"a hello whose {name} is {what}", hello(**{name: value}), refuses(f"'{name}' is not a string"))
      for name in ("id", "token", "intent") for what, value in (("a number", 3), ("null", None), ("an array", ["a"]))],
    *[IS(f"a hello whose protocol is {value!r}", hello(protocol=value), refuses("'protocol' is not a whole number"))
      for value in ("3", -3, 3.5, None, [3], 2 ** 60, True)],
    IS("a hello of an older protocol", hello(protocol=2), refuses("speaks protocol 2", "refused"), in_check=True),
    IS("a hello of the last protocol of all", hello(protocol=2 ** 53), refuses("speaks protocol 9007", "refused")),
    IS("a version with escape sequences and a secret", hello(protocol=9, version="\x1b[31m password=hunter2 \u202e"),
       refuses("speaks protocol 9", "refused")),
    IS("a version of 900,000 bytes", hello(protocol=9, version="v" * 900000), refuses("has xmig v", "refused")),
    *[IS(f"the ID {value[:40]!r}", hello(id=value), refuses("is not a migration's id|'aaaa"))
      for value in ("", "..", ".", "../../../decoy", "0123456789abcdeF", "0123456789abcde", "0123456789abcdef0",
                    "/etc/passwd", "0123456789abcde\n", "0123456789abcde\x1b", "\u0661" * 16, "-" * 16, "a" * 100000)],
    IS("an intent that nobody knows", hello(intent="shell", stages=ABSENT), refuses("'stages' is missing")),
    IS("a hello twice", after_hello(wire.sender_hello()), refuses("said 'hello' where 'params' was due")),
    IS("a host that nobody knows", hello(host="vmware"), refuses("cannot receive a 'vmware' VM", "refused"),
       in_check=True),
    IS("a host with a path", hello(host="../../decoy/program"), refuses("cannot receive", "refused")),
    IS("a host that is a number", hello(host=1), refuses("'host' is not a string")),
    IS("no host", hello(host=ABSENT), refuses("'host' is missing")),
    IS("a guest of Xen, where there is no Xen", hello(host="xen"), refuses("not a Xen host", "refused")),
    IS("stages that are a text", hello(stages="params-copy"), refuses("'stages' is not an array")),
    IS("no stages", hello(stages=[]), refuses("leaves out the stage", "refused")),
    IS("a stage that nobody has", hello(stages=["shell", *wire.STAGES]), refuses("has no stage 'shell'", "refused")),
    IS("a stage that is a number", hello(stages=[*wire.STAGES, 7]), refuses("has no stage", "refused")),
    IS("without the last stage", hello(stages=list(wire.STAGES[:-1])), refuses("leaves out the stage 'incoming-resume'",
                                                                              "refused")),
    *[IS(f"alive_ms {alive}, lost_ms {lost}", hello(alive_ms=alive, lost_ms=lost), refuses("makes no sense"))
      for alive, lost in ((0, 0), (0, 1000), (2000, 1000), (1000, 3600001), (2 ** 53, 2 ** 53), (3600001, 3600001))],
    *[IS(f"the fault {value[:30]!r}", hello(fault=value), refuses(".", "refused"))
      for value in ("x", "params-copy:end", "params-copy:end:recv:shell", ":::", "a" * 100000, "%n%n%n%s")],
    IS("a policy's name in the hello", after_hello({**wire.simulated_params(), "as": "root"}),
       ends()),
]

IDLE = refuses("the peer is alive, but has done nothing more for", "timeout")
IDLENESS = [  # tests/unit/test-session-end.c has all signs of life, and takes no time
    IS("nothing but alive, from the first word on", lives(), refuses("waiting for the peer's 'hello'", "timeout"),
       ("pipe", "tls")),
    IS("nothing but alive in place of parameters", lives("params"), IDLE, ("named",)),
    IS("nothing but alive while it should send a disk", lives("drive-mirror"), IDLE, ("tls",)),
    IS("nothing but alive to a copy that is prepared", lives("ready"), ends(), ("pipe",)),
]

STATIONS = ("params", "params-copy", "qemu-defer-start", "drive-mirror", "block-ready-wait", "ram-stream")
ORDER = [
    IS("a sender who is silent before its parameters", lambda sender: sender.begin(), ends()),
    *[IS(f"GO at {station}", at(station, {"type": "go"}), refuses("said 'go', which is not permitted now"),
         in_check=station == "ram-stream") for station in STATIONS],
    *[IS(f"a query at {station}", at(station, {"type": "query", "committed": True}), refuses("said 'query'"))
      for station in ("params", "ram-stream")],
    *[IS(f"'{kind}', which only the receiver says", at("params-copy", {"type": kind}), refuses(f"said '{kind}'"))
      for kind in ("listening", "ready", "running")],
    IS("parameters twice", at("params-copy", wire.simulated_params()), refuses("said 'params' where 'done' was due")),
    IS("parameters after their stage", at("qemu-defer-start", wire.simulated_params()), refuses("said 'params'")),
    IS("the second stage done before the first", at("params-copy", done("qemu-defer-start")),
       refuses("through with 'qemu-defer-start', not with 'params-copy'")),
    IS("a stage done twice", at("qemu-defer-start", done("params-copy")),
       refuses("through with 'params-copy', not with 'qemu-defer-start'"), in_check=True),
    IS("the last stage done first", at("params-copy", done("incoming-resume")), refuses("through with 'incoming")),
    IS("done before hello", lambda sender: sender.send(done("params-copy")), refuses("not with '\\(nothing\\)'")),
    IS("done with nothing", at("params-copy", {"type": "done"}), refuses("'stage' is missing")),
    IS("done with a number", at("params-copy", {"type": "done", "stage": 0}), refuses("'stage' is not a string")),
    IS("done with a stage of 900,000 bytes", at("params-copy", done("x" * 900000)), refuses("through with 'x")),
    IS("all stages done at once, and no lane", at("params-copy", *map(done, wire.STAGES)),
       ends()),
    IS("a seventh stage", at("params-copy", *map(done, wire.STAGES), done("params-copy")),
       refuses("not with '\\(nothing\\)'")),
    IS("checked, and no parameters", after_hello({"type": "checked", "plan": []}),
       refuses("said 'checked' where 'params' was due")),
    IS("goodbye in place of parameters", after_hello({"type": "goodbye"}), refuses("said goodbye", "lost")),
    IS("goodbye before hello", lambda sender: sender.say("goodbye"), refuses("said goodbye", "lost")),
    IS("abort before hello", lambda sender: sender.say("abort", kind="refused", text="no"), refuses("no", "refused")),
    IS("a verdict before hello", lambda sender: sender.say("verdict", state="running"),
       refuses("said 'verdict' where 'hello' was due")),
    IS("settled before hello", lambda sender: sender.say("settled", running=True),
       refuses("said 'settled' where 'hello' was due")),
    IS("a verdict in the middle", at("drive-mirror", {"type": "verdict", "state": "returned"}),
       refuses("said 'verdict' where 'done' was due")),
    IS("settled in the middle", at("drive-mirror", {"type": "settled", "running": True}),
       refuses("said 'settled' where 'done' was due")),
    IS("abort without a reason", at("drive-mirror", {"type": "abort"}), refuses("no reason", "peer")),
    IS("abort with a kind that nobody knows", at("drive-mirror", {"type": "abort", "kind": "\x1b", "text": "\x1b[1m"}),
       refuses(".", "peer")),
    IS("abort with texts of other types", at("drive-mirror", {"type": "abort", "kind": [], "text": {}, "refusals": 1}),
       refuses(".", "peer")),
    IS("abort with refusals that are none",
       at("drive-mirror", {"type": "abort", "kind": "refused", "text": "x", "refusals": [1, None, {"text": 1}, "x"]}),
       refuses("x", "refused")),
    IS("abort with 60,000 refusals",
       at("drive-mirror", {"type": "abort", "kind": "refused", "text": "x", "refusals": [{}] * 30000}),
       refuses("x", "refused")),
    IS("abort twice", at("drive-mirror", {"type": "abort", "kind": "cancelled", "text": "a"}, {"type": "abort"}),
       refuses("a", "cancelled")),
]


def without(name):
    return params(**{name: ABSENT})


PARAMS = [
    *[IS(f"parameters without {name}", without(name), refuses(f"'{name}' is missing"), in_check=name == "name")
      for name in ("name", "memory", "disks")],
    IS("a VM's name that is a number", params(name=1), refuses("'name' is not a string")),
    IS("a VM's name of 900,000 bytes", params(name="x" * 900000), refuses("longer than"), in_check=True),
    *[IS(f"memory that is {what}", params(memory=value), refuses("'memory' is not a whole number"))
      for what, value in (("negative", -1), ("a text", "1G"), ("a fraction", .5), ("beyond 2^53", 2 ** 54))],
    IS("disks that are an object", params(disks={}), refuses("'disks' is not an array")),
    IS("a disk that is a text", params(disks=["vda"]), refuses("not all objects")),
    IS("a disk without a name", params(disks=[{"size": 1}]), refuses("'name' is missing")),
    IS("a disk without a size", params(disks=[{"name": "vda"}]), refuses("'size' is missing")),
    IS("a disk of a negative size", params(disks=[{"name": "vda", "size": -1}]), refuses("'size' is not a whole")),
    *[IS(f"a disk called {value[:20]!r}", params(disks=[{"name": value, "size": 1}]), refuses("'name' cannot be"))
      for value in ("../../decoy", "", ".", "..", "a/b", "a\nb", "\x1b[31m", "\u202eadv", "x" * 300)],
    IS("30,000 disks", params(disks=[{"name": f"v{i}", "size": 1} for i in range(15000)]),
       refuses("more than 8 disks|disks", "refused"), doors=("pipe",)),
    IS("a hang that is a number", params(hang=1), refuses("'hang' is not a string")),
    IS("a hang of 1,000 bytes", params(hang="x" * 1000), refuses("longer than")),
    IS("a flush that is a text", params(flush_ms="x"), refuses("'flush_ms' is not a whole")),
]

TABLE = FRAMES + HELLOS + IDLENESS + ORDER + PARAMS
