#include "host/system/tap.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/field-rows.h"
#include "xmig/bytes.h"
#include "xmig/process.h"
#include "xmig/text.h"

enum {
    MTU_USUAL = 1500,
    MTU_MAX = 65535
};

/* How a bridge treats a port, where that can be set. */
static const char *const port_options[] = {
    "isolated",        "hairpin_mode",         "learning",   "unicast_flood", "multicast_flood",
    "broadcast_flood", "multicast_to_unicast", "bpdu_guard", "root_block",    "neigh_suppress",
    "proxyarp",        "multicast_fast_leave",
};

bool tap_is_name(const char *name)
{
    return *name && strlen(name) < IFNAMSIZ && !strchr(name, '/') && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

/* /sys/class/net/NAME/REST; the caller frees it. */
static char *sys_path(const char *name, const char *rest)
{
    return formatted("/sys/class/net/%s/%s", name, rest);
}

static bool has(const char *name, const char *rest)
{
    AUTO_FREE char *path = sys_path(name, rest);

    return tap_is_name(name) && access(path, F_OK) == 0;
}

/* The first line of a file in /sys; the caller frees it. NULL: there is none. */
static char *read_text(const char *name, const char *rest)
{
    AUTO_FREE char *path = sys_path(name, rest);
    char text[64];

    if (!tap_is_name(name) || access(path, R_OK) < 0)
        return NULL;
    return must(strdup(bytes_read_line(AT_FDCWD, path, text, sizeof(text))));
}

static long read_number(const char *name, const char *rest, long otherwise)
{
    AUTO_FREE char *text = read_text(name, rest);

    return text && *text ? strtol(text, NULL, 0) : otherwise;
}

bool tap_exists(const char *name)
{
    return has(name, "");
}

bool tap_is_bridge(const char *name)
{
    return has(name, "bridge");
}

bool tap_filters_vlans(const char *name)
{
    return read_number(name, "bridge/vlan_filtering", 0) != 0;
}

char *tap_master(const char *name)
{
    AUTO_FREE char *path = sys_path(name, "master");
    char target[256];
    ssize_t len = tap_is_name(name) ? readlink(path, target, sizeof(target) - 1) : -1;
    const char *slash;

    if (len < 0)
        return NULL;
    target[len] = '\0';
    slash = strrchr(target, '/');
    return must(strdup(slash ? slash + 1 : target));
}

static char *read_option(const char *name, const char *option)
{
    AUTO_FREE char *rest = formatted("brport/%s", option);

    return read_text(name, rest);
}

#define FIELDS_OF struct tap_state
const struct field tap_state_fields[] = {
    FLAG(up),
    NUMBER(mtu, .max = MTU_MAX),
    MAP(port),
    { 0 },
};

struct tap_state tap_read(const char *name, cJSON **port)
{
    struct tap_state state = { .up = read_number(name, "flags", 0) & IFF_UP,
                               .mtu = (uint64_t)read_number(name, "mtu", MTU_USUAL) };

    state.port = *port = must(cJSON_CreateObject());
    for (size_t i = 0; i < sizeof(port_options) / sizeof(port_options[0]); i++) {
        AUTO_FREE char *value = read_option(name, port_options[i]);

        if (value)
            cJSON_AddStringToObject(*port, port_options[i], value);
    }
    return state;
}

bool tap_is_kept(const char *name)
{
    return read_number(name, "tun_flags", 0) & IFF_PERSIST;
}

bool tap_is_for(const char *name, uid_t uid)
{
    long owner = read_number(name, "owner", -1);

    return owner < 0 || owner == (long)uid;
}

static bool is_among(const cJSON *names, const char *name)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, names)
        if (!strcmp(item->valuestring, name))
            return true;
    return false;
}

/* Add the tap, if a descriptor is one: the kernel tells by "iff:". A card with several queues has
 * its tap open several times.
 */
static void add_name(cJSON *names, const char *descriptor)
{
    FILE *file = fopen(descriptor, "re");
    char line[128];
    char interface[IFNAMSIZ];

    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "iff: %15s", interface) == 1 && !is_among(names, interface))
            cJSON_AddItemToArray(names, must(cJSON_CreateString(interface)));
    if (file)
        fclose(file);
}

cJSON *tap_names(pid_t pid)
{
    AUTO_FREE char *folder = formatted("/proc/%d/fdinfo", (int)pid);
    cJSON *names = must(cJSON_CreateArray());
    DIR *dir = opendir(folder);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        AUTO_FREE char *path = formatted("%s/%s", folder, entry->d_name);

        add_name(names, path);
    }
    if (dir)
        closedir(dir);
    return names;
}

bool tap_shares_network(pid_t pid)
{
    char path[64], here[64], there[64];
    ssize_t ours = readlink("/proc/self/ns/net", here, sizeof(here));
    ssize_t theirs;

    snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
    theirs = readlink(path, there, sizeof(there));
    return theirs == ours && ours > 0 && !memcmp(here, there, (size_t)ours);
}

static bool is_user(void *name, pid_t pid)
{
    AUTO_JSON cJSON *names = tap_shares_network(pid) ? tap_names(pid) : NULL;

    return is_among(names, name);
}

pid_t tap_user(const char *name)
{
    return process_find(is_user, (void *)name);
}

/* ---- changing ---- */

/* A request about the interface `name`, to which `fill` adds a number. */
static bool request(const char *name, unsigned long what, struct ifreq *wanted)
{
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(wanted->ifr_name, sizeof(wanted->ifr_name), "%.15s", name);
    return fd >= 0 && ioctl(fd, what, wanted) == 0;
}

static bool set_option(const char *name, const char *option, const char *value)
{
    AUTO_FREE char *here = read_option(name, option);
    AUTO_FREE char *path = NULL;
    AUTO_CLOSE int fd = -1;

    if (!here || !strcmp(here, value))
        return true;
    path = formatted("/sys/class/net/%s/brport/%s", name, option);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);
}

static bool set_port(const char *name, const cJSON *port)
{
    bool ok = true;

    for (size_t i = 0; ok && i < sizeof(port_options) / sizeof(port_options[0]); i++) {
        const char *value = json_string_or(port, port_options[i], NULL);

        ok = !value || set_option(name, port_options[i], value);
    }
    return ok;
}

static bool set_mtu(const char *name, uint64_t mtu)
{
    struct ifreq wanted = { .ifr_mtu = (int)mtu };

    return read_number(name, "mtu", 0) == (long)mtu || request(name, SIOCSIFMTU, &wanted);
}

static bool bring_up(const char *name)
{
    struct ifreq wanted = { 0 };

    if (!request(name, SIOCGIFFLAGS, &wanted))
        return false;
    wanted.ifr_flags = (short)(wanted.ifr_flags | IFF_UP);
    return request(name, SIOCSIFFLAGS, &wanted);
}

static bool add_port(const char *name, const char *bridge)
{
    AUTO_FREE char *master = tap_master(name);
    struct ifreq wanted = { .ifr_ifindex = (int)if_nametoindex(name) };

    return (master && !strcmp(master, bridge)) || request(bridge, SIOCBRADDIF, &wanted);
}

bool tap_join(const char *name, const char *bridge, const struct tap_state *state,
              struct error *err)
{
    if (!set_mtu(name, state->mtu) || !add_port(name, bridge) || !set_port(name, state->port) ||
        !bring_up(name))
        return error_set(err, ERROR_SYSTEM, "cannot make the tap '%s' a port of '%s': %m", name,
                         bridge);
    return true;
}

bool tap_leave(const char *name, const char *bridge, struct error *err)
{
    AUTO_FREE char *master = tap_master(name);
    struct ifreq wanted = { .ifr_ifindex = (int)if_nametoindex(name) };

    if (!master || strcmp(master, bridge) != 0 || request(bridge, SIOCBRDELIF, &wanted))
        return true;
    return error_set(err, ERROR_SYSTEM, "cannot take the tap '%s' out of the bridge '%s': %m", name,
                     bridge);
}
