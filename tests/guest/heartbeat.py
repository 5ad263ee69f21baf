#!/usr/bin/env python3
"""Follows the heartbeat of a test guest over its serial socket, and across its moves.

What the guest says last at the source and first at the destination is one stream: a line
may be cut in two between them, and every heartbeat carries the number after the one before.

    with Watch("src/heartbeat", "dst/heartbeat") as watch:
        watch.wait_beats(1)
        ...                                   # move the guest
        gap_s = watch.wait_move()
        assert watch.ask("verify") == "V ok"
"""

import argparse
import collections
import select
import socket
import sys
import threading
import time

Beat = collections.namedtuple("Beat", "n guest_us ram_pages acked host_s")


class Broken(Exception):
    """The heartbeat is not what one healthy guest sends, or stays away."""


class Watch:
    """Reads in a thread of its own, so that nothing is left unread or timed late.

    The paths are the sockets of the QEMUs which the guest passes through, in this order.
    Each is connected to as soon as somebody listens there. That must be before the guest
    runs behind it: what a guest says to nobody is lost.
    """

    def __init__(self, *paths):
        self.beat = None      # the last one; its `acked` has an entry a disk
        self.count = 0        # of beats
        self.moves = 0        # how many of the sockets the guest has left behind
        self.gaps_s = []      # of each move: last byte there to first byte here, host clock
        self.longest_s = 0.0  # between two beats, moves included, host clock
        self._paths = paths
        self._sockets = [None] * len(paths)
        self._line = None     # unfinished; None: still in a line that began before we came
        self._last_byte_s = None
        self._count_at_move = 0
        self._answer = None
        self._failure = None
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._stopping = True
        self._thread.join()
        for sock in filter(None, self._sockets):
            sock.close()

    def wait_until(self, condition, timeout_s):
        """Waits until `condition()` holds: True, or False if it does not come to that.

        Raises Broken, as all methods that wait do, if the heartbeat is or was broken.
        """
        deadline_s = time.monotonic() + timeout_s
        with self._changed:
            while True:
                if self._failure:
                    raise Broken(self._failure)
                if condition():
                    return True
                left_s = deadline_s - time.monotonic()
                if left_s <= 0:
                    return False
                self._changed.wait(left_s)

    def wait_beats(self, count, timeout_s=60):
        """Waits until `count` more heartbeats have come; returns the last."""
        goal = self.count + count
        self._expect(lambda: self.count >= goal, timeout_s, f"{count} heartbeats")
        return self.beat

    def wait_move(self, number=1, timeout_s=60):
        """Waits for a heartbeat from after so many moves; returns the gap of that move."""
        self._expect(lambda: self.moves >= number and self.count > self._count_at_move,
                     timeout_s, "the guest to move")
        return self.gaps_s[number - 1]

    def ask(self, command, timeout_s=60):
        """Sends a command to where the guest spoke last; returns its answer."""
        with self._changed:
            self._answer = None
            sock = self._sockets[self.moves]
        if not sock:
            raise Broken(f"cannot ask '{command}': {self._paths[self.moves]} is closed")
        try:
            sock.sendall(command.encode() + b"\n")
        except OSError as error:
            raise Broken(f"cannot ask '{command}': {error}") from error
        self._expect(lambda: self._answer, timeout_s, f"an answer to '{command}'")
        return self._answer

    def _expect(self, condition, timeout_s, what):
        if not self.wait_until(condition, timeout_s):
            raise Broken(f"waited {timeout_s} s for {what}; the last heartbeat: {self.beat}")

    # The rest runs in the thread.

    def _run(self):
        poll_s = 0.05
        try:
            while not self._stopping:
                self._connect()
                select.select(list(filter(None, self._sockets)), [], [], poll_s)
                self._read()
        except Exception as error:  # whatever it is, nobody must wait for a dead thread
            with self._changed:
                self._failure = str(error) if isinstance(error, Broken) else repr(error)
                self._changed.notify_all()

    def _connect(self):
        for side, path in enumerate(self._paths):
            if self._sockets[side]:
                continue
            sock = socket.socket(socket.AF_UNIX)
            sock.setblocking(False)
            try:
                sock.connect(path)
                self._sockets[side] = sock
            except (FileNotFoundError, ConnectionRefusedError, BlockingIOError):
                sock.close()

    def _read(self):
        # The later sockets first: then what they hold was said after all that the earlier
        # ones hold, even if this thread sleeps for a while halfway through.
        sides = range(len(self._paths))
        chunks = [self._receive(side) for side in reversed(sides)][::-1]
        with self._changed:
            for side in sides:
                if chunks[side]:
                    self._take(side, chunks[side])
            self._changed.notify_all()

    def _receive(self, side):
        """All there is. An end of file is no failure: a guest that matters will be missed."""
        data = b""
        while self._sockets[side]:
            try:
                more = self._sockets[side].recv(65536)
            except BlockingIOError:
                break
            except OSError:
                more = b""
            if not more:
                self._sockets[side].close()
                self._sockets[side] = None
            data += more
        return data

    def _take(self, side, data):
        now_s = time.monotonic()
        if side < self.moves:
            raise Broken(f"two guests: {self._paths[side]} says {data[:60]!r} "
                         f"after {self._paths[self.moves]} has spoken")
        if side > self.moves:
            if self._last_byte_s is None:
                raise Broken(f"nothing was heard before {self._paths[side]}")
            self.gaps_s.append(now_s - self._last_byte_s)
            self._count_at_move = self.count
            self.moves = side
        self._last_byte_s = now_s
        lines = ((self._line or b"") + data).split(b"\n")
        if self._line is None:
            del lines[0]
        if lines:
            self._line = lines.pop()
        for line in lines:
            self._take_line(line.decode(errors="replace"), now_s)

    def _take_line(self, line, now_s):
        if line.startswith(("V ", "OK ", "ERROR ")):
            self._answer = line
            return
        beat = parse_beat(line, now_s)
        if not beat:
            raise Broken(f"'{line}' is no heartbeat; the last one: {self.beat}")
        if self.beat:
            if not follows(self.beat, beat):
                raise Broken(f"{beat} does not follow {self.beat}")
            self.longest_s = max(self.longest_s, now_s - self.beat.host_s)
        self.beat = beat
        self.count += 1


def parse_beat(line, now_s):
    try:
        kind, n, guest_us, ram_pages, *acked = line.split(" ")
        beat = Beat(int(n), int(guest_us), int(ram_pages), tuple(map(int, acked)), now_s)
    except ValueError:
        return None
    return beat if kind == "H" else None


def follows(old, new):
    return (new.n == old.n + 1 and new.guest_us >= old.guest_us and
            new.ram_pages >= old.ram_pages and len(new.acked) == len(old.acked) and
            all(now >= before for now, before in zip(new.acked, old.acked)))


def describe(beat):
    acked = " ".join(map(str, beat.acked)) or "-"
    return f"heartbeat {beat.n}, RAM pages written {beat.ram_pages}, writes acked {acked}"


def watch_command(args):
    status_s = 1
    with Watch(args.source, args.destination) as watch:
        print(f"source: {describe(watch.wait_beats(1))}", flush=True)
        while not watch.wait_until(lambda: watch.moves, status_s):
            print(f"source: {describe(watch.wait_beats(1))}", flush=True)
        gap_s = watch.wait_move()
        print(f"destination: {describe(watch.beat)}")
        print(f"moved: {gap_s * 1000:.0f} ms of silence, no heartbeat missing", flush=True)


def ask_command(args):
    with Watch(args.socket) as watch:
        watch.wait_beats(1)
        answer = watch.ask(" ".join(args.command))
    print(answer)
    return not answer.startswith(("V ok", "OK "))


def wait_command(args):
    with Watch(args.socket) as watch:
        print(describe(watch.wait_beats(1)))


def main():
    parser = argparse.ArgumentParser(description="Follow the heartbeat of a test guest.")
    commands = parser.add_subparsers(dest="run", required=True)
    watch = commands.add_parser("watch", help="report until the guest has moved")
    watch.add_argument("source", help="heartbeat socket of the guest's QEMU")
    watch.add_argument("destination", help="heartbeat socket of the QEMU it will move to")
    ask = commands.add_parser("ask", help="send the guest a command, print the answer")
    ask.add_argument("socket")
    ask.add_argument("command", nargs="+", help="verify, pause, go, rate N, ... (README.md)")
    wait = commands.add_parser("wait", help="wait for a heartbeat and print it")
    wait.add_argument("socket")
    args = parser.parse_args()
    run = {"watch": watch_command, "ask": ask_command, "wait": wait_command}[args.run]
    try:
        return run(args)
    except Broken as error:
        print(f"heartbeat: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
