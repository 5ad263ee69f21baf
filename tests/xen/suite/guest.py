"""The guest's own word on how it is: the ticks that it prints, wherever it runs."""

import re

from lab import expect

TICK = re.compile(r"^TICK (\d+) j=\d+ gap=(\d+)ms err=(\d+)$")
BEAT = re.compile(r"^H (\d+) (\d+) \d+((?: \d+)*)$")  # a Linux guest's: tests/guest/README.md
BAD = ("TICK", "FAIL", "DEAD", "V FAIL")


def judge(text):
    """Every tick in a whole log, to its last complete line: none missing, none wrong, and the time goes on."""
    lines = text.replace("\r", "").split("\n")[:-1]
    last, now_us = None, 0
    for line in lines:
        match = TICK.match(line) or BEAT.match(line)
        if not match:
            expect(not line.startswith(BAD) and "timeout" not in line, f"the guest printed '{line}'")
            continue
        number = int(match[1])
        expect(match.re is BEAT or match[3] == "0", f"the guest found an error: '{line}'")
        expect(last is None or number == last + 1, f"tick {number} follows tick {last}")
        last = number
        if match.re is BEAT:
            expect(int(match[2]) > now_us, f"the guest's clock went from {now_us} us to {match[2]} us")
            now_us = int(match[2])


class Guest:
    """Where the guest is, and what it has printed before it came there."""

    def __init__(self, host, name):
        self.host = host
        self.name = name
        self.before = ""
        self.offset = 0  # in the log of this place: what is before it is of another time

    def log(self):
        return f"/lab/{self.name}.log"

    def printed_here(self):
        return self.host.run(f"tail -c +{self.offset + 1} {self.log()}")

    def printed(self):
        return self.before + self.printed_here()

    def goes_on(self, ticks=5, limit=600):
        """It prints more, and all that it has printed since it started is right."""
        self.host.suite("await_ticks", self.name, ticks, limit, limit=limit + 30)
        judge(self.printed())

    def moved(self, target):
        """It is at `target` now, a Guest that has been made before the move began."""
        target.before = self.printed()
        return target

    def arrives_as(self, host, name):
        """Where it will be, if it moves: what is in that log already does not count."""
        target = Guest(host, name)
        target.offset = target.log_size()
        return target

    def log_size(self):
        return int(self.host.run(f"stat -c %s {self.log()} 2>/dev/null || echo 0"))

    def forget(self):
        """What it has printed up to now does not count: it begins again with tick 1."""
        self.before = ""
        self.offset = self.log_size()

    def domid(self):
        return self.host.domid(self.name)

    def types(self, text, answer):
        return self.host.run(f"lab-say {self.name} '{text}' '^{answer}'")

    def acknowledged(self):
        """Of a Linux guest's disks in their order: the number of the last write that it was promised."""
        beats = [BEAT.match(line) for line in self.printed_here().replace("\r", "").split("\n")[:-1]]
        return [int(number) for number in [beat for beat in beats if beat][-1][3].split()]
