"""A sender that knows the protocol, up to the moment when it misbehaves; and the doors to a receiver."""

import contextlib
import json
import os
import re
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass
from typing import Callable

import wire
from authority import Listener
from hostile import XMIG, Host, Wrong, await_end, judge_end

AT_ONCE_S = 15  # whatever is no wait of the protocol's, on a busy machine


# ---- the table's columns ----

@dataclass
class Expected:
    """How the receiver ends it: the abort's kind and words, a verdict's state, or no word at all."""
    kind: str = None
    words: str = None
    state: str = None
    within: float = AT_ONCE_S

    def judge(self, heard):
        aborts = [message for message in heard if message["type"] == "abort"]
        states = [message["state"] for message in heard if message["type"] == "verdict"]
        if self.kind and not any(re.fullmatch(self.kind, abort["kind"]) and re.search(self.words, abort["text"])
                                 for abort in aborts):
            raise Wrong(f"expected abort '{self.kind}' with '{self.words}', and heard {heard[-3:]}")
        if self.state and self.state not in states:
            raise Wrong(f"expected the verdict '{self.state}', and heard {heard[-3:]}")
        if not self.kind and aborts:
            raise Wrong(f"expected no abort, and heard {aborts}")


def refuses(words, kind="protocol", **more):
    return Expected(kind, words, **more)


def answers(state, **more):
    return Expected(state=state, **more)


def ends(**more):
    return Expected(**more)


@dataclass
class Misbehaviour:
    name: str
    act: Callable
    expected: Expected
    doors: tuple = ("pipe", "named", "tls")
    in_check: bool = False


# ---- what can be said ----

class Sender:
    def __init__(self, door):
        self.door = door
        self.host = door.host
        self.id = wire.new_id()
        door.ids.add(self.id)
        self.connection = door.connect()
        self.answer = None  # the receiver's hello
        self.lanes = []

    def raw(self, data):
        return self.connection.raw(data)

    def send(self, *messages):
        return self.connection.send(*messages)

    def say(self, said, **members):
        return self.connection.say(said, **members)

    def hear(self, *kinds, timeout=AT_ONCE_S):
        """What is due; anything else is the receiver's fault, or the test's."""
        message = self.connection.hear_until(*kinds, timeout=timeout)
        if not message:
            raise Wrong(f"'{kinds[0]}' was due, and heard was {self.connection.heard[-2:]}")
        return message

    def hello(self, **changes):
        return self.send(wire.sender_hello(**{"id": self.id, **changes}))

    def begin(self, **changes):
        """A question gives the process that began the migration time to answer: one that is silent is ended."""
        self.hello(**{"lost_ms": 20000 if changes.get("intent") == "query" else 1500, **changes})
        self.answer = self.hear("hello")
        return self.answer

    def offer(self, params):
        """A hello and parameters, as one that is in no doubt."""
        self.begin(host="qemu" if "qemu" in params else "simulated", dry_run=True, lost_ms=60000)  # qemu-img is slow
        self.send(params)
        self.say("checked", plan=[])

    def lane(self, name, ticket=None, identity=None):
        """None: refused."""
        lane = self.door.lane(self, name, ticket or self.answer["ticket"], identity or self.id)
        if lane:
            self.lanes.append(lane)
        return lane

    def to(self, station, **hello):
        """All that is right, until the sender is at that stage; "ready" and "running" are after the last."""
        self.begin(**hello)
        if station == "params":
            return
        self.send(wire.simulated_params())
        self.say("checked", plan=[])
        self.hear("checked")
        for stage in wire.STAGES:
            if stage == station:
                return
            if stage == "incoming-resume":
                self.end_the_move(station)
                return
            self.do(stage)

    def do(self, stage):
        if stage == "drive-mirror":
            self.lane("disk/vda").sendall(wire.lane_frame(b"B", bytes(1000)))
        if stage == "ram-stream":
            self.hear("listening")
            for lane in (self.lanes[0], self.lane("ram")):  # the disk must be complete when RAM is
                lane.sendall(wire.lane_frame(b"F", b"65536"))
                lane.settimeout(AT_ONCE_S)
                lane.recv(100)
        self.done(stage)

    def done(self, stage):
        self.say("done", stage=stage)
        self.hear("done")

    def end_the_move(self, station):
        self.hear("ready")
        if station == "ready":
            return
        self.say("go")
        self.hear("running")
        if station == "running":
            return
        self.done("incoming-resume")
        self.say("goodbye")

    def vanish(self):
        """The connection and its lanes break."""
        self.connection.close()
        for lane in self.lanes:
            lane.close()
        self.lanes = []

    def again(self, **hello):
        """On a new connection, with the same ID, a question; its hello is answered."""
        self.vanish()
        self.connection = self.door.connect()
        self.begin(intent="query", **hello)

    def moved(self, station):
        """A migration that came so far, and was left alone; the next is a new connection."""
        self.to(station, lease_ms=600000, lost_ms=6000)  # some time for a busy machine
        self.vanish()
        self.connection = self.door.connect()

    def last_words(self, expected):
        """Hears until the end, and judges it; a receiver that says nothing more must have said enough."""
        until = time.monotonic() + expected.within
        try:
            while self.connection.hear(max(0.01, until - time.monotonic())) is not None:
                pass
        except wire.Silence:
            raise Wrong(f"no end within {expected.within} s; heard {self.connection.heard[-3:]}") from None
        if "SHOW" in os.environ:
            print("SHOW", self.connection.heard[-1:], self.connection.heard[-2:-1])
        expected.judge(self.connection.heard)

    def close(self):
        with contextlib.suppress(OSError):
            self.vanish()


# ---- doors ----

class Pipe:
    """`xmig recv`, as ssh starts it; each connection is a process."""

    def __init__(self, *words):
        self.host = Host()
        self.words = words
        self.ids = set()  # of all migrations that were begun
        self.processes = []

    def connect(self):
        process, connection = self.host.recv(*self.words)
        self.processes.append(process)
        return connection

    @staticmethod
    def lane(sender, name, ticket, _):
        return wire.open_lane(sender.answer["door"], ticket, name)

    def run_lane(self, *words):
        """An `xmig lane`, with our end of its stream."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = self.host.start("lane", *words, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL)
        self.processes.append(process)
        return process, ours

    def await_end(self, within):
        for process in self.processes:
            judge_end(process, within)
        self.processes = []
        self.host.await_no_process(within)

    def close(self):
        self.host.close()


class Tls:
    """`xmig listen`, for all that misbehave, one after the other."""

    def __init__(self):
        self.host = Host()
        self.ids = set()
        self.keys = {}
        for name in ("etc", "theirs"):
            environment = {**self.host.environment, "XMIG_CONFIG_DIR": self.host.path(name)}
            subprocess.run([XMIG, "keys", "init"], env=environment, stdout=subprocess.DEVNULL, check=True)
            shown = subprocess.run([XMIG, "keys", "show", "--json"], env=environment, stdout=subprocess.PIPE, check=True)
            self.keys[name] = json.loads(shown.stdout.splitlines()[0])["fingerprint"]
        subprocess.run([XMIG, "keys", "trust", self.keys["theirs"], "mallory"], env=self.host.environment,
                       stdout=subprocess.DEVNULL, check=True)
        self.host.before = self.host.what_is_others()
        self.listener = Listener(XMIG, self.host.environment, self.host.path("listen.log"), "--max-per-peer", "40")

    def context(self, certificate=True):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if certificate:
            context.load_cert_chain(self.host.path("theirs/keys/cert.pem"), self.host.path("theirs/keys/key.pem"))
        return context

    def tcp(self):
        return socket.create_connection(("127.0.0.1", self.listener.port), timeout=AT_ONCE_S)

    def shake(self, context=None):
        return wire.Connection((context or self.context()).wrap_socket(self.tcp()))

    def first(self, *words):
        """A connection after its first frame, and the listener's answer."""
        connection = self.shake()
        connection.send({"words": list(words)})
        header = connection.take(4, time.monotonic() + AT_ONCE_S)
        if not header:
            return connection, None
        body = connection.take(int.from_bytes(header, "big"), time.monotonic() + AT_ONCE_S)
        return connection, json.loads(body)

    def connect(self):
        connection, answer = self.first("recv")
        if not answer or not answer.get("ok"):
            raise Wrong(f"the listener says {answer}")
        return connection

    def lane(self, sender, name, ticket, identity):
        connection, answer = self.first("lane", identity, ticket, name)
        sender.said_of_lane = answer
        return connection.socket if answer and answer.get("ok") else None

    def await_end(self, within):
        until = time.monotonic() + within
        while set(self.host.processes()) - {self.listener.process.pid}:
            if time.monotonic() > until:
                raise Wrong(f"these still run after {within} s: {self.host.told()}")
            time.sleep(0.02)
        if self.listener.process.poll() is not None:
            raise Wrong(f"the listener has ended: {self.listener.text()[-2000:]}")

    def close(self):
        """Its children's memory is in its own figure."""
        try:
            if self.listener.process.poll() is None:
                self.listener.process.terminate()
                judge_end(self.listener.process, AT_ONCE_S)
        finally:
            self.host.close()


DOORS = {"pipe": Pipe, "named": lambda: Pipe("--as", "mallory"), "tls": Tls}


def play(misbehaviour, door):
    """One misbehaviour against a receiver; raises Wrong."""
    sender = Sender(door)
    try:
        misbehaviour.act(sender)
        sender.last_words(misbehaviour.expected)
        sender.close()
        door.await_end(AT_ONCE_S)
        door.host.judge(door.ids)
    finally:
        sender.close()
