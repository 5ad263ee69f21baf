/* The domain's settings that only the hypervisor knows, and that the target needs before the stream
 * brings the rest.
 */
#include "host/xen/guest/guest.h"

#include <xen/hvm/params.h>
#include <xen/version.h>

#include "host/xen/ground/cpu-policy.h"
#include "host/xen/ground/domain.h"
#include "host/xen/ground/schedule.h"

/* The HVM parameters that libxc's stream does not carry. */
static bool read_params(struct xen_guest *vm, cJSON *xen, struct error *err)
{
    static const struct {
        uint32_t number;
        const char *name;
    } params[] = {
        { HVM_PARAM_HPET_ENABLED, "hpet" },
        { HVM_PARAM_VPT_ALIGN, "vpt_align" },
        { HVM_PARAM_TIMER_MODE, "timer_mode" },
        { HVM_PARAM_ALTP2M, "altp2m" },
    };

    for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
        uint64_t value = 0;

        if (xc_hvm_param_get(vm->xen.xc, vm->xen.domid, params[i].number, &value) < 0)
            return xen_fail(&vm->xen, err, "cannot read the HVM parameter '%s'", params[i].name);
        json_add_uint(xen, params[i].name, value);
    }
    return true;
}

static bool read_clock(struct xen_guest *vm, cJSON *xen, struct error *err)
{
    uint32_t mode, khz, incarnation;
    uint64_t elapsed;

    if (xc_domain_get_tsc_info(vm->xen.xc, vm->xen.domid, &mode, &elapsed, &khz, &incarnation) < 0)
        return xen_fail(&vm->xen, err, "cannot read the guest's TSC mode");
    json_add_uint(xen, "tsc_mode", mode);
    return true;
}

static bool read_paging_pool(struct xen_guest *vm, cJSON *xen, struct error *err)
{
    uint64_t size;

    if (xc_get_paging_mempool_size(vm->xen.xc, vm->xen.domid, &size) < 0)
        return xen_fail(&vm->xen, err, "cannot read the size of the guest's paging pool");
    json_add_uint(xen, "paging_pool", size);
    return true;
}

bool hardware_read(struct xen_guest *vm, cJSON *xen, struct error *err)
{
    int version = xc_version(vm->xen.xc, XENVER_version, NULL);
    xc_domaininfo_t info;

    if (version < 0 || !domain_info(vm->xen.xc, vm->xen.domid, &info))
        return xen_fail(&vm->xen, err, "cannot ask Xen about the domain");
    json_add_uint(xen, "xen_major", (uint64_t)version >> 16);
    json_add_uint(xen, "xen_minor", (uint64_t)version & 0xffff);
    json_add_uint(xen, "vcpus", info.max_vcpu_id + 1u);
    json_add_uint(xen, "pages", info.tot_pages);
    json_add_uint(xen, "max_pages", info.max_pages);
    json_add_uint(xen, "emulation", info.arch_config.emulation_flags);
    cJSON_AddBoolToObject(xen, "hap", info.flags & XEN_DOMINF_hap);
    schedule_read(&vm->xen, xen);
    return read_params(vm, xen, err) && read_clock(vm, xen, err) &&
           read_paging_pool(vm, xen, err) && cpu_policy_read(&vm->xen, xen, err);
}
