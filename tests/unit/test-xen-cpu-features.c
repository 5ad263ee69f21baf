/* May a guest come to these processors? */
#include "host/xen/ground/cpu-features.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

enum {
    MAKER,
    BASIC,
    XSTATE,
    EXTENDED,
    LATER,
    LEAVES
};

enum {
    SSE3 = 1u << 0,          /* of BASIC's ecx */
    HYPERVISOR = 1u << 31,   /* … */
    HTT = 1u << 28,          /* of its edx */
    FPU = 1u << 0,           /* … */
    XSAVEOPT = 1u << 0,      /* of XSTATE's eax */
    AVX2 = 1u << 5,          /* of EXTENDED's ebx */
    FDP_EXCP_ONLY = 1u << 6, /* … */
    AVX_VNNI = 1u << 4       /* of LATER's eax */
};

struct processor {
    xen_cpuid_leaf_t leaf[LEAVES];
};

static struct processor plain(void)
{
    return (struct processor){ {
        [MAKER] = { 0, XEN_CPUID_NO_SUBLEAF, 7, 0x68747541, 0x444d4163, 0x69746e65 },
        [BASIC] = { 1, XEN_CPUID_NO_SUBLEAF, 0, 0, HYPERVISOR, FPU | HTT },
        [XSTATE] = { 0xd, 1, 0, 0, 0, 0 },
        [EXTENDED] = { 7, 0, 0, 0, 0, 0 },
        [LATER] = { 7, 1, 0, 0, 0, 0 },
    } };
}

static struct cpu_leaves leaves_of(const struct processor *processor)
{
    return (struct cpu_leaves){ processor->leaf, LEAVES };
}

static void fits(const struct processor *guest, const struct processor *host)
{
    struct error err = { 0 };

    assert_true(cpu_features_fit(leaves_of(guest), leaves_of(host), &err));
}

static void is_refused(const struct processor *guest, const struct processor *host,
                       const char *words)
{
    struct error err = { 0 };

    assert_false(cpu_features_fit(leaves_of(guest), leaves_of(host), &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_non_null(strstr(err.text, words));
}

static void the_same_processor_and_a_better_one_will_do(void **unused)
{
    struct processor guest = plain(), host = plain();

    (void)unused;
    fits(&guest, &host);
    host.leaf[BASIC].c |= SSE3;
    host.leaf[EXTENDED].b |= AVX2;
    fits(&guest, &host);
}

static void what_is_missing_is_named(void **unused)
{
    struct processor guest = plain(), host = plain();

    (void)unused;
    guest.leaf[BASIC].c |= SSE3;
    guest.leaf[XSTATE].a |= XSAVEOPT;
    guest.leaf[EXTENDED].b |= AVX2;
    is_refused(&guest, &host, "at the source: SSE3, XSAVEOPT, AVX2 (");
    host.leaf[BASIC].c |= SSE3;
    host.leaf[XSTATE].a |= XSAVEOPT;
    is_refused(&guest, &host, "at the source: AVX2 (");
}

static void a_subleaf_is_not_taken_for_another(void **unused)
{
    struct processor guest = plain(), host = plain();

    (void)unused;
    guest.leaf[LATER].a |= AVX_VNNI;
    host.leaf[EXTENDED].a |= AVX_VNNI;
    is_refused(&guest, &host, "at the source: AVX_VNNI (");
    host.leaf[LATER].a |= AVX_VNNI;
    fits(&guest, &host);
}

static void a_leaf_that_the_host_lacks_has_nothing(void **unused)
{
    struct processor guest = plain(), host = plain();
    struct error err = { 0 };

    (void)unused;
    guest.leaf[EXTENDED].b |= AVX2;
    assert_false(
        cpu_features_fit(leaves_of(&guest), (struct cpu_leaves){ host.leaf, EXTENDED }, &err));
    assert_non_null(strstr(err.text, "AVX2"));
}

static void what_is_not_the_processors_is_nobodys_loss(void **unused)
{
    struct processor guest = plain(), host = plain();

    (void)unused;
    guest.leaf[EXTENDED].b |= FDP_EXCP_ONLY;
    host.leaf[BASIC].c = 0;
    host.leaf[BASIC].d = FPU;
    fits(&guest, &host);
}

static void of_many_the_first_are_named(void **unused)
{
    struct processor guest = plain(), host = plain();

    (void)unused;
    memset(&guest.leaf[EXTENDED].a, 0xff, 4 * sizeof(uint32_t));
    guest.leaf[BASIC].c = guest.leaf[BASIC].d = UINT32_MAX;
    is_refused(&guest, &host, "at the source: VME, DE, ");
    is_refused(&guest, &host, ", ... (");
}

static void another_maker_is_refused(void **unused)
{
    struct processor guest = plain(), host = plain();

    (void)unused;
    host.leaf[MAKER].b = 0x756e6547;
    is_refused(&guest, &host, "another maker");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_processor_and_a_better_one_will_do),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(a_subleaf_is_not_taken_for_another),
        cmocka_unit_test(a_leaf_that_the_host_lacks_has_nothing),
        cmocka_unit_test(what_is_not_the_processors_is_nobodys_loss),
        cmocka_unit_test(of_many_the_first_are_named),
        cmocka_unit_test(another_maker_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
