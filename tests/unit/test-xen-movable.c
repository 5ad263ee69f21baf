/* What of Xen's domains cannot be moved, and what is said of it. */
#include "host/xen/guest/movable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "xmig/cleanup.h"

/* A running HVM guest with nothing special. */
static void set_up(struct domain_facts *facts, xc_domaininfo_t *info)
{
    *info = (xc_domaininfo_t){ .flags = XEN_DOMINF_hvm_guest | XEN_DOMINF_running };
    *facts = (struct domain_facts){ .type = "hvm", .model = "qemu_xen", .info = info };
}

static void is_refused(const struct domain_facts *facts, const char *because)
{
    struct error err = { 0 };

    assert_false(check_movable(facts, &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    if (!strstr(err.text, because))
        fail_msg("'%s' does not tell of '%s'", err.text, because);
}

static void with_config(const char *text, const char *because)
{
    struct domain_facts facts;
    xc_domaininfo_t info;
    AUTO_JSON cJSON *config = cJSON_Parse(text);

    set_up(&facts, &info);
    assert_non_null(config);
    facts.config = config;
    is_refused(&facts, because);
}

static void with_flags(uint32_t flags, const char *because)
{
    struct domain_facts facts;
    xc_domaininfo_t info;

    set_up(&facts, &info);
    info.flags |= flags;
    is_refused(&facts, because);
}

static void an_ordinary_hvm_guest_may_go(void **unused)
{
    struct domain_facts facts;
    xc_domaininfo_t info;
    struct error err = { 0 };
    AUTO_JSON cJSON *config =
        cJSON_Parse("{\"b_info\":{\"type.hvm\":{\"vnc\":{\"enable\":\"True\"},"
                    "\"spice\":{},\"sdl\":{}}},\"disks\":[{}],\"nics\":[{}],\"vkbs\":[{}]}");

    (void)unused;
    set_up(&facts, &info);
    facts.config = config;
    assert_true(check_movable(&facts, &err));
}

static void a_pvh_guest_may_go(void **unused)
{
    struct domain_facts facts;
    xc_domaininfo_t info;
    struct error err = { 0 };
    AUTO_JSON cJSON *config =
        cJSON_Parse("{\"c_info\":{\"type\":\"pvh\"},\"b_info\":{\"kernel\":\"/k\","
                    "\"type.pvh\":{}},\"disks\":[{}],\"nics\":[{}]}");

    (void)unused;
    set_up(&facts, &info);
    facts.type = "pvh";
    facts.config = config;
    assert_true(check_movable(&facts, &err));
    facts.type = "hvm";
    is_refused(&facts, "'hvm' in xenstore");
}

static void other_kinds_of_guests_are_refused(void **unused)
{
    struct domain_facts facts;
    xc_domaininfo_t info;

    (void)unused;
    set_up(&facts, &info);
    facts.type = "pv";
    info.flags = 0;
    is_refused(&facts, "a PV guest");
    set_up(&facts, &info);
    facts.type = NULL;
    is_refused(&facts, "not made by libxl");
    set_up(&facts, &info);
    facts.model = "qemu_xen_traditional";
    is_refused(&facts, "qemu_xen_traditional");
    set_up(&facts, &info);
    facts.has_stub = true;
    is_refused(&facts, "stubdomain");
}

static void a_guest_that_does_not_run_is_refused(void **unused)
{
    struct domain_facts facts;
    xc_domaininfo_t info;

    (void)unused;
    with_flags(XEN_DOMINF_paused, "it is paused");
    with_flags(XEN_DOMINF_dying, "being destroyed");
    with_flags(XEN_DOMINF_shutdown | SHUTDOWN_suspend << XEN_DOMINF_shutdownshift,
               "it is suspended");
    with_flags(XEN_DOMINF_shutdown | SHUTDOWN_crash << XEN_DOMINF_shutdownshift,
               "has been shut down");
    set_up(&facts, &info);
    facts.sleep_state = 3;
    is_refused(&facts, "S3");
}

static void memory_that_is_not_its_own_is_refused(void **unused)
{
    struct domain_facts facts;
    xc_domaininfo_t info;

    (void)unused;
    set_up(&facts, &info);
    info.shr_pages = 1;
    is_refused(&facts, "sharing or paging");
    set_up(&facts, &info);
    info.paged_pages = 1;
    is_refused(&facts, "sharing or paging");
    set_up(&facts, &info);
    info.cpupool = 2;
    is_refused(&facts, "CPU pool 2");
}

static void a_configuration_of_another_kind_is_refused(void **unused)
{
    AUTO_JSON cJSON *pv = cJSON_Parse("{\"c_info\":{\"type\":\"pv\"}}");
    AUTO_JSON cJSON *shim = cJSON_Parse(
        "{\"c_info\":{\"type\":\"pvh\"},\"b_info\":{\"type.pvh\":{\"pvshim\":\"True\"}}}");
    struct error err = { 0 };

    (void)unused;
    assert_false(check_movable_config(pv, &err));
    assert_non_null(strstr(err.text, "'pv'"));
    assert_false(check_movable_config(shim, &err));
    assert_non_null(strstr(err.text, "pvshim"));
}

static void devices_of_the_host_are_refused(void **unused)
{
    (void)unused;
    with_config("{\"pcidevs\":[{}]}", "a PCI device");
    with_config("{\"usbdevs\":[{}]}", "a USB device");
    with_config("{\"usbctrls\":[{}]}", "a USB controller");
    with_config("{\"vtpms\":[{}]}", "a virtual TPM");
    with_config("{\"p9\":[{}]}", "9pfs");
    with_config("{\"channels\":[{}]}", "a channel");
}

static void state_that_cannot_be_saved_is_refused(void **unused)
{
    (void)unused;
    with_config("{\"b_info\":{\"nested_hvm\":\"True\"}}", "nested virtualisation");
    with_config("{\"b_info\":{\"type.hvm\":{\"nested_hvm\":\"True\"}}}", "nested virtualisation");
    with_config("{\"b_info\":{\"altp2m\":\"mixed\"}}", "altp2m");
    with_config("{\"b_info\":{\"vpmu\":\"True\"}}", "vpmu");
    with_config("{\"b_info\":{\"vmtrace_buf_kb\":64}}", "vmtrace");
}

static void what_would_be_lost_on_the_way_is_refused(void **unused)
{
    (void)unused;
    with_config("{\"b_info\":{\"dm_restrict\":\"True\"}}", "dm_restrict");
    with_config("{\"b_info\":{\"type.hvm\":{\"vnc\":{\"passwd\":\"x\"}}}}", "password");
    with_config("{\"b_info\":{\"type.hvm\":{\"spice\":{\"enable\":\"True\"}}}}", "SPICE");
    with_config("{\"b_info\":{\"type.hvm\":{\"sdl\":{\"enable\":\"True\"}}}}", "SDL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ordinary_hvm_guest_may_go),
        cmocka_unit_test(a_pvh_guest_may_go),
        cmocka_unit_test(other_kinds_of_guests_are_refused),
        cmocka_unit_test(a_guest_that_does_not_run_is_refused),
        cmocka_unit_test(memory_that_is_not_its_own_is_refused),
        cmocka_unit_test(a_configuration_of_another_kind_is_refused),
        cmocka_unit_test(devices_of_the_host_are_refused),
        cmocka_unit_test(state_that_cannot_be_saved_is_refused),
        cmocka_unit_test(what_would_be_lost_on_the_way_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
