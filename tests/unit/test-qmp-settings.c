/* What others have told QEMU of migrations, against a QEMU that is only a script. */
#include "qmp/settings.h"

#include "tests/unit/scripted-qmp.h"

#define ONE(NAME, STATE) "{\"capability\": \"" NAME "\", \"state\": " STATE "}"
#define PRESENT                                                                                    \
    "query-migrate-capabilities",                                                                  \
        .reply =                                                                                   \
            "[" ONE("multifd", "true") ", " ONE("events", "false") ", " ONE("xbzrle", "false") "]"

static const char *const wanted[] = { "events", NULL };

static bool read_them(struct qmp *q, struct error *err)
{
    AUTO_JSON cJSON *settings = qmp_settings_read(q, err);
    AUTO_FREE char *text = settings ? json_print(settings) : NULL;

    assert_non_null(text);
    assert_string_equal(text, "{\"capabilities\":[\"multifd\"],\"parameters\":"
                              "{\"tls-creds\":\"x\",\"downtime-limit\":300}}");
    return true;
}

static void reads_what_is_on_and_what_it_will_change(void **unused)
{
    const struct exchange script[] = {
        { PRESENT },
        { "query-migrate-parameters",
          .reply = "{\"tls-creds\": \"x\", \"downtime-limit\": 300, \"multifd-channels\": 8}" },
        { 0 },
    };
    (void)unused;

    succeeds(script, read_them);
}

static bool put_them(struct qmp *q, struct error *err)
{
    AUTO_JSON cJSON *before = cJSON_Parse("{\"parameters\": {\"mode\": \"cpr-reboot\", "
                                          "\"avail-switchover-bandwidth\": 0}}");

    return qmp_settings_put(q, wanted, cJSON_Parse("{\"downtime-limit\": 5}"), before, err);
}

static void puts_on_what_is_needed_and_off_all_else(void **unused)
{
    const struct exchange script[] = {
        { PRESENT },
        { "migrate-set-capabilities", .with = "[{\"capability\":\"events\",\"state\":true},"
                                              "{\"capability\":\"multifd\",\"state\":false}]" },
        { "migrate-set-parameters",
          .with = "{\"downtime-limit\":5,\"tls-creds\":\"\",\"tls-hostname\":\"\",\"mode\":"
                  "\"normal\"}" },
        { 0 },
    };
    (void)unused;

    succeeds(script, put_them);
}

static bool restore_them(struct qmp *q, struct error *err)
{
    AUTO_JSON cJSON *before = cJSON_Parse("{\"capabilities\": [\"xbzrle\"], \"parameters\": "
                                          "{\"tls-creds\": \"x\"}}");

    return qmp_settings_restore(q, before, err);
}

static void puts_all_back_as_it_was(void **unused)
{
    const struct exchange script[] = {
        { PRESENT },
        { "migrate-set-capabilities", .with = "[{\"capability\":\"xbzrle\",\"state\":true},"
                                              "{\"capability\":\"multifd\",\"state\":false}]" },
        { "migrate-set-parameters", .with = "{\"tls-creds\":\"x\"}" },
        { 0 },
    };
    (void)unused;

    succeeds(script, restore_them);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_is_on_and_what_it_will_change),
        cmocka_unit_test(puts_on_what_is_needed_and_off_all_else),
        cmocka_unit_test(puts_all_back_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
