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

bool xen_rewrite_device(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    static const char *const bound[] = { "xen-pci-passthrough",
                                         "vfio-",
                                         "usb-host",
                                         "usb-mtp",
                                         "pci-assign",
                                         "ivshmem",
                                         "vhost-",
                                         "virtio-9p",
                                         "scsi-block",
                                         "scsi-generic",
                                         "ccid-card-passthru",
                                         "u2f-passthru",
                                         NULL };

    if (word_begins_among(keyvals_get_implied(kv, "driver"), bound))
        return rewriting_refuse(r, r->value, err);
    rewriting_other_paths(r, kv);
    return true;
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

bool xen_rewrite_vnc(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    const char *where = keyvals_get_implied(kv, "vnc");

    if (strstr(r->value, "password") || !where || !strncmp(where, "unix:", 5))
        return rewriting_refuse(r, r->value, err);
    rewriting_vnc_port(r, kv, where);
    rewriting_other_paths(r, kv);
    return true;
}

/* "vif5.0-emu" → the same with another number. The script that joins the interface to a bridge gets
 * the bridge's name from xenstore; QEMU is told the same name.
 */
bool xen_rewrite_netdev(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    static const char *const programs[] = { "script", "downscript", "helper" };
    const char *type = keyvals_get_implied(kv, "type");
    const char *interface = keyvals_get(kv, "ifname");
    const char *said = keyvals_get(kv, "br");
    const char *bridge = said ? json_string_or(xen_argv_of(r)->bridges, said, NULL) : NULL;
    AUTO_FREE char *numbered = NULL;
    char rest[32];

    if (!type || strcmp(type, "tap") != 0 || !interface || keyvals_get(kv, "fd") ||
        keyvals_get(kv, "fds"))
        return rewriting_refuse(r, r->value, err);
    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
        if (keyvals_get(kv, programs[i]) && strcmp(keyvals_get(kv, programs[i]), "no") != 0)
            rewriting_path_key(r, kv, programs[i], rewriting_execute);
    if (bridge)
        keyvals_set(kv, "br", bridge);
    if (sscanf(interface, "vif%*u.%31s", rest) == 1) {
        numbered = formatted("vif" XEN_ARGV_DOMID ".%s", rest);
        keyvals_set(kv, "ifname", numbered);
    }
    return true;
}
