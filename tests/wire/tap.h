/* Listens in on a control connection: sits between the two sides, hands on what each says to
 * the other, and writes it down for tests/wire/read.py.
 *
 * A recording is a row of pieces in the order in which they came: 'S' (the sender spoke) or
 * 'R', a 4-byte big-endian length, and so many bytes. A piece of no bytes is that side's end.
 */
#ifndef TESTS_WIRE_TAP_H
#define TESTS_WIRE_TAP_H

struct tap;

/* Takes both sockets: what is connected to `sender` is the sender. Writes to the file `path`. */
struct tap *tap_start(int sender, int receiver, const char *path);

/* Wait until both sides have ended. */
void tap_end(struct tap *tap);

#endif
