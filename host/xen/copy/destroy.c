/* Destroy the domain made here, with its nodes in xenstore and libxl's files of it. */
#include "host/xen/copy/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

#include "host/line-files.h"
#include "host/xen/ground/config.h"
#include "host/xen/ground/domain.h"
#include "xmig/process.h"
#include "xmig/text.h"

/* Enter the number into libxl's history, so that libxl does not use it again at once. */
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

static bool remove_nodes(struct xen_copy *vm, struct error *err)
{
    AUTO_FREE char *own = store_read(vm->xen.xs, "/local/domain/%u/vm", vm->xen.domid);

    if (own && !store_remove(vm->xen.xs, err, "/vm/%s", vm->xen.uuid))
        return false;
    return store_remove(vm->xen.xs, err, "/local/domain/0/device-model/%u", vm->xen.domid) &&
           store_remove(vm->xen.xs, err, "/local/domain/0/backend/console/%u", vm->xen.domid) &&
           store_remove(vm->xen.xs, err, "/local/domain/%u", vm->xen.domid) &&
           store_remove(vm->xen.xs, err, "/libxl/%u", vm->xen.domid);
}

/* Before a crash there may have been no time to note its monitors: while it lives, they are its. */
static void look_at_files(struct xen_copy *vm)
{
    static const char monitors[] = "[\"/var/run/xen/qmp-libxl-" XEN_ARGV_DOMID
                                   "\",\"/var/run/xen/qmp-libxenstat-" XEN_ARGV_DOMID "\"]";
    AUTO_JSON cJSON *names = must(cJSON_Parse(monitors));
    AUTO_JSON cJSON *paths = xen_argv_number(names, vm->xen.domid);

    if (!vm->files && process_lives(vm->pid, vm->start_time))
        vm->files = line_files_fact(paths);
}

static void remove_files(struct xen_copy *vm)
{
    AUTO_FREE char *nbd = formatted("%s/nbd.sock", vm->base.context.runtime_dir);

    unlink(nbd);
    line_files_remove(vm->files);
}

static bool destroy_domain(struct xen_copy *vm, struct error *err)
{
    (void)xc_domain_claim_pages(vm->xen.xc, vm->xen.domid, 0);
    if (xc_domain_destroy(vm->xen.xc, vm->xen.domid) < 0 && errno != ESRCH)
        return xen_fail(&vm->xen, err, "cannot destroy domain %u", vm->xen.domid);
    (void)xs_release_domain(vm->xen.xs, vm->xen.domid);
    return true;
}

/* Does another domain have the number now? Somebody may have destroyed ours; the UUID tells. */
static bool has_been_replaced(const struct xen_copy *vm)
{
    xc_domaininfo_t info;
    char uuid[XEN_UUID_SIZE];

    if (!domain_info(vm->xen.xc, vm->xen.domid, &info))
        return false;
    domain_uuid(&info, uuid);
    return strcmp(uuid, vm->xen.uuid) != 0;
}

/* After a boot only libxl's files are left of the domain, unless another has its number and UUID.
 */
static void remove_stale_config(struct xen_copy *vm)
{
    uint32_t domid = vm->domid_before_boot;

    if (domid != 0 && domain_state(vm->xen.xc, domid, vm->xen.uuid) == RUN_GONE)
        config_remove(domid, vm->xen.uuid);
}

bool xen_copy_destroy(struct copy *copy, struct error *err)
{
    struct xen_copy *vm = xen_copy_of(copy);

    xen_ram_close(vm);
    look_at_files(vm);
    if (!volume_exports_end(vm, err))
        return false;
    if (!device_model_end(vm, err))
        return false;
    remove_files(vm);
    remove_stale_config(vm);
    if (vm->xen.domid == 0 || has_been_replaced(vm))
        return true;
    (void)hotplug_vifs(vm, HOTPLUG_OFFLINE, NULL);
    if (!devices_remove(vm, err) || !destroy_domain(vm, err) || !remove_nodes(vm, err))
        return false;
    config_remove(vm->xen.domid, vm->xen.uuid);
    remember_number(vm->xen.domid);
    vm->xen.domid = 0;
    return true;
}
