/* The target's side after all is here: let it run, or end it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>

#include "host/xen/xen.h"
#include "xmig/journal.h"
#include "xmig/process.h"

enum {
    CONNECT_MS = 20000
};

/* ---- to run ---- */

bool xen_disks_have_names(struct host *host, struct error *err)
{
    return disk_images_have_names(&xen_of(host)->target.images, err);
}

bool xen_before_resume(struct host *host, struct error *err)
{
    struct xen *vm = xen_of(host);

    return domain_rename(vm, vm->target.name, err);
}

/* Until the hypervisor lets its processors go, it provably has not run. */
bool xen_target_resume(struct host *host, struct error *err)
{
    struct xen *vm = xen_of(host);

    if (!xen_connect(vm, CONNECT_MS, err) || !qmp_cont(vm->q, err)) {
        err->kind = ERROR_SYSTEM;
        return error_prefix(err, "the device model");
    }
    if (xc_domain_unpause(vm->xc, vm->domid) < 0)
        return xen_fail(vm, err, "cannot unpause the domain");
    return true;
}

/* The scripts take longer than all else; that the guest runs meanwhile costs nobody anything. */
static void join_networks(struct xen *vm)
{
    struct error err = { 0 };

    announce_pv(vm);
    if (!hotplug_vifs(vm, HOTPLUG_TAP, &err))
        event_say(&vm->base.context.events, EVENT_WARNING, NULL,
                  "the guest runs, but is not joined to its network: %s", err.text);
    announce_emulated(vm);
}

void xen_after_resume(struct host *host)
{
    struct xen *vm = xen_of(host);

    if (xen_connect(vm, CONNECT_MS, NULL))
        qmp_guard(vm->q, false);
    join_networks(vm);
    xen_disconnect(vm);
    child_release(steal(vm->target.child));
}

/* Without its device model a domain that has not run is no copy of anything. */
enum run_state xen_target_state(struct host *host)
{
    struct xen *vm = xen_of(host);
    enum run_state state = domain_state(vm->xc, vm->domid, vm->uuid);

    if (state == RUN_PAUSED && !process_lives(vm->target.pid, vm->target.start_time))
        return RUN_GONE;
    return state;
}

/* ---- to end ---- */

/* libxl does not use a number again for a while that was used just now. */
static void remember_number(uint32_t domid)
{
    AUTO_CLOSE int lock =
        open("/var/run/xen/domid-history.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    AUTO_CLOSE int fd =
        open("/var/run/xen/domid-history", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    struct timespec now;

    if (lock < 0 || fd < 0 || flock(lock, LOCK_EX) < 0)
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    (void)dprintf(fd, "%lld %u\n", (long long)now.tv_sec, domid);
}

static bool remove_nodes(struct xen *vm, struct error *err)
{
    AUTO_FREE char *own = store_read(vm->xs, "/local/domain/%u/vm", vm->domid);

    if (own && !store_remove(vm->xs, err, "/vm/%s", vm->uuid))
        return false;
    return store_remove(vm->xs, err, "/local/domain/0/device-model/%u", vm->domid) &&
           store_remove(vm->xs, err, "/local/domain/0/backend/console/%u", vm->domid) &&
           store_remove(vm->xs, err, "/local/domain/%u", vm->domid) &&
           store_remove(vm->xs, err, "/libxl/%u", vm->domid);
}

static void remove_sockets(struct xen *vm)
{
    AUTO_FREE char *nbd = xen_text("%s/nbd.sock", vm->base.context.runtime_dir);
    AUTO_FREE char *libxl = xen_text("/var/run/xen/qmp-libxl-%u", vm->domid);
    AUTO_FREE char *libxenstat = xen_text("/var/run/xen/qmp-libxenstat-%u", vm->domid);

    unlink(nbd);
    unlink(libxl);
    unlink(libxenstat);
}

static bool destroy_domain(struct xen *vm, struct error *err)
{
    (void)xc_domain_claim_pages(vm->xc, vm->domid, 0);
    if (xc_domain_destroy(vm->xc, vm->domid) < 0 && errno != ESRCH)
        return xen_fail(vm, err, "cannot destroy domain %u", vm->domid);
    (void)xs_release_domain(vm->xs, vm->domid);
    return true;
}

/* Somebody may have destroyed it, and another may have its number: its UUID tells. */
static bool is_ours(struct xen *vm)
{
    xc_domaininfo_t info;
    char uuid[XEN_UUID_SIZE];

    if (!domain_info(vm->xc, vm->domid, &info))
        return true;
    domain_uuid(&info, uuid);
    return !strcmp(uuid, vm->uuid);
}

/* After a boot libxl's files are all that is left of the domain, unless they are another's. */
static void remove_stale_config(struct xen *vm)
{
    uint32_t domid = vm->target.domid_before_boot;

    if (domid != 0 && domain_state(vm->xc, domid, vm->uuid) == RUN_GONE)
        config_remove(domid, vm->uuid);
}

bool xen_target_destroy(struct host *host, struct error *err)
{
    struct xen *vm = xen_of(host);

    xen_ram_close(vm);
    if (!device_model_end(vm, err))
        return false;
    remove_stale_config(vm);
    if (vm->domid == 0 || !is_ours(vm))
        return true;
    (void)hotplug_vifs(vm, HOTPLUG_OFFLINE, NULL);
    if (!devices_remove(vm, err) || !destroy_domain(vm, err) || !remove_nodes(vm, err))
        return false;
    config_remove(vm->domid, vm->uuid);
    remove_sockets(vm);
    remember_number(vm->domid);
    vm->domid = 0;
    return true;
}

bool xen_disks_discard(struct host *host, struct error *err)
{
    return disk_images_discard(&xen_of(host)->target.images, err);
}

bool xen_disks_keep(struct host *host, struct error *err)
{
    return disk_images_keep(&xen_of(host)->target.images, err);
}

/* ---- after a crash ---- */

/* The domain is gone; is what it had in xenstore still there? */
static bool has_nodes(struct xen *vm)
{
    AUTO_FREE char *path = store_read(vm->xs, "/local/domain/%u/vm", vm->domid);

    return vm->domid != 0 && path && !strcmp(path + strlen("/vm/"), vm->uuid);
}

/* Since the copy was begun; the newest records may be those of whoever looks at it now. */
static bool has_booted_since(const cJSON *records)
{
    const cJSON *begin = cJSON_GetArrayItem(records, 0);
    struct identity here;

    return identity_read(&here, NULL) && strcmp(json_string_or(begin, "boot", ""), here.boot) != 0;
}

/* What bears its numbers now, or even its UUID, is not what was noted. */
static void forget_numbers(struct xen *vm)
{
    vm->target.domid_before_boot = vm->domid;
    vm->domid = 0;
    vm->target.pid = 0;
}

bool xen_target_reattach(struct xen *vm, const cJSON *records, struct error *err)
{
    const cJSON *record;

    (void)err;
    vm->target.reattached = true;
    disk_images_reattach(&vm->target.images, records);
    cJSON_ArrayForEach (record, records) {
        const char *fact = json_string_or(record, "fact", "");

        if (!strcmp(fact, "domain")) {
            snprintf(vm->uuid, sizeof(vm->uuid), "%s", json_string_or(record, "uuid", ""));
            free(vm->target.name);
            vm->target.name = must(strdup(json_string_or(record, "vm_name", "?")));
        } else if (!strcmp(fact, "device-model")) {
            vm->domid = (uint32_t)json_uint_or(record, "domid", 0);
            vm->target.pid = (pid_t)json_uint_or(record, "device_model", 0);
            vm->target.start_time = json_uint_or(record, "started", 0);
        }
    }
    if (has_booted_since(records))
        forget_numbers(vm);
    else if (*vm->uuid && !domain_find_uuid(vm->xc, vm->uuid, 0, &vm->domid) && !has_nodes(vm))
        vm->domid = 0;
    return true;
}

/* The device model outlives us: whether it shall end is not decided by our end. */
void xen_target_done(struct xen *vm)
{
    struct xen_target *target = &vm->target;

    xen_ram_close(vm);
    child_release(steal(target->child));
    disk_images_done(&target->images);
    cJSON_Delete(target->notes);
    cJSON_Delete(target->params);
    free(target->program);
    free(target->log);
    free(target->name);
    free(target->device_state);
}
