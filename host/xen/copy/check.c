/* Can this domain come here? Looks at everything that would otherwise fail in the middle of the
 * move.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "core/plan-notes.h"
#include "host/images/file-hash.h"
#include "host/line-files.h"
#include "host/system/program.h"
#include "host/xen/copy/copy.h"
#include "host/xen/ground/config.h"
#include "host/xen/ground/cpu-policy.h"
#include "host/xen/ground/domain.h"
#include "qmp/argv/port.h"
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
    uint64_t major = vm->params.xen.xen_major, minor = vm->params.xen.xen_minor;

    if (version < 0)
        return xen_fail(&vm->xen, err, "cannot ask Xen for its version");
    if (is_older((uint64_t)version >> 16, (uint64_t)version & 0xffff, major, minor))
        return error_set(err, ERROR_REFUSED,
                         "Xen is older at the target (%d.%d) than at the source (%" PRIu64
                         ".%" PRIu64 "), and guests cannot be moved to an older one",
                         version >> 16, version & 0xffff, major, minor);
    return true;
}

/* By its name, or else where Debian and Xen install it. */
char *xen_find_program(const struct xen_domain *xen, const struct policy *policy)
{
    static const char *const places[] = { "/usr/libexec/xen-qemu-system-i386",
                                          "/usr/lib/xen/bin/qemu-system-i386",
                                          "/usr/local/lib/xen/bin/qemu-system-i386" };
    AUTO_FREE char *named = line_program_find(xen->program, xen->program_chosen, policy);
    char *found = named && strstr(strrchr(named, '/') + 1, "qemu") ? steal(named) : NULL;

    for (size_t i = 0; !found && !xen->program_chosen && i < sizeof(places) / sizeof(places[0]);
         i++)
        found = program_find(places[i]);
    return found;
}

static bool check_version(struct xen_copy *vm, struct error *err)
{
    const char *const words[] = { vm->program, "--version", NULL };
    uint64_t major = vm->params.xen.qemu_major, minor = vm->params.xen.qemu_minor;
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
    const char *machine = vm->params.xen.machine;
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

    return stat(vm->program, &st) == 0 && (uint64_t)st.st_size == vm->params.xen.program_size &&
           (uint64_t)st.st_mtime == vm->params.xen.program_time;
}

static bool check_device_model(struct xen_copy *vm, struct error *err)
{
    free(vm->program);
    vm->program = NULL;
    if (!vm->xen.has_model)
        return config_is_pvh(vm->params.xen.config) ||
               error_set(err, ERROR_REFUSED, "an HVM guest has a device model, and none is named");
    vm->program = xen_find_program(&vm->params.xen, vm->base.context.policy);
    if (!vm->program)
        return line_program_missing(vm->params.xen.program, err) ||
               error_prefix(err, "the device model");
    return is_the_sources(vm) || (check_version(vm, err) && check_machine(vm, err));
}

/* ---- names ---- */

static bool check_name(struct xen_copy *vm, struct error *err)
{
    const char *name = vm->params.name;
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

static bool is_this_host(const char *boot)
{
    struct identity here;

    return identity_read(&here, NULL) && !strcmp(here.boot, boot);
}

/* On another host the domain keeps its UUID; beside its original it needs a new one. */
static bool choose_uuid(struct xen_copy *vm, struct error *err)
{
    AUTO_CLOSE int fd = -1;
    const char *uuid = vm->params.xen.uuid;
    uint32_t besides = (uint32_t)vm->params.xen.domid;
    bool here = is_this_host(vm->params.xen.boot);
    uint32_t other;

    snprintf(vm->xen.uuid, sizeof(vm->xen.uuid), "%s", uuid);
    if (domain_find_uuid(vm->xen.xc, uuid, here ? besides : 0, &other))
        return error_set(err, ERROR_REFUSED, "domain %u at the target has its UUID %s", other,
                         uuid);
    if (!here)
        return true;
    fd = open("/proc/sys/kernel/random/uuid", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, vm->xen.uuid, XEN_UUID_SIZE - 1) != XEN_UUID_SIZE - 1)
        return error_set(err, ERROR_SYSTEM, "cannot make a UUID: %m");
    plan_notes_add(vm->notes, "the source is this host: the copy gets a UUID of its own, %s",
                   vm->xen.uuid);
    return true;
}

/* ---- files and bridges ---- */

static bool check_need(const cJSON *path, struct error *err)
{
    return access(path->valuestring, R_OK) == 0 ||
           error_set(err, ERROR_REFUSED, "the guest needs '%s', which is not at the target: %m",
                     path->valuestring);
}

static bool check_needs(struct xen_copy *vm, struct error *err)
{
    struct needed_file file;
    const cJSON *path;

    cJSON_ArrayForEach (path, vm->params.xen.needs)
        if (!error_goes_on(err, check_need(path, err)))
            return false;
    fields_each (path, vm->params.xen.hashes, needed_file_fields, &file)
        if (!error_goes_on(
                err, file_hash_check(&vm->base.context, file.path, file.size, file.sha256, err)))
            return false;
    return true;
}

static bool check_bridge(const cJSON *keys, struct error *err)
{
    const char *bridge = json_string_or(keys, "bridge", NULL);
    AUTO_FREE char *path = bridge ? formatted("/sys/class/net/%s", bridge) : NULL;

    return !path || access(path, F_OK) == 0 ||
           error_set(err, ERROR_REFUSED,
                     "the guest's network needs the bridge '%s', which is not at the target",
                     bridge);
}

static bool check_bridges(struct xen_copy *vm, struct error *err)
{
    struct xen_device device;
    const cJSON *item;

    fields_each (item, vm->params.xen.devices, xen_device_fields, &device)
        if (!strcmp(device.kind, "vif") &&
            !error_goes_on(err, check_bridge(device.backend_keys, err)))
            return false;
    return true;
}

/* ---- room ---- */

static bool check_memory(struct xen_copy *vm, struct error *err)
{
    xc_physinfo_t host = { 0 };
    uint64_t needed = xen_most_pages(vm) + vm->params.xen.paging_pool / XEN_PAGE + SLACK_PAGES;
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
    if (vm->params.xen.hap && !(host.capabilities & XEN_SYSCTL_PHYSCAP_hap))
        return error_set(err, ERROR_REFUSED,
                         "the guest uses nested paging (HAP), which is not "
                         "there at the target");
    return true;
}

static void note_affinity(struct xen_copy *vm)
{
    if (cJSON_GetArraySize(json_get(xen_build_info(vm), "vcpu_hard_affinity")) > 0)
        plan_notes_add(
            vm->notes,
            "the guest is bound to processors of the source: at the target it may use all ('xl "
            "vcpu-pin' binds it)");
}

/* ---- the public face ---- */

bool xen_check_target(struct copy *copy, const cJSON *params, struct error *err)
{
    struct xen_copy *vm = xen_copy_of(copy);

    if (!xen_params_read(params, &vm->params, err) ||
        !disk_images_take(&vm->images, vm->params.disks, err) || !xen_open(&vm->xen, err))
        return false;
    free(vm->name);
    vm->name = must(strdup(vm->params.name));
    vm->xen.has_model = *vm->params.xen.program;
    cJSON_Delete(vm->notes);
    vm->notes = must(cJSON_CreateArray());
    note_affinity(vm);
    return xen_check_arrived(vm, err) && error_goes_on(err, check_xen(vm, err)) &&
           error_goes_on(err, check_device_model(vm, err)) &&
           error_goes_on(err, check_name(vm, err)) && error_goes_on(err, choose_uuid(vm, err)) &&
           error_goes_on(err, check_needs(vm, err)) &&
           error_goes_on(err, xen_check_media(vm, err)) && check_bridges(vm, err) &&
           error_goes_on(err, check_memory(vm, err)) &&
           error_goes_on(err, cpu_policy_check(&vm->xen, &vm->params.xen.cpu_policy, err)) &&
           xen_check_disks(vm, err);
}

void xen_plan_recv(struct copy *copy, struct plan *plan)
{
    struct xen_copy *vm = xen_copy_of(copy);
    const cJSON *item;

    disk_images_plan(&vm->images, plan);
    plan_say(plan, "make the paused domain '%s--incoming' and claim %" PRIu64 " MiB for it",
             vm->params.name, xen_most_pages(vm) / (MIB / XEN_PAGE));
    if (vm->xen.has_model)
        plan_say(plan, "run %s as its device model", vm->program);
    ports_plan(&vm->line, plan);
    cJSON_ArrayForEach (item, vm->notes)
        plan_say(plan, "%s", item->valuestring);
}
