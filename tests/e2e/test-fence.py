#!/usr/bin/env python3
"""The old copy is fenced before the new one runs, and nobody else's file is touched.

    test-fence.py [UNITTEST ARGUMENTS]      needs build/release/xmig and root

The VMs are QEMUs without a guest, which lose nothing but show all that xmig and QEMU do with
images. What stands for a service manager starts the VM's command again; a colleague opens a disk.
"""

import json
import os
import signal
import subprocess
import tempfile
import time
import unittest

import folders
from moving import Hypervisor, XMIG, is_stopped

QEMU = "qemu-system-x86_64"
MIB = 1 << 20


class Machine:
    """A QEMU that was started by hand, in a folder of its own; "hosts" are state directories."""

    def __init__(self, disk="drive", image="disk.raw"):
        self.folder = tempfile.mkdtemp(prefix="xmig-fence-")
        self.name = f"vm{os.getpid()}"
        self.target_name = self.name + "-moved"
        self.qmp = os.path.join(self.folder, "qmp")
        self.image = os.path.join(self.folder, image)
        self.disk = disk
        self.started = []
        self.loops = []
        make_image(self.image)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end_everything()
        for loop in self.loops:  # what the fence has set outlives the file beneath
            subprocess.run(["blockdev", "--setrw", loop], check=True)
            subprocess.run(["losetup", "-d", loop], check=True)
        if not os.environ.get("XMIG_TEST_KEEP"):
            folders.remove(self.folder)

    def loop_device(self, image=None):
        loop = subprocess.run(["losetup", "-f", "--show", image or self.image], check=True, stdout=subprocess.PIPE,
                              text=True).stdout.strip()
        self.loops.append(loop)
        subprocess.run(["blockdev", "--setrw", loop], check=True)  # a loop device keeps its last user's flag
        return loop

    def blockdev(self, path=None):
        return ["-blockdev", f"driver=file,filename={path or self.image},node-name=f0",
                "-blockdev", "driver=raw,file=f0,node-name=d0", "-device", "virtio-blk-pci,drive=d0,id=v0"]

    def drive(self, path=None, *more):
        return ["-drive", ",".join([f"file={path or self.image},format=raw,if=virtio,id=d0", *more])]

    def command(self, *disk, qmp="qmp", name=None):
        return [QEMU, "-name", name or self.name, "-m", "32", "-nodefaults", "-display", "none",
                "-machine", "pc,accel=tcg", "-qmp", f"unix:{self.folder}/{qmp},server=on,wait=off", *disk]

    def start(self, *disk, cwd=None, prefix=(), qmp="qmp", name=None, wait=True, **popen):
        process = subprocess.Popen([*prefix, *self.command(*(disk or self.drive()), qmp=qmp, name=name)],
                                   stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=cwd,
                                   **popen)
        self.started.append(process)
        if wait:
            self.wait(lambda: Hypervisor(os.path.join(self.folder, qmp)).state() == "running", "QEMU to run")
        return process

    def open_disks(self):
        """The inodes of what the first QEMU has open as its disks."""
        found = set()
        folder = f"/proc/{self.started[0].pid}/fd"
        for entry in os.listdir(folder):
            try:
                path = os.readlink(os.path.join(folder, entry))
                if path.startswith(self.folder) and path.endswith(".raw"):
                    found.add(os.stat(os.path.join(folder, entry)).st_ino)
            except FileNotFoundError:
                continue  # closed meanwhile
        return sorted(found)

    def put_back(self, real):
        os.unlink(self.image)
        os.rename(real, self.image)

    def starts_again(self):
        """Does the old start line run? It is tried, and ended."""
        return self.starts(*self.drive())

    def starts(self, *disk):
        process = self.start(*disk, qmp="again", wait=False)
        socket = os.path.join(self.folder, "again")
        self.wait(lambda: process.poll() is not None or Hypervisor(socket).state() == "running",
                  "QEMU to run or to fail")
        if process.poll() is not None:
            return False
        process.kill()
        process.wait()
        return True

    def environment(self, side):
        return {**os.environ, "XMIG_STATE_DIR": os.path.join(self.folder, side + "-state"),
                "XMIG_RUNTIME_DIR": os.path.join(self.folder, side + "-run")}

    def xmig(self, *arguments, side="source"):
        return subprocess.run([XMIG, *arguments], env=self.environment(side), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
                              check=False)

    def send_command(self, *options):
        remote = " ".join(f"{name}={value}" for name, value in self.environment("target").items()
                          if name.startswith("XMIG_"))
        return [XMIG, "send", f"qemu:{self.qmp}", "local:", "--json", "--no-guardian", "--name", self.target_name,
                "--remote-path", f"env {remote} {XMIG}", *options]

    def start_send(self, *options):
        process = subprocess.Popen(self.send_command(*options), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                   env=self.environment("source"))
        self.started.append(process)
        return process

    @staticmethod
    def result_of(process):
        output, _ = process.communicate(timeout=120)
        events = [json.loads(line) for line in output.splitlines()]
        return next((event for event in reversed(events) if event["type"] == "result"), None)

    def send(self, *options):
        process = self.start_send(*options)
        return process, self.result_of(process)

    def moved(self):
        """The new names of what was fenced."""
        return sorted(name for name in os.listdir(self.folder) if ".moved-" in name)

    def target_socket(self):
        return os.path.join(self.folder, self.target_name + "-qmp")

    def migration(self):
        return os.listdir(self.environment("source")["XMIG_STATE_DIR"])[0]

    def running(self):
        """Of the VM's name, or the target's: who is more than a stopped copy?"""
        sockets = [self.qmp, self.target_socket(), os.path.join(self.folder, "again")]
        return [path for path in sockets if Hypervisor(path).state() == "running"]

    def end_everything(self):
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if self.folder.encode() in file.read() and int(pid) != os.getpid():
                        os.kill(int(pid), signal.SIGKILL)
            except OSError:
                pass

    def wait(self, condition, what, timeout_s=60):
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"waited {timeout_s} s for {what}"
            time.sleep(0.02)


def make_image(path, size=4 * MIB):
    with open(path, "wb") as file:
        file.write(os.urandom(size))


class Fence(unittest.TestCase):
    def assert_moved(self, process, result):
        self.assertEqual((process.returncode, result["where"]), (0, "target"), result)

    def assert_refused(self, process, result, *words):
        self.assertEqual((process.returncode, result["outcome"]), (3, "refused"), result)
        for word in words:
            self.assertIn(str(word), result["error"]["text"])

    # ---- an image is an inode ----

    def test_a_strangers_file_of_the_images_name_is_left_alone(self):
        """With -daemonize a relative path leads elsewhere once QEMU runs."""
        with Machine() as vm:
            relative = os.path.basename(vm.folder) + ".raw"
            stranger = "/" + relative
            os.rename(vm.image, os.path.join(vm.folder, relative))
            self.addCleanup(os.unlink, stranger)
            make_image(stranger)
            subprocess.run([*vm.command(*vm.blockdev(relative)), "-daemonize"], check=True, cwd=vm.folder)
            self.assert_moved(*vm.send())
            self.assertEqual([name.partition(".moved-")[0] for name in vm.moved()], [relative])
            self.assertTrue(os.path.exists(stranger))
            self.assertIn(f"{vm.target_name}-{relative}", os.listdir(vm.folder))

    def test_a_renamed_image_is_known_by_its_inode(self):
        with Machine() as vm:
            vm.start(*vm.blockdev())
            os.rename(vm.image, os.path.join(vm.folder, "other.raw"))
            make_image(vm.image)
            self.assert_moved(*vm.send())
            self.assertEqual([name.partition(".moved-")[0] for name in vm.moved()], ["other.raw"])
            self.assertIn(f"{vm.target_name}-other.raw", os.listdir(vm.folder))

    def test_an_image_that_qemu_would_open_again_by_a_strangers_name_is_refused(self):
        """A -drive is opened by its name once more when a move is undone after the pause."""
        with Machine() as vm:
            vm.start()
            real = os.path.join(vm.folder, "other.raw")
            os.rename(vm.image, real)
            self.assert_refused(*vm.send(), real, f"'{vm.image}' is no file", f"ln -s '{real}' '{vm.image}'")
            make_image(vm.image)
            self.assert_refused(*vm.send("--dry-run"), f"'{vm.image}' is another file")
            os.unlink(vm.image)
            os.symlink(real, vm.image)
            self.assert_moved(*vm.send())
            self.assertEqual([name.partition(".moved-")[0] for name in vm.moved()], ["other.raw"])

    @staticmethod
    def replace_image(vm):
        """The image's new name; a stranger's file has the old one."""
        real = os.path.join(vm.folder, "other.raw")
        os.rename(vm.image, real)
        make_image(vm.image)
        return real

    def assert_stays_by(self, vm, process, status, real):
        output, _ = process.communicate(timeout=120)
        self.assertEqual(process.returncode, status, output)
        self.assertRegex(output, f"'{vm.image}' is (not the VM's image|another file)")
        vm.put_back(real)
        self.assertEqual(vm.xmig("recover", vm.migration()).returncode, 4)
        self.assertEqual(vm.running(), [vm.qmp])

    def test_an_image_that_is_replaced_meanwhile_ends_the_move_before_the_pause(self):
        with Machine() as vm:
            vm.start()
            process = vm.start_send("--fault", "ram-stream:begin:send:stop")
            vm.wait(lambda: is_stopped(process.pid), "xmig to stop")
            real = self.replace_image(vm)
            os.kill(process.pid, signal.SIGCONT)
            self.assert_stays_by(vm, process, 4, real)
            self.assertEqual(vm.open_disks(), [os.stat(vm.image).st_ino])

    def test_a_mirror_that_ends_opens_no_strangers_file(self):
        """QEMU opens a raw image by its name as a mirror of it ends, if it may: the guest runs then."""
        with Machine() as vm:
            vm.start()
            process = vm.start_send("--fault", "ram-stream:begin:send:stop")
            vm.wait(lambda: is_stopped(process.pid), "xmig to stop")
            real = self.replace_image(vm)
            process.send_signal(signal.SIGTERM)
            os.kill(process.pid, signal.SIGCONT)
            vm.result_of(process)
            self.assertEqual(process.returncode, 128 + signal.SIGTERM)
            self.assertEqual(vm.open_disks(), [os.stat(real).st_ino])

    def test_a_guest_whose_image_was_replaced_meanwhile_writes_to_no_strangers_file(self):
        with Machine() as vm:
            vm.start()
            process = vm.start_send("--fault", "PREPARED:before:recv:stop")
            receiver = self.stopped_receiver(vm)
            real = self.replace_image(vm)
            os.kill(receiver, signal.SIGKILL)
            self.assert_stays_by(vm, process, 5, real)

    def test_an_image_that_has_lost_its_name_needs_no_fence(self):
        with Machine() as vm:
            vm.start()
            process = vm.start_send("--fault", "COMMIT:before:send:stop")
            vm.wait(lambda: is_stopped(process.pid), "xmig to stop")
            self.replace_image(vm)
            stranger = os.stat(vm.image)
            os.kill(process.pid, signal.SIGCONT)
            self.assert_moved(process, vm.result_of(process))
            self.assertEqual(vm.running(), [vm.target_socket()])
            self.assertEqual(os.stat(vm.image).st_ino, stranger.st_ino)

    def test_an_image_in_another_mount_name_space_is_found_on_this_host(self):
        with Machine() as vm:
            inside = os.path.join(vm.folder, "inside")
            os.mkdir(inside)
            os.mkdir(os.path.join(vm.folder, "outside"))
            image = os.path.join(vm.folder, "outside/disk.raw")
            os.rename(vm.image, image)
            vm.start(*vm.drive(os.path.join(inside, "disk.raw")),
                     prefix=["unshare", "-m", "sh", "-c", f"mount --bind {vm.folder}/outside {inside} && exec \"$@\"",
                             "sh"])
            self.assert_moved(*vm.send())
            names = os.listdir(os.path.join(vm.folder, "outside"))
            self.assertNotIn("disk.raw", names)
            self.assertEqual(len([name for name in names if ".moved-" in name]), 1)

    def test_an_image_by_a_descriptor_is_found(self):
        with Machine() as vm:
            vm.start(*vm.drive("/proc/self/fd/9"), prefix=["sh", "-c", f"exec \"$@\" 9<>{vm.image}", "sh"])
            self.assert_moved(*vm.send())
            self.assertEqual([name.partition(".moved-")[0] for name in vm.moved()], ["disk.raw"])

    def test_a_deleted_image_is_refused_with_the_cure(self):
        with Machine() as vm:
            vm.start()
            os.unlink(vm.image)
            make_image(vm.image)
            self.assert_refused(*vm.send("--dry-run"), "deleted", "drive-mirror")

    # ---- all that the old start line opens ----

    def test_the_base_is_fenced_too_after_a_live_snapshot(self):
        with Machine() as vm:
            vm.start()
            Hypervisor(vm.qmp).ask("blockdev-snapshot-sync", device="d0",
                                   **{"snapshot-file": os.path.join(vm.folder, "snap.qcow2"), "format": "qcow2"})
            self.assert_moved(*vm.send())
            self.assertEqual([name.partition(".moved-")[0] for name in vm.moved()], ["disk.raw", "snap.qcow2"])
            self.assertFalse(vm.starts_again())

    def test_a_template_beneath_keeps_its_name(self):
        with Machine() as vm:
            overlay = os.path.join(vm.folder, "overlay.qcow2")
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", vm.image, "-F", "raw", overlay],
                           check=True)
            disk = ["-drive", f"file={overlay},format=qcow2,if=virtio,id=d0"]
            vm.start(*disk)
            self.assert_moved(*vm.send())
            self.assertEqual([name.partition(".moved-")[0] for name in vm.moved()], ["overlay.qcow2"])
            self.assertTrue(os.path.exists(vm.image))
            self.assertFalse(vm.starts(*disk))

    def test_the_distributions_firmware_keeps_its_name(self):
        with Machine() as vm:
            firmware = f"/usr/share/{os.path.basename(vm.folder)}.fd"
            self.addCleanup(os.unlink, firmware)
            make_image(firmware)
            vm.start(*vm.drive(), "-drive", f"file={firmware},format=raw,if=none,id=vars")
            self.assert_moved(*vm.send("--disk", f"vars={vm.folder}/vars.fd"))
            self.assertTrue(os.path.exists(firmware))
            self.assertEqual(len(vm.moved()), 1)

    # ---- block devices ----

    def test_a_block_device_is_fenced_until_the_fence_is_taken_off(self):
        with Machine() as vm:
            device = vm.loop_device()
            vm.start(*vm.drive(device))
            self.assert_moved(*vm.send("--disk", f"d0={vm.folder}/target.raw"))
            self.assertFalse(vm.starts(*vm.drive(device)))
            self.assertEqual(vm.xmig("fence", "off", device).returncode, 0)
            self.assertTrue(vm.starts(*vm.drive(device)))

    def test_the_fence_is_taken_off_all_that_a_settled_migration_has_fenced(self):
        with Machine() as vm:
            second = os.path.join(vm.folder, "second.raw")
            make_image(second)
            device = vm.loop_device(second)
            vm.start(*vm.drive(), "-drive", f"file={device},format=raw,if=virtio,id=d1")
            self.assert_moved(*vm.send("--disk", f"d1={vm.folder}/target.raw"))
            self.assertEqual(len(vm.moved()), 1)
            done = vm.xmig("fence", "off", vm.migration()[:6])
            self.assertEqual((done.returncode, done.stdout.splitlines()), (0, [vm.image, device]), done.stdout)
            self.assertEqual(vm.moved(), [])
            with open(f"/sys/block/{os.path.basename(device)}/ro", encoding="ascii") as file:
                self.assertEqual(file.read().strip(), "0")
            self.assertEqual(vm.xmig("fence", "off", vm.name).stdout.splitlines(), [device])

    def test_the_fence_of_a_migration_that_is_not_settled_stays(self):
        with Machine() as vm:
            vm.start()
            vm.send("--fault", "DONE:before:send:crash")
            self.assertEqual(len(vm.moved()), 1)
            done = vm.xmig("fence", "off", vm.name)
            self.assertEqual(done.returncode, 1)
            self.assertIn("is not settled", done.stdout)
            self.assertEqual(len(vm.moved()), 1)
            self.assertEqual(vm.xmig("recover", vm.name).returncode, 0)
            self.assertEqual(vm.xmig("fence", "off", vm.name).returncode, 0)
            self.assertEqual(vm.moved(), [])

    def test_a_block_device_is_writable_again_after_a_hand_over_that_failed(self):
        with Machine() as vm:
            device = vm.loop_device()
            vm.start(*vm.drive(device))
            process, result = vm.send("--disk", f"d0={vm.folder}/target.raw", "--fence-command",
                                      "test $XMIG_ACTION = unfence")
            self.assertEqual((process.returncode, result["where"]), (4, "source"), result)
            self.assertIn("--fence-command", result["error"]["text"])
            with open(f"/sys/block/{os.path.basename(device)}/ro", encoding="ascii") as file:
                self.assertEqual(file.read().strip(), "0")

    def test_a_command_fences_besides_and_is_told_what(self):
        with Machine() as vm:
            vm.start()
            log = os.path.join(vm.folder, "log")
            self.assert_moved(*vm.send("--fence-command", f'echo "$XMIG_ACTION $XMIG_VM $XMIG_DISKS" >>{log}'))
            with open(log, encoding="utf-8") as file:
                self.assertEqual(file.read(), f"fence {vm.name} {vm.image}\n")

    # ---- somebody else ----

    def test_a_disk_that_somebody_else_writes_to_is_refused_with_who(self):
        with Machine() as vm:
            vm.start(*vm.drive(None, "file.locking=off"))
            other = vm.start(*vm.drive(None, "file.locking=off"), qmp="other", name="colleague")
            self.assert_refused(*vm.send("--dry-run"), vm.image, other.pid, QEMU)

    def test_so_is_one_that_the_kernel_writes_to(self):
        """By a loop device no process has it open."""
        with Machine() as vm:
            vm.start()
            loop = vm.loop_device()
            self.assert_refused(*vm.send("--dry-run"), vm.image, os.path.basename(loop))
            subprocess.run(["losetup", "-d", loop], check=True)
            vm.loops.clear()
            self.assertEqual(vm.send("--dry-run")[0].returncode, 0)

    def test_who_opens_a_disk_during_the_move_leaves_it_undecided(self):
        with Machine() as vm:
            mine = vm.start()
            process = vm.start_send("--fault", "ram-stream:begin:recv:stop")
            receiver = self.stopped_receiver(vm)
            with open(vm.image, "r+b"):
                os.kill(receiver, signal.SIGCONT)
                result = vm.result_of(process)
                self.assertEqual((process.returncode, result["outcome"]), (6, "undecided"), result)
                for word in (os.getpid(), mine.pid, vm.image):
                    self.assertIn(str(word), result["error"]["text"])
                self.assertEqual(vm.running(), [])
                self.assertEqual(vm.xmig("recover", vm.migration()).returncode, 6)
            self.assertEqual(vm.xmig("recover", vm.migration()).returncode, 0)
            self.assertEqual(vm.running(), [vm.target_socket()])

    def test_an_image_at_the_target_that_somebody_has_replaced_ends_the_move(self):
        """The VM would run on a file without a name, and be another one after its next start."""
        with Machine() as vm:
            vm.start()
            before = set(os.listdir(vm.folder))
            process = vm.start_send("--fault", "ram-stream:begin:recv:stop")
            receiver = self.stopped_receiver(vm)
            made, = (name for name in set(os.listdir(vm.folder)) - before if name.endswith(".raw"))
            made = os.path.join(vm.folder, made)
            os.rename(made, made + ".elsewhere")
            make_image(made)
            strangers = os.stat(made)
            os.kill(receiver, signal.SIGCONT)
            result = vm.result_of(process)
            self.assertEqual(process.returncode, 4, result)
            self.assertIn(made, result["error"]["text"])
            self.assertEqual(vm.running(), [vm.qmp])
            self.assertEqual(os.stat(made).st_ino, strangers.st_ino)

    def test_a_second_move_of_a_vm_that_is_being_moved_is_told_to_wait(self):
        with Machine() as vm:
            vm.start()
            process = vm.start_send("--fault", "params-copy:end:recv:stop")
            receiver = self.stopped_receiver(vm)
            first = vm.migration()
            self.assert_refused(*vm.send(), "is being moved already", first, process.pid)
            os.kill(receiver, signal.SIGCONT)
            self.assert_moved(process, vm.result_of(process))

    def test_another_vm_of_the_name_that_was_there_before_does_not_matter(self):
        with Machine() as vm:
            vm.start()
            another = os.path.join(vm.folder, "another.raw")
            make_image(another)
            vm.start(*vm.drive(another), qmp="other")
            self.assert_moved(*vm.send())

    def test_a_program_that_is_only_called_like_the_vm_stops_no_move(self):
        """Any user can call a process so, under way, too."""
        for what, name, user in (("another program", "sleeper", 0), ("another user's", "qemu-system-x86_64", 65534)):
            with self.subTest(what), Machine() as vm, tempfile.TemporaryDirectory() as folder:
                os.chmod(folder, 0o755)
                program = os.path.join(folder, name)
                subprocess.run(["cc", "-x", "c", "-o", program, "-"], text=True, check=True,
                               input="#include <unistd.h>\nint main(void) { return pause(); }")
                vm.start()
                process = vm.start_send("--fault", "PREPARED:before:recv:stop")
                receiver = self.stopped_receiver(vm)
                for called in (vm.name, vm.target_name):
                    vm.started.append(subprocess.Popen([QEMU, "-name", called], executable=program, user=user,
                                                       stdin=subprocess.DEVNULL))
                os.kill(receiver, signal.SIGCONT)
                self.assert_moved(process, vm.result_of(process))

    def test_a_name_that_another_user_has_taken_at_the_target_is_free(self):
        with Machine() as vm:
            vm.start()
            vm.started.append(subprocess.Popen([QEMU, "-name", vm.target_name, "-S", "-display", "none", "-nodefaults"],
                                               user=65534, stdin=subprocess.DEVNULL, cwd="/"))
            self.assert_moved(*vm.send())

    # ---- a service manager ----

    def test_a_copy_that_is_started_again_before_go_is_never_one_of_two(self):
        """The source's QEMU is killed as COMMIT is written, and its command started again at once: the
        fence came first.
        """
        with Machine() as vm:
            mine = vm.start()
            process = vm.start_send("--fault", "OWNED:before:recv:stop")
            receiver = self.stopped_receiver(vm)
            mine.kill()
            mine.wait()
            self.assertFalse(vm.starts_again())
            os.kill(receiver, signal.SIGCONT)
            vm.result_of(process)
            self.assertFalse(vm.starts_again())
            self.assertEqual(vm.running(), [vm.target_socket()])

    def test_recover_starts_no_second_one(self):
        """xmig dies with COMMIT written and nothing fenced; the VM's command runs again."""
        with Machine() as vm:
            mine = vm.start()
            process, _ = vm.send("--fault", "COMMIT:after:send:crash")
            mine.kill()
            mine.wait()
            again = vm.start()
            recovered = vm.xmig("recover", vm.migration())
            self.assertEqual(recovered.returncode, 6, recovered.stdout)
            self.assertIn(str(again.pid), recovered.stdout)
            self.assertEqual(vm.running(), [vm.qmp])

    def stopped_receiver(self, vm):
        """The receiver's pid, once --fault …:stop has stopped it."""
        found = []

        def look():
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                        stopped = file.read().rpartition(")")[2].split()[0] == "T"
                    with open(f"/proc/{pid}/environ", "rb") as file:
                        ours = (vm.folder + "/target-state").encode() in file.read()
                except OSError:
                    continue
                if stopped and ours:
                    found.append(int(pid))
            return found
        vm.wait(look, "the receiver to stop")
        return found[0]


if __name__ == "__main__":
    unittest.main(verbosity=2)
