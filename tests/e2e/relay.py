#!/usr/bin/env python3
"""The network between two hosts: whoever kills this process resets its connections, and whoever stops it makes
them silent.

    relay.py PORT TARGET_PORT WORD      PORT 0: one that is free; it is printed. WORD: to find the process by
"""

import socket
import struct
import sys
import threading

RESET_AT_CLOSE = struct.pack("ii", 1, 0)


def carry(one, other):
    try:
        while data := one.recv(1 << 18):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        for end in one, other:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def main():
    port, target_port = int(sys.argv[1]), int(sys.argv[2])
    server = socket.create_server(("127.0.0.1", port), backlog=64)
    print(server.getsockname()[1], flush=True)
    while True:
        near = server.accept()[0]
        try:
            far = socket.create_connection(("127.0.0.1", target_port))
        except OSError:  # nobody listens there
            near.close()
            continue
        for end in near, far:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
        threading.Thread(target=carry, args=(near, far), daemon=True).start()
        threading.Thread(target=carry, args=(far, near), daemon=True).start()


if __name__ == "__main__":
    main()
