/* What others have told QEMU of migrations, against a QEMU that is only a script. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "qmp/settings.h"
#include "tests/fake/fake-qemu.h"

#define ONE(NAME, STATE) "{\"capability\": \"" NAME "\", \"state\": " STATE "}"
#define PRESENT                                                                                    \
    "query-migrate-capabilities",                                                                  \
        .reply =                                                                                   \
            "[" ONE("multifd", "true") ", " ONE("events", "false") ", " ONE("xbzrle", "false") "]"

static const char *const wanted[] = { "events", NULL };

typedef bool deed(struct qmp *q, struct error *err);

static bool run_against(const struct exchange *script, deed *act, struct error *err)
{
    struct loop *loop = loop_new();
    struct fake_qemu *fake = fake_qemu_new(loop, script);
    struct qmp *q = qmp_connect(loop, fake_qemu_path(fake), QMP_CONNECT_MS, err);
    bool ok;

    assert_non_null(q);
    ok = act(q, err);
    assert_null(fake_qemu_complaint(fake));
    qmp_free(q);
    fake_qemu_free(fake);
    loop_free(loop);
    return ok;
}

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
    struct error err = { 0 };
    (void)unused;

    assert_true(run_against(script, read_them, &err));
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
    struct error err = { 0 };
    (void)unused;

    assert_true(run_against(script, put_them, &err));
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
    struct error err = { 0 };
    (void)unused;

    assert_true(run_against(script, restore_them, &err));
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
