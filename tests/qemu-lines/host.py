#!/usr/bin/env python3
"""A throw-away host: the first process of its own name spaces, which does what it is told through a socket.

    host.py host SOCKET     be the host; started by unshare(1), see run
    host.py SOCKET WORD...  run a command line there, as ssh would: this is what xmig send --rsh starts

A request is one JSON object, with descriptors for the command's input and output. The answer is the command's status.
"""

import array
import json
import os
import select
import signal
import socket
import subprocess
import sys

FOLDERS = ("/srv", "/run")  # what is the host's own; all else is the machine's


def send(sock, message, fds=()):
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    sock.sendmsg([json.dumps(message).encode() + b"\n"], ancillary)


def receive(sock):
    fds = array.array("i")
    data, ancillary, *_ = sock.recvmsg(1 << 20, socket.CMSG_SPACE(8 * fds.itemsize))
    for _, _, part in ancillary:
        fds.frombytes(part)
    while data and not data.endswith(b"\n"):
        data += sock.recv(1 << 20)
    return (json.loads(data) if data else None), list(fds)


def request(path, message, fds=()):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        send(sock, message, fds)
        return receive(sock)[0]


# ---- the host's side ----

def run(message, fds):
    """In a child of ours: what it starts in the background becomes ours as well, as on any host."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
    os.closerange(3, 256)
    os.chdir(message.get("cwd", "/"))
    os.execvpe(message["words"][0], message["words"], message["env"])


def end_all(running):
    """Every process but this one, and all files of the host's own."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        pass
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            break
    while running:
        running.popitem()[1].close()
    for folder in FOLDERS:
        subprocess.run(["umount", "--recursive", "--lazy", folder], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)


def serve(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    running = {}  # pid: the connection that waits for its end
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    poll.register(wake, select.POLLIN)
    print("ready", flush=True)
    while True:
        events = [fd for fd, _ in poll.poll()]
        if wake in events:
            os.read(wake, 4096)
            reap(running)
        if listener.fileno() in events:
            take(listener.accept()[0], running)


def reap(running):
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        if pid in running:
            with running.pop(pid) as sock:
                try:
                    send(sock, os.waitstatus_to_exitcode(status))
                except OSError:
                    pass


def take(sock, running):
    message, fds = receive(sock)
    if message is None or message == "end":
        if message:
            end_all(running)
            send(sock, 0)
        sock.close()
        return
    pid = os.fork()
    if pid == 0:
        try:
            run(message, fds)
        finally:
            os._exit(127)
    for fd in fds:
        os.close(fd)
    running[pid] = sock


def main():
    if sys.argv[1] == "host":
        serve(sys.argv[2])
    status = request(sys.argv[1], {"words": ["sh", "-c", " ".join(sys.argv[3:])], "env": dict(os.environ)}, (0, 1, 2))
    sys.exit(status if status is not None and status >= 0 else 255)


if __name__ == "__main__":
    main()
