"""The receiving end of xmig's protocol for one simulated VM, in Python, and the real `xmig send` that talks to it.

The receiver here is honest; a test gives it lies: functions by the point of the conversation at which each is told.
docs/wire-protocol.md is all that it knows of xmig.
"""

import json
import os
import re
import resource
import select
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time

from wire import STAGES, frame

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
XMIG = os.path.realpath(os.environ.get("XMIG", os.path.join(ROOT, "build/dev/xmig")))
VM = "demo,disk-size=64K,ram=64K"
KEPT_MAX = 8 << 20  # bytes in a log
MACHINE = "0123456789abcdef0123456789abcdef"
MEMORY_MIB = 120

# What stands in for ssh: it hands its sockets over to the test, and ends when and as the test says.
HAND = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
socket.send_fds(s, [sys.argv[3].encode()], [0, 2])
status = s.recv(1)
sys.exit(status[0] if status else 1)
"""


class Gone(Exception):
    """The sender has closed the connection."""


class Aborted(Exception):
    """The sender has said abort."""


class Wrong(Exception):
    """A promise is broken."""


class Connection:
    """To the sender: `stream` is a socket, TLS or not; `errors` what the sender shows as our standard error."""

    def __init__(self, stream, errors=None):
        self.stream = stream
        self.errors = errors
        self.rest = b""
        self.said = set()  # of "running", "returned", "lost": whose the VM is, as the sender could have heard

    def write(self, data):
        self.said.update(re.findall(rb'"(?:state|type)": *"(running|returned|lost)"', data))
        try:
            self.stream.sendall(data)
        except OSError as error:
            raise Gone from error

    def say(self, message):
        self.write(frame(message))

    def read_bytes(self, size):
        while len(self.rest) < size:
            try:
                more = self.stream.recv(65536)
            except OSError as error:
                raise Gone from error
            if not more:
                raise Gone
            self.rest += more
        data, self.rest = self.rest[:size], self.rest[size:]
        return data

    def read(self):
        """The next message that is not `alive`."""
        while True:
            message = json.loads(self.read_bytes(int.from_bytes(self.read_bytes(4), "big")))
            if message["type"] == "abort":
                raise Aborted
            if message["type"] != "alive":
                return message

    def wait_for(self, *types):
        while True:
            message = self.read()
            if message["type"] in types:
                return message

    def hear(self, seconds):
        """What comes within this time, if it is anything."""
        if self.rest or select.select([self.stream], [], [], seconds)[0]:
            self.read()

    def drain(self):
        """Until the sender has gone."""
        try:
            while True:
                self.read_bytes(1)
        except Gone:
            pass

    def complain(self, data):
        while data:
            data = data[os.write(self.errors, data):]


class Receiver:
    """Of one VM. `lies` by point: a function of (receiver, connection, the honest message), which says what it likes.

    A lie at "lane disk/vda" or "lane ram" is a function of (receiver, connection, name).
    """

    def __init__(self, lies):
        self.lies = lies
        self.state = "receiving"
        self.said = set()   # by all connections
        self.asked = 0      # queries
        self.ticket = "ab" * 16
        self.statuses = {}  # with which the programs that carry a connection end: "recv", "lane"

    def say(self, connection, point, kind, **members):
        message = {"type": kind, **members}
        lie = self.lies.get(point)
        if lie:
            lie(self, connection, message)
        else:
            connection.say(message)

    def serve(self, words, connection):
        connection.said = self.said
        try:
            if words[0] == "lane":
                self.lane(words[-1], connection)
            else:
                self.control(connection)
        except Gone:
            pass
        return self.statuses.get(words[0], 0)

    def control(self, connection):
        if "first" in self.lies:
            self.lies["first"](self, connection, None)
        hello = connection.read()
        try:
            if hello["intent"] == "query":
                self.answer(connection)
            else:
                self.receive(connection, hello)
        except Aborted:
            self.give_back(connection)
        self.part(connection)

    def hello(self, connection, point):
        self.say(connection, point, "hello", protocol=3, version="0.0", machine=MACHINE, features=["look", "lz4"],
                 **({"ticket": self.ticket, "door": "/run/xmig/recv.sock"} if point == "hello" else {}))

    def receive(self, connection, hello):
        self.hello(connection, "hello")
        connection.wait_for("params")
        self.say(connection, "checked", "checked", plan=[{"stage": "params-copy", "text": "make the VM"}])
        connection.wait_for("checked")
        if hello["dry_run"]:
            return
        for stage in STAGES[:4]:
            connection.wait_for("done")
            self.say(connection, "done " + stage, "done", stage=stage)
        self.say(connection, "listening", "listening", flush_ms=0)
        connection.wait_for("done")
        self.say(connection, "done ram-stream", "done", stage="ram-stream")
        self.state = "prepared"
        self.say(connection, "ready", "ready")
        connection.wait_for("go")
        self.take_over(connection, "running")
        self.say(connection, "done incoming-resume", "done", stage="incoming-resume")

    def take_over(self, connection, point):
        if self.state == "prepared":
            self.state = "running"
        self.say(connection, point, "running")

    def give_back(self, connection):
        """After the sender's abort."""
        if self.state != "running":
            self.state = "returned"
        self.say(connection, "verdict", "verdict", state=self.state, record="ABORTED")
        try:
            connection.wait_for("settled")
        except Aborted:
            pass
        self.say(connection, "closed", "verdict", state=self.state, record="CLOSED")

    def answer(self, connection):
        self.asked += 1
        self.hello(connection, "answer hello")
        query = connection.wait_for("query")
        if self.state == "prepared" and query.get("committed"):
            self.say(connection, "answer", "verdict", state="prepared", record="PREPARED")
            connection.wait_for("go")
            self.take_over(connection, "answer running")
        elif self.state == "running":
            self.say(connection, "answer", "verdict", state="running", record="RUNNING")
        else:
            self.state = "returned"
            self.say(connection, "answer", "verdict", state="returned", record="REFUSED")
            connection.wait_for("settled")
            self.say(connection, "answer closed", "verdict", state="returned", record="CLOSED")

    def part(self, connection):
        self.say(connection, "goodbye", "goodbye")
        connection.drain()

    def lane(self, name, connection):
        """Frames of the simulated hypervisor: a byte of type, a length and that many bytes."""
        lie = self.lies.get("lane " + name)
        if lie:
            lie(self, connection, name)
            return
        while True:
            head = connection.read_bytes(5)
            body = connection.read_bytes(int.from_bytes(head[1:], "big"))
            if head[:1] == b"F":
                self.acknowledge(connection, name, body)

    def acknowledge(self, connection, name, number):
        lie = self.lies.get("acknowledge " + name)
        if lie:
            lie(self, connection, number)
        else:
            connection.write(b"A" + len(number).to_bytes(4, "big") + number)


class Door:
    """A unix socket at which programs that stand in for ssh hand their connections over."""

    def __init__(self, folder, receiver):
        self.receiver = receiver
        self.hand = os.path.join(folder, "hand.py")
        self.path = os.path.join(folder, "door")
        with open(self.hand, "w", encoding="ascii") as file:
            file.write(HAND)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        self.open = []
        threading.Thread(target=self.run, daemon=True).start()
        self.dest = "beta.example"
        self.options = ["--rsh", f"{sys.executable} -ISE {self.hand} {self.path}"]

    def run(self):
        try:
            while True:
                threading.Thread(target=self.serve, args=(self.listener.accept()[0],), daemon=True).start()
        except OSError:
            pass

    def serve(self, program):
        words, fds, _, _ = socket.recv_fds(program, 65536, 2)
        # The sender was ended before its program had spoken, or ran it for something else.
        if len(fds) < 2 or not stat.S_ISSOCK(os.fstat(fds[0]).st_mode):
            for fd in fds:
                os.close(fd)
            program.close()
            return
        stream = socket.socket(fileno=fds[0])
        stream.setblocking(True)
        self.open.append(stream)
        status = 1
        try:
            # As a shell would see them; the first is xmig's name.
            status = self.receiver.serve(words.decode().split(" ")[1:], Connection(stream, fds[1]))
        finally:
            stream.close()
            os.close(fds[1])
            try:
                program.sendall(bytes([status]))
            except OSError:
                pass
            program.close()

    def close(self):
        self.listener.close()
        for stream in self.open:
            try:
                stream.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def is_readable(text):
    """Nothing that a terminal would obey; UTF-8."""
    return not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]", text)


def tree(folder):
    """All that is there: names, kinds, modes and contents."""
    found = {}
    for where, names, files in os.walk(folder):
        for name in names + files:
            path = os.path.join(where, name)
            status = os.lstat(path)
            content = b""
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    content = file.read()
            found[os.path.relpath(path, folder)] = (status.st_mode, content)
    return found


class Run:
    """One `xmig` to its end: its words, exit status, time and memory."""

    def __init__(self, words, environment, cwd, limit_s):
        begun = time.monotonic()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            process = subprocess.Popen([XMIG, *words], env=environment, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=errors)
            over = select.poll()
            handle = os.pidfd_open(process.pid)
            over.register(handle, select.POLLIN)
            self.timed_out = not over.poll(limit_s * 1000)
            os.close(handle)
            if self.timed_out:
                process.kill()
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.status = process.returncode
            self.seconds = time.monotonic() - begun
            self.memory_mib = used.ru_maxrss / 1024
            out.seek(0)
            errors.seek(0)
            self.out, self.errors = out.read(), errors.read()
        self.said = re.sub(r"\n +", " ", self.errors.decode("utf-8", "replace"))

    def check(self, limit_s):
        """What must hold whatever the peer does."""
        for text in (self.out, self.errors):
            if b"Sanitizer" in text or b"runtime error:" in text:
                raise Wrong("a sanitizer speaks: " + text.decode("utf-8", "replace"))
        if self.timed_out:
            raise Wrong(f"it still runs after {limit_s} s: {self.said}")
        if self.status < 0 or self.status > 8:
            raise Wrong(f"it ended with {self.status}: {self.said}")
        # Until it runs its program, a process counts as large as we are.
        if self.memory_mib > max(MEMORY_MIB, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024):
            raise Wrong(f"it took {self.memory_mib:.0f} MiB")
        for name, data in (("output", self.out), ("errors", self.errors)):
            try:
                text = data.decode("utf-8")
            except UnicodeDecodeError as error:
                raise Wrong(f"its {name} are no UTF-8: {data[:2000]}") from error
            if not is_readable(text):
                raise Wrong(f"a terminal would obey its {name}: {text[:2000]!r}")


class Host:
    """The source, and all that it may touch there."""

    def __init__(self, receiver, door=Door):
        self.folder = tempfile.mkdtemp(prefix="xl-")
        self.home = os.path.join(self.folder, "home")
        for name in ("home/tmp", "home/images"):
            os.makedirs(os.path.join(self.folder, name))
        with open(os.path.join(self.home, "images/disk"), "w", encoding="ascii") as file:
            file.write("precious")
        self.before = tree(self.home)
        self.receiver = receiver
        self.door = door(self.folder, receiver)
        self.environment = {"PATH": os.environ["PATH"], "HOME": self.home, "TMPDIR": os.path.join(self.home, "tmp"),
                            "LC_ALL": "C", "ASAN_OPTIONS": "quarantine_size_mb=8",
                            "XMIG_CONFIG_DIR": os.path.join(self.home, "config"),
                            "XMIG_STATE_DIR": os.path.join(self.folder, "state"),
                            "XMIG_RUNTIME_DIR": os.path.join(self.folder, "run")}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.door.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def xmig(self, *words, limit_s=60):
        run = Run(words, self.environment, self.home, limit_s)
        run.check(limit_s)
        return run

    def send(self, *options, limit_s=60):
        options = [word for each in options for word in ((each, self.door.crlfile) if each == "--crlfile" else (each,))]
        run = self.xmig("send", "--simulate", VM, self.door.dest, *self.door.options, "--lease", "1s", "--json", "-v",
                        *options, limit_s=limit_s)
        self.judge(run)
        return run

    def recover(self, *options, limit_s=60):
        """What the sender's journal has from the target is shown by others, too."""
        run = self.xmig("recover", "--json", "-v", *options, self.ids()[0], limit_s=limit_s)
        self.judge(run)
        for words in ("list", "list --json"):
            self.xmig(*words.split())
        return run

    def ids(self):
        state = os.path.join(self.folder, "state")
        return os.listdir(state) if os.path.isdir(state) else []

    def vm(self):
        """"running", "paused" or "gone"; None: no move of it has begun, so it runs."""
        for each in self.ids():
            path = os.path.join(self.folder, "state", each, "simulated-source.json")
            if os.path.exists(path):
                with open(path, encoding="utf-8") as file:
                    return json.load(file)["state"]
        return None

    def committed(self):
        for each in self.ids():
            with open(os.path.join(self.folder, "state", each, "send.journal"), "rb") as file:
                return b'"COMMIT"' in file.read()
        return False

    def judge(self, run):
        """The exit status says where the VM is, and nothing else of the host was touched."""
        self.judge_json(run)
        vm, said = self.vm(), {word.decode() for word in self.receiver.said}
        right = {0: vm is None or (vm == "gone" and self.committed() and "running" in said), 1: vm is None, 2: vm is None, 3: vm is None,
                 4: vm == "running" and ("returned" in said or not self.committed()), 5: vm == "paused",
                 6: vm == "paused", 7: "running" in said, 8: "lost" in said and vm != "running"}
        if not right[run.status]:
            raise Wrong(f"exit {run.status}, but the VM here is '{vm}', and the target has said {said}: {run.said}")
        if tree(self.home) != self.before:
            raise Wrong("something else of the host was touched")
        for name, (_, content) in tree(os.path.join(self.folder, "state")).items():
            if name.endswith((".log", ".history")) and (not is_readable(content.decode("utf-8")) or len(content) > KEPT_MAX):
                raise Wrong(f"{name} holds {len(content)} bytes: {content[:2000]}")
        left = tree(os.path.join(self.folder, "run"))
        if left and run.status not in (5, 6):
            raise Wrong(f"left behind: {sorted(left)}")

    @staticmethod
    def judge_json(run):
        lines = run.out.decode("utf-8").splitlines()
        if not lines:
            if run.status == 2:
                return
            raise Wrong(f"no JSON: {run.said}")
        result = [json.loads(line) for line in lines][-1]
        if result["type"] != "result" or result["status"] != run.status:
            raise Wrong(f"exit {run.status}, but JSON says {lines[-1]}")
