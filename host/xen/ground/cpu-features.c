#include "host/xen/ground/cpu-features.h"

#include <stdio.h>
#include <string.h>

enum {
    NAMED = 12 /* at most this many features are named in a message */
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Xen's own table: "feature 37" is bit 5 of word 1. */
#define XEN_CPUFEATURE(name, number) { #name, number },
static const struct feature {
    const char *name;
    unsigned number;
} features[] = {
#include <xen/arch-x86/cpufeatureset.h>
};
#undef XEN_CPUFEATURE

enum cpu_register {
    EAX,
    EBX,
    ECX,
    EDX
};

/* Where CPUID has the words of that table. The words after these come from an MSR, which Xen
 * compares.
 */
static const struct word {
    uint32_t leaf, subleaf;
    enum cpu_register reg;
} words[] = {
    { 0x00000001, 0, EDX }, { 0x00000001, 0, ECX }, { 0x80000001, 0, EDX }, { 0x80000001, 0, ECX },
    { 0x0000000d, 1, EAX }, { 0x00000007, 0, EBX }, { 0x00000007, 0, ECX }, { 0x80000007, 0, EDX },
    { 0x80000008, 0, EBX }, { 0x00000007, 0, EDX }, { 0x00000007, 1, EAX }, { 0x80000021, 0, EAX },
    { 0x00000007, 1, EBX }, { 0x00000007, 2, EDX }, { 0x00000007, 1, ECX }, { 0x00000007, 1, EDX },
};

/* Features that are no promise: they tell what the guest has switched on, how many processors it
 * has, that it runs on Xen, or that something is missing.
 */
static const char *const others[] = { "APIC",       "HTT",        "OSXSAVE",
                                      "HYPERVISOR", "CMP_LEGACY", "FDP_EXCP_ONLY",
                                      "NO_FPU_SEL", "OSPKE",      "RTM_ALWAYS_ABORT" };

static const xen_cpuid_leaf_t *find(struct cpu_leaves leaves, uint32_t leaf, uint32_t subleaf)
{
    for (uint32_t i = 0; i < leaves.count; i++)
        if (leaves.leaf[i].leaf == leaf &&
            (leaves.leaf[i].subleaf == subleaf || leaves.leaf[i].subleaf == XEN_CPUID_NO_SUBLEAF))
            return &leaves.leaf[i];
    return NULL;
}

static uint32_t value_of(struct cpu_leaves leaves, const struct word *word)
{
    const xen_cpuid_leaf_t *leaf = find(leaves, word->leaf, word->subleaf);

    if (!leaf)
        return 0;
    switch (word->reg) {
    case EAX:
        return leaf->a;
    case EBX:
        return leaf->b;
    case ECX:
        return leaf->c;
    case EDX:
        break;
    }
    return leaf->d;
}

static bool has(struct cpu_leaves leaves, const struct feature *feature)
{
    unsigned word = feature->number / 32;

    return word < COUNT(words) && value_of(leaves, &words[word]) >> feature->number % 32 & 1;
}

static bool is_other(const char *name)
{
    for (size_t i = 0; i < COUNT(others); i++)
        if (!strcmp(name, others[i]))
            return true;
    return false;
}

static bool same_maker(struct cpu_leaves guest, struct cpu_leaves host)
{
    const xen_cpuid_leaf_t *ours = find(host, 0, 0);
    const xen_cpuid_leaf_t *its = find(guest, 0, 0);

    return ours && its && ours->b == its->b && ours->c == its->c && ours->d == its->d;
}

static bool lacks(struct cpu_leaves host, struct cpu_leaves guest, const struct feature *feature)
{
    return has(guest, feature) && !has(host, feature) && !is_other(feature->name);
}

bool cpu_features_fit(struct cpu_leaves guest, struct cpu_leaves host, struct error *err)
{
    char names[NAMED * 24] = "";
    size_t len = 0;
    unsigned missing = 0;

    if (!same_maker(guest, host))
        return error_set(err, ERROR_REFUSED,
                         "the processors at the target are of another maker than the source's");
    for (size_t i = 0; i < COUNT(features); i++)
        if (lacks(host, guest, &features[i]) && ++missing <= NAMED)
            len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", len ? ", " : "",
                                    features[i].name);
    return missing == 0 ||
           error_set(err, ERROR_REFUSED,
                     "the processors at the target lack what the guest was promised at the "
                     "source: %s%s (its 'cpuid' setting can withhold that from it, "
                     "from its next start on)",
                     names, missing > NAMED ? ", ..." : "");
}
