"""What a listener for TLS, or a proxy on the way to it, can do that is wrong: rows as in lies.py, and the door for them."""

import json
import os
import shutil
import socket
import ssl
import struct
import tempfile
import threading

from authority import Authority, openssl
from lies import ESC, leave, only_alive
from receiver import Connection, Gone
from wire import frame


class Certificates:
    """Of an authority that the sender trusts, and of others; made once."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="xl-pki-")
        self.root = Authority(self.folder, "root")
        self.middle = Authority(self.folder, "middle", self.root)
        self.good = self.root.issue("localhost")
        self.ours = self.root.issue("alpha.example")
        self.kinds = {
            "good": self.good,
            "expired": self.root.issue("localhost", start=-3, end=-1),
            "early": self.root.issue("localhost", start=2),
            "another name": self.root.issue("elsewhere.example"),
            "another authority": Authority(self.folder, "other").issue("localhost"),
            "another purpose": self.root.issue("localhost", usage="clientAuth"),
            "no link": self.middle.issue("localhost"),
            "revoked": self.root.issue("localhost"),
            "self-signed": self.sign_itself("/CN=localhost"),
            "escape": self.sign_itself("/CN=" + ESC.replace("/", "")),
        }
        self.root.revoke(self.kinds["revoked"])
        self.list = self.root.revoked()

    def sign_itself(self, subject):
        path = os.path.join(self.folder, f"self{len(subject)}.pem")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-utf8", "-subj",
                subject, "-keyout", path + ".key", "-out", path, "-days", "9")
        with open(path, "a", encoding="ascii") as out, open(path + ".key", encoding="ascii") as key:
            out.write(key.read())
        return path


CERTIFICATES = []


def certificates():
    if not CERTIFICATES:
        CERTIFICATES.append(Certificates())
    return CERTIFICATES[0]


def forget():
    while CERTIFICATES:
        shutil.rmtree(CERTIFICATES.pop().folder)


class TlsDoor:
    """A port at which an honest receiver listens, but for lies at "accept", "handshake" and "answer"."""

    def __init__(self, _, receiver):
        self.receiver = receiver
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.dest = f"tls://localhost:{self.port}"
        here = certificates()
        self.crlfile = here.list
        self.options = ["--cacert", here.root.certificate, "--cert", here.ours]
        self.open = []
        self.proxy = None
        if "proxy" in receiver.lies:
            self.proxy = Proxy(receiver.lies["proxy"], self)
            self.options += ["--proxy", f"{receiver.lies.get('scheme', 'http')}://127.0.0.1:{self.proxy.port}"]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        try:
            while True:
                raw = self.listener.accept()[0]
                self.open.append(raw)
                threading.Thread(target=self.serve, args=(raw,), daemon=True).start()
        except OSError:
            pass

    def context(self):
        here, told = certificates(), self.receiver.lies.get("tls", {})
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(here.kinds[told.get("certificate", "good")])
        context.maximum_version = told.get("version", ssl.TLSVersion.TLSv1_3)
        if told.get("demands", True):
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(told.get("knows", here.root.certificate))
        return context

    def serve(self, raw):
        try:
            lie = self.receiver.lies.get("accept")
            if lie:
                lie(self, Connection(raw), None)
                return
            with self.context().wrap_socket(raw, server_side=True) as stream:
                self.open.append(stream)
                self.speak(Connection(stream))
        except (OSError, Gone):
            pass
        finally:
            raw.close()

    def speak(self, connection):
        words = self.first(connection)
        lie = self.receiver.lies.get("answer " + words[0])
        if lie:
            lie(self, connection, {"ok": True})
        else:
            connection.say({"ok": True})
        self.receiver.serve(words, connection)
        self.receiver.lies.get("end", tidy)(self, connection, None)

    @staticmethod
    def first(connection):
        return json.loads(connection.read_bytes(int.from_bytes(connection.read_bytes(4), "big")))["words"]

    def close(self):
        self.listener.close()
        if self.proxy:
            self.proxy.listener.close()
        for stream in self.open:
            try:
                stream.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def tidy(_, connection, __):
    """close_notify"""
    connection.stream.unwrap()


class Proxy:
    def __init__(self, lie, door):
        self.lie, self.door = lie, door
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        try:
            while True:
                client = self.listener.accept()[0]
                self.door.open.append(client)
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()
        except OSError:
            pass

    def serve(self, client):
        with client:
            try:
                self.lie(self.door, Connection(client), None)
            except (OSError, Gone):
                pass


def raw(data, then=leave):
    def lie(door, connection, _):
        connection.write(data)
        then(door, connection, None)
    return lie


def hang(_, connection, __):
    connection.drain()


def reset(_, connection, __):
    connection.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise Gone


def pour(data, times):
    def lie(_, connection, __):
        for _ in range(times):
            connection.write(data)
    return lie


def asked(answer, then=leave):
    """A proxy that has heard the whole request."""
    def lie(door, connection, _):
        text = b""
        while b"\r\n\r\n" not in text:
            text += connection.read_bytes(1)
        connection.write(answer)
        then(door, connection, None)
    return lie


def lead(door, connection, _):
    """On to the door."""
    with socket.create_connection(("127.0.0.1", door.port)) as there:
        def back():
            try:
                while data := there.recv(65536):
                    connection.stream.sendall(data)
                connection.stream.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        thread = threading.Thread(target=back, daemon=True)
        thread.start()
        try:
            while data := connection.stream.recv(65536):
                there.sendall(data)
            there.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        thread.join()


def socks(*answers, then=leave):
    """After each part of what SOCKS5 asks for."""
    def lie(door, connection, _):
        for size, answer in zip((3, 10), answers):
            connection.stream.recv(size)
            connection.write(answer)
        then(door, connection, None)
    return lie


def answer(**members):
    return raw(frame(members))


ALERT = b"\x15\x03\x03\x00\x02\x02"
HALF_HELLO = b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03" + bytes(20)
BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"
YES = b"HTTP/1.1 200 OK\r\n\r\n"

CERTIFICATE_ROWS = [
    ("has expired", {"certificate": "expired"}, "has expired: it must be renewed there", ()),
    ("is not valid yet", {"certificate": "early"}, "is not valid yet: compare the clocks", ()),
    ("is another host's", {"certificate": "another name"}, "is another host's", ()),
    ("is of another authority", {"certificate": "another authority"}, "vouches for the certificate of", ()),
    ("is for senders only", {"certificate": "another purpose"}, "purpose|vouches", ()),
    ("comes without the one between", {"certificate": "no link"}, "vouches for the certificate of", ()),
    ("is signed by itself", {"certificate": "self-signed"}, "vouches for the certificate of", ()),
    ("has a name that moves the cursor", {"certificate": "escape"}, "vouches for the certificate of", ()),
    ("has been revoked", {"certificate": "revoked"}, "has been revoked: that host needs a new one", ("--crlfile",)),
    ("has another key than the pinned one", {}, "is not the one that --pinnedpubkey names",
     ("--pinnedpubkey", "sha256//" + 43 * "A" + "=")),
]

HANDSHAKE = [
    ("closes at once", leave, 1, "the TLS handshake with localhost:[0-9]+ failed"),
    ("resets at once", reset, 1, "the TLS handshake with localhost:[0-9]+ failed|cannot connect"),
    ("says nothing", hang, 1, "time"),
    ("speaks SSH", raw(b"SSH-2.0-OpenSSH_9.2\r\n", hang), 3, "does not speak TLS"),
    ("speaks HTTP", raw(b"HTTP/1.1 400 Bad Request\r\n\r\n", hang), 3, "does not speak TLS"),
    ("moves the cursor", raw(ESC.encode() * 9, hang), 3, "does not speak TLS"),
    ("speaks zeros", raw(bytes(100000), hang), (1, 3), "TLS"),
    ("floods", pour(os.urandom(65536), 3000), (1, 3), "TLS"),
    ("says half a hello and closes", raw(HALF_HELLO), 1, "the TLS handshake with localhost:[0-9]+ failed"),
    ("says half a hello and stalls", raw(HALF_HELLO, hang), 1, "time"),
    ("says a hello that makes no sense", raw(HALF_HELLO + bytes(200), hang), 1, "the TLS handshake with localhost:[0-9]+ failed"),
    ("alerts: handshake failure", raw(ALERT + b"\x28"), 1, "the TLS handshake with localhost:[0-9]+ failed.*handshake failure"),
    ("alerts: no such alert", raw(ALERT + b"\xee"), 1, "the TLS handshake with localhost:[0-9]+ failed"),
    ("alerts: unknown authority", raw(ALERT + b"\x30"), (1, 3), "TLS|trust"),
]

FIRST = [
    ("closes", leave, 1, "log of 'xmig listen' on localhost has the reason"),
    ("resets", reset, 1, "log of 'xmig listen' on localhost has the reason|reset"),
    ("answers with no JSON", raw(frame(b"yes")), 1, "JSON"),
    ("answers with a text", raw(b"OK\r\n" * 99), 1, "xmig|frame|long|protocol"),
    ("answers with 4 GiB", raw(b"\xff\xff\xff\xff" + bytes(99)), 1, "xmig|frame|long|protocol"),
    ("answers with one byte too much", raw((8193).to_bytes(4, "big") + bytes(8193)), 1, "xmig|frame|long|protocol"),
    ("answers with an array", raw(frame(b"[true]")), 1, "JSON"),
    ("answers with nothing", answer(), 1, "refused|listen|xmig"),
    ("says ok is a text", answer(ok="yes"), 1, "refused|listen|xmig"),
    ("says ok is false", answer(ok=False), 1, "refused|listen|xmig"),
    ("refuses", answer(error="not you", kind="refused"), 3, "not you"),
    ("refuses without a kind", answer(error="not you"), 1, "not you"),
    ("refuses of a kind that nobody knows", answer(error="not you", kind="explosion"), 1, "not you"),
    ("refuses and moves the cursor", answer(error=ESC, kind="refused"), 3, r"\\x1b\[2K"),
    ("refuses with a number", answer(error=5, kind=5), 1, "xmig"),
    ("refuses at length", answer(error="word " * 1600, kind="refused"), 3, "word word"),
    ("refuses with a secret", answer(error="password=hunter2", kind="refused"), 3, r"password=\*\*\*"),
    ("agrees twice", raw(frame({"ok": True}) * 2, lambda *_: None), 1, "a message without a type"),
    ("agrees, and goes on in plain text", lambda door, connection, _: connection.say({"ok": True}) or
     door.open[-2].send(b"plain text") and hang(door, connection, None), 1, "."),
]

PROXY = [
    ("refuses", asked(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), 3, "does not lead to localhost.*403"),
    ("wants a password", asked(b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n"), 3,
     "wants a user and a password"),
    ("is a bad gateway", asked(BAD_GATEWAY), 3, "does not lead to localhost.*502"),
    ("leads elsewhere", asked(b"HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\nContent-Length: 0\r\n\r\n"), 3,
     "does not lead to localhost.*302"),
    ("closes", leave, 1, "proxy"),
    ("resets", reset, 1, "proxy"),
    ("closes when it is asked", asked(b""), 1, "proxy"),
    ("hangs", hang, 1, "time"),
    ("hangs when it is asked", asked(b"", hang), 1, "time"),
    ("hangs in its answer", asked(b"HTTP/1.1 200", hang), 1, "time"),
    ("speaks no HTTP", asked(b"220 mail.example ESMTP\r\n\r\n"), (1, 3), "proxy"),
    ("moves the cursor", asked(b"HTTP/1.1 403 " + ESC.encode() + b"\r\n\r\n"), 3, "403"),
    ("has no end of headers", asked(b"HTTP/1.1 200 OK\r\n", pour(b"X: " + b"y" * 1000 + b"\r\n", 20000)), 1, "proxy"),
    ("has an endless line", asked(b"HTTP/1.1 200 OK\r\nX: ", pour(b"y" * 65536, 1000)), 1, "proxy"),
    ("promises for ever", asked(b"", pour(b"HTTP/1.1 100 Continue\r\n\r\n", 100000)), (1, 3), "proxy"),
    ("says yes, and closes", asked(YES), 1, "the TLS handshake with localhost:[0-9]+ failed|proxy"),
    ("says yes, and hangs", asked(YES, hang), 1, "time"),
    ("says yes, and speaks HTTP", asked(YES, raw(BAD_GATEWAY, hang)), 3, "does not speak TLS"),
    ("says yes, with a body", asked(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", lead), (0, 1, 3), "."),
    ("says yes", asked(YES, lead), 0, "runs on tls://localhost:[0-9]+ now"),
]

SOCKS = [
    ("closes", leave, (1, 3), "proxy"),
    ("hangs", hang, 1, "time"),
    ("takes no method", socks(b"\x05\xff"), (1, 3), "proxy"),
    ("is of version 4", socks(b"\x04\x00"), (1, 3), "proxy"),
    ("speaks HTTP", socks(BAD_GATEWAY), (1, 3), "proxy"),
    ("wants a password", socks(b"\x05\x02"), (1, 3), "proxy"),
    ("stops half-way", socks(b"\x05"), (1, 3), "proxy"),
    *((f"refuses with {code}", socks(b"\x05\x00", b"\x05" + bytes([code]) + b"\x00\x01" + bytes(6)), (1, 3), "proxy")
      for code in (1, 2, 5, 8, 255)),
    ("hangs when it is asked", socks(b"\x05\x00", b"", then=hang), 1, "proxy.*time"),
    ("gives an address of no kind", socks(b"\x05\x00", b"\x05\x00\x00\x09" + bytes(6)), (1, 3), "proxy"),
]

LANE = [
    ("is refused", answer(error="no such lane", kind="refused"), "lane (?:disk/vd[ab]|ram): .*no such lane"),
    ("is refused with escape sequences", answer(error=ESC, kind="refused"), r"lane (?:disk/vd[ab]|ram): .*\\x1b\[2K"),
    ("answers with no JSON", raw(frame(b"yes")), "lane (?:disk/vd[ab]|ram): .*JSON"),
    ("answers with 4 GiB", raw(b"\xff\xff\xff\xff" + bytes(99)), "lane (?:disk/vd[ab]|ram): "),
    ("closes", leave, "lane (?:disk/vd[ab]|ram): .*closed"),
    ("resets", reset, "lane (?:disk/vd[ab]|ram): "),
]


def quickly(words):
    """Where the sender is to run out of time."""
    return ("--connect-timeout", "1") if "time" in words else ()


def rows():
    """(name, lies, status, words, options)"""
    for name, told, words, options in CERTIFICATE_ROWS:
        yield f"TLS: the certificate {name}", {"tls": told}, 3, words, options
    yield "TLS: it speaks TLS 1.2", {"tls": {"version": ssl.TLSVersion.TLSv1_2}}, 3, "does not speak TLS 1.3", ()
    yield "TLS: it demands no certificate", {"tls": {"demands": False}}, 0, "runs on tls://localhost:[0-9]+ now", ()
    yield ("TLS: it does not know our authority", {"tls": {"knows": certificates().kinds["self-signed"]}}, (1, 3),
           "does not trust this host's key|the log of 'xmig listen'|broke", ())
    for name, lie, status, words in HANDSHAKE:
        yield f"TLS: in place of a handshake it {name}", {"accept": lie}, status, words, quickly(words)
    for name, lie, status, words in FIRST:
        yield f"TLS: after the first frame it {name}", {"answer recv": lie}, status, words, quickly(words)
    for name, lie, words in LANE:
        yield f"TLS: a lane {name}", {"answer lane": lie}, 4, words, ("--deadline", "5s")
    yield ("TLS: it ends without close_notify", {"done drive-mirror": lambda _, connection, __: reset(_, connection, __)}, 4,
           "lost the connection", ("--deadline", "5s"))
    yield "TLS: it says only `alive`", {"done drive-mirror": only_alive}, 4, "not over within", ("--deadline", "2s")
    for name, lie, status, words in PROXY:
        yield f"TLS: the HTTP proxy {name}", {"proxy": lie}, status, words, quickly(words)
    for name, lie, status, words in SOCKS:
        yield f"TLS: the SOCKS proxy {name}", {"proxy": lie, "scheme": "socks5h"}, status, words, quickly(words)
