/* Options that name devices, their back ends, and network connections. */
#include <sys/stat.h>

#include "host/qemu/argv/argv-rewrite.h"
#include "xmig/paths.h"

/* Those that are, or lead to, a piece of this very host. */
static const char *const bound_devices[] = {
    "vfio-",
    "usb-host",
    "usb-mtp",
    "pci-assign",
    "xen-",
    "virtio-9p",
    "vhost-user-",
    "vhost-scsi",
    "vhost-vdpa-",
    "scsi-block",
    "ivshmem",
    "scsi-generic",
    "ccid-card-passthru",
    "u2f-passthru",
    NULL,
};

static const char *const bound_objects[] = {
    "input-linux",
    "can-host-socketcan",
    "cryptodev-vhost-user",
    "x-remote-object",
    "vfio-user-server",
    "sgx-epc",
    NULL,
};

static const char *const bound_networks[] = { "vhost-user", "vhost-vdpa", "netmap", NULL };

/* Descriptors that were open in who started QEMU. */
static const char *const descriptor_keys[] = {
    "fd", "fds", "vhostfd", "vhostfds", "sock_fd", NULL
};

static bool is_among(const char *text, const char *const prefixes[])
{
    for (size_t i = 0; text && prefixes[i]; i++)
        if (!strncmp(text, prefixes[i], strlen(prefixes[i])))
            return true;
    return false;
}

static bool refuse_bound(const char *what, const char *which, struct error *err)
{
    return error_set(err, ERROR_REFUSED,
                     "the VM's %s '%s' belongs to this host: it cannot be moved", what, which);
}

static bool check_descriptors(const char *option, const struct keyvals *kv, struct error *err)
{
    for (size_t i = 0; descriptor_keys[i]; i++)
        if (keyvals_get(kv, descriptor_keys[i]))
            return error_set(err, ERROR_REFUSED,
                             "QEMU's option -%s uses a descriptor that was handed to it (%s): only "
                             "who started the VM can start another one like it",
                             option, descriptor_keys[i]);
    return true;
}

static bool has_blockdev(const struct rewriting *r, const char *node)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, r->vm->nodes)
        if (!strcmp(item->valuestring, node))
            return true;
    return false;
}

/* The medium that a drive had at the start may be out of it: it starts empty then. */
static void rewrite_medium(struct rewriting *r, struct keyvals *kv, const char *driver)
{
    const char *node = keyvals_get(kv, "drive");
    size_t len = driver ? strlen(driver) : 0;
    bool opens =
        (len > 3 && !strcmp(driver + len - 3, "-cd")) || (driver && !strcmp(driver, "floppy"));

    if (r->vm->media && opens && node && has_blockdev(r, node) && !rewriting_node_stays(r, node))
        keyvals_remove(kv, "drive");
}

bool rewrite_device(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };
    const char *driver;

    if (!keyvals_parse(value, &kv, err))
        return false;
    driver = keyvals_get_implied(&kv, "driver");
    if (is_among(driver, bound_devices))
        return refuse_bound("device", driver, err);
    if (!check_descriptors(option, &kv, err))
        return false;
    if (keyvals_get(&kv, "romfile"))
        rewriting_searched_file(r, &kv, "romfile");
    rewrite_medium(r, &kv, driver);
    rewriting_emit_keyvals(r, option, &kv);
    return true;
}

bool rewrite_usbdevice(struct rewriting *r, const char *option, const char *value,
                       struct error *err)
{
    if (!strncmp(value, "host", 4))
        return refuse_bound("USB device", value, err);
    rewriting_emit(r, option, value);
    return true;
}

static void rewrite_memory_path(struct rewriting *r, struct keyvals *kv)
{
    const char *path = keyvals_get(kv, "mem-path");
    AUTO_FREE char *absolute = path ? path_absolute(r->vm->cwd, path) : NULL;
    struct stat st;

    if (absolute && stat(absolute, &st) == 0 && S_ISDIR(st.st_mode))
        rewriting_need_key(r, kv, "mem-path");
    else
        rewriting_write_key(r, kv, "mem-path");
}

bool rewrite_object(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };
    const char *type;

    if (!keyvals_parse(value, &kv, err))
        return false;
    type = keyvals_get_implied(&kv, "qom-type");
    if (is_among(type, bound_objects))
        return refuse_bound("object", type, err);
    rewrite_memory_path(r, &kv);
    rewriting_need_key(r, &kv, "filename");
    rewriting_need_key(r, &kv, "dir");
    if (type && !strcmp(type, "secret"))
        rewriting_need_key(r, &kv, "file");
    rewriting_emit_keyvals(r, option, &kv);
    return true;
}

static void rewrite_script(struct rewriting *r, struct keyvals *kv, const char *key)
{
    const char *path = keyvals_get(kv, key);

    if (path && *path && strcmp(path, "no") != 0)
        rewriting_need_key(r, kv, key);
}

/* -netdev stream and dgram */
static void rewrite_net_socket(struct rewriting *r, struct keyvals *kv)
{
    const char *path = keyvals_get(kv, "addr.path");

    if (path && keyvals_flag(kv, "server")) {
        AUTO_FREE char *target = rewriting_listen(r, path);

        keyvals_set(kv, "addr.path", target);
    }
    if (keyvals_flag(kv, "server"))
        rewriting_port(r, "-netdev", keyvals_get(kv, "addr.host"), keyvals_get(kv, "addr.port"),
                       NULL);
    path = keyvals_get(kv, "local.path");
    if (path) {
        AUTO_FREE char *target = rewriting_listen(r, path);

        keyvals_set(kv, "local.path", target);
    }
}

/* The network of -netdev user,id=ID; one without an id is known if it is the only one. */
static const cJSON *forwards_of(const cJSON *forwards, const char *id)
{
    const cJSON *network, *only = NULL;

    if (id)
        return cJSON_GetObjectItemCaseSensitive(forwards, id);
    cJSON_ArrayForEach (network, forwards) {
        if (*network->string != '#' && strncmp(network->string, "__org.qemu", 10) != 0)
            continue;
        if (only)
            return NULL;
        only = network;
    }
    return only;
}

/* As they are now, not as the line had them. */
static void rewrite_forwards(struct rewriting *r, struct keyvals *kv)
{
    const cJSON *rules = forwards_of(r->vm->forwards, keyvals_get(kv, "id"));
    const cJSON *rule;

    if (!rules)
        return;
    keyvals_remove(kv, "hostfwd");
    cJSON_ArrayForEach (rule, rules)
        keyvals_add(kv, "hostfwd", rule->valuestring);
}

/* QEMU's helper makes the tap, and a port of the bridge. */
static void rewrite_bridge(struct rewriting *r, struct keyvals *kv)
{
    const char *said = keyvals_get(kv, "br");
    const char *bridge = said ? said : "br0";
    const char *other = json_string_or(r->vm->bridges, bridge, NULL);

    cJSON_AddItemToArray(r->result->bridges, must(cJSON_CreateString(bridge)));
    if (other)
        keyvals_set(kv, "br", other);
}

bool rewrite_net(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };
    const char *type;

    if (!keyvals_parse(value, &kv, err))
        return false;
    type = keyvals_get_implied(&kv, "type");
    if (is_among(type, bound_networks))
        return refuse_bound("network", type, err);
    if (!check_descriptors(option, &kv, err))
        return false;
    rewrite_script(r, &kv, "script");
    rewrite_script(r, &kv, "downscript");
    rewriting_need_key(r, &kv, "tftp");
    rewriting_need_key(r, &kv, "smb");
    rewrite_net_socket(r, &kv);
    if (type && (!strcmp(type, "bridge") || (!strcmp(type, "tap") && keyvals_get(&kv, "helper"))))
        rewrite_bridge(r, &kv);
    if (type && !strcmp(type, "user"))
        rewrite_forwards(r, &kv);
    rewriting_forwards(r, &kv);
    if (keyvals_get(&kv, "listen"))
        rewriting_address(r, option, keyvals_get(&kv, "listen"));
    if (keyvals_flag(&kv, "vhost") || keyvals_flag(&kv, "vhostforce"))
        free(rewriting_need(r, "/dev/vhost-net"));
    rewriting_emit_keyvals(r, option, &kv);
    return true;
}
