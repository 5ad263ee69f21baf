#!/usr/bin/env python3
"""A long way to a server, as a ProxyCommand of ssh or as a port of its own: each byte arrives late.

    late.py MS HOST PORT            between standard input and output, and the server; MS is one way
    late.py MS HOST PORT --listen   at a free port, which is printed

MS may be a file that has the number, and may have another one later.
"""

import collections
import os
import socket
import sys
import threading
import time

AT_ONCE = 1 << 18
AHEAD = 64 << 20  # bytes under way


class Way:
    """One direction. Bytes are read as they come, and written when their time has come."""

    def __init__(self, late, read, write, end):
        self.late, self.read, self.write, self.end = late, read, write, end
        self.under_way, self.bytes = collections.deque(), 0
        self.changed = threading.Condition()
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self.take, self.give)]
        for thread in self.threads:
            thread.start()

    def take(self):
        data = b"-"
        while data:
            try:
                data = self.read(AT_ONCE)
            except OSError:
                data = b""
            with self.changed:
                self.changed.wait_for(lambda: self.bytes < AHEAD)
                self.under_way.append((time.monotonic() + late_s(self.late), data))
                self.bytes += len(data)
                self.changed.notify_all()

    def give(self):
        data = b"-"
        while data:
            with self.changed:
                self.changed.wait_for(lambda: self.under_way)
                when, data = self.under_way.popleft()
                self.bytes -= len(data)
                self.changed.notify_all()
            time.sleep(max(0, when - time.monotonic()))
            try:
                self.write(data)
            except OSError:
                break
        self.end()


def late_s(late):
    if os.path.exists(late):
        with open(late, encoding="ascii") as file:
            late = file.read()
    return float(late) / 1000


def write_out(data):
    while data:
        data = data[os.write(1, data):]


def shut(sock, how):
    try:
        sock.shutdown(how)
    except OSError:
        pass


def main():
    late, address = sys.argv[1], (sys.argv[2], int(sys.argv[3]))
    if sys.argv[4:] != ["--listen"]:
        server = socket.create_connection(address)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        Way(late, lambda most: os.read(0, most), server.sendall, lambda: shut(server, socket.SHUT_WR))
        back = Way(late, server.recv, write_out, lambda: os._exit(0))
        back.threads[1].join()
        return
    door = socket.create_server(("127.0.0.1", 0), backlog=64)
    print(door.getsockname()[1], flush=True)
    while True:
        near = door.accept()[0]
        far = socket.create_connection(address)
        for end in near, far:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        Way(late, near.recv, far.sendall, lambda far=far: shut(far, socket.SHUT_WR))
        Way(late, far.recv, near.sendall, lambda near=near: shut(near, socket.SHUT_WR))


if __name__ == "__main__":
    main()
