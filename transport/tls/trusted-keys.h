/* The keys of other hosts that this one trusts: lines "FINGERPRINT [NAME]" in a file. */
#ifndef XMIG_TRANSPORT_TLS_TRUSTED_KEYS_H
#define XMIG_TRANSPORT_TLS_TRUSTED_KEYS_H

#include <stddef.h>

#include "transport/tls/fingerprint.h"

enum {
    TRUSTED_NAME_MAX = 128
};

struct trusted_key {
    struct fingerprint fingerprint;
    char name[TRUSTED_NAME_MAX + 1]; /* "": none was given */
};

struct trusted {
    struct trusted_key *keys;
    size_t count;
};

/* A file that is not there trusts nobody. A line that makes no sense is an error. */
bool trusted_read(struct trusted *trusted, const char *path, struct error *err);
void trusted_done(struct trusted *trusted);

/* NULL: it is not trusted. */
const struct trusted_key *trusted_find(const struct trusted *trusted,
                                       const struct fingerprint *fingerprint);

/* Keep only the keys that are named `host`, if there are any: a connection to `host` may lead to no
 * other.
 */
void trusted_narrow(struct trusted *trusted, const char *host);

/* Add a line to the file, or give the key's line another name; all other lines stay. */
bool trusted_add(const char *path, const struct trusted_key *key, struct error *err);

/* May this name be written in the file, and in a policy? It may have letters, digits and ".-_@:".
 */
bool trusted_name_is_fit(const char *name);

#endif
