#!/usr/bin/env python3
"""Zeroes and data at once in the clusters of a qcow2 image behind NBD, as the mirrors of a move send them.

    zeroes.py [--rival] [--seconds S] [--seed N] [QEMU-NBD [ARGUMENT...]]

A mirror has up to 16 requests under way, of which no two touch the same bytes, in pieces of 4 KiB: a zero write
and a write may be in one cluster of 64 KiB. At the end each page must hold what was written there last, and
'qemu-img check' must find nothing. --rival lets zero writes cover clusters that are being written, as no mirror
does: QEMU before 10.0.11 then gives clusters away that are in use, which shows that this test would see it.
"""

import argparse
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import time

PAGE = 4096
CLUSTER = 16  # pages
PAGES = 4096
UNDER_WAY = 16
WRITE, DISCONNECT, FLUSH, TRIM, ZEROES, READ = 1, 2, 3, 4, 6, 0


def content(page, version):
    return struct.pack("<QQ", page, version) * (PAGE // 16) if version else bytes(PAGE)


class Nbd:
    """A connection that sends without waiting for replies."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.file = self.sock.makefile("rb")
        self.read(8 + 8 + 2)
        self.sock.sendall(struct.pack(">I", 3) + struct.pack(">QII", 0x49484156454F5054, 1, 0))  # EXPORT_NAME
        self.size, self.flags = struct.unpack(">QH", self.read(10))
        self.cookie = 0

    def read(self, size):
        data = self.file.read(size)
        if len(data) != size:
            raise EOFError("the NBD server has ended")
        return data

    def send(self, command, page, pages, data=b""):
        self.cookie += 1
        self.sock.sendall(struct.pack(">IHHQQI", 0x25609513, 0, command, self.cookie, page * PAGE, pages * PAGE) + data)
        return self.cookie

    def reply(self):
        magic, error, cookie = struct.unpack(">IIQ", self.read(16))
        if magic != 0x67446698 or error:
            raise RuntimeError(f"NBD: error {error}")
        return cookie

    def get(self, page, pages):
        self.send(READ, page, pages)
        self.reply()
        return self.read(pages * PAGE)


class Client:
    """Requests under way, and what each page must hold."""

    def __init__(self, nbd, rng, rival):
        self.nbd, self.rng, self.rival = nbd, rng, rival
        self.held = [0] * PAGES
        self.unknown = set()  # pages that two requests touched at once
        self.under_way = {}
        self.version = 0
        self.done = 0

    def is_free(self, page, pages):
        return all(page + pages <= begin or begin + count <= page for begin, count, _ in self.under_way.values())

    def place(self, longest):
        pages = self.rng.randint(1, longest)
        hot = self.rng.randrange(8) * 512  # few clusters, so that requests meet
        page = min(hot + self.rng.randrange(64), PAGES - pages)
        return page, pages

    def write(self):
        page, pages = self.place(4)
        if not self.is_free(page, pages):
            return
        self.version += 1
        for each in range(page, page + pages):
            self.held[each] = self.version
            self.unknown.discard(each)
        data = b"".join(content(each, self.version) for each in range(page, page + pages))
        self.under_way[self.nbd.send(WRITE, page, pages, data)] = (page, pages, False)

    def zero(self):
        page, pages = self.place(CLUSTER * 2)
        if self.rival and self.rng.random() < 0.5:
            page, pages = page // CLUSTER * CLUSTER, CLUSTER
            for begin, count, _ in self.under_way.values():
                self.unknown.update(range(max(begin, page), min(begin + count, page + pages)))
        elif not self.is_free(page, pages):
            return
        for each in range(page, page + pages):
            self.held[each] = 0
        command = TRIM if self.rival and self.rng.random() < 0.5 else ZEROES
        self.under_way[self.nbd.send(command, page, pages)] = (page, pages, True)

    def step(self):
        if len(self.under_way) < UNDER_WAY and self.rng.random() < 0.8:
            if self.rng.random() < 0.6:
                self.write()
            else:
                self.zero()
        elif self.under_way:
            del self.under_way[self.nbd.reply()]
            self.done += 1

    def settle(self):
        while self.under_way:
            del self.under_way[self.nbd.reply()]

    def wrong(self):
        found = []
        for page in range(0, PAGES, CLUSTER):
            data = self.nbd.get(page, CLUSTER)
            for each in range(CLUSTER):
                now = data[each * PAGE:(each + 1) * PAGE]
                if page + each not in self.unknown and now != content(page + each, self.held[page + each]):
                    found.append(page + each)
        return found


def try_once(server, seed, seconds, rival, options):
    """What is wrong at the end, as text; "": nothing."""
    with tempfile.TemporaryDirectory(prefix="xmig-zeroes-") as folder:
        image, path = folder + "/image.qcow2", folder + "/nbd"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, str(PAGES * PAGE)], check=True)
        with subprocess.Popen([*server, "-f", "qcow2", "-k", path, *options, image]) as process:
            while not os.path.exists(path):
                if process.poll() is not None:
                    raise RuntimeError(f"{server[0]} has ended with {process.returncode}")
                time.sleep(0.02)
            client = Client(Nbd(path), random.Random(seed), rival)
            ends = time.monotonic() + seconds
            said = ""
            try:
                while time.monotonic() < ends:
                    client.step()
                client.settle()
                pages = client.wrong()
                said = f"{len(pages)} pages are wrong, {pages[:5]} among them; " if pages else ""
                client.nbd.send(DISCONNECT, 0, 0)
            except (EOFError, RuntimeError) as error:
                said = f"{error}; "
            client.nbd.sock.close()
            process.terminate()
        check = subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", image], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, check=False)
        if check.returncode:
            said += f"qemu-img check: {check.returncode} {check.stdout.strip()[-200:]}"
        print(f"seed {seed} {' '.join(options)}: {client.done} requests, {said or 'nothing is wrong'}", flush=True)
        return said


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rival", action="store_true")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("server", nargs="*", default=["qemu-nbd"])
    arguments = parser.parse_args()
    kinds = ([], ["--discard=unmap"], ["--discard=unmap", "--detect-zeroes=unmap"], ["--aio=native", "--cache=none"])
    wrong = [try_once(arguments.server, arguments.seed + i, arguments.seconds, arguments.rival, kind)
             for i, kind in enumerate(kinds)]
    sys.exit(any(wrong))


main()
