/* What went wrong, for a person (text) and for an exit status (kind).
 *
 * A fallible function returns bool, a pointer or a descriptor and takes a
 * `struct error *err` last; `err` is written only on failure. The function
 * that knows *what* failed sets it; those above prefix *which*.
 */
#ifndef XMIG_ERROR_H
#define XMIG_ERROR_H

#include <stdbool.h>

enum error_kind {
    ERROR_NONE = 0,
    ERROR_REFUSED,   /* a check said no; nothing was touched */
    ERROR_SYSTEM,    /* this machine, its hypervisor or its kernel failed */
    ERROR_PROTOCOL,  /* the other end, or a file, is not what it should be */
    ERROR_PEER,      /* the other xmig gave up and said why */
    ERROR_LOST,      /* the connection to the other xmig, or to QEMU, broke */
    ERROR_TIMEOUT,   /* a deadline passed */
    ERROR_CANCELLED, /* a person, --until or --deadline asked to stop */
    ERROR_CRASH,     /* --fault …:crash inside a test process: act as if dead */
};

enum {
    ERROR_TEXT_MAX = 1024
}; /* longer texts end in "..." */

struct error {
    enum error_kind kind;
    char text[ERROR_TEXT_MAX];
};

/* Set `err` (which may be NULL). Always false, so that callers can return it.
 * "%m" is the text of errno, as in syslog(3).
 */
bool error_set(struct error *err, enum error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Put "PREFIX: " before the text. Always false. */
bool error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Forget an error that has been dealt with. */
void error_clear(struct error *err);

/* The kind's name on the wire and in JSON ("refused"), and back
 * (ERROR_PEER for an unknown name, which a newer peer may send).
 */
const char *error_kind_name(enum error_kind kind);
enum error_kind error_kind_from_name(const char *name);

#endif
