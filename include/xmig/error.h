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
    ERROR_CANCELLED, /* a person or --until asked to stop */
    ERROR_CRASH,     /* --fault …:crash inside a test process: act as if dead */
    ERROR_USAGE,     /* the command line makes no sense */
    ERROR_LIMIT,     /* a timeout, too, but of all that is waited for: --deadline, --max-pause */
};

enum {
    ERROR_TEXT_MAX = 1024
}; /* longer texts end in "..." */

struct cJSON;

struct error {
    enum error_kind kind;
    char text[ERROR_TEXT_MAX];
    struct cJSON *refusals; /* where checks that go on leave theirs; borrowed; NULL: none does */
};

/* Set `err` (which may be NULL). Always false, so that callers can return it.
 * "%m" is the text of errno, as in syslog(3).
 */
bool error_set(struct error *err, enum error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Put "PREFIX: " before the text. Always false. */
bool error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Put more behind the text. Always false. */
bool error_append(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A check's answer is `ok`: does the next check follow? Also after a refusal, which is put aside
 * where `err` collects them: a person hears of all at once. Checks of a kind that need no others
 * are chained by it:
 *
 *     return error_goes_on(err, check_name(err)) && error_goes_on(err, check_room(err));
 */
bool error_goes_on(struct error *err, bool ok);

/* How many are put aside; and: were none since there were `before`? Else the last is taken back as
 * `err`, for what follows cannot do without what it was about.
 */
int error_aside(const struct error *err);
bool error_none_since(struct error *err, int before);

/* The texts of what is put aside, as one refusal. Always false. */
bool error_join(struct error *err);

/* Forget an error that has been dealt with. */
void error_clear(struct error *err);

/* The kind's name on the wire and in JSON ("refused"), and back
 * (ERROR_PEER for an unknown name, which a newer peer may send).
 */
const char *error_kind_name(enum error_kind kind);
enum error_kind error_kind_from_name(const char *name);

#endif
