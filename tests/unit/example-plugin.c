/* A plugin that has a hypervisor of no use. */
#include "host/plugin.h"
#include "plugin-stamp.h"

#ifdef STAMP_OF_fitting
#define STAMP PLUGIN_STAMP
#else
#define STAMP "0123456789abcdef"
#endif

static const struct hypervisor example = { .name = "example" };

extern const struct plugin PLUGIN_SYMBOL;
const struct plugin PLUGIN_SYMBOL = { .stamp = STAMP, .hypervisor = &example };
