/* The sections of the policy's files. */
#ifndef XMIG_POLICY_SECTIONS_H
#define XMIG_POLICY_SECTIONS_H

#include "policy/keys.h"

struct section {
    char *name;
    char *file;                         /* where it begins first */
    struct setting settings[KEY_COUNT]; /* those that no file sets have no `from` */
};

struct sections {
    struct section *items;
    size_t count;
    size_t files; /* how many were read */
};

/* Add what a file says, in memory. ERROR_REFUSED begins with FILE:LINE. */
bool sections_read(struct sections *sections, const char *file, const char *text, size_t size,
                   struct error *err);

/* The same of `directory`/recv.conf and `directory`/recv.conf.d/ *.conf, in the order of their
 * names; none need be there. One that others may write to is refused.
 */
bool sections_load(struct sections *sections, const char *directory, struct error *err);

const struct section *sections_find(const struct sections *sections, const char *name);

/* Frees what it holds, also after a failure. */
void sections_done(struct sections *sections);

#endif
