#!/bin/bash
# Who has only to send writes, calls SSL_shutdown() once, which OpenSSL's manual says is enough, and closes the socket:
# what was written arrives, also where the server is slow to read it. With TLS 1.3 it does not. OpenSSL's server sends
# two session tickets by itself after the handshake; a client that never reads leaves them in its socket, and close() of
# a TCP socket with something unread does not send the rest but resets the connection. SSL_write() and SSL_shutdown()
# have said that all is well. The manual tells of the tickets only that such a client "might not be able to resume the
# session". A client reads until the server's close_notify before it closes; a server to which clients only write sends
# no tickets (SSL_CTX_set_num_tickets).
#
# Seen with Debian 12's libssl3 3.0.20-1~deb12u2 and Debian 13's libssl3t64 3.5.9-1~deb13u1. 128 KiB are written to a
# server that begins to read when the client has closed, and has a small receive buffer; SSL_connect(), SSL_write() and
# SSL_shutdown() give 1, 131072 and 0 each time, and the server reads
#     TLS 1.2                                     all, then close_notify
#     TLS 1.3                                     less, then ECONNRESET
#     TLS 1.3, the server sends no tickets        all, then close_notify
#     TLS 1.3, the client awaits close_notify     all, then close_notify
set -euo pipefail
# shellcheck source=packages.sh
source "$(dirname "$0")/packages.sh"

sent() { # ROOT VERSION TICKETS AWAITS: what the client's calls gave, and what the server has read
    chroot "$1" python3 - "${@:2}" <<'END'
import ctypes, errno, socket, sys, threading

SIZE, NUMBER_OF = 128 << 10, {"1.2": 0x303, "1.3": 0x304}
SET_MAX_VERSION, PEM, SYSCALL, ZERO_RETURN = 124, 1, 5, 6
version, tickets, awaits = NUMBER_OF[sys.argv[1]], int(sys.argv[2]), sys.argv[3] == "yes"

ssl = ctypes.CDLL("libssl.so.3", use_errno=True)
for maker in (ssl.TLS_method, ssl.SSL_CTX_new, ssl.SSL_new):
    maker.restype = ctypes.c_void_p

def session(context, sock):
    ssl.SSL_CTX_ctrl(context, SET_MAX_VERSION, ctypes.c_long(version), None)
    made = ctypes.c_void_p(ssl.SSL_new(context))
    ssl.SSL_set_fd(made, sock.fileno())
    return made

def new_context():
    return ctypes.c_void_p(ssl.SSL_CTX_new(ctypes.c_void_p(ssl.TLS_method())))

listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 10)
listener.bind(("127.0.0.1", 0))
listener.listen()
has_shaken_hands, may_read = threading.Event(), threading.Event()

def send():
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    sock.connect(listener.getsockname())
    client = session(new_context(), sock)
    results = [ssl.SSL_connect(client)]
    has_shaken_hands.wait()
    results += [ssl.SSL_write(client, bytes(SIZE), SIZE), ssl.SSL_shutdown(client)]
    if awaits:
        may_read.set()
        while ssl.SSL_read(client, ctypes.create_string_buffer(1024), 1024) > 0:
            pass
    sock.close()
    may_read.set()
    print(*results, end=" ")

client = threading.Thread(target=send)
client.start()
sock = listener.accept()[0]
context = new_context()
ssl.SSL_CTX_use_certificate_file(context, b"/tmp/certificate", PEM)
ssl.SSL_CTX_use_PrivateKey_file(context, b"/tmp/key", PEM)
ssl.SSL_CTX_set_num_tickets(context, ctypes.c_size_t(tickets))
server = session(context, sock)
ssl.SSL_accept(server)
has_shaken_hands.set()
may_read.wait()
buffer, got = ctypes.create_string_buffer(16 << 10), 0
while (n := ssl.SSL_read(server, buffer, len(buffer))) > 0:
    got += n
number = ctypes.get_errno()
error = ssl.SSL_get_error(server, n)
if error == ZERO_RETURN:
    ssl.SSL_shutdown(server)
client.join()
print("all" if got == SIZE else "less",
      {ZERO_RETURN: "close_notify", SYSCALL: errno.errorcode.get(number)}.get(error, error))
END
}

seen() { # ROOT VERSION
    chroot "$1" openssl req -x509 -newkey rsa:2048 -nodes -keyout /tmp/key -out /tmp/certificate -subj /CN=localhost \
        -days 2 2>/dev/null
    expect "$2, TLS 1.2" "$(sent "$1" 1.2 2 no)" '1 131072 0 all close_notify'
    expect "$2, TLS 1.3" "$(sent "$1" 1.3 2 no)" '1 131072 0 less ECONNRESET'
    expect "$2, TLS 1.3, no tickets" "$(sent "$1" 1.3 0 no)" '1 131072 0 all close_notify'
    expect "$2, TLS 1.3, awaiting close_notify" "$(sent "$1" 1.3 2 yes)" '1 131072 0 all close_notify'
}

bookworm=$(debian_root bookworm libssl3=3.0.20-1~deb12u2 openssl=3.0.20-1~deb12u2 python3=3.11.2-1+b1)
trixie=$(debian_root trixie libssl3t64=3.5.9-1~deb13u1 openssl=3.5.9-1~deb13u1 python3=3.13.5-1)
seen "$bookworm" 3.0.20
seen "$trixie" 3.5.9
finish
