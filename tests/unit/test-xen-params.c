/* What a domain tells its copy: this very JSON, and nothing that would harm the target. */
#include "host/xen/ground/disk-nodes.h"
#include "host/xen/params.h"
#include "tests/unit/helpers.h"

#define WHOLE                                                                                      \
    "{\"name\":\"web2\",\"memory\":134217728,"                                                     \
    "\"disks\":[{\"name\":\"hda\",\"size\":4096,\"allocated\":512,\"source\":\"/s\","              \
    "\"image\":\"/dev/vg/web\",\"format\":\"raw\",\"options\":{},\"overwrite\":true,"              \
    "\"mode\":432,\"uid\":0,\"gid\":6,\"user\":\"root\",\"group\":\"disk\"}],"                     \
    "\"xen\":{\"machine\":\"pc-i440fx-7.2\",\"program\":\"/q\",\"program_chosen\":false,"          \
    "\"qemu_major\":7,\"qemu_minor\":2,\"program_size\":5,\"program_time\":6,"                     \
    "\"words\":[\"-xen-domid\",\"@DOMID@\"],\"needs\":[\"/k\"],"                                   \
    "\"hashes\":[{\"path\":\"/k\",\"size\":5,\"sha256\":\"ab\"}],\"renamed\":{\"a\":\"b\"},"       \
    "\"domid\":3,\"uuid\":\"01234567-89ab-cdef-0123-456789abcdef\",\"boot\":\"b\","                \
    "\"source_name\":\"web\",\"rtc_timeoffset\":\"\",\"control\":{\"feature-suspend\":\"1\"},"     \
    "\"platform\":{\"acpi\":\"1\"},\"hvmloader\":{},\"config\":{\"b_info\":{\"x\":[1]}},"          \
    "\"devices\":[{\"kind\":\"vbd\",\"id\":\"768\",\"backend\":\"qdisk\","                         \
    "\"backend_keys\":{\"dev\":\"hda\"},\"frontend_keys\":{\"handle\":\"0\"},"                     \
    "\"is_connected\":true}],"                                                                     \
    "\"media\":[{\"name\":\"hdc\",\"id\":\"5632\",\"drive\":\"ide-5632\",\"source\":\"/iso\","     \
    "\"image\":\"\"}],\"memory_target\":1,\"videoram\":2,\"xen_major\":4,\"xen_minor\":17,"        \
    "\"vcpus\":2,\"pages\":32768,\"max_pages\":32769,\"paging_pool\":4096,\"emulation\":1,"        \
    "\"tsc_mode\":0,\"hpet\":1,\"vpt_align\":1,\"timer_mode\":1,\"altp2m\":0,\"hap\":true,"        \
    "\"schedule\":{\"scheduler\":6,\"weight\":256},"                                               \
    "\"cpu_policy\":{\"leaves\":\"00ff\",\"msrs\":\"\"}}}"

static cJSON *parsed(const char *text)
{
    return must(cJSON_Parse(text));
}

static void the_wire_has_what_it_had(void **unused)
{
    AUTO_JSON cJSON *json = parsed(WHOLE);
    AUTO_JSON cJSON *again = NULL;
    struct xen_params params;
    struct error err = { 0 };
    (void)unused;

    assert_ok(xen_params_read(json, &params, &err), &err);
    again = fields_new(xen_fields, &params);
    assert_true(cJSON_Compare(json, again, true));
}

/* Reads WHOLE with the member `name` of "xen" being `value`; NULL: without it. */
static void is_refused(const char *name, const char *value, const char *why)
{
    AUTO_JSON cJSON *json = parsed(WHOLE);
    cJSON *xen = cJSON_GetObjectItemCaseSensitive(json, "xen");
    struct xen_params params;
    struct error err = { 0 };

    assert_true(cJSON_HasObjectItem(xen, name));
    cJSON_DeleteItemFromObjectCaseSensitive(xen, name);
    if (value)
        cJSON_AddItemToObject(xen, name, parsed(value));
    if (xen_params_read(json, &params, &err))
        fail_msg("%s: %s was taken", name, value ? value : "nothing");
    assert_int_equal(err.kind, ERROR_PROTOCOL);
    assert_string_equal(err.text, why);
}

static void refuses_what_would_harm_the_target(void **unused)
{
    (void)unused;
    is_refused("vcpus", "4294967298", "xen: 'vcpus' is 4294967298, and may be 1024 at most");
    is_refused("pages", "4503599627370495",
               "xen: 'pages' is 4503599627370495, and may be 1099511627776 at most");
    is_refused("uuid", "\"01234567-89ab\"", "xen: 'uuid' cannot be '01234567-89ab'");
    is_refused("devices",
               "[{\"kind\":\"../vbd\",\"id\":\"1\",\"backend\":\"b\",\"backend_keys\":{},"
               "\"frontend_keys\":{},\"is_connected\":false}]",
               "xen: devices[0]: 'kind' cannot be '../vbd'");
    is_refused("schedule", "{\"weight\":65536}",
               "xen: schedule: 'weight' is 65536, and may be 65535 at most");
    is_refused("cpu_policy", "{\"leaves\":\"0g\",\"msrs\":\"\"}",
               "xen: cpu_policy: 'leaves' cannot be '0g'");
    is_refused("control", "{\"a\":1}", "xen: 'control' is not all strings");
}

/* The log and xenstore's nodes of the copy are called after it. */
static void a_domains_name_leads_nowhere(void **unused)
{
    AUTO_JSON cJSON *json = parsed(WHOLE);
    struct xen_params params;
    struct error err = { 0 };
    (void)unused;

    cJSON_ReplaceItemInObjectCaseSensitive(json, "name", cJSON_CreateString("../../tmp/x"));
    assert_false(xen_params_read(json, &params, &err));
    assert_string_equal(err.text, "'name' cannot be '../../tmp/x'");
}

static void refuses_parameters_without_what_every_source_says(void **unused)
{
    static const char *const names[] = { "words", "hvmloader", "config", "hap", "cpu_policy" };
    (void)unused;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char why[64];

        snprintf(why, sizeof(why), "xen: '%s' is missing", names[i]);
        is_refused(names[i], NULL, why);
    }
}

static void a_scheduler_need_not_tell_of_its_shares(void **unused)
{
    AUTO_JSON cJSON *json = parsed(WHOLE);
    cJSON *xen = cJSON_GetObjectItemCaseSensitive(json, "xen");
    struct xen_params params;
    struct error err = { 0 };
    (void)unused;

    cJSON_ReplaceItemInObjectCaseSensitive(xen, "schedule", cJSON_CreateObject());
    assert_ok(xen_params_read(json, &params, &err), &err);
    assert_true(params.xen.schedule.scheduler == XEN_SCHEDULER_UNKNOWN);
    assert_int_equal(params.xen.schedule.weight, 0);
}

/* A name that no reader takes must not get into the parameters. */
static void a_disk_is_called_by_a_name(void **unused)
{
    static const char *const names[] = { "{}", "{\"dev\":\"\"}", "{\"dev\":\"a/b\"}",
                                         "{\"dev\":\"?\"}" };
    AUTO_JSON cJSON *good = parsed("{\"dev\":\"xvda\"}");
    struct error err = { 0 };
    (void)unused;

    assert_string_equal(disk_node_name(good, &err), "xvda");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        AUTO_JSON cJSON *keys = parsed(names[i]);

        assert_null(disk_node_name(keys, &err));
        assert_int_equal(err.kind, ERROR_REFUSED);
        assert_says(err.text, "as its name ('dev')");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wire_has_what_it_had),
        cmocka_unit_test(refuses_what_would_harm_the_target),
        cmocka_unit_test(a_domains_name_leads_nowhere),
        cmocka_unit_test(refuses_parameters_without_what_every_source_says),
        cmocka_unit_test(a_scheduler_need_not_tell_of_its_shares),
        cmocka_unit_test(a_disk_is_called_by_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
