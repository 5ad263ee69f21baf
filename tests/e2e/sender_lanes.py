"""Misbehaviours beside the control connection: lanes, the door, floods, and questions about what was begun."""

import json
import os
import socket
import struct

import wire
from hostile import Wrong, await_end
from sender import AT_ONCE_S, Misbehaviour, answers, ends, refuses

IS = Misbehaviour
PIPES = ("pipe", "named")


def must(holds, text):
    if not holds:
        raise Wrong(text)


# ---- lanes ----

def refused_lane(name, **more):
    """Asked for while the disks are mirrored; then the sender is silent."""
    def act(sender):
        sender.to("drive-mirror")
        must(sender.lane(name, **more) is None, f"there is a lane {name!r}")
    return act


def on_lane(name, *data, end=False):
    """Bytes on a lane, and the stages go on as if they were good."""
    def act(sender):
        sender.to("drive-mirror")
        lane = sender.lane(name)
        must(lane, f"there is no lane {name!r}")
        for each in data:
            try:
                lane.sendall(each)
            except OSError:
                break
        if end:
            wire.Connection(lane).end()
        try:  # what is good is acknowledged
            lane.settimeout(0.5)
            lane.recv(100)
        except OSError:
            pass
        sender.say("done", stage="drive-mirror")
        sender.say("done", stage="block-ready-wait")
        sender.hear("listening")
        try:
            sender.lane("ram").sendall(wire.lane_frame(b"F", b"65536"))
        except (OSError, AttributeError):
            pass
        sender.say("done", stage="ram-stream")
    return act


def lane_of_another(sender):
    """Its door is right, its ticket another migration's."""
    sender.to("drive-mirror")
    must(sender.lane("disk/vda", ticket="00" * 16) is None, "another ticket opens a lane")
    must(sender.lane("disk/vda", ticket=sender.answer["ticket"][:-1]) is None, "half a ticket opens a lane")
    must(sender.lane("disk/vda", ticket=sender.answer["ticket"] + "0") is None, "more than a ticket opens a lane")


def lane_before_parameters(sender):
    sender.begin()
    must(sender.lane("disk/vda") is None, "there is a lane before the parameters")


def lane_after_the_end(sender):
    """The move is over, and its ticket is worth nothing."""
    sender.to("end")
    sender.last_words(ends())
    try:
        must(sender.lane("disk/vda") is None, "there is a lane after the end")
    except OSError:
        pass  # nor a door


def lanes_a_hundred_times(sender):
    sender.to("drive-mirror")
    for _ in range(100):
        must(sender.lane("disk/vda"), "a lane cannot be replaced")


def lane_that_nobody_reads(sender):
    """Each number is acknowledged; the answers are not read."""
    sender.to("drive-mirror")
    lane = sender.lane("disk/vda")
    lane.settimeout(1)
    try:
        for _ in range(200):
            lane.sendall(wire.lane_frame(b"F", b"1") * 20000)
    except OSError:
        pass
    sender.connection.close()
    sender.connection = sender.door.connect()
    sender.say("goodbye")


LZ4 = bytes.fromhex("04224d18")
LANES = [
    IS("a ticket that is not the migration's", lane_of_another, ends(), PIPES, in_check=True),
    IS("a lane before the parameters", lane_before_parameters, ends(), in_check=True),
    IS("a lane after the end", lane_after_the_end, ends(), PIPES),
    *[IS(f"a lane called {name[:30]!r}", refused_lane(name), ends(), PIPES)
      for name in ("", "disk/", "disk/vdz", "disk/vdaa", "disk/../ram", "../ram", "lz4/", "lz4/disk/vdb", "lz4/lz4/ram",
                   "ram\n", "\x1b[31m", "disk/vd" + "a" * 3000, "disk/vd\x00a", "disk/vd\x7f")],
    IS("a hundred lanes for one disk", lanes_a_hundred_times, ends(), PIPES),
    IS("a lane's frame of 4 GiB", on_lane("disk/vda", b"B\xff\xff\xff\xff" + bytes(100000)),
       refuses("disk 0 is not complete", "system"), in_check=True),
    IS("a lane's frame of 64 KiB and a byte", on_lane("disk/vda", b"B" + struct.pack(">I", 65537) + bytes(65537)),
       refuses("disk 0 is not complete", "system")),
    IS("a lane that ends in a frame", on_lane("disk/vda", b"B\0\0\1\0abc", end=True),
       refuses("disk 0 is not complete", "system")),
    IS("a lane that ends at once", on_lane("disk/vda", end=True), refuses("disk 0 is not complete", "system")),
    IS("a lane's number that is none", on_lane("disk/vda", wire.lane_frame(b"F", b"\x1b[1m" * 5000)), ends()),
    IS("a lane's number beyond all", on_lane("disk/vda", wire.lane_frame(b"F", b"9" * 60000)), ends()),
    IS("a lane's final number a thousand times", on_lane("disk/vda", wire.lane_frame(b"F", b"7") * 1000), ends()),
    IS("a lane's frame of a kind that nobody knows", on_lane("disk/vda", wire.lane_frame(b"\0", b"7")),
       refuses("disk 0 is not complete", "system")),
    IS("bytes after the final number", on_lane("disk/vda", wire.lane_frame(b"F", b"7"), os.urandom(100000)), ends()),
    IS("noise on a lane", on_lane("disk/vda", b"\xff" * 300000), refuses("disk 0 is not complete", "system")),
    IS("answers that are never read", lane_that_nobody_reads, refuses("said goodbye", "lost"), PIPES),
    *[IS(f"a compressed lane with {what}", on_lane("lz4/disk/vda", data), refuses("lz4/disk/vda: damaged"))
      for what, data in (("noise", b"\x55" * 100000), ("a header and noise", LZ4 + b"\x64\x40\xa7" + b"\xff" * 100000),
                         ("a header of another version", LZ4 + b"\xff\xff\xff" * 1000))],
    IS("a compressed lane that ends in its header", on_lane("lz4/disk/vda", LZ4, end=True),
       refuses("disk 0 is not complete", "system")),
    IS("a compressed lane with a block of 4 GiB", on_lane("lz4/disk/vda", LZ4 + b"\x64\x40\xa7\xff\xff\xff\x7f" + bytes(99)),
       refuses("lz4/disk/vda: damaged")),
]


# ---- the door ----

def at_door(request, *fds, wrong="error"):
    """What is asked is refused, and the door stays open for those who know its words."""
    def act(sender):
        sender.to("drive-mirror")
        path = sender.answer["door"]
        taken = [os.open("/dev/null", os.O_RDWR) for _ in fds]
        try:
            answer, got = wire.ask_door(path, request, taken)
        except OSError:
            answer, got = None, []
        finally:
            for each in taken:
                os.close(each)
        for each in got:
            os.close(each)
        must(not got and (answer is None or wrong in answer), f"the door answers {answer}")
        must(sender.lane("disk/vda"), "the door serves nobody any more")
    return act


def many_at_the_door(sender):
    """Each says half a line, and waits."""
    sender.to("drive-mirror")
    waiting = []
    for _ in range(300):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(sender.answer["door"])
        sock.settimeout(AT_ONCE_S)
        sock.send(b'{"lane":')
        waiting.append(sock)
    must(sender.lane("disk/vda"), "the door serves nobody any more")
    for sock in waiting:
        sock.close()


DOOR = [
    IS("not JSON at the door", at_door(b"hello\n"), ends(), PIPES),
    IS("bad UTF-8 at the door", at_door(b"\xff\xfe{\n"), ends(), PIPES),
    IS("a NUL at the door", at_door(b"\0\n"), ends(), PIPES),
    IS("nothing at the door", at_door(b"\n"), ends(), PIPES),
    IS("4096 bytes and no line at the door", at_door(b"x" * 5000), ends(), PIPES, in_check=True),
    IS("a request without a ticket", at_door({"lane": "disk/vda"}), ends(), PIPES),
    IS("a ticket that is a number", at_door({"lane": "disk/vda", "ticket": 7}), ends(), PIPES),
    IS("a relay without a ticket", at_door({"lane": "disk/vda", "relay": True}), ends(), PIPES),
    IS("a control connection without descriptors", at_door({"control": True}), ends(), PIPES),
    IS("a control connection of one descriptor", at_door({"control": True}, 1), ends(), PIPES),
    IS("a request with three descriptors", at_door({"lane": "x"}, 1, 2, 3), ends(), PIPES),
    IS("300 who wait at the door", many_at_the_door, ends(), PIPES),
]


def xmig_lane(*words):
    """`xmig lane` with words of the key's owner."""
    def act(sender):
        sender.to("drive-mirror")
        words_now = [word or sender.answer["ticket"] for word in words]
        process, stream = sender.door.run_lane(*words_now)
        status, _ = await_end(process, AT_ONCE_S)
        sender.door.processes.remove(process)
        stream.close()
        must(0 < status < 99, f"xmig lane ends with {status}")
    return act


LANE_COMMAND = [
    IS(f"xmig lane with the ID {identity[:20]!r}", xmig_lane(identity, None, "disk/vda"), ends(), ("pipe",))
    for identity in ("", "..", "../../decoy", "/tmp", "f" * 16, "f" * 5000, "\x1b[2J", "%s%n", "-h" * 8)
]


# ---- floods ----

def flood(message, times, station="params", **hello):
    def act(sender):
        sender.to(station, **hello)
        data = wire.frame(message) * 100
        for _ in range(times // 100):
            if not sender.raw(data):
                break
    return act


FLOODS = [
    IS("100,000 times alive, and nothing else", flood({"type": "alive"}, 100000), ends()),
    IS("1,000 times settled", flood({"type": "settled", "running": True}, 1000), refuses("settled|more than anybody")),
    IS("1,000 verdicts before hello", lambda sender: sender.raw(wire.frame({"type": "verdict"}) * 1000),
       refuses("verdict|more than anybody"), in_check=True),
    IS("1,000 times done", lambda sender: sender.raw(wire.frame({"type": "done", "stage": "x"}) * 1000),
       refuses("through with 'x'")),
    IS("messages of a megabyte, 20 of them",
       lambda sender: sender.raw(wire.frame({"type": "verdict", "text": "x" * 1000000}) * 20),
       refuses("verdict|more than anybody")),
    IS("60,000 values in each of ten messages",
       lambda sender: sender.raw(wire.frame({"type": "settled", "x": [0] * 60000}) * 10),
       refuses("settled|more than anybody"), in_check=True),
    IS("a plan of 20,000 steps", lambda sender: (sender.begin(), sender.send(
        wire.simulated_params(), {"type": "checked", "plan": [{"stage": "x", "text": "\x1b"}] * 15000})), ends()),
    IS("60,000 features", lambda sender: (sender.begin(features=["x"] * 60000)), ends()),
    IS("30,000 stages", lambda sender: sender.hello(stages=["params-copy"] * 30000), refuses("leaves out", "refused")),
    IS("a lease of 2^53 ms", lambda sender: (sender.to("drive-mirror", lease_ms=2 ** 53)), ends()),
    IS("a from of 900,000 bytes and an escape", lambda sender: sender.begin(**{"from": "\x1b" * 150000}), ends()),
    IS("a machine of 900,000 bytes", lambda sender: sender.begin(machine="\u202e" * 200000), ends()),
    IS("100,000 pings, of which nobody hears the answers", flood({"type": "ping", "sent_us": 2 ** 53}, 100000), ends(),
       in_check=True),
    IS("100,000 pongs that nobody asked for", flood({"type": "pong", "sent_us": 1, "now_us": 2 ** 53}, 100000), ends()),
    IS("a ping before hello", lambda sender: sender.send({"type": "ping"}, wire.sender_hello()), ends()),
    IS("pings and pongs of other types", lambda sender: (sender.begin(), sender.send(
        {"type": "ping", "sent_us": "\x1b"}, {"type": "ping"}, {"type": "pong", "sent_us": [], "now_us": -1})), ends()),
    IS("a history of 900,000 bytes, ten times", lambda sender: (sender.begin(features=["history"]), sender.send(
        *[{"type": "history", "lines": "\x1b" * 150000}] * 10)), ends()),
    IS("a history that is a number", lambda sender: (sender.begin(features=["history"]), sender.send(
        {"type": "history", "lines": 7})), ends()),
    IS("a hello that says alive for ever", lambda sender: sender.raw(wire.frame({"type": "alive"}) * 200000 + b"\0"),
       ends(within=40), ("pipe",)),
]


# ---- questions ----

def ask(station, query, **hello):
    """A migration comes so far; then somebody asks."""
    def act(sender):
        sender.moved(station)
        sender.begin(intent="query", **hello)
        sender.send(query)
    return act


def ask_of_nothing(query, **hello):
    def act(sender):
        sender.begin(intent="query", **hello)
        sender.send(*query)
    return act


def state_of_vm(sender, wanted):
    path = sender.host.path(f"state/{sender.id}/simulated-target.json")
    with open(path, encoding="utf-8") as file:
        state = json.load(file)["state"]
    must(state == wanted, f"the VM is {state}, not {wanted}")


def with_state(act, wanted, *more):
    """A stranger's question changes nothing: afterwards the true sender calls it off."""
    def whole(sender):
        act(sender)
        sender.connection.hear_until("verdict")
        state_of_vm(sender, wanted)
        for each in more:
            each(sender)
    return whole


def give_back(sender):
    """By the true sender; else the copy would wait for the lease."""
    sender.again()
    sender.say("query", committed=False)
    sender.hear("verdict")
    sender.say("settled", running=True)


def history_for_a_stranger(sender):
    sender.moved("running")
    sender.begin(intent="query", token=STRANGER, features=["look", "history"])
    sender.say("query", committed=True, history=True)
    while (said := sender.connection.hear(AT_ONCE_S)) is not None:
        must(said["type"] != "history", f"a stranger hears {said}")


QUERY = {"type": "query", "committed": True}
STRANGER = "00" * 16
QUERIES = [
    IS("a question about nothing", ask_of_nothing([QUERY]), answers("unknown"), in_check=True),
    IS("a question with another token", with_state(ask("ready", QUERY, token=STRANGER), "paused", give_back),
       answers("returned"), in_check=True),
    IS("a question with an empty token", with_state(ask("ready", QUERY, token=""), "paused", give_back),
       answers("returned")),
    IS("a look with another token", with_state(ask("ready", {**QUERY, "look": True}, token=STRANGER), "paused",
                                               give_back), answers("returned")),
    IS("back with another token", with_state(ask("ready", {**QUERY, "back": True}, token=STRANGER), "paused",
                                             give_back), answers("returned")),
    IS("a question that is not one", ask_of_nothing([{"type": "query"}]), answers("unknown")),
    IS("a question in place of which nothing comes", ask_of_nothing([]), ends(within=75), ("pipe",)),
    IS("goodbye in place of a question", ask_of_nothing([{"type": "goodbye"}]), ends()),
    IS("parameters in place of a question", ask_of_nothing([wire.simulated_params()]), ends()),
    IS("a question twice", ask_of_nothing([QUERY, QUERY]), answers("unknown")),
    IS("the truth of what is committed is a number", ask_of_nothing([{**QUERY, "committed": 7}]), answers("unknown")),
    IS("a move with an ID that is known", lambda sender: (sender.moved("ready"), sender.hello(),
                                                           sender.connection.hear_until("nothing"), give_back(sender)),
       answers("returned")),
    IS("the history for a stranger", history_for_a_stranger, answers("unknown"), in_check=True),
    IS("settled by a stranger", with_state(
        lambda sender: (sender.moved("ready"), sender.begin(intent="query", token=STRANGER),
                        sender.send(QUERY, {"type": "settled", "running": True})), "paused", give_back),
       answers("returned"), in_check=True),
    IS("GO by a stranger", with_state(
        lambda sender: (sender.moved("ready"), sender.begin(intent="query", token=STRANGER),
                        sender.send(QUERY, {"type": "go"})), "paused", give_back), answers("returned")),
    IS("a question about a copy that runs, by a stranger", with_state(ask("running", QUERY, token=STRANGER), "running"),
       answers("unknown")),
    IS("back, when the copy runs", with_state(ask("running", {**QUERY, "committed": False, "back": True}), "running"),
       answers("running")),
    IS("not committed, when the copy runs", with_state(ask("running", {**QUERY, "committed": False}), "running"),
       answers("running")),
    *[IS(f"a stranger asks at {station}", ask(station, QUERY, token=STRANGER), answers("unknown"))
      for station in ("params-copy", "drive-mirror", "ram-stream")],
    *[IS(f"the sender gives up at {station}, and asks", ask(station, {**QUERY, "committed": False}),
         answers("returned")) for station in ("qemu-defer-start", "ram-stream", "ready")],
]

TABLE = LANES + DOOR + LANE_COMMAND + FLOODS + QUERIES
