/* Make the empty domain: paused, its memory claimed but not populated. Everything is done in the
 * order of libxl, up to where libxl would fill the memory.
 */
#include "host/xen/copy/copy.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include <xen/hvm/params.h>

#include "host/xen/ground/config.h"
#include "host/xen/ground/schedule.h"
#include "xmig/facts.h"
#include "xmig/text.h"

/* ---- the domain ---- */

static void set_handle(xen_domain_handle_t handle, const char *uuid)
{
    for (int i = 0; i < 16; i++, uuid += 2) {
        unsigned byte = 0;

        if (*uuid == '-')
            uuid++;
        sscanf(uuid, "%2x", &byte);
        handle[i] = (uint8_t)byte;
    }
}

static unsigned grant_version(struct xen_copy *vm)
{
    xc_physinfo_t host = { 0 };
    bool has_v2 =
        xc_physinfo(vm->xen.xc, &host) == 0 && (host.capabilities & XEN_SYSCTL_PHYSCAP_gnttab_v2);

    return (unsigned)json_uint_or(xen_build_info(vm), "max_grant_version", has_v2 ? 2 : 1);
}

/* "Choose a number": 0 said so, too, until Xen 4.21, whose headers do not name this one. */
#ifndef DOMID_ANY
#define DOMID_ANY 0x7FF5U
#endif

static bool create_domain(struct xen_copy *vm, struct error *err)
{
    const cJSON *info = xen_build_info(vm);
    struct xen_domctl_createdomain config = {
        .flags = XEN_DOMCTL_CDF_hvm | (vm->params.xen.hap ? XEN_DOMCTL_CDF_hap : 0),
        .max_vcpus = (uint32_t)vm->params.xen.vcpus,
        .max_evtchn_port = (uint32_t)json_uint_or(info, "event_channels", 1023),
        .max_grant_frames = (int32_t)json_uint_or(info, "max_grant_frames", UINT32_MAX),
        .max_maptrack_frames = (int32_t)json_uint_or(info, "max_maptrack_frames", UINT32_MAX),
        .grant_opts = XEN_DOMCTL_GRANT_version(grant_version(vm)),
        .arch.emulation_flags = (uint32_t)vm->params.xen.emulation,
    };
    uint32_t domid = DOMID_ANY;

    if (!strcmp(json_string_or(json_get(info, "arch_x86"), "msr_relaxed", "False"), "True"))
        config.arch.misc_flags = XEN_X86_MSR_RELAXED;
    set_handle(config.handle, vm->xen.uuid);
    if (xc_domain_create(vm->xen.xc, &domid, &config) < 0)
        return xen_fail(&vm->xen, err, "cannot create a domain");
    vm->xen.domid = domid;
    return true;
}

/* ---- its nodes ---- */

static void add_roots(struct xen_copy *vm, struct store_batch *batch, const char *name)
{
    const cJSON *config = vm->params.xen.config;
    struct timespec now;
    AUTO_FREE char *path = formatted("/vm/%s", vm->xen.uuid);

    clock_gettime(CLOCK_REALTIME, &now);
    store_add(batch, STORE_GUEST_READS, "", "/local/domain/%u", vm->xen.domid);
    store_add(batch, STORE_GUEST_READS, "", "%s", path);
    store_add(batch, STORE_DOM0_ONLY, "", "/libxl/%u", vm->xen.domid);
    store_add(batch, STORE_AS_ABOVE, path, "/local/domain/%u/vm", vm->xen.domid);
    store_add(batch, STORE_AS_ABOVE, name, "/local/domain/%u/name", vm->xen.domid);
    store_add(batch, STORE_AS_ABOVE, vm->xen.uuid, "%s/uuid", path);
    store_add(batch, STORE_AS_ABOVE, name, "%s/name", path);
    if (!config_is_pvh(config)) {
        store_add(batch, STORE_AS_ABOVE, "hvm", "%s/image/ostype", path);
        store_add(batch, STORE_AS_ABOVE, vm->params.xen.rtc_timeoffset, "%s/rtc/timeoffset", path);
    }
    {
        AUTO_FREE char *start =
            formatted("%lld.%02ld", (long long)now.tv_sec, now.tv_nsec / 10000000);

        store_add(batch, STORE_AS_ABOVE, start, "%s/start_time", path);
    }
    store_add(batch, STORE_AS_ABOVE, config_type(config), "/libxl/%u/type", vm->xen.domid);
    store_add(batch, STORE_AS_ABOVE, "qemu_xen", "/libxl/%u/dm-version", vm->xen.domid);
    store_add(batch, STORE_AS_ABOVE, "", "/libxl/%u/device", vm->xen.domid);
    if (vm->xen.has_model)
        store_add(batch, STORE_DOM0_ONLY, "", "/local/domain/0/device-model/%u", vm->xen.domid);
}

/* Of an emulated machine only. */
static void add_machine(struct xen_copy *vm, struct store_batch *batch)
{
    static const char *const guests[] = { "control/feature-s3", "control/feature-s4" };
    static const char *const read_only[] = { "hvmloader", "platform" };

    for (size_t i = 0; i < sizeof(read_only) / sizeof(read_only[0]); i++)
        store_add(batch, STORE_GUEST_READS, "", "/local/domain/%u/%s", vm->xen.domid, read_only[i]);
    for (size_t i = 0; i < sizeof(guests) / sizeof(guests[0]); i++)
        store_add(batch, STORE_GUEST_OWNS, "", "/local/domain/%u/%s", vm->xen.domid, guests[i]);
    store_add(batch, STORE_AS_ABOVE, "qemu_xen", "/local/domain/%u/platform/device-model",
              vm->xen.domid);
}

static void add_skeleton(struct xen_copy *vm, struct store_batch *batch)
{
    static const char *const read_only[] = { "cpu", "memory", "device", "control" };
    static const char *const guests[] = {
        "device/suspend/event-channel",
        "control/shutdown",
        "control/feature-poweroff",
        "control/feature-reboot",
        "control/feature-suspend",
        "control/sysrq",
        "data",
        "drivers",
        "feature",
        "attr",
        "error",
    };
    static const char *const facts[][2] = {
        { "control/platform-feature-multiprocessor-suspend", "1" },
        { "control/platform-feature-xs_reset_watches", "1" },
    };

    for (size_t i = 0; i < sizeof(read_only) / sizeof(read_only[0]); i++)
        store_add(batch, STORE_GUEST_READS, "", "/local/domain/%u/%s", vm->xen.domid, read_only[i]);
    for (size_t i = 0; i < sizeof(guests) / sizeof(guests[0]); i++)
        store_add(batch, STORE_GUEST_OWNS, "", "/local/domain/%u/%s", vm->xen.domid, guests[i]);
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
        store_add(batch, STORE_AS_ABOVE, facts[i][1], "/local/domain/%u/%s", vm->xen.domid,
                  facts[i][0]);
}

static void add_copies(struct xen_copy *vm, struct store_batch *batch, const char *directory,
                       const cJSON *keys, enum store_access access)
{
    const cJSON *key;

    cJSON_ArrayForEach (key, keys)
        if (*key->valuestring)
            store_add(batch, access, key->valuestring, "/local/domain/%u/%s/%s", vm->xen.domid,
                      directory, key->string);
}

/* Copy what the guest's drivers have written about themselves, which they do only once, and what
 * was written for the guest.
 */
static void add_features(struct xen_copy *vm, struct store_batch *batch)
{
    const struct xen_domain *xen = &vm->params.xen;

    add_copies(vm, batch, "control", xen->control, STORE_GUEST_OWNS);
    add_copies(vm, batch, "platform", xen->platform, STORE_AS_ABOVE);
    add_copies(vm, batch, "hvmloader", xen->hvmloader, STORE_AS_ABOVE);
}

static bool write_skeleton(struct xen_copy *vm, struct error *err)
{
    struct store_batch batch = { .domid = vm->xen.domid };
    AUTO_FREE char *name = formatted("%s--incoming", vm->params.name);

    add_roots(vm, &batch, name);
    add_skeleton(vm, &batch);
    if (!config_is_pvh(vm->params.xen.config))
        add_machine(vm, &batch);
    add_features(vm, &batch);
    return store_commit(vm->xen.xs, &batch, err);
}

/* ---- what it is made of ---- */

/* Allocate these ports first: then they have the low numbers that they always have. */
static bool make_ports(struct xen_copy *vm, struct error *err)
{
    long store = store_number(vm->xen.xs, 0, "/tool/xenstored/domid");
    long console = store_number(vm->xen.xs, 0, "/tool/xenconsoled/domid");
    xc_evtchn_port_or_error_t port =
        xc_evtchn_alloc_unbound(vm->xen.xc, vm->xen.domid, (uint32_t)store);

    if (port < 0)
        return xen_fail(&vm->xen, err, "cannot make the event channel of xenstore");
    vm->store_port = (uint32_t)port;
    port = xc_evtchn_alloc_unbound(vm->xen.xc, vm->xen.domid, (uint32_t)console);
    if (port < 0)
        return xen_fail(&vm->xen, err, "cannot make the event channel of the console");
    vm->console_port = (uint32_t)port;
    return true;
}

static bool set_param(struct xen_copy *vm, uint32_t param, uint64_t value, const char *name,
                      struct error *err)
{
    if (xc_hvm_param_set(vm->xen.xc, vm->xen.domid, param, value) < 0)
        return xen_fail(&vm->xen, err, "cannot set the HVM parameter '%s'", name);
    return true;
}

/* Compute the offset as libxl does when it makes a domain: "localtime" is the host's. */
static int32_t clock_offset(const struct xen_copy *vm)
{
    const cJSON *info = xen_build_info(vm);
    int32_t offset = (int32_t)cJSON_GetNumberValue(json_get(info, "rtc_timeoffset"));
    time_t now = time(NULL);
    struct tm local;

    if (!cJSON_IsNumber(json_get(info, "rtc_timeoffset")))
        offset = 0;
    if (!strcmp(json_string_or(info, "localtime", "False"), "True") && localtime_r(&now, &local))
        offset += (int32_t)local.tm_gmtoff;
    return offset;
}

static bool set_clock(struct xen_copy *vm, struct error *err)
{
    int32_t offset = clock_offset(vm);

    if (xc_domain_set_tsc_info(vm->xen.xc, vm->xen.domid, (uint32_t)vm->params.xen.tsc_mode, 0, 0,
                               0) < 0)
        return xen_fail(&vm->xen, err, "cannot set the TSC mode");
    if (offset && xc_domain_set_time_offset(vm->xen.xc, vm->xen.domid, offset) < 0)
        return xen_fail(&vm->xen, err, "cannot set the clock's offset");
    return true;
}

/* A guest may have more than its limit: one that was asked to give memory back and has not done so.
 */
uint64_t xen_most_pages(const struct xen_copy *vm)
{
    uint64_t present = vm->params.xen.pages;
    uint64_t allowed = vm->params.xen.max_pages;

    return present > allowed ? present : allowed;
}

bool xen_limit_memory(struct xen_copy *vm, uint64_t pages, struct error *err)
{
    return xc_domain_setmaxmem(vm->xen.xc, vm->xen.domid, pages * XEN_PAGE / 1024) == 0 ||
           xen_fail(&vm->xen, err, "cannot set the domain's memory");
}

/* Claimed pages cannot be taken by others during the hours that the disks need; the stream
 * populates them later.
 */
static bool set_memory(struct xen_copy *vm, struct error *err)
{
    uint64_t pages = xen_most_pages(vm);

    if (!xen_limit_memory(vm, pages, err))
        return false;
    if (xc_set_paging_mempool_size(vm->xen.xc, vm->xen.domid, vm->params.xen.paging_pool) < 0)
        return xen_fail(&vm->xen, err, "cannot set the domain's paging pool");
    if (xc_domain_claim_pages(vm->xen.xc, vm->xen.domid, pages) < 0)
        return xen_fail(&vm->xen, err, "cannot claim memory for the domain");
    return true;
}

static bool furnish(struct xen_copy *vm, struct error *err)
{
    const struct xen_domain *xen = &vm->params.xen;

    if (xc_domain_max_vcpus(vm->xen.xc, vm->xen.domid, (unsigned)xen->vcpus) < 0)
        return xen_fail(&vm->xen, err, "cannot give the domain its processors");
    return make_ports(vm, err) && set_param(vm, HVM_PARAM_HPET_ENABLED, xen->hpet, "hpet", err) &&
           set_param(vm, HVM_PARAM_VPT_ALIGN, xen->vpt_align, "vpt_align", err) &&
           set_param(vm, HVM_PARAM_TIMER_MODE, xen->timer_mode, "timer_mode", err) &&
           set_clock(vm, err) && set_memory(vm, err) &&
           schedule_write(&vm->xen, &vm->params.xen.schedule, err);
}

/* ---- the public face ---- */

/* Note the UUID first: it identifies the domain even after a crash before its number was noted. */
static bool note_domain(struct xen_copy *vm, struct error *err)
{
    AUTO_JSON cJSON *fact = fact_new(FACT_DOMAIN);

    cJSON_AddStringToObject(fact, "uuid", vm->xen.uuid);
    json_add_uint(fact, "source_domid", vm->params.xen.domid);
    cJSON_AddStringToObject(fact, "vm_name", vm->params.name);
    return vm->base.context.note(vm->base.context.note_arg, fact, err);
}

bool xen_create_machine(struct copy *copy, struct error *err)
{
    struct xen_copy *vm = xen_copy_of(copy);

    if (copy->context.options.mirrors_disks && !disk_images_create(&vm->images, err))
        return false;
    if (!note_domain(vm, err) || !create_domain(vm, err) || !write_skeleton(vm, err) ||
        !furnish(vm, err))
        return false;
    xen_log_drain(vm->xen.log, &copy->context.events);
    return true;
}
