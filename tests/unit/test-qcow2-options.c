/* With what another host may have a qcow2 image made, and with what not. */
#include "host/images/qcow2-options.h"

#include "tests/unit/helpers.h"

static void takes_what_a_source_says(void **unused)
{
    AUTO_JSON cJSON *options = must(cJSON_Parse(
        "{\"cluster_size\":\"2097152\",\"compat\":\"0.10\",\"lazy_refcounts\":\"on\","
        "\"extended_l2\":\"off\",\"compression_type\":\"zstd\",\"refcount_bits\":\"64\"}"));
    struct error err = { 0 };
    AUTO_FREE char *text = NULL;
    (void)unused;

    assert_ok(qcow2_options_check(options, &err), &err);
    text = qcow2_options_print(options);
    assert_string_equal(text, "compat=1.1,cluster_size=2097152,compat=0.10,lazy_refcounts=on,"
                              "extended_l2=off,compression_type=zstd,refcount_bits=64");
}

static void takes_none(void **unused)
{
    AUTO_FREE char *text = qcow2_options_print(NULL);
    (void)unused;

    assert_true(qcow2_options_check(NULL, NULL));
    assert_string_equal(text, "compat=1.1");
}

static void refuses_everything_else(void **unused)
{
    const char *const cases[] = {
        "{\"backing_file\":\"shadow\"}",
        "{\"data_file\":\"shadow\"}",
        "{\"backing_fmt\":\"raw\"}",
        "{\"encryption\":\"on\"}",
        "{\"encrypt.format\":\"luks\"}",
        "{\"preallocation\":\"full\"}",
        "{\"data_file_raw\":\"on\"}",
        "{\"size\":\"1\"}",
        "{\"cluster_size\":\"65536,backing_file=x\"}",
        "{\"cluster_size\":\"1\"}",
        "{\"cluster_size\":65536}",
        "{\"compat\":\"\"}",
        "{\"lazy_refcounts\":null}",
        "{\"compression_type\":\"zlib,data_file=x\"}",
        "{\"extended_l2\":{\"a\":\"on\"}}",
        "[\"cluster_size\"]",
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_JSON cJSON *options = must(cJSON_Parse(cases[i]));
        AUTO_FREE char *text = qcow2_options_print(options);
        struct error err = { 0 };

        if (qcow2_options_check(options, &err))
            fail_msg("%s was accepted", cases[i]);
        assert_int_equal(err.kind, ERROR_REFUSED);
        assert_string_equal(text, "compat=1.1");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_a_source_says),
        cmocka_unit_test(takes_none),
        cmocka_unit_test(refuses_everything_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
