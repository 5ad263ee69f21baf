/* A device model's options for the machine, its devices and its screen. */
#include <stdio.h>

#include "host/xen/argv/rewriters.h"
#include "xmig/text.h"

bool xen_rewrite_domid(struct rewriting *r, const char *value, struct error *err)
{
    (void)value;
    return rewriting_keep(r, XEN_ARGV_DOMID, err);
}

bool xen_rewrite_name(struct rewriting *r, const char *value, struct error *err)
{
    (void)value;
    return rewriting_keep(r, r->new_name ? r->new_name : r->name, err);
}

bool xen_rewrite_machine(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    (void)err;
    if (keyvals_get_implied(kv, "type"))
        keyvals_set_implied(kv, "type", xen_argv_of(r)->machine);
    return true;
}

static bool keep_unless(bool refused, struct rewriting *r, const char *value, struct error *err)
{
    return refused ? rewriting_refuse(r, value, err) : rewriting_keep(r, value, err);
}

bool xen_rewrite_device(struct rewriting *r, const char *value, struct error *err)
{
    static const char *const bound[] = {
        "xen-pci-passthrough", "vfio-", "usb-host", "pci-assign", "ivshmem", "vhost-", NULL
    };

    return keep_unless(word_begins_among(value, bound), r, value, err);
}

/* "tablet", "mouse" and "keyboard" are emulated; "host:1.2" is a device of this host. */
bool xen_rewrite_usbdevice(struct rewriting *r, const char *value, struct error *err)
{
    return keep_unless(strchr(value, ':'), r, value, err);
}

bool xen_rewrite_none(struct rewriting *r, const char *value, struct error *err)
{
    return keep_unless(strcmp(value, "none") != 0, r, value, err);
}

bool xen_rewrite_vnc(struct rewriting *r, const char *value, struct error *err)
{
    return keep_unless(strstr(value, "password") || !strncmp(value, "unix:", 5), r, value, err);
}

/* "vif5.0-emu" → the same with another number. The script that joins the interface to a bridge gets
 * the bridge's name from xenstore; QEMU is told the same name.
 */
bool xen_rewrite_netdev(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    const char *type = keyvals_get_implied(kv, "type");
    const char *interface = keyvals_get(kv, "ifname");
    const char *said = keyvals_get(kv, "br");
    const char *bridge = said ? json_string_or(xen_argv_of(r)->bridges, said, NULL) : NULL;
    AUTO_FREE char *numbered = NULL;
    char rest[32];

    if (!type || strcmp(type, "tap") != 0 || !interface || keyvals_get(kv, "fd") ||
        keyvals_get(kv, "fds"))
        return rewriting_refuse(r, r->value, err);
    if (bridge)
        keyvals_set(kv, "br", bridge);
    if (sscanf(interface, "vif%*u.%31s", rest) == 1) {
        numbered = formatted("vif" XEN_ARGV_DOMID ".%s", rest);
        keyvals_set(kv, "ifname", numbered);
    }
    return true;
}
