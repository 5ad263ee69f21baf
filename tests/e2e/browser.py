"""Chromium without a window, driven over a pipe by its DevTools protocol."""

import base64
import json
import os
import shutil
import struct
import subprocess
import tempfile
import zlib


class Browser:
    """Use it with `with`. What a page complains of is in `complaints`."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="xmig-browser-")
        to_it, self.write = os.pipe()
        self.read, from_it = os.pipe()
        self.process = subprocess.Popen(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--no-first-run", "--hide-scrollbars", f"--user-data-dir={self.folder}", "--remote-debugging-pipe", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            pass_fds=(3, 4), env={**os.environ, "HOME": self.folder},
            # Chromium reads its descriptor 3 and writes to 4.
            preexec_fn=lambda: (os.dup2(to_it, 100), os.dup2(from_it, 4), os.dup2(100, 3), os.close(100)))
        os.close(to_it)
        os.close(from_it)
        self.rest = b""
        self.count = 0
        self.session = None
        self.complaints = []
        self.events = []

    def __enter__(self):
        try:
            target = self.ask("Target.createTarget", url="about:blank")["targetId"]
            self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in "Page", "Runtime", "Log":
                self.ask(domain + ".enable")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        os.close(self.write)
        os.close(self.read)
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def hear(self):
        """The next message: an answer, or an event."""
        while b"\0" not in self.rest:
            piece = os.read(self.read, 1 << 20)
            assert piece, "chromium has ended"
            self.rest += piece
        message, _, self.rest = self.rest.partition(b"\0")
        message = json.loads(message)
        method, params = message.get("method", ""), message.get("params", {})
        if method == "Runtime.exceptionThrown" or (method == "Log.entryAdded" and params["entry"]["level"] == "error") \
                or (method == "Runtime.consoleAPICalled" and params["type"] == "error"):
            self.complaints.append(params)
        if method:
            self.events.append(method)
        return message

    def ask(self, method, **params):
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.hear()
            if answer.get("id") == self.count:
                assert "result" in answer, answer
                return answer["result"]

    def show(self, path, width, scheme):
        """Open a file as on a screen of this width, in "light" or "dark"."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.events.clear()
        self.ask("Page.navigate", url="file://" + path)
        while "Page.loadEventFired" not in self.events:
            self.hear()

    def value(self, expression):
        result = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def picture(self, scale=1.0):
        """The whole page as a PNG."""
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": scale}
        data = self.ask("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)["data"]
        return base64.b64decode(data)


def pixels(png):
    """The (red, green, blue) of all pixels of a PNG of 8 bits a colour, row by row."""
    at, data = 8, b""
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at:at + 8])
        body = png[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
        if kind == b"IDAT":
            data += body
        at += 12 + size
    assert depth == 8 and colour in (2, 6), "no such PNG is expected"
    step = 3 if colour == 2 else 4
    data, stride = zlib.decompress(data), width * step
    last, found = bytearray(stride), []
    for row in range(height):
        start = row * (stride + 1)
        line = unfiltered(data[start], bytearray(data[start + 1:start + 1 + stride]), last, step)
        found += zip(line[0::step], line[1::step], line[2::step])
        last = line
    return found


def nearest(left, up, corner):
    by = left + up - corner
    return min((abs(by - left), 0, left), (abs(by - up), 1, up), (abs(by - corner), 2, corner))[2]


def unfiltered(kind, line, last, step):
    for i in range(len(line) if kind else 0):
        left, up = line[i - step] if i >= step else 0, last[i]
        corner = last[i - step] if i >= step else 0
        line[i] = (line[i] + (left, up, (left + up) // 2, nearest(left, up, corner))[kind - 1]) & 255
    return line
