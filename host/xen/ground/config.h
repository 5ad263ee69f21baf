/* libxl's configuration of a domain, which xl and the monitor read. */
#ifndef XMIG_HOST_XEN_GROUND_CONFIG_H
#define XMIG_HOST_XEN_GROUND_CONFIG_H

#include <stdint.h>

#include "xmig/json.h"

/* The domain's type: "hvm", "pvh". */
const char *config_type(const cJSON *config);
/* Is it a PVH guest? Nothing is emulated for it, and it may have no device model. */
bool config_is_pvh(const cJSON *config);

/* The caller frees it. */
cJSON *config_read(uint32_t domid, const char *uuid, struct error *err);
bool config_write(uint32_t domid, const char *uuid, const cJSON *config, struct error *err);
/* Delete all of libxl's files of the domain. */
void config_remove(uint32_t domid, const char *uuid);

#endif
