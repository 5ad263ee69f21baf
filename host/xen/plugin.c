/* What hypervisor-xen.so exports. */
#include "core/secrets.h"
#include "host/plugin.h"
#include "host/xen/xen.h"
#include "qmp/secret-names.h"
#include "plugin-stamp.h"

extern const struct plugin PLUGIN_SYMBOL;

/* The plugin has a copy of core of its own, which does not know what the program's was told. */
__attribute__((constructor)) static void begin(void)
{
    secrets_are_called(qmp_secret_names);
}

__attribute__((visibility("default"))) const struct plugin PLUGIN_SYMBOL = {
    .stamp = PLUGIN_STAMP,
    .hypervisor = &xen_itself,
};
