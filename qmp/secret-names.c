/* Of the options that have one: secret, spice, iscsi, curl, rbd, isa-applesmc. */
#include "qmp/secret-names.h"

#include <stddef.h>

const char *const qmp_secret_names[] = {
    "data",           "password", "passwd", "passphrase", "password-proxy",
    "proxy-password", "cookie",   "key",    "osk",        NULL,
};
