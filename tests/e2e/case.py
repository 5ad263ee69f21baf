"""One row of the fault table: a move, a hand that interferes at a moment, what a person does
then, and what must hold, by nobody's word but QEMU's, the guest's and the disks'.
"""

import json
import os
import signal
import socket
import subprocess
import threading
import time

from moving import GUEST, Hypervisor, as_raw, guardians, is_stopped, receivers

BLKVERIFY = os.path.join(GUEST, "blkverify")
WORKING_SET_MIB = 4
PATIENCE_S = 150
SETTLED = ("NONE", "CLOSED")
STANDS_STILL_S = 20  # at most, where the move was undone: --max-pause, and a busy machine's share


class Wrong(Exception):
    """A promise is broken."""


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def kill_all(pids, number=signal.SIGKILL):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
    if number == signal.SIGKILL:
        end = time.monotonic() + 10
        while any(alive(pid) for pid in pids) and time.monotonic() < end:
            time.sleep(0.01)


def ask(path, command, **arguments):
    """By a monitor of one's own. None: nobody answers."""
    try:
        return Hypervisor(path).ask(command, **arguments)
    except (OSError, ValueError):
        return None


class Ear:
    """Hears what the guest says on either side: when, and what it was told is on its disks."""

    def __init__(self, *paths):
        self.paths = paths
        self.beats = [[] for _ in paths]  # of each side: (when, number, writes acknowledged)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def close(self):
        self.over.set()
        self.thread.join()

    def run(self):
        sockets, rests = [None] * len(self.paths), [None] * len(self.paths)
        while not self.over.wait(0.02):
            for side, path in enumerate(self.paths):
                sockets[side] = sockets[side] or self.connect(path)
                before = rests[side]
                if side == 1 and not self.beats[1] and rests[1] is None:
                    before = rests[0]  # a line may be cut in two between the sides
                if sockets[side]:
                    sockets[side], rests[side] = self.hear(side, sockets[side], before, rests[side])

    @staticmethod
    def connect(path):
        sock = socket.socket(socket.AF_UNIX)
        sock.setblocking(False)
        try:
            sock.connect(path)
        except OSError:
            sock.close()
            return None
        return sock

    def hear(self, side, sock, before, rest):
        """`before` is the beginning of the first line, and stays `rest` if nothing comes."""
        try:
            data = sock.recv(1 << 20)
        except BlockingIOError:
            return sock, rest
        except OSError:
            data = b""
        if not data:
            sock.close()
            return None, rest
        *lines, tail = ((before or b"") + data).split(b"\n")
        for line in lines[1 if before is None else 0:]:
            words = line.split()
            if len(words) > 4 and words[0] == b"H" and all(word.isdigit() for word in words[1:]):
                self.beats[side].append((time.monotonic(), int(words[1]), [int(word) for word in words[4:]]))
        return sock, tail

    def count(self, side):
        return len(self.beats[side])

    def acknowledged(self, side):
        return self.beats[side][-1][2] if self.beats[side] else []

    def longest_silence(self):
        times = sorted(beat[0] for side in self.beats for beat in side)
        return max((b - a for a, b in zip(times, times[1:])), default=0)


class Case:
    def __init__(self, scene, hand, moment, options=(), undecided=False):
        self.scene = scene
        self.hand = hand
        self.moment = moment
        self.options = options
        self.may_be_undecided = undecided  # only a person can decide then
        self.source = scene.guest
        self.target = scene.next_guest()
        self.command = os.path.join(scene.vm_folder, "command")
        self.over = threading.Event()
        self.thread = None
        self.sender = None
        self.source_died = self.target_died = False
        self.touched_source = self.touched_target = False
        self.touched_images = False
        self.stopped_by_hand = False  # nobody may let it run but who has stopped it
        self.restarts = 0
        self.said = []     # what the sender said, as JSON
        self.output = ""   # what a person saw then
        self.sent = None   # the sender's exit status; None: killed
        self.status = None # the last exit status a person saw
        self.seen = []     # all of them
        self.states = ("?", "?")
        self.writes = "-"

    # ---- processes ----

    def source_pids(self):
        return [pid for pid in self.scene.processes("qemu-system", self.source.qmp) if alive(pid)
                and pid not in self.target_pids()]

    def target_pids(self):
        return [pid for pid in self.scene.processes("qemu-system", self.target.name) if alive(pid)]

    def undone(self):
        return any(event["type"] == "undo" for event in self.said)

    # ---- the act ----

    def read(self):
        for line in self.sender.stdout:
            self.said.append(json.loads(line))

    def stopped_process(self):
        side = self.moment.rpartition(":")[2]
        end = time.monotonic() + 60
        while time.monotonic() < end and self.sender.poll() is None:
            for pid in [self.sender.pid] if side == "send" else receivers(self.scene):
                if is_stopped(pid):
                    return pid
            time.sleep(0.01)
        raise Wrong(f"the move did not come to {self.moment}: {self.said[-1:]}")

    def move(self):
        fault = ["--fault", self.moment + ":stop"] if self.moment else []
        self.sender = self.scene.start_send(*fault, *self.options)
        reader = threading.Thread(target=self.read, daemon=True)
        reader.start()
        if self.moment:
            stopped = self.stopped_process()
            self.hand(self)
            kill_all([stopped], signal.SIGCONT)
        try:
            self.sender.wait(PATIENCE_S)
        except subprocess.TimeoutExpired as error:
            raise Wrong(f"xmig send did not end within {PATIENCE_S} s: {self.said[-1:]}") from error
        reader.join()
        self.sent = self.sender.returncode if self.sender.returncode >= 0 else None
        self.see(self.sent)
        if self.thread and not self.restarts and self.hand.__name__.startswith("hang"):
            self.thread.join()

    def see(self, status):
        self.status = status
        self.seen.append(status)

    # ---- what a person does then ----

    def migration(self):
        found = self.scene.migrations("source")
        return found[-1] if found else None

    def last_record(self, side):
        name = {"source": "send", "target": "recv"}[side]
        path = os.path.join(self.scene.environment(side)["XMIG_STATE_DIR"], self.migration() or "-", name + ".journal")
        try:
            with open(path, "rb") as file:
                lines = file.read().rstrip(b"\0").splitlines()
            records = [json.loads(line.split(b" ", 1)[1])["record"] for line in lines]
        except (OSError, IndexError, ValueError):
            return "NONE"
        return next((record for record in reversed(records) if record != "NOTE"), "NONE")

    def recover(self, side, *options):
        done = self.scene.xmig(side, "recover", *options, self.migration())
        self.output += f"[{side}] " + done.stdout
        return done.returncode

    def settle(self):
        """As the exit status says: recover at the source, then at the target. Whoever guards the
        migration may be at work already; then it is asked again.
        """
        if self.scene.guarded:
            self.be_settled()
            return
        end = time.monotonic() + 30
        while self.migration() and time.monotonic() < end:
            if self.status is not None and self.last_record("source") == "CLOSED":
                break
            self.see(self.recover("source"))
            if self.status in (6, 8):
                break
            time.sleep(0.3)
        if self.last_record("target") not in SETTLED and self.status not in (6, None):
            self.recover("target", "--discard")

    def be_settled(self):
        """Nobody types anything."""
        def settled():
            return self.is_settled() and not guardians(self.scene)
        self.scene.wait(settled, "the guardians to settle it and to end", 60)
        self.look()
        self.status = 0 if self.states[1] == "running" else 4

    def is_settled(self):
        return self.last_record("source") in SETTLED and self.last_record("target") in SETTLED

    # ---- what must hold ----

    def state(self, guest, pids):
        """As QEMU says: "gone", "running", or why not."""
        if not pids:
            return "gone"
        answer = ask(guest.other_qmp, "query-status") or ask(guest.qmp, "query-status")
        return answer["status"] if answer else "silent"

    def look(self):
        self.states = (self.state(self.source, self.source_pids()), self.state(self.target, self.target_pids()))
        for pids, where in ((self.source_pids(), "source"), (self.target_pids(), "target")):
            if len(pids) > 1:
                raise Wrong(f"{len(pids)} QEMUs of it at the {where}")

    def judge_where(self):
        source, target = (state == "running" for state in self.states)
        if source and target:
            raise Wrong("two copies run")
        died_later = self.target_died and self.moment.split(":")[0] in ("RUNNING", "DONE")
        if self.status in (0, 7) and not target and not self.touched_source and not died_later:
            raise Wrong(f"exit {self.status}, and at the target it is {self.states[1]}")
        if self.status in (1, 3, 4) and not source:
            raise Wrong(f"exit {self.status}, and at the source it is {self.states[0]}")
        if self.status == 5 and (source or target or self.states[0] == "gone"):
            raise Wrong(f"exit 5, and it is {self.states}")
        if self.status == 8 and (source or target):
            raise Wrong(f"exit 8, and it is {self.states}")
        if self.status == 8 and not (self.source_died or self.target_died):
            raise Wrong("exit 8, and nobody has killed it")
        if self.status == 6 and not self.may_be_undecided:
            raise Wrong("exit 6, although the journals decide")
        if self.status is None:
            raise Wrong("no exit status, and recover was not needed")

    def judge_settled(self):
        """What is decided can be closed: nothing stays listed for ever."""
        if self.last_record("source") == "NONE":
            raise Wrong("the move never began")
        waits_for_a_person = self.status == 6 or (self.status == 7 and self.touched_source)
        died_there = self.status == 8 and self.last_record("target") == "LOST"
        if not self.is_settled() and not waits_for_a_person and not died_there:
            raise Wrong(f"exit {self.status}, and the journals stay open")
        if 5 in self.seen and not self.stopped_by_hand:
            raise Wrong(f"exit statuses {self.seen}: it could have run all the time")

    def judge_pause(self, ear):
        if self.status == 4 and not self.source_died and ear.longest_silence() > STANDS_STILL_S:
            raise Wrong(f"it was undone, and the guest stood still for {ear.longest_silence():.0f} s")

    def judge_time(self, ear):
        """Once it has run at the target, it never runs at the source."""
        if ear.beats[1] and any(beat[0] > ear.beats[1][0][0] for beat in ear.beats[0]):
            raise Wrong("the source's copy ran after the target's had run")
        numbers = [beat[1] for side in ear.beats for beat in side]
        breaks = [f"{b} after {a}" for a, b in zip(numbers, numbers[1:]) if b != a + 1]
        if breaks and not self.restarts:
            raise Wrong(f"heartbeats are missing, or came twice: {', '.join(breaks[:3])}")

    def images_of(self, guest):
        folder, prefix = guest.folder, guest.prefix
        found = {}
        for number in range(2):
            name = f"{prefix}disk{number}.raw"
            there = [entry for entry in os.listdir(folder)
                     if entry == name or entry.startswith((name + ".moved-", name + ".xmig-"))]
            if there:
                found[number] = os.path.join(folder, there[0])
        return found

    def judge_names(self):
        """What the VM writes to at the target is what it will be started from again."""
        opened = set()
        for pid in self.target_pids():
            for entry in os.listdir(f"/proc/{pid}/fd"):
                try:
                    opened.add(os.stat(f"/proc/{pid}/fd/{entry}").st_ino)
                except OSError:
                    pass
        for number in range(2):
            path = self.images_of(self.target).get(number, "no file")
            if not os.path.exists(path) or os.stat(path).st_ino not in opened:
                raise Wrong(f"disk {number} of the VM at the target is not what has its name, {path}")

    def judge_images(self, ear):
        """The disks of the copy that counts have all that the guest was told is on them."""
        if len(self.images_of(self.source)) < 2:
            raise Wrong("a source disk is gone")
        sides = {0: [1], 7: [1], 8: [1] if ear.beats[1] else [0, 1], 6: [1] if ear.beats[1] else [0]}
        for side in sides.get(self.status, [0]):
            self.judge_side(side, ear)

    def judge_side(self, side, ear):
        images = self.images_of((self.source, self.target)[side])
        acknowledged = ear.acknowledged(1) or ear.acknowledged(0)
        if side == 1 and not images and self.status == 8:
            return
        for number, last in enumerate(acknowledged):
            if number not in images:
                raise Wrong(f"disk {number} of the {('source', 'target')[side]} is gone")
            checked = subprocess.run([BLKVERIFY, as_raw(images[number], self.scene.folder), str(number),
                                      str(WORKING_SET_MIB), str(last)], stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, text=True, check=False)
            if checked.returncode != 0:
                raise Wrong(f"writes are lost: {os.path.basename(images[number])}: {checked.stdout.strip()}")
        self.writes = "images ok"

    def judge_running(self, ear):
        side = self.states.index("running")
        if self.restarts and side == 0:
            self.writes = "booted anew"  # a new guest on the same disks, which it writes over
            return
        before = ear.count(side)
        self.scene.wait(lambda: ear.count(side) > before + 10, "the guest's heartbeat", 30)
        self.judge_time(ear)
        if side == 1:
            self.judge_names()
        answer = verify((self.source, self.target)[side].heartbeat, ear)
        if answer != "V ok":
            raise Wrong(f"the guest says '{answer}'")
        self.writes = "V ok"

    def let_run_by_hand(self):
        """Its administrator has stopped it, and lets it go on where it is now."""
        if "running" in self.states:
            raise Wrong("it runs, although its administrator has stopped it")
        if self.status not in (0, 5, 7):
            raise Wrong(f"exit {self.status}, and it is stopped")
        side = 0 if self.status == 5 else 1
        ask((self.source, self.target)[side].other_qmp, "cont")
        self.status = 4 if side == 0 else self.status
        self.look()

    def judge(self, ear):
        self.look()
        if self.stopped_by_hand:
            self.let_run_by_hand()
        self.judge_where()
        self.judge_settled()
        self.judge_time(ear)
        self.judge_pause(ear)
        if "running" in self.states:
            self.judge_running(ear)
        else:
            self.judge_images(ear)

    def run(self):
        ear = Ear(self.source.heartbeat, self.target.heartbeat)
        try:
            self.scene.wait(lambda: ear.count(0) > 5, "the guest's heartbeat", 30)
            self.move()
            self.settle()
            self.judge(ear)
        finally:
            self.over.set()
            ear.close()
            if self.thread:
                self.thread.join()

    def is_clean(self):
        """Can the next move begin where this one has ended?"""
        return (not self.restarts and not self.touched_images and not self.touched_target and not self.touched_source and
                sorted(self.states) == ["gone", "running"] and self.last_record("source") == "CLOSED" and
                self.last_record("target") in ("NONE", "CLOSED"))


def verify(path, ear):
    """Ask the guest while the ear is deaf: a chardev serves one at a time."""
    ear.close()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(60)
        for _ in range(100):
            try:
                sock.connect(path)
                break
            except OSError:
                time.sleep(0.05)
        sock.sendall(b"verify\n")
        for line in sock.makefile("r", encoding="utf-8", errors="replace"):
            if line.startswith("V "):
                return line.strip()
    return "nothing"
