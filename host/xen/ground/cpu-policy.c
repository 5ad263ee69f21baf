/* Read the CPU policy that a guest was promised, and check whether this host can keep it. */
#include "host/xen/ground/cpu-policy.h"

#include <stdio.h>

#include <xenguest.h>

#include "host/xen/ground/cpu-features.h"

/* A policy as Xen serialises it. */
struct serial {
    xen_cpuid_leaf_t *leaves;
    xen_msr_entry_t *msrs;
    uint32_t leaf_count, msr_count;
};

static void free_serial(struct serial *serial)
{
    free(serial->leaves);
    free(serial->msrs);
}

static bool serialise(struct xen *xen, const xc_cpu_policy_t *policy, struct serial *serial,
                      struct error *err)
{
    if (xc_cpu_policy_get_size(xen->xc, &serial->leaf_count, &serial->msr_count) < 0)
        return xen_fail(xen, err, "cannot ask for the size of a CPU policy");
    serial->leaves = must(calloc(serial->leaf_count + 1, sizeof(*serial->leaves)));
    serial->msrs = must(calloc(serial->msr_count + 1, sizeof(*serial->msrs)));
    if (xc_cpu_policy_serialise(xen->xc, policy, serial->leaves, &serial->leaf_count, serial->msrs,
                                &serial->msr_count) < 0)
        return xen_fail(xen, err, "cannot write a CPU policy down");
    return true;
}

/* ---- in the parameters ---- */

static char *to_hex(const void *data, size_t size)
{
    const unsigned char *bytes = data;
    char *text = must(malloc(2 * size + 1));

    for (size_t i = 0; i < size; i++)
        sprintf(text + 2 * i, "%02x", bytes[i]);
    text[2 * size] = '\0';
    return text;
}

static unsigned nibble(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a') + 10;
}

/* The caller frees it. */
static void *from_hex(const char *text, size_t *size)
{
    size_t len = strlen(text) / 2;
    unsigned char *bytes = must(malloc(len + 1));

    for (size_t i = 0; i < len; i++)
        bytes[i] = (unsigned char)(nibble(text[2 * i]) << 4 | nibble(text[2 * i + 1]));
    *size = len;
    return bytes;
}

static struct serial from_text(const struct xen_cpu_policy *policy)
{
    struct serial serial;
    size_t leaf_size, msr_size;

    serial.leaves = from_hex(policy->leaves, &leaf_size);
    serial.msrs = from_hex(policy->msrs, &msr_size);
    serial.leaf_count = (uint32_t)(leaf_size / sizeof(*serial.leaves));
    serial.msr_count = (uint32_t)(msr_size / sizeof(*serial.msrs));
    return serial;
}

/* ---- at the source ---- */

bool cpu_policy_read(struct xen *xen, char **leaves, char **msrs, struct error *err)
{
    xc_cpu_policy_t *policy = must(xc_cpu_policy_init());
    struct serial serial = { 0 };
    bool ok;

    if (xc_cpu_policy_get_domain(xen->xc, xen->domid, policy) < 0)
        ok = xen_fail(xen, err, "cannot read the guest's CPU policy");
    else
        ok = serialise(xen, policy, &serial, err);
    if (ok) {
        *leaves = to_hex(serial.leaves, serial.leaf_count * sizeof(*serial.leaves));
        *msrs = to_hex(serial.msrs, serial.msr_count * sizeof(*serial.msrs));
    }
    free_serial(&serial);
    xc_cpu_policy_destroy(policy);
    return ok;
}

/* ---- at the target ---- */

static bool fits(struct xen *xen, xc_cpu_policy_t *host, const struct serial *guest,
                 struct error *err)
{
    struct serial most = { 0 };
    bool ok = serialise(xen, host, &most, err) &&
              cpu_features_fit((struct cpu_leaves){ guest->leaves, guest->leaf_count },
                               (struct cpu_leaves){ most.leaves, most.leaf_count }, err);

    free_serial(&most);
    return ok;
}

/* Ask Xen, too, whose own check compares little: how many leaves there are, and one MSR. */
static bool is_compatible(struct xen *xen, xc_cpu_policy_t *host, const struct serial *guest,
                          struct error *err)
{
    xc_cpu_policy_t *policy = must(xc_cpu_policy_init());
    bool ok;

    if (xc_cpu_policy_update_cpuid(xen->xc, policy, guest->leaves, guest->leaf_count) < 0 ||
        xc_cpu_policy_update_msrs(xen->xc, policy, guest->msrs, guest->msr_count) < 0)
        ok = error_set(err, ERROR_REFUSED,
                       "the guest's processor has what Xen at the target does not know of");
    else
        ok =
            xc_cpu_policy_is_compatible(xen->xc, host, policy) ||
            error_set(
                err, ERROR_REFUSED,
                "the processors at the target cannot do what the guest was promised at the source");
    free(xen_log_complaint(xen->log));
    xc_cpu_policy_destroy(policy);
    return ok;
}

bool cpu_policy_check(struct xen *xen, const struct xen_cpu_policy *policy, struct error *err)
{
    xc_cpu_policy_t *host = must(xc_cpu_policy_init());
    struct serial guest = from_text(policy);
    bool ok;

    if (xc_cpu_policy_get_system(xen->xc, XEN_SYSCTL_cpu_policy_hvm_max, host) < 0)
        ok = xen_fail(xen, err, "cannot read what processor this host can offer");
    else
        ok = fits(xen, host, &guest, err) && is_compatible(xen, host, &guest, err);
    free_serial(&guest);
    xc_cpu_policy_destroy(host);
    return ok;
}
