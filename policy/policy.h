/* A policy: the settings that apply to one sender. */
#ifndef XMIG_POLICY_POLICY_H
#define XMIG_POLICY_POLICY_H

#include "policy/sections.h"
#include "xmig/policy.h"

struct policy {
    char *name;  /* the sender's, for people: its section, or the last that was given */
    char *queue; /* whose migrations are counted together: its section, or the first name */
    struct sections sections;
    const struct section *own;                 /* NULL: only [default] applies */
    const struct setting *settings[KEY_COUNT]; /* of `own`, of [default], or of `otherwise` */
    struct setting otherwise[KEY_COUNT];
    struct error why; /* kind ERROR_NONE: it permits something */
    int place;        /* of max-migrations, a locked file; -1 */
};

#endif
