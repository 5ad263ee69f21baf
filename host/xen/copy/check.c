/* Can this domain come here? Looks at everything that would otherwise fail in the middle of the
 * move.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "core/notes.h"
#include "host/images/file-hash.h"
#include "host/system/program.h"
#include "host/xen/copy/copy.h"
#include "host/xen/ground/cpu-policy.h"
#include "host/xen/ground/domain.h"
#include "xmig/identity.h"
#include "xmig/text.h"

enum {
    HELP_MS = 60000,
    MIB = 1024 * 1024,
    SLACK_PAGES = 1024 /* for page tables, event channels and the like */
};

/* ---- versions ---- */

static bool is_older(uint64_t major, uint64_t minor, uint64_t than_major, uint64_t than_minor)
{
    return major < than_major || (major == than_major && minor < than_minor);
}

/* Xen understands the streams of its own version and of older ones. */
static bool check_xen(struct xen_copy *vm, struct error *err)
{
    int version = xc_version(vm->xen.xc, XENVER_version, NULL);
    uint64_t major = json_uint_or(vm->original, "xen_major", 0);
    uint64_t minor = json_uint_or(vm->original, "xen_minor", 0);

    if (version < 0)
        return xen_fail(&vm->xen, err, "cannot ask Xen for its version");
    if (is_older((uint64_t)version >> 16, (uint64_t)version & 0xffff, major, minor))
        return error_set(err, ERROR_REFUSED,
                         "Xen is older at the target (%d.%d) than at the source (%" PRIu64
                         ".%" PRIu64 "), and guests cannot be moved to an older one",
                         version >> 16, version & 0xffff, major, minor);
    return true;
}

/* Look for the device model at the source's path, then where Debian and Xen install it. */
static char *find_program(const cJSON *xen)
{
    static const char *const places[] = { "/usr/libexec/xen-qemu-system-i386",
                                          "/usr/lib/xen/bin/qemu-system-i386",
                                          "/usr/local/lib/xen/bin/qemu-system-i386" };
    char *found = program_find(json_string_or(xen, "program", ""));

    for (size_t i = 0;
         !found && !json_true(xen, "program_chosen") && i < sizeof(places) / sizeof(places[0]); i++)
        found = program_find(places[i]);
    return found;
}

static bool check_version(struct xen_copy *vm, struct error *err)
{
    const char *const words[] = { vm->program, "--version", NULL };
    uint64_t major = json_uint_or(vm->original, "qemu_major", 0);
    uint64_t minor = json_uint_or(vm->original, "qemu_minor", 0);
    AUTO_FREE char *text = NULL;
    unsigned here_major, here_minor;
    const char *number;

    if (!program_run(vm->base.context.loop, words, &text, HELP_MS, err))
        return false;
    number = strstr(text, "version ");
    if (!number || sscanf(number, "version %u.%u", &here_major, &here_minor) != 2)
        return error_set(err, ERROR_REFUSED, "'%s' does not tell its version", vm->program);
    if (is_older(here_major, here_minor, major, minor))
        return error_set(
            err, ERROR_REFUSED,
            "the device model is older at the target (%u.%u) than at the source (%" PRIu64
            ".%" PRIu64 "), and guests cannot be moved to an older one",
            here_major, here_minor, major, minor);
    return true;
}

/* Each line of "-machine help" begins with the name of a machine. */
static bool check_machine(struct xen_copy *vm, struct error *err)
{
    const char *const words[] = { vm->program, "-machine", "help", NULL };
    const char *machine = json_string_or(vm->original, "machine", "");
    AUTO_FREE char *help = NULL;
    AUTO_FREE char *line = formatted("\n%s ", machine);

    if (!program_run(vm->base.context.loop, words, &help, HELP_MS, err))
        return false;
    if (strstr(help, line))
        return true;
    return error_set(err, ERROR_REFUSED, "the device model at the target knows no machine '%s'",
                     machine);
}

/* Packages preserve the times of files: with the same size and time it is the source's own build,
 * so QEMU need not be started to be asked, which takes longer than all other checks.
 */
static bool is_the_sources(const struct xen_copy *vm)
{
    struct stat st;

    return stat(vm->program, &st) == 0 &&
           (uint64_t)st.st_size == json_uint_or(vm->original, "program_size", 0) &&
           (uint64_t)st.st_mtime == json_uint_or(vm->original, "program_time", 0);
}

static bool check_device_model(struct xen_copy *vm, struct error *err)
{
    free(vm->program);
    vm->program = find_program(vm->original);
    if (!vm->program)
        return error_set(
            err, ERROR_REFUSED,
            "there is no device model '%s' at the target: install qemu-system-xen, or name "
            "another with --device-model",
            json_string_or(vm->original, "program", "?"));
    return is_the_sources(vm) || (check_version(vm, err) && check_machine(vm, err));
}

/* ---- names ---- */

static bool check_name(struct xen_copy *vm, struct error *err)
{
    const char *name = json_string_or(vm->params, "name", "");
    AUTO_FREE char *incoming = formatted("%s--incoming", name);
    const char *const names[] = { name, incoming };
    uint32_t domid;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (domain_find(vm->xen.xc, vm->xen.xs, names[i], &domid))
            return error_set(
                err, ERROR_REFUSED,
                "there is a domain called '%s' at the target already (%u): give the VM another "
                "name with --name",
                names[i], domid);
    return true;
}

static bool is_this_host(const cJSON *xen)
{
    struct identity here;

    return identity_read(&here, NULL) && !strcmp(here.boot, json_string_or(xen, "boot", ""));
}

/* On another host the domain keeps its UUID; beside its original it needs a new one. */
static bool choose_uuid(struct xen_copy *vm, struct error *err)
{
    AUTO_CLOSE int fd = -1;
    const char *uuid = json_string(vm->original, "uuid", err);
    uint32_t besides = (uint32_t)json_uint_or(vm->original, "domid", 0);
    bool here = is_this_host(vm->original);
    uint32_t other;

    if (!uuid)
        return false;
    if (strlen(uuid) != XEN_UUID_SIZE - 1)
        return error_set(err, ERROR_PROTOCOL, "'%s' is not a UUID", uuid);
    snprintf(vm->xen.uuid, sizeof(vm->xen.uuid), "%s", uuid);
    if (domain_find_uuid(vm->xen.xc, uuid, here ? besides : 0, &other))
        return error_set(err, ERROR_REFUSED, "domain %u at the target has its UUID %s", other,
                         uuid);
    if (!here)
        return true;
    fd = open("/proc/sys/kernel/random/uuid", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, vm->xen.uuid, XEN_UUID_SIZE - 1) != XEN_UUID_SIZE - 1)
        return error_set(err, ERROR_SYSTEM, "cannot make a UUID: %m");
    notes_add(vm->notes, "the source is this host: the copy gets a UUID of its own, %s",
              vm->xen.uuid);
    return true;
}

/* ---- files and bridges ---- */

static bool check_need(const cJSON *path, struct error *err)
{
    return (cJSON_IsString(path) && access(path->valuestring, R_OK) == 0) ||
           error_set(err, ERROR_REFUSED, "the guest needs '%s', which is not at the target: %m",
                     cJSON_IsString(path) ? path->valuestring : "?");
}

static bool check_needs(struct xen_copy *vm, struct error *err)
{
    const cJSON *path;

    cJSON_ArrayForEach (path, xen_get(vm->original, "needs"))
        if (!error_goes_on(err, check_need(path, err)))
            return false;
    cJSON_ArrayForEach (path, xen_get(vm->original, "hashes"))
        if (!error_goes_on(err, file_hash_check(&vm->base.context, json_string_or(path, "path", ""),
                                                path, err)))
            return false;
    return true;
}

static bool check_bridge(const cJSON *keys, struct error *err)
{
    const char *bridge = json_string_or(keys, "bridge", NULL);
    const char *script = json_string_or(keys, "script", NULL);
    AUTO_FREE char *path = bridge ? formatted("/sys/class/net/%s", bridge) : NULL;

    if (path && access(path, F_OK) < 0)
        return error_set(err, ERROR_REFUSED,
                         "the guest's network needs the bridge '%s', which is "
                         "not at the target",
                         bridge);
    if (script && access(script, X_OK) < 0)
        return error_set(err, ERROR_REFUSED,
                         "the guest's network needs the script '%s', which "
                         "is not at the target: %m",
                         script);
    return true;
}

static bool check_bridges(struct xen_copy *vm, struct error *err)
{
    const cJSON *device;

    cJSON_ArrayForEach (device, xen_get(vm->original, "devices"))
        if (!strcmp(json_string_or(device, "kind", ""), "vif") &&
            !error_goes_on(err, check_bridge(xen_get(device, "backend_keys"), err)))
            return false;
    return true;
}

/* ---- room ---- */

static bool check_memory(struct xen_copy *vm, struct error *err)
{
    xc_physinfo_t host = { 0 };
    uint64_t needed =
        xen_most_pages(vm) + json_uint_or(vm->original, "paging_pool", 0) / XEN_PAGE + SLACK_PAGES;
    uint64_t available;

    if (xc_physinfo(vm->xen.xc, &host) < 0)
        return xen_fail(&vm->xen, err, "cannot ask Xen for its memory");
    available =
        host.free_pages > host.outstanding_pages ? host.free_pages - host.outstanding_pages : 0;
    if (needed > available)
        return error_set(err, ERROR_REFUSED,
                         "the guest needs %" PRIu64 " MiB, and Xen has only %" PRIu64
                         " MiB free at the target (xl mem-set takes some from dom0)",
                         needed / (MIB / XEN_PAGE), available / (MIB / XEN_PAGE));
    if (json_true(vm->original, "hap") && !(host.capabilities & XEN_SYSCTL_PHYSCAP_hap))
        return error_set(err, ERROR_REFUSED,
                         "the guest uses nested paging (HAP), which is not "
                         "there at the target");
    return true;
}

static void note_affinity(struct xen_copy *vm)
{
    const cJSON *info = xen_get(xen_get(vm->original, "config"), "b_info");

    if (cJSON_GetArraySize(xen_get(info, "vcpu_hard_affinity")) > 0)
        notes_add(
            vm->notes,
            "the guest is bound to processors of the source: at the target it may use all ('xl "
            "vcpu-pin' binds it)");
}

/* ---- the public face ---- */

bool xen_check_target(struct copy *copy, const cJSON *params, struct error *err)
{
    struct xen_copy *vm = xen_copy_of(copy);
    const cJSON *xen;

    cJSON_Delete(vm->params);
    vm->params = must(cJSON_Duplicate(params, true));
    xen = json_object(vm->params, "xen", err);
    if (!xen || !json_array(xen, "words", err) || !json_object(xen, "config", err) ||
        !xen_open(&vm->xen, err))
        return false;
    vm->original = xen;
    free(vm->name);
    vm->name = must(strdup(json_string_or(params, "name", "?")));
    cJSON_Delete(vm->notes);
    vm->notes = must(cJSON_CreateArray());
    note_affinity(vm);
    return error_goes_on(err, check_xen(vm, err)) &&
           error_goes_on(err, check_device_model(vm, err)) &&
           error_goes_on(err, check_name(vm, err)) && error_goes_on(err, choose_uuid(vm, err)) &&
           error_goes_on(err, check_needs(vm, err)) &&
           error_goes_on(err, xen_check_media(xen_get(xen, "media"), err)) &&
           check_bridges(vm, err) && error_goes_on(err, check_memory(vm, err)) &&
           error_goes_on(err, cpu_policy_check(&vm->xen, xen_get(xen, "cpu_policy"), err)) &&
           xen_check_disks(vm, err);
}

void xen_plan_recv(struct copy *copy, struct plan *plan)
{
    struct xen_copy *vm = xen_copy_of(copy);
    const char *name = json_string_or(vm->params, "name", "?");
    const cJSON *item;

    disk_images_plan(&vm->images, plan);
    plan_say(plan, "make the paused domain '%s--incoming' and claim %" PRIu64 " MiB for it", name,
             xen_most_pages(vm) / (MIB / XEN_PAGE));
    plan_say(plan, "run %s as its device model", vm->program);
    cJSON_ArrayForEach (item, vm->notes)
        plan_say(plan, "%s", item->valuestring);
}
