/* ssh's configuration for a destination, as `ssh -G` prints it: a key in lower case, a blank and
 * its value on each line.
 */
#ifndef XMIG_TRANSPORT_SSH_CONFIG_H
#define XMIG_TRANSPORT_SSH_CONFIG_H

#include "xmig/error.h"

/* The value of `key`; the caller frees it. NULL: this ssh does not know the key. */
char *ssh_config_value(const char *config, const char *key);

/* Does this ssh know the key, and have another value for it? False for a config of NULL. */
bool ssh_config_differs(const char *config, const char *key, const char *value);

/* An ssh that fails for "[user@]host" works for another host: is the user's name of the kind that
 * OpenSSH 10.6 refuses? ERROR_REFUSED says what helps.
 */
bool ssh_check_user(const char *dest, struct error *err);

/**
 * The ciphers to ask for, fastest first, as `ssh -c` takes them; the caller frees them.
 *
 * @param resolved  what `ssh -G HOST` says
 * @param built_in  what `ssh -F none -G HOST` says
 * @return NULL: ssh's own choice, or the user's, is the one
 */
char *ssh_choose_ciphers(const char *resolved, const char *built_in, bool has_aes);

#endif
