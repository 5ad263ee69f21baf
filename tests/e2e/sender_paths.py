"""Attempts at what a policy, or good sense, does not permit: parameters of a QEMU that would touch or run
something else of the host. All of it is harmless if it succeeds; nothing of it may.
"""

from sender import Misbehaviour, refuses

import wire

IS = Misbehaviour
ALL = ("pipe", "named", "tls")
BY_NAME = ("named", "tls")  # without a policy, who may log in as root may do so


def offer(changes=None, **more):
    """A dry run with parameters that are right but for these; "{0}" is the host's folder."""
    def act(sender):
        sender.offer(params_of(sender, {**(changes or {}), **more}))
    return act


def filled(value, folder):
    if isinstance(value, str):
        return value.replace("{0}", folder)
    if isinstance(value, list):
        return [filled(each, folder) for each in value]
    if isinstance(value, dict):
        return {name: filled(each, folder) for name, each in value.items()}
    return value


def params_of(sender, changes):
    folder = sender.host.folder
    return wire.qemu_params(folder + "/images", **{name: filled(value, folder) for name, value in changes.items()})


def image(path, **more):
    """The disk at that path, in its own words and in QEMU's line."""
    return offer({"disks__0__image": path,
                  "qemu__words__9": f"file={path},format=raw,if=virtio,id=v0,discard=unmap", **more})


def words(*more):
    """More words on QEMU's line."""
    def act(sender):
        good = wire.qemu_params(sender.host.folder + "/images")["qemu"]["words"]
        sender.offer(params_of(sender, {"qemu__words": good + list(more)}))
    return act


def drive(text):
    return offer(qemu__words__9=text)


def disk(**members):
    return offer({f"disks__0__{name}": value for name, value in members.items()})


def made(**changes):
    """No dry run: the images are made, or fail to be."""
    def act(sender):
        sender.begin(host="qemu")
        sender.send(params_of(sender, changes))
        sender.say("checked", plan=[])
    return act


def two_disks(sender):
    params, other = params_of(sender, {}), sender.host.path("images/c.raw")
    params["disks"].append({**params["disks"][0], "image": other})
    params["qemu"]["words"] += ["-drive", f"file={other},format=raw,if=virtio,id=v1"]
    sender.offer(params)


ANY = r"(?s)."
PATHS = [
    IS("an image in a directory that the policy does not name", image("{0}/decoy/b.raw"),
       refuses("policy does not permit|nobody", "refused"), BY_NAME, True),
    *[IS(f"an image at {path}", image("{0}/" + path), refuses(ANY, "refused"), doors)
      for path, doors in (
          ("images/../decoy/b.raw", BY_NAME), ("images/way-out/b.raw", ALL),
          ("images/link.raw", ALL), ("images/fifo", ALL),
          ("images/socket", ALL), ("images/device", ALL),
          ("images/taken.raw", ALL), ("images/open/b.raw", ALL),
          ("images/open", ALL), ("images", ALL),
          ("images/", ALL), ("images/.", ALL),
          ("images/none/b.raw", ALL), ("images/" + "x" * 300, ALL),
          ("images//../images/../decoy/b.raw", BY_NAME), ("images/a\nb", ALL),
          ("images/b.raw/", ALL), ("imagesx/b.raw", ALL))],
    *[IS(f"the image {path!r}", image(path), refuses(ANY, "refused"), ALL)
      for path in ("b.raw", "../b.raw", "", "/", "/proc/self/mem", "/proc/1/root/b.raw", "/dev/null", "/dev/mem",
                   "/sys/power/state", "/dev/fd/1", "nbd://127.0.0.1:1/x", "json:{\"driver\":\"null-co\"}",
                   "fat:rw:/tmp", "ssh://localhost/x", "/dev/stdout")],
    IS("an image that is not the drive's", offer(disks__0__image="{0}/images/c.raw"), refuses(ANY, "refused")),
    IS("a disk twice", two_disks, refuses(ANY, "refused|protocol")),
    IS("to overwrite somebody's image", image("{0}/images/taken.raw", disks__0__overwrite=True),
       refuses(ANY, "refused")),
]

SECRET = "{0}/decoy/precious"
ALWAYS = [
    *[IS(f"a drive of {what}", drive(text), refuses(ANY, "refused"), in_check=what == "json:")
      for what, text in (
          ("json:", 'file=json:{"driver":"file","filename":"' + SECRET + '"},format=raw,if=virtio,id=v0'),
          ("another file", "file={0}/decoy/precious,format=raw,if=virtio,id=v0"),
          ("two files", "file={0}/images/b.raw,file={0}/decoy/precious,format=raw,if=virtio,id=v0"),
          ("a data file", "file={0}/images/b.raw,format=qcow2,if=virtio,id=v0,file.data-file.filename=" + SECRET),
          ("a backing file", "file={0}/images/b.raw,format=raw,backing.file.filename=" + SECRET + ",if=virtio,id=v0"),
          ("a descriptor", "file=/dev/fdset/1,format=raw,if=virtio,id=v0"),
          ("a host's device", "file.driver=host_device,file.filename=/dev/null,format=raw,if=virtio,id=v0"))],
    *[IS(f"with {' '.join(more)[:60]}", words(*more), refuses(ANY, "refused"), in_check=more[0] in ("-D", "-qmp"))
      for more in (
          ("-D", "{0}/decoy/log"), ("-chroot", "{0}/decoy"), ("-daemonize",), ("-S",),
          ("-incoming", "exec:{0}/decoy/program"), ("-incoming", "defer"), ("-loadvm", "x"), ("-snapshot",),
          ("-readconfig", "{0}/decoy/precious"), ("-writeconfig", "{0}/decoy/config"),
          ("-plugin", "{0}/decoy/program"), ("-set", "drive.v0.file={0}/decoy/precious"),
          ("-semihosting-config", "enable=on,target=native"), ("-netdev", "tap,id=n,fd=1"),
          ("-netdev", "user,id=n,guestfwd=tcp:10.0.2.100:1-cmd:{0}/decoy/program"),
          ("-netdev", "user,id=n,smb={0}/decoy"), ("-nic", "user,guestfwd=tcp:10.0.2.100:1-cmd:{0}/decoy/program"),
          ("-object", "pr-manager-helper,id=p,path={0}/images/socket"),
          ("-object", "dbus-vmstate,id=d,addr=unix:path={0}/images/socket"),
          ("-object", "input-linux,id=i,evdev=/dev/input/event0"), ("-object", "qtest,id=q,chardev=c"),
          ("-object", "can-host-socketcan,id=c,if=can0,canbus=x"), ("-device", "vfio-pci,host=00:00.0"),
          ("-fsdev", "proxy,id=f,socket={0}/images/socket"), ("-fsdev", "synth,id=f"),
          ("-chardev", "file,id=c,path={0}/decoy/out"), ("-serial", "file:{0}/decoy/out"),
          ("-parallel", "file:{0}/decoy/out"), ("-qmp", "unix:{0}/images/socket,server=on,wait=off"),
          ("-add-fd", "fd=1,set=1"), ("-pflash", "{0}/decoy/precious"), ("-hda", "{0}/decoy/precious"),
          ("-cdrom", "{0}/decoy/precious"), ("-tpmdev", "emulator,id=t,chardev=c"), ("-unknown-option",),
          ("{0}/decoy/precious",), ("--",), ("-name",), ("-kernel", "{0}/decoy/precious\nx"))],
]

BY_POLICY = [
    *[IS(f"without leave, with {' '.join(more)[:60]}", words(*more),
         refuses("the policy does not permit 'mallory'", "refused"), BY_NAME, in_check=more[0] == "-nic")
      for more in (
          ("-pidfile", "{0}/decoy/pid"), ("-runas", "nobody"), ("-trace", "file={0}/decoy/trace"),
          ("-netdev", "bridge,id=n,br=br0,helper={0}/decoy/program"),
          ("-netdev", "tap,id=n,script={0}/decoy/program,downscript=no"),
          ("-netdev", "tap,id=n,ifname=xmig-hostile0,script=no,downscript={0}/decoy/program"),
          ("-netdev", "tap,id=n,helper={0}/decoy/program"), ("-netdev", "user,id=n,tftp={0}/decoy"),
          ("-nic", "tap,helper={0}/decoy/program"), ("-net", "tap,script={0}/decoy/program"),
          ("-object", "filter-dump,id=f,netdev=n,file={0}/decoy/dump"),
          ("-object", "memory-backend-file,id=m,size=1M,mem-path={0}/decoy/memory,share=on"),
          ("-object", "secret,id=s,file={0}/decoy/precious"), ("-device", "loader,file={0}/decoy/precious,addr=0"),
          ("-debugcon", "file:{0}/decoy/out"), ("-audiodev", "wav,id=a,path={0}/decoy/wav"),
          ("-mem-path", "{0}/decoy"), ("-acpitable", "file={0}/decoy/precious"),
          ("-smbios", "file={0}/decoy/precious"), ("-option-rom", "{0}/decoy/precious"),
          ("-fw_cfg", "name=opt/x,file={0}/decoy/precious"), ("-initrd", "{0}/decoy/precious"),
          ("-drive", "file={0}/decoy/precious,format=raw"),
          ("-blockdev", "driver=file,filename={0}/decoy/precious,node-name=x"),
          ("-blockdev", '{"driver":"file","filename":"{0}/decoy/precious","node-name":"x"}'),
          ("-device", '{"driver":"loader","file":"{0}/decoy/precious"}'),
          ("-spice", "port=5900,disable-ticketing=on"), ("-vnc", "0.0.0.0:7"), ("-gdb", "tcp:0.0.0.0:1234"),
          ("-monitor", "tcp:0.0.0.0:4444,server=on,wait=off"), ("-nic", "user,hostfwd=tcp:0.0.0.0:22-:22"),
          ("-L", "{0}/decoy"), ("-fsdev", "local,id=f,path={0}/decoy,security_model=none"),
          ("-virtfs", "local,path={0}/decoy,mount_tag=t,security_model=none"))],
]

MACHINE = [
    *[IS(f"the program {program!r}", offer(qemu__program=program), refuses(ANY, "refused"), in_check="decoy" in program)
      for program in ("{0}/decoy/program", "/bin/sh", "../../bin/sh", "sh", "", ".", "/", "qemu-system-x86_64 -S",
                      "qemu-system-x86_64\n", "qemu-img", "/usr/bin/../bin/env", "qemu-system-none")],
    *[IS(f"qemu's {name} is {value!r}", offer({"qemu__" + name: value}), refuses(name))
      for name, value in (("program", 7), ("machine", None), ("words", "-name b"), ("words", [1]), ("words", {}),
                          ("uid", -1), ("uid", 2 ** 32 - 1), ("uid", "0"), ("major", 2 ** 40), ("umask", 0o1777),
                          ("drops_privileges", "yes"), ("slots", []), ("needs", [1]), ("ports", [{}]),
                          ("taps", [{"tap": "../x"}]), ("drives", [{}]), ("media", [{"name": 1}]), ("outputs", [None]),
                          ("sockets", "x"))],
    *[IS(f"qemu without {name}", offer({"qemu__" + name: wire.ABSENT}), refuses(f"'{name}' is missing"))
      for name in ("program", "words", "uid", "drives", "needs", "taps", "sockets")],
    *[IS(f"a disk's {name} is {str(value)[:30]!r}", disk(**{name: value}), refuses(name))
      for name, value in (("size", -1), ("size", 2 ** 54), ("name", "../x"), ("mode", 0o4755), ("mode", 0o7777),
                          ("uid", 2 ** 32 - 1), ("gid", -1), ("options", []), ("options", {"x": 1}), ("bitmaps", [1]),
                          ("image", 7), ("full", "yes"), ("device_identity", "x" * 10000))],
    *[IS(f"a qcow2 image with {name}={value[:20]!r}", disk(format="qcow2", options={name: value}),
         refuses(ANY, "refused"), in_check=name == "data_file")
      for name, value in (("data_file", SECRET), ("backing_file", SECRET), ("backing_fmt", "raw"),
                          ("encrypt.format", "luks"), ("preallocation", "full"), ("size", "1G"), ("x,data_file", SECRET),
                          ("cluster_size", "65536,data_file=" + SECRET), ("compat", "1.1,backing_file=" + SECRET),
                          ("cluster_size", ""), ("cluster_size", "1\n2"))],
    *[IS(f"an image of the format {value!r}", disk(format=value), refuses(ANY, "refused"))
      for value in ("vmdk", "qcow2,data_file=x", "", "luks", "../raw", "-f")],
    IS("a disk of 2^53 bytes, all of them in use", disk(size=2 ** 53, allocated=2 ** 53, full=True),
       refuses(ANY, "refused")),
    IS("a disk of 2^53 bytes, made", made(disks__0__size=2 ** 53), refuses(".", "system")),
    IS("memory of 2^53 bytes", offer(memory=2 ** 53), refuses(ANY, "refused")),
    *[IS(f"a file that the VM needs at {path}", offer(qemu__needs=[{"path": path, "size": 1, "sha256": "0" * 64}]),
         refuses(ANY, "refused"), doors)
      for path, doors in (("{0}/none", ALL), ("/proc/kmsg", ALL), ("relative", ALL), ("/dev/zero", BY_NAME),
                          ("{0}/decoy/precious", ALL), ("/etc/shadow", ALL))],
    *[IS(f"an output at {path}", offer(qemu__outputs=[path]), refuses(ANY, "refused"), BY_NAME)
      for path in ("{0}/decoy/out", "/proc/self/mem", "{0}/images/../decoy/out")],
    *[IS(f"a socket at {path}", offer(qemu__sockets=[path]), refuses(ANY, "refused"), BY_NAME)
      for path in ("{0}/decoy/socket", "{0}/images/socket", "{0}/images/way-out/socket")],
    *[IS(f"a pidfile at {path}", offer(qemu__pidfiles=[path]), refuses(ANY, "refused"), BY_NAME)
      for path in ("{0}/decoy/pid", "{0}/images/link.raw")],
    IS("another user", offer(qemu__uid=65534, qemu__user="nobody-at-all"), refuses(ANY, "refused")),
]

TABLE = PATHS + ALWAYS + BY_POLICY + MACHINE
