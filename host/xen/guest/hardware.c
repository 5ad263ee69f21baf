/* The domain's settings that only the hypervisor knows, and that the target needs before the stream
 * brings the rest.
 */
#include "host/xen/guest/guest.h"

#include <xen/hvm/params.h>
#include <xen/version.h>

#include "host/xen/ground/domain.h"
#include "host/xen/ground/schedule.h"

/* The HVM parameters that libxc's stream does not carry. */
static bool read_params(struct xen_guest *vm, struct xen_domain *out, struct error *err)
{
    const struct {
        uint32_t number;
        const char *name;
        uint64_t *value;
    } params[] = {
        { HVM_PARAM_HPET_ENABLED, "hpet", &out->hpet },
        { HVM_PARAM_VPT_ALIGN, "vpt_align", &out->vpt_align },
        { HVM_PARAM_TIMER_MODE, "timer_mode", &out->timer_mode },
        { HVM_PARAM_ALTP2M, "altp2m", &out->altp2m },
    };

    for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++)
        if (xc_hvm_param_get(vm->xen.xc, vm->xen.domid, params[i].number, params[i].value) < 0)
            return xen_fail(&vm->xen, err, "cannot read the HVM parameter '%s'", params[i].name);
    return true;
}

static bool read_clock(struct xen_guest *vm, struct xen_domain *out, struct error *err)
{
    uint32_t mode, khz, incarnation;
    uint64_t elapsed;

    if (xc_domain_get_tsc_info(vm->xen.xc, vm->xen.domid, &mode, &elapsed, &khz, &incarnation) < 0)
        return xen_fail(&vm->xen, err, "cannot read the guest's TSC mode");
    out->tsc_mode = mode;
    return true;
}

static bool read_paging_pool(struct xen_guest *vm, struct xen_domain *out, struct error *err)
{
    return xc_get_paging_mempool_size(vm->xen.xc, vm->xen.domid, &out->paging_pool) == 0 ||
           xen_fail(&vm->xen, err, "cannot read the size of the guest's paging pool");
}

bool hardware_read(struct xen_guest *vm, struct xen_domain *out, struct error *err)
{
    int version = xc_version(vm->xen.xc, XENVER_version, NULL);
    xc_domaininfo_t info;

    if (version < 0 || !domain_info(vm->xen.xc, vm->xen.domid, &info))
        return xen_fail(&vm->xen, err, "cannot ask Xen about the domain");
    out->xen_major = (uint64_t)version >> 16;
    out->xen_minor = (uint64_t)version & 0xffff;
    out->vcpus = info.max_vcpu_id + 1u;
    out->pages = info.tot_pages;
    out->max_pages = info.max_pages;
    out->emulation = info.arch_config.emulation_flags;
    out->hap = info.flags & XEN_DOMINF_hap;
    schedule_read(&vm->xen, &out->schedule);
    return read_params(vm, out, err) && read_clock(vm, out, err) && read_paging_pool(vm, out, err);
}
