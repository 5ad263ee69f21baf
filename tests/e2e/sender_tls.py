"""Misbehaviours at the listener's port: before TLS, in the handshake, and in the first frame.

None of them has a conversation; the listener's log says why it ended, and the listener goes on: after
each a sender that is trusted is served.
"""

import json
import os
import socket
import ssl
import struct
import time

import wire
from authority import openssl
from hostile import Wrong
from sender import AT_ONCE_S, Misbehaviour, ends, refuses

IS = Misbehaviour
TLS = ("tls",)
HANDSHAKE_S = 5  # as transport/listen has it; twice as long for who says nothing


def drained(sock, within):
    """All until the end; the other side must end it."""
    until = time.monotonic() + within
    data = b""
    while time.monotonic() < until:
        sock.settimeout(max(0.01, until - time.monotonic()))
        try:
            more = sock.recv(65536)
        except TimeoutError:
            break
        except OSError:
            return data
        if not more:
            return data
        data += more
    raise Wrong(f"no end within {within} s, after {data[:80]!r}")


def gone(act, log=None, within=AT_ONCE_S):
    """What `act` gives must be ended by the listener, with these words in its log."""
    def whole(sender):
        sock = act(sender.door)
        if sock is not None:
            with sock:
                drained(sock, within)
        if log:
            sender.door.listener.wait_for(log, AT_ONCE_S)
        sender.begin()  # it is served, whatever the other did
    return whole


def tcp(data, end=False):
    def act(door):
        sock = door.tcp()
        sock.sendall(data)
        if end:
            sock.shutdown(socket.SHUT_WR)
        return sock
    return act


def hello_bytes(version=None):
    """A good ClientHello, as bytes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if version:
        context.maximum_version = version
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(into, out).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


HELLO = hello_bytes()


def slowly(data, pause, times):
    """A byte now and then: only the listener's own clock ends it."""
    def act(door):
        sock = door.tcp()
        try:
            for i in range(times):
                sock.send(data[i:i + 1])
                time.sleep(pause)
        except OSError:
            pass
        return sock
    return act


def shaken(context_of, *data):
    """A handshake of this kind; then these bytes inside of TLS."""
    def act(door):
        sock = door.tcp()
        try:
            sock = context_of(door).wrap_socket(sock)
            for each in data:
                sock.sendall(each)
        except (ssl.SSLError, ConnectionError):
            return None
        return sock
    return act


def nobody(door):
    return door.context(certificate=False)


def old(door):
    context = door.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def with_alpn(door):
    context = door.context()
    context.set_alpn_protocols(["h2", "http/1.1", "x" * 200])
    return context


def stranger(days=30, key="ec", name="mallory"):
    """A certificate of one's own that nobody here trusts."""
    def context(door):
        path = door.host.path(f"theirs/stranger-{os.urandom(4).hex()}")
        kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"] if key == "ec" else ["-newkey", key]
        openssl("req", "-x509", *kind, "-nodes", "-keyout", path, "-out", path + ".crt", "-days", str(days), "-subj",
                f"/CN={name}", "-utf8")
        made = door.context(certificate=False)
        made.load_cert_chain(path + ".crt", path)
        os.unlink(path)
        os.unlink(path + ".crt")
        return made
    return context


def good(door):
    return door.context()


def inside(*data):
    return shaken(good, *data)


def words(*list_of_words):
    return wire.frame({"words": list(list_of_words)})


def refused(frame, text):
    """The listener answers with a reason, and ends it."""
    def act(sender):
        connection = sender.door.shake()
        connection.raw(frame)
        header = connection.take(4, time.monotonic() + AT_ONCE_S)
        answer = json.loads(connection.take(int.from_bytes(header, "big"), time.monotonic() + AT_ONCE_S)) if header else None
        if not answer or text not in answer.get("error", ""):
            raise Wrong(f"expected the refusal '{text}', and heard {answer}")
        if connection.take(1, time.monotonic() + AT_ONCE_S) is not None:
            raise Wrong("the listener says more after a refusal")
        connection.close()
        sender.begin()
    return act


def broken_inside(sender):
    """TCP ends in the middle of TLS, without its last word."""
    connection = sender.door.connect()
    connection.send(wire.sender_hello(id=sender.id))
    raw = socket.socket(fileno=os.dup(connection.socket.fileno()))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.close()
    connection.socket.detach()
    sender.connection.say("goodbye")


def garbage_inside(sender):
    """Bytes that are no record of TLS, where records were."""
    connection = sender.door.connect()
    with socket.socket(fileno=os.dup(connection.socket.fileno())) as raw:
        raw.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32 + b"\xff" * 100)
        drained(raw, AT_ONCE_S)
    connection.close()
    sender.begin()


def many(count, act):
    """As many at once; a sender that is known is served all the same."""
    def whole(sender):
        socks = [act(sender.door) for _ in range(count)]
        sender.begin()
        for sock in socks:
            if sock:
                sock.close()
    return whole


RECORD = b"\x16\x03\x01"
BEFORE = [
    IS("a connection, and the end", gone(tcp(b"", end=True)), ends(), TLS),
    IS("a connection that says nothing", gone(tcp(b""), within=4 * HANDSHAKE_S), ends(), TLS),
    IS("HTTP", gone(tcp(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "it does not speak TLS|TLS"), ends(), TLS, True),
    IS("SSH", gone(tcp(b"SSH-2.0-x\r\n")), ends(), TLS),
    IS("xmig's words without TLS", gone(tcp(wire.frame(wire.sender_hello()))), ends(), TLS),
    IS("noise", gone(tcp(os.urandom(20000))), ends(), TLS),
    IS("a record of 65,535 bytes", gone(tcp(RECORD + b"\xff\xff" + bytes(65535))), ends(), TLS),
    IS("a record of no bytes", gone(tcp((RECORD + b"\0\0") * 1000)), ends(), TLS),
    IS("an alert in place of a hello", gone(tcp(b"\x15\x03\x03\x00\x02\x02\x28")), ends(), TLS),
    IS("half a hello, and the end", gone(tcp(HELLO[:100], end=True)), ends(), TLS),
    IS("half a hello, and nothing more", gone(tcp(HELLO[:100]), within=3 * HANDSHAKE_S), ends(), TLS),
    IS("a hello, and nothing more", gone(tcp(HELLO), within=3 * HANDSHAKE_S), ends(), TLS),
    IS("a ClientHello twice", gone(tcp(HELLO + HELLO)), ends(), TLS),
    IS("a hello whose lengths are wrong", gone(tcp(HELLO[:6] + b"\xff\xff\xff" + HELLO[9:]), within=3 * HANDSHAKE_S),
       ends(), TLS),
    IS("a hello byte by byte", gone(slowly(HELLO, .2, 100), within=3 * HANDSHAKE_S), ends(), TLS),
    IS("a hello of 1.2 only", gone(tcp(hello_bytes(ssl.TLSVersion.TLSv1_2))), ends(), TLS),
    IS("100 connections that say nothing", many(100, tcp(b"")), ends(), TLS),
    IS("40 halves of a hello", many(40, tcp(HELLO[:50])), ends(), TLS),
]

HANDSHAKE = [
    IS("TLS 1.2", gone(shaken(old), "TLS 1.2|protocol version|TLS"), ends(), TLS, True),
    IS("no certificate", gone(shaken(nobody), "certificate"), ends(), TLS, True),
    IS("no certificate, and the first frame at once", gone(shaken(nobody, words("recv"))), ends(), TLS),
    IS("a stranger's certificate", gone(shaken(stranger()), "its certificate is signed by no authority"), ends(), TLS, True),
    IS("a stranger with a trusted name", gone(shaken(stranger(name="localhost"), words("recv"))), ends(), TLS),
    IS("a stranger's name with an escape sequence", gone(shaken(stranger(name="\x1b[31mroot"))), ends(), TLS),
    IS("a stranger's key of RSA", gone(shaken(stranger(key="rsa:2048"))), ends(), TLS),
    IS("a name like a path", gone(shaken(stranger(name="..\\/..\\/etc"))), ends(), TLS),
    IS("a list of other protocols", lambda sender: (gone(shaken(with_alpn, words("nothing")))(sender)), ends(), TLS),
]

FIRST = [
    IS("no first frame", gone(inside(), within=3 * HANDSHAKE_S), ends(), TLS),
    IS("half a first length", gone(inside(b"\0\0"), within=3 * HANDSHAKE_S), ends(), TLS),
    IS("a first frame of 8,193 bytes", gone(inside(struct.pack(">I", 8193) + bytes(8193)), "8193 bytes"), ends(), TLS, True),
    IS("a first frame of 4 GiB", gone(inside(b"\xff" * 10)), ends(), TLS),
    IS("a first frame that does not end", gone(inside(struct.pack(">I", 8192) + b"{" * 100), within=3 * HANDSHAKE_S),
       ends(), TLS),
    IS("a first frame that is no JSON", gone(inside(wire.frame(b"recv"))), ends(), TLS),
    IS("a first frame of bad UTF-8", gone(inside(wire.frame(b'{"words":["\xff\xfe"]}'))), ends(), TLS),
    IS("a first frame with an escaped NUL", gone(inside(wire.frame(b'{"words":["recv\\u0000x"]}'))), ends(), TLS),
    IS("a first frame with 4,000 arrays in each other", gone(inside(wire.frame(b'{"words":' + b"[" * 4000))), ends(), TLS),
    IS("xmig's hello as the first frame", refused(wire.frame(wire.sender_hello()), "'words' is missing"), ends(), TLS),
    IS("words that are a text", refused(wire.frame({"words": "recv"}), "'words' is not an array"), ends(), TLS),
    IS("no words", refused(words(), "neither 'recv' nor"), ends(), TLS),
    *[IS(f"the first words {list_of_words}", refused(words(*list_of_words), "neither 'recv' nor"), ends(), TLS,
         list_of_words == ["send"])
      for list_of_words in (["send"], ["recv", "--as", "root"], ["recv", "-v"], ["lane"], ["lane", "a", "b"],
                            ["lane", "a", "b", "c", "d"], ["lane", "", "b", "c"], ["lane", 1, 2, 3], [["recv"]],
                            ["--version"], [None], ["RECV"], ["recv\n"])],
    *[IS(f"a lane of the ID {identity[:20]!r}", refused(words("lane", identity, "00" * 16, "ram"), ""), ends(), TLS)
      for identity in ("..", "../../decoy", "0" * 16, "f" * 7000, "/", "\x1b[2J", "%n%s", ".")],
    IS("TCP that ends in the middle", broken_inside, refuses("said goodbye", "lost"), TLS),
    IS("no record of TLS in the middle", garbage_inside, ends(), TLS),
]

TABLE = BEFORE + HANDSHAKE + FIRST
