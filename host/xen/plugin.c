/* What hypervisor-xen.so exports. */
#include "host/plugin.h"
#include "host/xen/xen.h"
#include "plugin-stamp.h"

extern const struct plugin PLUGIN_SYMBOL;

__attribute__((visibility("default"))) const struct plugin PLUGIN_SYMBOL = {
    .stamp = PLUGIN_STAMP,
    .hypervisor = &xen_itself,
};
