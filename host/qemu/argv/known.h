/* What a QEMU knows, by its own help. */
#ifndef XMIG_HOST_QEMU_ARGV_KNOWN_H
#define XMIG_HOST_QEMU_ARGV_KNOWN_H

#include "xmig/json.h"

/* Whoever can ask a QEMU: the target, or a test with texts that were recorded. */
struct argv_known {
    /* What the QEMU prints for "-OPTION WHAT" (WHAT may be NULL), borrowed; NULL: QEMU has no such
     * help, and nothing follows from that.
     */
    const char *(*help)(void *arg, const char *option, const char *what);
    void *arg;
    bool is_other; /* another version than the one that the line is from: keys are looked at, too */
    const char *who; /* for messages: "/usr/bin/qemu-system-x86_64 at the target" */
};

/* Does its help have the option ("run-with")? */
bool known_option(const struct argv_known *known, const char *option);

/* Does the part of its help that is about the option have "WORD=" ("reconnect-ms")? */
bool known_in_option(const struct argv_known *known, const char *option, const char *word);

/* Does "-OPTION WHAT" list the word? True when that cannot be told. */
bool known_in_list(const struct argv_known *known, const char *option, const char *what,
                   const char *word);

/* Does "-OPTION WHAT", which lists properties, list this one? True when that cannot be told. */
bool known_property(const struct argv_known *known, const char *option, const char *what,
                    const char *property);

/**
 * The words for the QEMU that is to get them: what it knows by another name is said by that name,
 * and each translation is told of in `notes`. The caller frees the array; NULL: a value cannot be
 * parsed.
 */
cJSON *argv_translate(const cJSON *words, const struct argv_known *known, cJSON *notes,
                      struct error *err);

/* Does it know each option of the line, each kind of device and back end, and, if it is of another
 * version, their properties? ERROR_REFUSED with what to do, where xmig knows that.
 */
bool argv_check_known(const cJSON *words, const struct argv_known *known, struct error *err);

#endif
