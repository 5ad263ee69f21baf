"""The lab as the suite uses it: hosts in which commands are run, and a log of all of them."""

import os
import shlex
import subprocess
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
XEN = os.path.dirname(HERE)
ROOT = os.path.normpath(os.path.join(XEN, "../.."))
LAB_DIR = os.path.abspath(os.environ.get("XMIG_LAB_DIR") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "xmig-lab"))


class Failed(Exception):
    """The scenario has failed; the text says why."""


def expect(condition, text):
    if not condition:
        raise Failed(text)


class Lab:
    """One lab of that name. What is done in it goes into `log`."""

    def __init__(self, name, log):
        self.name = name
        self.log = log
        self.folder = os.path.join(LAB_DIR, "labs", name)

    def command(self, *words):
        return [os.path.join(XEN, "lab"), *words]

    def environment(self):
        return {**os.environ, "XMIG_LAB": self.name, "XMIG_LAB_DIR": LAB_DIR}

    def note(self, *lines):
        self.log.writelines(line + "\n" for line in lines)
        self.log.flush()

    def call(self, *words, check=True, limit=1800):
        """What `lab WORDS` prints."""
        start = time.monotonic()
        self.note(f"[{time.strftime('%T')}] lab {' '.join(words)}")
        process = subprocess.run(self.command(*words), env=self.environment(), stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                                 timeout=limit)
        said = (process.stdout + process.stderr).splitlines()
        self.note(*("    " + line for line in said),
                  f"    = {process.returncode}, {time.monotonic() - start:.1f} s")
        expect(process.returncode == 0 or not check, f"lab {words[0]}: {(said or ['failed'])[-1]}")
        return process.stdout

    def host(self, number):
        return Host(self, number)


class Host:
    """Dom0 of one host of a lab. Its shell stays: to log in takes seconds there."""

    def __init__(self, lab, number):
        self.lab = lab
        self.number = number
        self.name = f"h{number}"
        self.shell = None

    def open(self):
        if self.shell is None:
            self.shell = subprocess.Popen(
                self.lab.command("run", "-i", "-t", "7200", str(self.number), "exec bash"), text=True,
                errors="replace", env=self.lab.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL)
        return self.shell

    def close(self):
        """Before the host goes away. The end of its input ends the shell."""
        if self.shell is not None:
            self.shell.stdin.close()
            self.shell.stdout.close()
            self.shell.kill()
            self.shell.wait()
            self.shell = None

    def ask(self, command, limit):
        """Exit status, what it printed, and the end of what it said on standard error. Few programs are started for
        it: each takes a tenth of a second there, or two.
        """
        shell = self.open()
        end, errors = "=end=", "/tmp/errors"
        shell.stdin.write(f"(eval {shlex.quote(command)}) </dev/null 2>{errors}\n"
                          f"printf '\\n%s %s\\n' {end} $?; [ ! -s {errors} ] || tail -n 3 {errors}\n"
                          f"printf '\\n%s\\n' {end}\n")
        shell.stdin.flush()
        watchdog = threading.Timer(limit, shell.kill)
        watchdog.start()
        line, lines, status = "", [], None
        for line in shell.stdout:
            if line.startswith(end):
                if status is not None:
                    break
                status = int(line.split()[1])
                output, lines = "".join(lines)[:-1], []  # without the line break before the mark
            else:
                lines.append(line)
        watchdog.cancel()
        if line != end + "\n":
            self.close()
            raise Failed(f"{self.name} does not answer, or not within {limit} s: {command[:120]}")
        return status, output, "".join(lines)[:-1]

    def run(self, command, limit=600, check=True):
        """What the command prints; without `check` its exit status, and that."""
        start = time.monotonic()
        self.lab.note(f"[{time.strftime('%T')}] {self.name}: {command}")
        status, output, said = self.ask(command, limit)
        self.lab.note(*("    " + line for line in (output + said).splitlines()),
                      f"    = {status}, {time.monotonic() - start:.1f} s")
        if not check:
            return status, output
        expect(status == 0, f"{self.name}: {command[:120]}: {said.strip() or output.strip()[-200:] or status}")
        return output

    def suite(self, *words, limit=600, check=True):
        """A function of dom0.sh."""
        return self.run(". dom0.sh " + " ".join(shlex.quote(str(word)) for word in words), limit, check)

    def domains(self):
        """{name: state} of the guests, as xl list shows them: "-b----"."""
        found = {}
        for line in self.run("xl list").splitlines()[2:]:
            words = line.split()
            found[words[0]] = words[4]
        return found

    def domid(self, name):
        return int(self.run(f"xl domid {name}"))

    def exists(self, path):
        return self.run(f"[ -e {path} ]", check=False)[0] == 0

    def power_fails(self):
        self.close()
        self.lab.call("crash", str(self.number))

    def boot(self):
        self.lab.call("boot", str(self.number))
