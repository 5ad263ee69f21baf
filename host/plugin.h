/* A hypervisor in a file of its own, for its libraries need not be on every host. */
#ifndef XMIG_HOST_PLUGIN_H
#define XMIG_HOST_PLUGIN_H

#include "xmig/hypervisor.h"

/* What the file exports, as PLUGIN_SYMBOL. */
struct plugin {
    const char *stamp; /* PLUGIN_STAMP, of a header that the build makes */
    const struct hypervisor *hypervisor;
};

#define PLUGIN_SYMBOL xmig_plugin

/**
 * Load it. Nobody but the superuser and this user may be able to change the file, which must be of
 * the same sources as this program: each has its own copy of the code below the hypervisor.
 *
 * @param package  where the file comes from
 * @return NULL: ERROR_REFUSED says what is missing, or wrong
 */
const struct hypervisor *plugin_load(const char *path, const char *package, struct error *err);

#endif
