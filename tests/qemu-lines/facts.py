#!/usr/bin/env python3
"""What can be said of the one QEMU of this host, as JSON; see README.md.

    facts.py FOLDER [ADDRESS]     FOLDER: where it was started; ADDRESS: its QMP monitor, a path or tcp:HOST:PORT

Without an ADDRESS the monitor is asked that xmig has given it. Exit status 1: there is no QEMU, or it does not answer.
"""

import glob
import json
import os
import re
import socket
import sys

# Options whose words are the same before and after, where the line itself has them.
KEPT = ("name", "m", "smp", "uuid", "cpu", "rtc", "global", "smbios", "boot", "overcommit", "sandbox", "append", "k",
        "numa", "icount", "action", "no-reboot", "no-shutdown", "no-user-config", "nodefaults", "watchdog-action")


def of_process(pid, name):
    with open(f"/proc/{pid}/{name}", "rb") as file:
        return file.read().decode(errors="replace")


def find_qemu():
    """The last one: with -daemonize the first only waits until that has begun."""
    for pid in sorted(filter(str.isdigit, os.listdir("/proc")), key=int, reverse=True):
        try:
            if re.search(r"/\.?qemu-system-", os.readlink(f"/proc/{pid}/exe")):
                return int(pid)
        except OSError:
            continue
    return None


def own_monitor(words):
    for word in words:
        if word.startswith("socket,id=xmig-monitor,"):
            return word.partition("path=")[2].partition(",")[0]
    return None


class Monitor:
    def __init__(self, address):
        if address.startswith("tcp:"):
            host, _, port = address[4:].rpartition(":")
            self.sock = socket.create_connection((host or "127.0.0.1", int(port)), timeout=30)
        else:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(30)
            self.sock.connect(address)
        self.lines = self.sock.makefile("r", encoding="utf-8")
        json.loads(self.lines.readline())
        self.ask("qmp_capabilities")

    def ask(self, command, **arguments):
        self.sock.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            answer = json.loads(self.lines.readline())
            if "return" in answer or "error" in answer:
                return answer.get("return", answer)

    def human(self, line):
        return self.ask("human-monitor-command", **{"command-line": line}).replace("\r", "")


class Facts:
    def __init__(self, folder, pid, monitor):
        self.folder, self.pid, self.monitor = folder, pid, monitor
        self.words = of_process(pid, "cmdline").split("\0")[:-1]

    def whole(self, path):
        """A name begins where QEMU was started."""
        return path if not path or path.startswith("/") or ":" in path else os.path.normpath(f"{self.folder}/{path}")

    # ---- asked of QEMU ----

    def blocks(self):
        found = {}
        for block in self.monitor.ask("query-block"):
            inside = block.get("inserted")
            facts = {"removable": block["removable"], "qdev": block.get("qdev")}
            if inside:
                facts.update({key: inside.get(key) for key in ("ro", "drv", "detect_zeroes", "group", "bps", "iops",
                                                               "bps_max", "iops_max")})
                facts["file"] = self.whole(inside["image"]["filename"])
                facts["cache"] = {key: inside["cache"][key] for key in ("direct", "no-flush")}  # the rest is the guest's
                facts["size"] = inside["image"]["virtual-size"]
                if not inside["node-name"].startswith("#"):
                    facts["node"] = inside["node-name"]
            found[block["device"] or block.get("qdev", "?")] = facts
        return found

    def nodes(self):
        return {node["node-name"]: {"driver": node["drv"], "ro": node["ro"], "file": self.whole(node["file"])}
                for node in self.monitor.ask("query-named-block-nodes", flat=True)
                if not node["node-name"].startswith("#")}

    def chardevs(self):
        found = {}
        for device in self.monitor.ask("query-chardev"):
            if device["label"] == "xmig-monitor":
                continue
            name = device["filename"].removeprefix("disconnected:").partition(" <->")[0]
            scheme, colon, path = name.partition(":")
            if scheme == "unix":
                path, comma, rest = path.partition(",")
                name = f"unix:{self.whole(path)}{comma}{rest}"
            found[re.sub(r"^#chr\d+$", "#", device["label"])] = "pty" if scheme == "pty" else name
            _ = colon
        return found

    def pci(self):
        def devices(bus):
            for device in bus["devices"]:
                yield [device["bus"], device["slot"], device["function"], device["qdev_id"], device["id"]]
                yield from devices(device.get("pci_bridge", {"devices": []}))
        return sorted(found for bus in self.monitor.ask("query-pci") for found in devices(bus))

    def tree(self):
        """Every device with its properties, but for what the guest itself sets."""
        lines = self.monitor.human("info qtree").splitlines()
        return [re.sub(r"#(block|net)\d+|addr \d+\.\d+, ", "#", line) for line in lines
                if not re.match(r"\s*(bar \d|mmio |smb_io_base|MCFG|drive = \"#block)", line)]

    def children(self, path):
        found = self.monitor.ask("qom-list", path=path)
        return sorted([child["name"], child["type"]] for child in found
                      if child["type"].startswith("child<") and "monitor" not in child["type"])

    def vnc(self):
        servers = self.monitor.ask("query-vnc-servers")
        if isinstance(servers, dict):  # none, or a QEMU without VNC
            return []
        return [[server["id"], server["auth"], [[at["host"], self.whole(at["service"]) if at["family"] == "unix" else
                                                 at["service"]] for at in server["server"]]] for server in servers]

    def network(self):
        return re.sub(r",?(fd|vhostfds?)=\d+|#net\d+", "", self.monitor.human("info network")).splitlines()

    # ---- seen from outside ----

    def taps(self):
        found = {}
        for path in glob.glob("/sys/class/net/*/tun_flags"):
            folder = os.path.dirname(path)
            master = os.path.join(folder, "master")
            with open(folder + "/flags", encoding="ascii") as file:
                up = int(file.read(), 16) & 1
            found[os.path.basename(folder)] = [os.path.basename(os.readlink(master)) if os.path.exists(master) else "", up]
        return found

    def sockets(self):
        inodes = set()
        for name in os.listdir(f"/proc/{self.pid}/fd"):
            try:
                link = os.readlink(f"/proc/{self.pid}/fd/{name}")
            except OSError:
                continue
            if link.startswith("socket:["):
                inodes.add(link[8:-1])
        found = []
        for line in of_process(self.pid, "net/unix").splitlines()[1:]:
            part = line.split()
            if len(part) > 7 and part[6] in inodes and int(part[3], 16) & 0x10000 and "/xmig" not in part[7]:
                found.append(["unix", self.whole(part[7]), os.path.exists(self.whole(part[7]))])
        for kind, state in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07")):
            for line in of_process(self.pid, "net/" + kind).splitlines()[1:]:
                part = line.split()
                if part[3] == state and part[9] in inodes:
                    found.append([kind, part[1]])
        return sorted(found)

    def process(self):
        status = dict(line.split(":\t", 1) for line in of_process(self.pid, "status").splitlines() if ":\t" in line)
        return {key: status[key].split() for key in ("Uid", "Umask")}

    def pidfile(self):
        for at, word in enumerate(self.words[:-1]):
            if word in ("-pidfile", "--pidfile"):
                with open(self.whole(self.words[at + 1]), encoding="ascii") as file:
                    return [self.whole(self.words[at + 1]), "its own" if int(file.read()) == self.pid else "another's"]
        return None

    def line(self):
        """What matters of the line, unless a part of it is in a file."""
        if any(word in ("-readconfig", "--readconfig") for word in self.words):
            return None
        found = []
        for at, word in enumerate(self.words):
            if word.lstrip("-") in KEPT and word.startswith("-"):
                after = self.words[at + 1] if at + 1 < len(self.words) else ""
                found.append([word.lstrip("-"), after if not after.startswith("-") else ""])
        return sorted(found)

    def all(self):
        ask = self.monitor.ask
        return {
            "blocks": self.blocks(), "nodes": self.nodes(), "chardevs": self.chardevs(), "pci": self.pci(),
            "tree": self.tree(), "devices": self.children("/machine/peripheral"),
            "objects": self.children("/objects"), "vnc": self.vnc(), "network": self.network(),
            "cpus": [[cpu.get("props"), cpu["qom-path"]] for cpu in ask("query-cpus-fast")],
            "memory": ask("query-memory-size-summary"), "name": ask("query-name"), "uuid": ask("query-uuid"),
            "machine": ask("qom-get", path="/machine", property="type"),
            "taps": self.taps(), "sockets": self.sockets(), "process": self.process(), "pidfile": self.pidfile(),
            "line": self.line(),
        }


def main():
    pid = find_qemu()
    if pid is None:
        sys.exit("no QEMU")
    address = sys.argv[2] if len(sys.argv) > 2 else own_monitor(of_process(pid, "cmdline").split("\0"))
    if not address:
        sys.exit("no monitor")
    try:
        print(json.dumps(Facts(sys.argv[1], pid, Monitor(address)).all()))
    except (OSError, ValueError) as err:
        sys.exit(f"{address}: {err}")


if __name__ == "__main__":
    main()
