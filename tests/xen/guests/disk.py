#!/usr/bin/env python3
"""Makes the start of a guest's disk: program and, for Linux, kernel and initrd.

    disk.py IMAGE PROGRAM [--kernel FILE --initrd FILE]

The layout is that of bare/boot.S. The parameters stay empty: they are written later.
"""
import argparse
import struct

SECTOR = 512
TEXT_BYTES = 496
PROGRAM_BYTES = 63 * SECTOR  # what the boot sector loads, and itself
FILES_SECTOR = 128


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("image")
    parser.add_argument("program")
    parser.add_argument("--kernel")
    parser.add_argument("--initrd")
    args = parser.parse_args()

    with open(args.program, "rb") as f:
        program = f.read()
    if len(program) > PROGRAM_BYTES:
        parser.error("the program is larger than %d bytes" % PROGRAM_BYTES)

    sector, table, files = FILES_SECTOR, [], []
    for path in (args.kernel, args.initrd):
        data = b""
        if path:
            with open(path, "rb") as f:
                data = f.read()
        table += [sector, len(data)]
        files.append((sector, data))
        sector += -(-len(data) // SECTOR)

    with open(args.image, "wb") as image:
        image.write(program)
        image.seek(SECTOR)
        image.write(bytes(TEXT_BYTES) + struct.pack("<4I", *table))
        for at, data in files:
            image.seek(at * SECTOR)
            image.write(data)


main()
