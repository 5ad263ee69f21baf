"""Other people's hands: what happens to a VM that is being moved, from outside of xmig.

A hand is a function of a Case (case.py). It strikes while one side is stopped at a moment
(--fault POINT:stop), and may go on after that in a thread of its own.
"""

import os
import signal
import subprocess
import threading
import time

from case import alive, ask, kill_all
from moving import receivers


def sender(case):
    kill_all([case.sender.pid])


def receiver(case):
    kill_all(receivers(case.scene))


def both(case):
    kill_all([case.sender.pid, *receivers(case.scene)])


def ssh_master(case):
    kill_all(case.scene.processes("ssh-ctl"))


def source_qemu(case):
    case.source_died = True
    kill_all(case.source_pids())


def target_qemu(case):
    case.target_died = True
    kill_all(case.target_pids())


def source_host(case):
    """All of the source's processes end at once, as with its power."""
    case.source_died = True
    kill_all([case.sender.pid, *case.scene.processes("ssh-ctl"), *case.source_pids()])


def service_manager(case):
    """Starts the old command whenever its process has ended; begins with a kill of it."""
    def watch():
        while not case.over.wait(0.3):
            if not case.source_pids():
                case.restarts += 1
                subprocess.Popen([case.command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, start_new_session=True)
    case.thread = threading.Thread(target=watch, daemon=True)
    case.thread.start()
    source_qemu(case)


def service_manager_of_a_lost_host(case):
    service_manager(case)
    kill_all([case.sender.pid, *case.scene.processes("ssh-ctl")])


def cont_source(case):
    case.touched_source = True
    ask(case.source.other_qmp, "cont")


def cont_target(case):
    case.touched_target = True
    ask(case.target.other_qmp, "cont")


def stop_source(case):
    case.touched_source = True
    case.stopped_by_hand = case.state(case.source, case.source_pids()) == "running"
    ask(case.source.other_qmp, "stop")


def slow_target(case):
    """Each flush of a disk there takes a second, and a QEMU listens late: see fault-table.py."""


def complete_mirror(case):
    """A colleague completes the mirrors: the guest would write to the target's disks."""
    for job in ask(case.source.other_qmp, "query-block-jobs") or []:
        ask(case.source.other_qmp, "block-job-complete", device=job["device"])


def quit_target(case):
    case.target_died = True
    ask(case.target.other_qmp, "quit")


def _hang(case, pids):
    """Stopped until the sender has undone or ended, at most for a quarter of a minute."""
    stopped = [pid for pid in pids if alive(pid)]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)

    def let_go():
        end = time.monotonic() + 15
        while time.monotonic() < end and case.sender.poll() is None and not case.undone():
            time.sleep(0.1)
        kill_all(stopped, signal.SIGCONT)
    case.thread = threading.Thread(target=let_go, daemon=True)
    case.thread.start()


def hang_target_qemu(case):
    _hang(case, case.target_pids())


def hang_receiver(case):
    _hang(case, receivers(case.scene))


def hang_ssh_master(case):
    _hang(case, case.scene.processes("ssh-ctl"))
