#!/usr/bin/env python3
"""What VMs of a desktop have, and what is taken at the target already. Needs no guest.

    test-desktop.py [UNITTEST ARGUMENTS]      needs build/release/xmig, and QEMU with its modules for SPICE
"""

import importlib
import os
import unittest

moving = importlib.import_module("test-machine")
DISK, Machine, Moving, free_port = moving.DISK, moving.Machine, moving.Moving, moving.free_port
SMARTCARD = ("-usb", "-device", "usb-ccid", "-chardev", "spicevmc,id=c,name=smartcard",
             "-device", "ccid-card-passthru,chardev=c")


class Desktop(Moving):
    def test_a_folder_that_nobody_has_mounted_moves(self):
        lines = (("-fsdev", "local,id=f,path=%,security_model=none", "-device", "virtio-9p-pci,fsdev=f,mount_tag=m"),
                 ("-virtfs", "local,path=%,mount_tag=m,security_model=mapped-xattr"))
        for line in lines:
            with self.subTest(line=line), Machine(*DISK, *line) as machine:
                self.moves(machine)

    def test_a_folder_that_is_not_at_the_target_is_refused(self):
        machine = Machine(*DISK, "-virtfs", "local,path=%/there,mount_tag=m,security_model=none,id=f")
        os.mkdir(machine.folder + "/there")
        with machine:
            os.rmdir(machine.folder + "/there")
            self.is_refused(machine, "/there", "not at the target")

    def test_a_folder_of_another_process_is_refused_with_the_reason(self):
        with Machine(*DISK, "-fsdev", "synth,id=f", "-device", "virtio-9p-pci,fsdev=f,mount_tag=m") as machine:
            self.is_refused(machine, "'-fsdev synth,id=f'", "only a folder (local)")

    def test_a_smartcard_of_spices_moves(self):
        with Machine(*DISK, "-spice", "unix=on,addr=%/spice,disable-ticketing=on", *SMARTCARD) as machine:
            self.moves(machine)

    def test_sound_of_a_desktop_goes_nowhere_and_that_is_said(self):
        with Machine(*DISK, "-audiodev", "oss,id=s,out.dev=/dev/null,in.dev=/dev/null",
                     "-device", "AC97,audiodev=s") as machine:
            for options, status in (("--dry-run",), 0), ((), 0):
                process = machine.start_send(*options)
                said, errors = process.communicate(timeout=120)
                self.assertEqual(process.returncode, status, said)
                self.assertIn("no sound: at the target it goes nowhere, and not to 'oss'", said + errors)


class Taken(Moving):
    def test_a_display_that_is_taken_is_refused(self):
        with Machine(*DISK, "-vnc", "127.0.0.1:92,to=92") as machine:
            self.is_refused(machine, "port 5992", "Address already in use")

    def test_a_port_of_spices_that_is_taken_is_refused(self):
        port = str(free_port())
        with Machine(*DISK, "-spice", f"addr=127.0.0.1,port={port},disable-ticketing=on") as machine:
            self.is_refused(machine, "port " + port, "Address already in use")


class Firmware(Moving):
    """Variables in the file of everybody, as root may have them."""

    def test_the_file_of_a_distribution_keeps_its_name(self):
        folder = "/usr/local/share/xmig-test-" + str(os.getpid())
        os.mkdir(folder)
        variables = folder + "/VARS.fd"
        try:
            with open(variables, "wb") as file:
                file.truncate(128 << 10)
            with Machine("-drive", f"if=pflash,format=raw,unit=1,file={variables},id=vars", "-drive",
                         "if=pflash,format=raw,unit=0,readonly=on,file=/usr/share/seabios/bios-256k.bin") as machine:
                process = machine.start_send("--disk", "vars=%/VARS.fd", "--dry-run")
                self.assertIn("belongs to this host's software", "".join(process.communicate(timeout=120)))
                self.moves(machine, "--disk", "vars=%/VARS.fd")
                self.assertEqual(os.listdir(folder), ["VARS.fd"])
        finally:
            for name in os.listdir(folder):
                os.unlink(os.path.join(folder, name))
            os.rmdir(folder)


if __name__ == "__main__":
    unittest.main()
