/* Which machine this is, and since which boot. Unit tests make their own. */
#ifndef XMIG_IDENTITY_H
#define XMIG_IDENTITY_H

#include <stdbool.h>

#include "xmig/error.h"

struct identity {
    char machine[40]; /* /etc/machine-id; zeroes where there is none */
    char boot[40];    /* /proc/sys/kernel/random/boot_id */
};
bool identity_read(struct identity *identity, struct error *err);
/* The same, with the machine id in another file. */
bool identity_read_at(struct identity *identity, const char *machine, struct error *err);

/* Can the peer know this machine again? ERROR_REFUSED says how to give it an id. */
bool identity_check(const struct identity *identity, struct error *err);

#endif
