/* The table of QEMU's known faults. */
#include "qmp/known-faults.h"

#include "xmig/cleanup.h"

#define VERSION(MAJOR, MINOR, MICRO) ((MAJOR)*10000U + (MINOR)*100U + (MICRO))

enum {
    RANGES_MAX = 2
};

/* From the first version up to the one that has the fix. */
struct range {
    unsigned from, fixed;
};

struct known_fault {
    const char *name;
    struct range ranges[RANGES_MAX + 1];
    const char *what; /* what may happen */
    const char *cure;
    const char *number; /* where to read of it */
};

static const struct known_fault faults[] = {
    { FAULT_MIRROR_START,
      { { VERSION(8, 0, 0), VERSION(10, 0, 9) }, { VERSION(10, 1, 0), VERSION(10, 2, 2) } },
      "a copy of a disk may lack what the guest writes as the copying begins, and nobody notices",
      "install QEMU 10.0.9, 10.2.2 or newer and restart the guest with it, or shut it down and "
      "copy "
      "its images",
      "Debian bug 1129349" },
    { FAULT_IDE_TRIM,
      { { VERSION(7, 0, 0), VERSION(10, 0, 10) }, { VERSION(10, 1, 0), VERSION(11, 1, 0) } },
      "QEMU, and the guest with it, hangs for ever if the guest trims an IDE disk as the copying "
      "begins or ends, and this guest does trim",
      "see to it that the guest does not trim meanwhile (fstrim.timer, the mount option discard)",
      "QEMU 10.0.10, 'ide: Minimal fix for deadlock between TRIM and drain'" },
    { FAULT_PFLASH_MODE,
      { { VERSION(0, 0, 0), VERSION(10, 0, 13) }, { VERSION(10, 1, 0), VERSION(11, 1, 1) } },
      "a guest that is moved while it writes to its firmware's flash does not get an answer there",
      "try again",
      "QEMU issue 4042" },
};

static const struct known_fault *find(const char *name)
{
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        if (!strcmp(faults[i].name, name))
            return &faults[i];
    return NULL;
}

bool known_fault_exists(const char *name)
{
    return find(name) != NULL;
}

bool known_fault_has(const char *name, unsigned major, unsigned minor, unsigned micro)
{
    const struct known_fault *fault = find(name);
    unsigned version = VERSION(major, minor, micro);

    for (const struct range *range = fault ? fault->ranges : NULL; range && range->fixed; range++)
        if (version >= range->from && version < range->fixed)
            return true;
    return false;
}

bool known_fault_refuse(const char *name, const struct qmp *q, const cJSON *despite,
                        struct error *err)
{
    const struct known_fault *fault = find(name);
    unsigned major, minor, micro;

    qmp_version(q, &major, &minor, &micro);
    if (!known_fault_has(name, major, minor, micro) || json_true(despite, name))
        return true;
    return error_set(
        err, ERROR_REFUSED,
        "QEMU %u.%u.%u, which runs the VM, has a fault (%s): %s; %s. --despite %s moves "
        "the VM all the same",
        major, minor, micro, fault->number, fault->what, fault->cure, name);
}
