/* What of a domain is in the hypervisor only, and what of that the target must be given
 * before the stream comes, which brings the rest.
 */
#include "host/xen/xen.h"

#include <inttypes.h>
#include <stdio.h>

#include <xen/hvm/params.h>
#include <xen/version.h>

/* ---- the processor ---- */

static char *to_hex(const void *data, size_t size)
{
    const unsigned char *bytes = data;
    char *text = must(malloc(2 * size + 1));

    for (size_t i = 0; i < size; i++)
        sprintf(text + 2 * i, "%02x", bytes[i]);
    text[2 * size] = '\0';
    return text;
}

static bool serialise(struct xen *vm, const xc_cpu_policy_t *policy, cJSON *out, struct error *err)
{
    uint32_t leaf_count = 0, msr_count = 0;
    AUTO_FREE xen_cpuid_leaf_t *leaves = NULL;
    AUTO_FREE xen_msr_entry_t *msrs = NULL;
    AUTO_FREE char *leaf_text = NULL;
    AUTO_FREE char *msr_text = NULL;

    if (xc_cpu_policy_get_size(vm->xc, &leaf_count, &msr_count) < 0)
        return xen_fail(vm, err, "cannot ask for the size of a CPU policy");
    leaves = must(calloc(leaf_count + 1, sizeof(*leaves)));
    msrs = must(calloc(msr_count + 1, sizeof(*msrs)));
    if (xc_cpu_policy_serialise(vm->xc, policy, leaves, &leaf_count, msrs, &msr_count) < 0)
        return xen_fail(vm, err, "cannot write the guest's CPU policy down");
    leaf_text = to_hex(leaves, leaf_count * sizeof(*leaves));
    msr_text = to_hex(msrs, msr_count * sizeof(*msrs));
    cJSON_AddStringToObject(out, "leaves", leaf_text);
    cJSON_AddStringToObject(out, "msrs", msr_text);
    return true;
}

static bool read_cpu_policy(struct xen *vm, cJSON *xen, struct error *err)
{
    cJSON *out = cJSON_AddObjectToObject(xen, "cpu_policy");
    xc_cpu_policy_t *policy = must(xc_cpu_policy_init());
    bool ok;

    if (xc_cpu_policy_get_domain(vm->xc, vm->domid, policy) < 0)
        ok = xen_fail(vm, err, "cannot read the guest's CPU policy");
    else
        ok = serialise(vm, policy, out, err);
    xc_cpu_policy_destroy(policy);
    return ok;
}

static unsigned nibble(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a') + 10;
}

/* The caller frees it. */
static void *from_hex(const char *text, size_t *size)
{
    size_t len = strspn(text, "0123456789abcdef") / 2;
    unsigned char *bytes = must(malloc(len + 1));

    for (size_t i = 0; i < len; i++)
        bytes[i] = (unsigned char)(nibble(text[2 * i]) << 4 | nibble(text[2 * i + 1]));
    *size = len;
    return bytes;
}

static bool fill_policy(struct xen *vm, xc_cpu_policy_t *policy, const cJSON *text,
                        struct error *err)
{
    size_t leaf_size, msr_size;
    AUTO_FREE xen_cpuid_leaf_t *leaves = from_hex(json_string_or(text, "leaves", ""), &leaf_size);
    AUTO_FREE xen_msr_entry_t *msrs = from_hex(json_string_or(text, "msrs", ""), &msr_size);

    if (xc_cpu_policy_update_cpuid(vm->xc, policy, leaves,
                                   (uint32_t)(leaf_size / sizeof(*leaves))) < 0 ||
        xc_cpu_policy_update_msrs(vm->xc, policy, msrs, (uint32_t)(msr_size / sizeof(*msrs))) < 0)
        return error_set(err, ERROR_REFUSED,
                         "the guest's processor has what Xen here does not "
                         "know of");
    return true;
}

bool check_cpu_policy(struct xen *vm, const cJSON *text, struct error *err)
{
    xc_cpu_policy_t *host = must(xc_cpu_policy_init());
    xc_cpu_policy_t *guest = must(xc_cpu_policy_init());
    bool ok;

    if (xc_cpu_policy_get_system(vm->xc, XEN_SYSCTL_cpu_policy_hvm_max, host) < 0)
        ok = xen_fail(vm, err, "cannot read what processor this host can offer");
    else if (!fill_policy(vm, guest, text, err))
        ok = false;
    else if (!xc_cpu_policy_is_compatible(vm->xc, host, guest))
        ok = error_set(err, ERROR_REFUSED,
                       "the processors here cannot do what the guest was "
                       "promised at the source");
    else
        ok = true;
    free(xen_log_complaint(vm->log));
    xc_cpu_policy_destroy(host);
    xc_cpu_policy_destroy(guest);
    return ok;
}

/* ---- the rest ---- */

/* What libxc's stream does not carry. */
static bool read_params(struct xen *vm, cJSON *xen, struct error *err)
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

        if (xc_hvm_param_get(vm->xc, vm->domid, params[i].number, &value) < 0)
            return xen_fail(vm, err, "cannot read the HVM parameter '%s'", params[i].name);
        json_add_uint(xen, params[i].name, value);
    }
    return true;
}

static bool read_clock(struct xen *vm, cJSON *xen, struct error *err)
{
    uint32_t mode, khz, incarnation;
    uint64_t elapsed;

    if (xc_domain_get_tsc_info(vm->xc, vm->domid, &mode, &elapsed, &khz, &incarnation) < 0)
        return xen_fail(vm, err, "cannot read the guest's TSC mode");
    json_add_uint(xen, "tsc_mode", mode);
    return true;
}

static bool read_paging_pool(struct xen *vm, cJSON *xen, struct error *err)
{
    uint64_t size;

    if (xc_get_paging_mempool_size(vm->xc, vm->domid, &size) < 0)
        return xen_fail(vm, err, "cannot read the size of the guest's paging pool");
    json_add_uint(xen, "paging_pool", size);
    return true;
}

bool hardware_read(struct xen *vm, cJSON *xen, struct error *err)
{
    int version = xc_version(vm->xc, XENVER_version, NULL);
    xc_domaininfo_t info;

    if (version < 0 || !domain_info(vm->xc, vm->domid, &info))
        return xen_fail(vm, err, "cannot ask Xen about the domain");
    json_add_uint(xen, "xen_major", (uint64_t)version >> 16);
    json_add_uint(xen, "xen_minor", (uint64_t)version & 0xffff);
    json_add_uint(xen, "vcpus", info.max_vcpu_id + 1u);
    json_add_uint(xen, "pages", info.tot_pages);
    json_add_uint(xen, "max_pages", info.max_pages);
    json_add_uint(xen, "emulation", info.arch_config.emulation_flags);
    cJSON_AddBoolToObject(xen, "hap", info.flags & XEN_DOMINF_hap);
    schedule_read(vm, xen);
    return read_params(vm, xen, err) && read_clock(vm, xen, err) &&
           read_paging_pool(vm, xen, err) && read_cpu_policy(vm, xen, err);
}
