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


def listener(case):
    """Its service manager starts it again; connections, which are processes of their own, live on."""
    case.scene.end([case.scene.listener.process.pid])
    case.scene.listener.process.wait()
    case.scene.listen()


def listener_and_connections(case):
    case.scene.end(case.scene.listeners())
    case.scene.listener.process.wait()
    case.scene.listen()


def network_reset(case):
    """Both hosts hear of it at once, and can connect again."""
    case.scene.relay.kill()
    case.scene.relay.wait()
    case.scene.start_relay()


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


def _start_the_old_command(case, environment=None):
    case.restarts += 1
    subprocess.Popen([case.command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                     start_new_session=True, env={**os.environ, **(environment or {})})


def _restart_for_ever(case, environment=None):
    def watch():
        while not case.over.wait(0.3):
            if not case.source_pids():
                _start_the_old_command(case, environment)
    case.thread = threading.Thread(target=watch, daemon=True)
    case.thread.start()


def service_manager(case):
    """Starts the old command whenever its process has ended; begins with a kill of it."""
    _restart_for_ever(case)
    source_qemu(case)


def slow_service_manager(case):
    """Each QEMU that it starts takes seconds to come to its images."""
    _restart_for_ever(case, {"LD_PRELOAD": case.scene.preloaded("../bench/slow-sync.c"), "SLOW_LISTEN_MS": "700"})
    source_qemu(case)


def service_manager_of_a_lost_host(case):
    service_manager(case)
    kill_all([case.sender.pid, *case.scene.processes("ssh-ctl")])


def second_start(case):
    """Somebody types the old command once more, while the old copy is still there."""
    _start_the_old_command(case)


def full_disk_flag(scene):
    return os.path.join(scene.folder, "disk-is-full")


def full_disk(case):
    """No room for what the guest writes: QEMU stops it, until somebody makes room."""
    with open(full_disk_flag(case.scene), "w", encoding="ascii"):
        pass
    case.scene.wait(lambda: case.state(case.source, case.source_pids()) == "io-error", "an I/O error", 30)


NEED_FIRST_START = (service_manager, slow_service_manager, service_manager_of_a_lost_host, second_start, full_disk)


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


def unlink_target_image(case):
    case.touched_images = True
    os.unlink(case.images_of(case.target)[0])


def replace_target_image(case):
    """Another file takes the image's name, as a copy that somebody puts there does."""
    case.touched_images = True
    image = case.images_of(case.target)[0]
    strangers = image + ".new"
    with open(strangers, "wb") as file:
        file.truncate(os.path.getsize(image))
    os.rename(strangers, image)


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


def hang_listener(case):
    """With it all of its connections."""
    _hang(case, case.scene.listeners())


def hang_network(case):
    """Nothing comes through, and neither host hears of it."""
    _hang(case, [case.scene.relay.pid])


NEED_RELAY = (network_reset, hang_network)
