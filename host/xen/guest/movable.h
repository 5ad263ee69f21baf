/* Can a domain be moved? Decided from facts alone, so that tests need no Xen. */
#ifndef XMIG_HOST_XEN_GUEST_MOVABLE_H
#define XMIG_HOST_XEN_GUEST_MOVABLE_H

#include <xenctrl.h>

#include "xmig/json.h"

/* Borrowed. */
struct domain_facts {
    const char *type;  /* libxl's: "hvm"; NULL: libxl has noted none */
    const char *model; /* its device model: "qemu_xen"; NULL: none noted */
    bool has_stub;     /* the device model runs in a domain of its own */
    const xc_domaininfo_t *info;
    uint64_t sleep_state; /* ACPI's; 0: awake */
    const cJSON *config;  /* libxl's; NULL: there is none */
};

/* False, with the reason, if a domain of this configuration, or such a domain, cannot be moved. */
bool check_movable_config(const cJSON *config, struct error *err);
bool check_movable(const struct domain_facts *facts, struct error *err);

#endif
