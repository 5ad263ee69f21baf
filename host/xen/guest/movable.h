/* What cannot be moved, decided from what is known of a domain. */
#ifndef XMIG_HOST_XEN_GUEST_MOVABLE_H
#define XMIG_HOST_XEN_GUEST_MOVABLE_H

#include <xenctrl.h>

#include "xmig/json.h"

/* Borrowed. */
struct domain_facts {
    const char *type;  /* as libxl has noted it: "hvm"; NULL: it has not */
    const char *model; /* of its device model: "qemu_xen"; NULL: not noted */
    bool has_stub;     /* the device model is in a domain of its own */
    const xc_domaininfo_t *info;
    uint64_t sleep_state; /* ACPI's */
    const cJSON *config;  /* libxl's; NULL: there is none */
};

/* False with the reason if such a domain cannot be moved. */
bool check_movable(const struct domain_facts *facts, struct error *err);

#endif
