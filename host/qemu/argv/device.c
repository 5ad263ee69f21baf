/* Options that name devices, their back ends, and network connections. */
#include "host/qemu/argv/rewriters.h"

/* Prefixes of devices that are, or lead to, a piece of hardware or a process of this host. */
static const char *const bound_devices[] = {
    "vfio-",        "usb-host",           "usb-mtp",      "pci-assign", "xen-",
    "vhost-user-",  "vhost-scsi",         "vhost-vdpa-",  "scsi-block", "ivshmem",
    "scsi-generic", "ccid-card-emulated", "u2f-passthru", NULL,
};

static const char *const bound_networks[] = { "vhost-user", "vhost-vdpa", "netmap",
                                              "af-xdp",     "passt",      NULL };

/* Keys whose value is a descriptor that QEMU inherited from the process that started it. */
static const char *const descriptor_keys[] = {
    "fd", "fds", "vhostfd", "vhostfds", "sock_fd", NULL
};

static bool refuse_bound(const char *what, const char *which, struct error *err)
{
    return error_set(err, ERROR_REFUSED,
                     "the VM's %s '%s' belongs to this host: it cannot be moved", what, which);
}

static bool check_descriptors(const struct rewriting *r, const struct keyvals *kv,
                              struct error *err)
{
    for (size_t i = 0; descriptor_keys[i]; i++)
        if (keyvals_get(kv, descriptor_keys[i]))
            return error_set(err, ERROR_REFUSED,
                             "QEMU's option -%s uses a descriptor that was handed to it (%s): only "
                             "who started the VM can start another one like it",
                             r->option, descriptor_keys[i]);
    return true;
}

static bool has_blockdev(const struct argv_vm *vm, const char *node)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, vm->nodes)
        if (!strcmp(item->valuestring, node))
            return true;
    return false;
}

/* A drive whose medium has been changed since the start is empty at the target's start. */
static void rewrite_medium(const struct argv_vm *vm, struct keyvals *kv, const char *driver)
{
    const char *node = keyvals_get(kv, "drive");
    size_t len = driver ? strlen(driver) : 0;
    bool opens =
        (len > 3 && !strcmp(driver + len - 3, "-cd")) || (driver && !strcmp(driver, "floppy"));

    if (vm->media && opens && node && has_blockdev(vm, node) && !rewriting_node_stays(vm, node))
        keyvals_remove(kv, "drive");
}

bool rewrite_device(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    const char *driver = keyvals_get_implied(kv, "driver");

    if (word_begins_among(driver, bound_devices))
        return refuse_bound("device", driver, err);
    if (!check_descriptors(r, kv, err))
        return false;
    if (keyvals_get(kv, "romfile"))
        rewriting_searched_key(r, kv, "romfile");
    if (driver && !strcmp(driver, "loader"))
        rewriting_path_key(r, kv, "file", rewriting_other);
    rewriting_other_paths(r, kv);
    rewrite_medium(qemu_of(r)->vm, kv, driver);
    return true;
}

bool rewrite_usbdevice(struct rewriting *r, const char *value, struct error *err)
{
    if (!strncmp(value, "host", 4) || strchr(value, '/'))
        return refuse_bound("USB device", value, err);
    return rewriting_keep(r, value, err);
}

/* ---- networks ---- */

static void rewrite_script(struct rewriting *r, struct keyvals *kv, const char *key)
{
    const char *path = keyvals_get(kv, key);

    if (path && *path && strcmp(path, "no") != 0)
        rewriting_path_key(r, kv, key, rewriting_execute);
}

static void look_for_command(void *arg, const char *value)
{
    if (strstr(value, "cmd:"))
        *(bool *)arg = true;
}

/* What the guest could have started here, or would be shown of this host's files. */
static bool check_services(const struct keyvals *kv, struct error *err)
{
    bool has_command = false;

    keyvals_each_of(kv, "guestfwd", look_for_command, &has_command);
    keyvals_each_of(kv, "str", look_for_command, &has_command);
    if (has_command)
        return refuse_bound("network's", "guestfwd=...-cmd:", err);
    return !keyvals_get(kv, "smb") || refuse_bound("network's", "smb", err);
}

/* -netdev stream and dgram */
static void rewrite_net_socket(struct rewriting *r, struct keyvals *kv)
{
    bool listens = keyvals_flag(kv, "server");

    rewriting_path_key(r, kv, "addr.path", listens ? rewriting_listen : rewriting_connect);
    if (listens)
        rewriting_port(r, "-netdev", keyvals_get(kv, "addr.host"), keyvals_get(kv, "addr.port"),
                       NULL);
    else if (keyvals_get(kv, "addr.host"))
        rewriting_peer(r, "-netdev", keyvals_get(kv, "addr.host"), keyvals_get(kv, "addr.port"));
    rewriting_path_key(r, kv, "local.path", rewriting_listen);
    rewriting_path_key(r, kv, "remote.path", rewriting_connect);
    if (keyvals_get(kv, "local.host"))
        rewriting_udp_port(r, "-netdev", keyvals_get(kv, "local.host"),
                           keyvals_get(kv, "local.port"));
    if (keyvals_get(kv, "remote.host"))
        rewriting_peer(r, "-netdev", keyvals_get(kv, "remote.host"),
                       keyvals_get(kv, "remote.port"));
}

/* -netdev socket and l2tpv3 */
static void find_other_end(struct rewriting *r, const struct keyvals *kv)
{
    static const char *const keys[] = { "connect", "mcast", "udp" };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (keyvals_get(kv, keys[i]))
            rewriting_peer_address(r, "-netdev", keyvals_get(kv, keys[i]));
    if (keyvals_get(kv, "listen"))
        rewriting_address(r, r->option, keyvals_get(kv, "listen"));
    if (keyvals_get(kv, "localaddr"))
        rewriting_udp_address(r, r->option, keyvals_get(kv, "localaddr"));
    if (keyvals_get(kv, "dst"))
        rewriting_peer(r, "-netdev", keyvals_get(kv, "dst"), keyvals_get(kv, "dstport"));
    if (keyvals_get(kv, "srcport"))
        rewriting_udp_port(r, "-netdev", keyvals_get(kv, "src"), keyvals_get(kv, "srcport"));
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

/* Forward the ports that are forwarded now: the monitor may have changed them since the start. */
static void rewrite_forwards(struct rewriting *r, struct keyvals *kv)
{
    const cJSON *rules = forwards_of(qemu_of(r)->vm->forwards, keyvals_get(kv, "id"));
    const cJSON *rule;

    if (!rules)
        return;
    keyvals_remove(kv, "hostfwd");
    cJSON_ArrayForEach (rule, rules)
        keyvals_add(kv, "hostfwd", rule->valuestring);
}

/* By QEMU's own network the guest reaches what this host does, and what listens at its 127.0.0.1.
 */
static void rewrite_user_network(struct rewriting *r, struct keyvals *kv)
{
    rewrite_forwards(r, kv);
    if (!keyvals_flag(kv, "restrict"))
        rewriting_peer_anywhere(r, "user networking");
}

/* QEMU's helper makes the tap and joins it to the bridge, which the target must have. */
static void rewrite_bridge(struct rewriting *r, struct keyvals *kv)
{
    const char *said = keyvals_get(kv, "br");
    const char *bridge = said ? said : "br0";
    const char *other = json_string_or(qemu_of(r)->vm->bridges, bridge, NULL);

    cJSON_AddItemToArray(r->result->bridges, must(cJSON_CreateString(bridge)));
    if (other)
        keyvals_set(kv, "br", other);
}

bool rewrite_net(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    const char *type = keyvals_get_implied(kv, "type");

    qemu_of(r)->has_network = true;
    if (word_begins_among(type, bound_networks))
        return refuse_bound("network", type, err);
    if (!check_descriptors(r, kv, err) || !check_services(kv, err))
        return false;
    rewrite_script(r, kv, "script");
    rewrite_script(r, kv, "downscript");
    rewriting_path_key(r, kv, "helper", rewriting_execute);
    rewriting_path_key(r, kv, "tftp", rewriting_need);
    rewriting_path_key(r, kv, "sock", rewriting_connect);
    rewrite_net_socket(r, kv);
    if (type && (!strcmp(type, "bridge") || (!strcmp(type, "tap") && keyvals_get(kv, "helper"))))
        rewrite_bridge(r, kv);
    if (!type || !strcmp(type, "user"))
        rewrite_user_network(r, kv);
    rewriting_forwards(r, kv);
    find_other_end(r, kv);
    if (keyvals_flag(kv, "vhost") || keyvals_flag(kv, "vhostforce"))
        rewriting_list(r->result->needs, "/dev/vhost-net");
    return true;
}
