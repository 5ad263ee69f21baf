#!/bin/bash
# A double holds every whole number up to 2^53 exactly, so a byte offset or a counter below that is thought to be safe
# in JSON. cJSON parses it exactly and prints another one: it takes 15 digits where the number that they make is "equal"
# within DBL_EPSILON times its size, and from 2^52 that is a difference of 1. Of the whole numbers from there to 2^53
# each that ends in 1 or 9 is printed one off, 2^53-1 itself for one, and nothing says so. From 10^15, what ends in 0 is
# printed with an exponent: the same number, but an error or a float for a reader that wants a whole one. Whole numbers
# are safe below 10^15; a program has larger ones written as strings, or prints them itself (cJSON_CreateRaw).
#
# Seen with Debian 12's libcjson1 1.7.15-1+deb12u4 and Debian 13's 1.7.18-3.1+deb13u1, parsed and printed:
#     999999999999999 (10^15-1)   999999999999999
#     1000000000000000            1e+15
#     4503599627370499 (2^52+3)   4.5035996273705e+15, the first that is another number
#     9007199254740991 (2^53-1)   9.00719925474099e+15, which is 9007199254740990
# and of the 1000 up to 2^53-1 200 are other numbers, all of which end in 1 or 9.
set -euo pipefail
# shellcheck source=packages.sh
source "$(dirname "$0")/packages.sh"

printed() { # ROOT: what becomes of some numbers, and how many of the last 1000 below 2^53 are changed
    chroot "$1" python3 <<'END'
import ctypes

cjson = ctypes.CDLL("libcjson.so.1")
cjson.cJSON_Parse.restype = ctypes.c_void_p
cjson.cJSON_PrintUnformatted.restype = ctypes.c_char_p
cjson.cJSON_PrintUnformatted.argtypes = [ctypes.c_void_p]

def printed(number):
    return cjson.cJSON_PrintUnformatted(cjson.cJSON_Parse(b"%d" % number)).decode()

def changed(numbers):
    return [number for number in numbers if int(float(printed(number))) != number]

last = changed(range(2**53 - 1000, 2**53))
print(*map(printed, (10**15 - 1, 10**15, 10**15 + 1, 2**53 - 1)))
print(changed(range(2**52 - 1000, 2**52 + 1000))[0] - 2**52)
print(len(last), *sorted({number % 10 for number in last}))
END
}

seen() { # ROOT VERSION
    local said

    mapfile -t said < <(printed "$1")
    expect "$2, 10^15-1, 10^15, 10^15+1 and 2^53-1" "${said[0]}" \
        '999999999999999 1e+15 1000000000000001 9.00719925474099e+15'
    expect "$2, the first other number, 2^52 and" "${said[1]}" 3
    expect "$2, others in the last 1000, and what they end in" "${said[2]}" '200 1 9'
}

bookworm=$(debian_root bookworm libcjson1=1.7.15-1+deb12u4 python3=3.11.2-1+b1)
trixie=$(debian_root trixie libcjson1=1.7.18-3.1+deb13u1 python3=3.13.5-1)
seen "$bookworm" 1.7.15
seen "$trixie" 1.7.18
finish
