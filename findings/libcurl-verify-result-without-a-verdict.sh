#!/bin/bash
# CURLINFO_SSL_VERIFYRESULT is the result of the certificate's verification, of which libcurl's manual says "0 is a
# positive result. Non-zero is an error." With OpenSSL it is 1 from when a handshake begins until the certificate has
# been looked at, so it stays 1 where the peer hangs up before it has sent one: a program that asks it why a transfer
# failed reports a bad certificate of a server that was just starting again. It is 0 where there was no connection.
# And 1, as if nothing had been looked at, is also what a good certificate for another name gives, not OpenSSL's own
# 62. Whether the certificate was refused is the transfer's CURLcode, CURLE_PEER_FAILED_VERIFICATION (60); a value
# above 1 then tells why.
#
# Seen with Debian 12's libcurl4 7.88.1-10+deb12u15 and Debian 13's libcurl4t64 8.14.1-2+deb13u7, as the transfer's
# CURLcode and the value:
#     nobody listens                                      7  0
#     the peer hangs up when it has read the first bytes  35 1
#     a trusted certificate                               0  0
#     a trusted certificate, for another name             60 1
#     a certificate that is not trusted                   60 18
#     the same with CURLOPT_SSL_VERIFYPEER off            0  18
set -euo pipefail
# shellcheck source=packages.sh
source "$(dirname "$0")/packages.sh"

got() { # ROOT PEER HOST TRUSTED VERIFIES: the transfer's CURLcode and CURLINFO_SSL_VERIFYRESULT
    chroot "$1" python3 - "${@:2}" <<'END'
import ctypes, socket, ssl, sys, threading

VERIFYPEER, URL, CAINFO, PROXY, VERIFYRESULT = 64, 10002, 10065, 10004, 0x20000D
peer, host, trusted, verifies = sys.argv[1:]

def serve():
    sock = listener.accept()[0]
    if peer == "hangs-up":
        sock.recv(65536)
        sock.close()
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("/tmp/server", "/tmp/server-key")
    try:
        sock = context.wrap_socket(sock, server_side=True)
        sock.recv(65536)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    except OSError:
        pass # the client does not like the certificate
    sock.close()

listener = socket.socket()
listener.bind(("127.0.0.1", 0))
port = listener.getsockname()[1]
if peer == "absent":
    listener.close()
else:
    listener.listen()
    threading.Thread(target=serve, daemon=True).start()

curl = ctypes.CDLL("libcurl.so.4")
curl.curl_easy_init.restype = ctypes.c_void_p
handle = ctypes.c_void_p(curl.curl_easy_init())
for option, text in ((URL, f"https://{host}:{port}/"), (CAINFO, "/tmp/" + trusted), (PROXY, "")):
    curl.curl_easy_setopt(handle, option, ctypes.c_char_p(text.encode()))
curl.curl_easy_setopt(handle, VERIFYPEER, ctypes.c_long(verifies == "yes"))
code, result = curl.curl_easy_perform(handle), ctypes.c_long(-1)
curl.curl_easy_getinfo(handle, VERIFYRESULT, ctypes.byref(result))
print(code, result.value)
END
}

seen() { # ROOT VERSION
    local name

    for name in server other; do
        chroot "$1" openssl req -x509 -newkey rsa:2048 -nodes -keyout "/tmp/$name-key" -out "/tmp/$name" \
            -subj /CN=localhost -addext subjectAltName=DNS:localhost -days 2 2>/dev/null
    done
    expect "$2, nobody listens" "$(got "$1" absent localhost server yes)" '7 0'
    expect "$2, the peer hangs up" "$(got "$1" hangs-up localhost server yes)" '35 1'
    expect "$2, trusted" "$(got "$1" answers localhost server yes)" '0 0'
    expect "$2, trusted, another name" "$(got "$1" answers 127.0.0.1 server yes)" '60 1'
    expect "$2, not trusted" "$(got "$1" answers localhost other yes)" '60 18'
    expect "$2, not trusted, VERIFYPEER off" "$(got "$1" answers localhost other no)" '0 18'
}

bookworm=$(debian_root bookworm libcurl4=7.88.1-10+deb12u15 openssl=3.0.20-1~deb12u2 python3=3.11.2-1+b1)
trixie=$(debian_root trixie libcurl4t64=8.14.1-2+deb13u7 openssl=3.5.9-1~deb13u1 python3=3.13.5-1)
seen "$bookworm" 7.88.1
seen "$trixie" 8.14.1
finish
