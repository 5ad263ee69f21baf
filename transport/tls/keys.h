/* This host's own key and certificate for TLS, where no authority has given it any. */
#ifndef XMIG_TRANSPORT_TLS_KEYS_H
#define XMIG_TRANSPORT_TLS_KEYS_H

#include "xmig/error.h"

struct keys {
    char *directory;
    char *certificate;
    char *key;
    char *trusted; /* trusted-keys.h */
};

/* The paths of the files in `directory`, which need not exist. Touches nothing. */
void keys_find(struct keys *keys, const char *directory);
void keys_done(struct keys *keys);

/* Is there a key, and does it belong to us alone? ERROR_REFUSED names the cure. */
bool keys_check(const struct keys *keys, struct error *err);

/* Make a key, and a certificate of its own for it. `*made` is false: there is one already, and it
 * stays; a certificate that is missing is made for it.
 */
bool keys_make(const struct keys *keys, bool *made, struct error *err);

#endif
