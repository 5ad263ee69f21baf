/* Errors: what is said, in which order, and that a text that did not fit says so. */
#include "core/secrets.h"
#include "tests/unit/helpers.h"
#include "xmig/error.h"
#include "xmig/json.h"

#include <errno.h>

/* As long as a text can be, and one byte more. */
static char full[ERROR_TEXT_MAX];
static char over[ERROR_TEXT_MAX + 1];

static int fill(void **unused)
{
    (void)unused;
    memset(full, 'x', sizeof(full) - 1);
    memset(over, 'x', sizeof(over) - 1);
    return 0;
}

static const char *end_of(const struct error *err)
{
    return err->text + strlen(err->text) - 3;
}

static void says_what_failed_and_of_which_kind(void **unused)
{
    struct error err = { 0 };
    (void)unused;

    assert_false(error_set(&err, ERROR_REFUSED, "disk '%s' has %d bytes", "hda", 7));
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_string_equal(err.text, "disk 'hda' has 7 bytes");
}

static void says_why_in_the_systems_words(void **unused)
{
    struct error err = { 0 };
    (void)unused;

    errno = ENOSPC;
    error_set(&err, ERROR_SYSTEM, "cannot write '%s': %m", "image");
    assert_string_equal(err.text, "cannot write 'image': No space left on device");
}

static void puts_a_prefix_before_the_text_and_leaves_the_kind(void **unused)
{
    struct error err = { 0 };
    (void)unused;

    error_set(&err, ERROR_SYSTEM, "no room");
    assert_false(error_prefix(&err, "disk %s", "hda"));
    assert_false(error_prefix(&err, "drive-mirror"));
    assert_int_equal(err.kind, ERROR_SYSTEM);
    assert_string_equal(err.text, "drive-mirror: disk hda: no room");
}

static void takes_its_own_text_as_a_prefix(void **unused)
{
    struct error err = { 0 };
    (void)unused;

    error_set(&err, ERROR_SYSTEM, "twice");
    error_prefix(&err, "%s", err.text);
    assert_string_equal(err.text, "twice: twice");
}

static void may_be_of_no_interest(void **unused)
{
    (void)unused;

    assert_false(error_set(NULL, ERROR_SYSTEM, "nobody asked"));
    assert_false(error_prefix(NULL, "nobody"));
}

static void leaves_a_text_alone_that_just_fits(void **unused)
{
    struct error err = { 0 };
    (void)unused;

    error_set(&err, ERROR_SYSTEM, "%s", full);
    assert_string_equal(err.text, full);
    error_set(&err, ERROR_SYSTEM, "%s", full + 3);
    error_prefix(&err, "p");
    assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
    assert_string_equal(end_of(&err), "xxx");
}

static void marks_a_text_that_did_not_fit(void **unused)
{
    struct error err = { 0 };
    (void)unused;

    error_set(&err, ERROR_SYSTEM, "%s", over);
    assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
    assert_string_equal(end_of(&err), "...");
}

static void marks_a_text_that_does_not_fit_after_its_prefix(void **unused)
{
    struct error err = { 0 };
    (void)unused;

    error_set(&err, ERROR_SYSTEM, "%s", full + 2);
    error_prefix(&err, "p");
    assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
    assert_string_equal(end_of(&err), "...");
}

static void marks_a_prefix_that_leaves_no_room_for_the_text(void **unused)
{
    const char *const prefixes[] = { full, over };
    (void)unused;

    for (size_t i = 0; i < 2; i++) {
        struct error err = { 0 };

        error_set(&err, ERROR_SYSTEM, "lost");
        error_prefix(&err, "%s", prefixes[i]);
        assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
        assert_string_equal(end_of(&err), "...");
    }
}

/* It becomes part of JSON, whose readers refuse half a character. */
static void never_cuts_a_character_in_two(void **unused)
{
    (void)unused;

    for (size_t shift = 0; shift < 3; shift++) {
        struct error err = { 0 };
        char text[2 * ERROR_TEXT_MAX] = "";

        memset(text, 'x', shift);
        while (strlen(text) < ERROR_TEXT_MAX)
            strcat(text, "€");
        error_set(&err, ERROR_SYSTEM, "%s", text);
        assert_string_equal(end_of(&err), "...");
        assert_memory_equal(end_of(&err) - 3, "€", 3);
    }
}

static void is_forgotten_when_dealt_with(void **unused)
{
    struct error err = { .kind = ERROR_LOST, .text = "gone" };
    (void)unused;

    error_clear(&err);
    assert_int_equal(err.kind, ERROR_NONE);
    assert_string_equal(err.text, "");
}

static bool refuse(struct error *err, const char *text)
{
    return error_set(err, ERROR_REFUSED, "%s", text);
}

static void ends_at_a_refusal_that_nobody_collects(void **unused)
{
    struct error err = { 0 };
    (void)unused;

    assert_true(error_goes_on(&err, true));
    assert_false(error_goes_on(&err, refuse(&err, "no room")));
    assert_string_equal(err.text, "no room");
    assert_false(error_goes_on(NULL, false));
}

static void collects_refusals_and_says_them_together(void **unused)
{
    AUTO_JSON cJSON *refusals = must(cJSON_CreateArray());
    struct error err = { .refusals = refusals };
    (void)unused;

    assert_true(error_goes_on(&err, refuse(&err, "no room")));
    assert_int_equal(err.kind, ERROR_NONE);
    assert_true(error_goes_on(&err, refuse(&err, "no name")));
    assert_int_equal(error_aside(&err), 2);
    assert_false(error_join(&err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_string_equal(err.text, "no room; no name");
}

/* That the machine fails is no answer to whether the VM may come. */
static void does_not_collect_a_failure(void **unused)
{
    AUTO_JSON cJSON *refusals = must(cJSON_CreateArray());
    struct error err = { .refusals = refusals };
    (void)unused;

    assert_false(error_goes_on(&err, error_set(&err, ERROR_SYSTEM, "no memory")));
    assert_int_equal(error_aside(&err), 0);
    assert_string_equal(err.text, "no memory");
}

static void takes_a_refusal_back_that_nothing_can_follow(void **unused)
{
    AUTO_JSON cJSON *refusals = must(cJSON_CreateArray());
    struct error err = { .refusals = refusals };
    int before;
    (void)unused;

    error_goes_on(&err, refuse(&err, "first"));
    before = error_aside(&err);
    assert_true(error_none_since(&err, before));
    error_goes_on(&err, refuse(&err, "second"));
    assert_false(error_none_since(&err, before));
    assert_string_equal(err.text, "second");
    assert_int_equal(error_aside(&err), before);
}

static void has_a_name_for_every_kind_and_knows_it_again(void **unused)
{
    (void)unused;

    for (int kind = ERROR_NONE; kind <= ERROR_USAGE; kind++)
        assert_int_equal(error_kind_from_name(error_kind_name((enum error_kind)kind)), kind);
}

static void calls_the_limit_of_a_move_a_timeout(void **unused)
{
    (void)unused;
    assert_string_equal(error_kind_name(ERROR_LIMIT), "timeout");
}

static void takes_a_newer_peers_kind_for_its_own_affair(void **unused)
{
    (void)unused;

    assert_int_equal(error_kind_from_name("eclipse"), ERROR_PEER);
    assert_int_equal(error_kind_from_name(NULL), ERROR_PEER);
}

/* A peer's first bytes, a file's name: they travel in JSON, which a strict reader refuses. */
static void is_utf8_whatever_it_is_made_of(void **unused)
{
    struct error err = { 0 };
    (void)unused;

    error_set(&err, ERROR_PROTOCOL, "not JSON: '%s'", "\xc3(\xe2\x82 \xc3\xa4 \xf0");
    assert_string_equal(err.text, "not JSON: '\\xc3(\\xe2\\x82 \xc3\xa4 \\xf0'");
}

static void tells_no_secret(void **unused)
{
    static const char *const names[] = { "data", "password", "key", NULL };
    static const struct {
        const char *text, *told;
    } cases[] = {
        { "a VM with '-object secret,id=s,data=top secret' cannot be moved",
          "a VM with '-object secret,id=s,data=***' cannot be moved" },
        /* what a program says of it, and its value may be any text */
        { "-object secret,id=s,data=abc: Invalid parameter 'x'",
          "-object secret,id=s,data=***: Invalid parameter 'x'" },
        { "-object secret,data=abc: Could not open '/x': No such file, or so",
          "-object secret,data=***: Could not open '/x': No such file, or so" },
        { "-object secret,id=s,data=a: b: no", "-object secret,id=s,data=***: no" },
        { "'-object secret,data=a: b,id=s' is refused",
          "'-object secret,data=***,id=s' is refused" },
        { "QEMU's last words: 'data=a: b'", "QEMU's last words: 'data=***'" },
        { "QEMU's last words: '-object secret,data=***: no'", NULL },
        { "-object secret,data=a,,b,id=s: no", "-object secret,data=***,id=s: no" },
        { "-spice port=1,password=it's,addr=::1", "-spice port=1,password=***,addr=::1" },
        { "{\"qom-type\":\"secret\",\"data\": \"a\\\"b\",\"id\":\"s\"}",
          "{\"qom-type\":\"secret\",\"data\": \"***\",\"id\":\"s\"}" },
        { "{'qom-type':'secret','data':'a\\'b','id':'s'}",
          "{'qom-type':'secret','data':'***','id':'s'}" },
        { "'json:{\\\"password\\\": \\\"x\\\"}'", "'json:{\\\"password\\\": \\\"***\\\"}'" },
        { "cannot open 'https://joe:pass@example.org/d.iso': no",
          "cannot open 'https://***@example.org/d.iso': no" },
        { "rbd:pool/image:id=admin:key=AQB:mon_host=a",
          "rbd:pool/image:id=admin:key=***:mon_host=a" },
        { "-object tls-creds-psk,data=,id=x", "-object tls-creds-psk,data=,id=x" },
        /* what is none */
        { "key-secret=s0,password-secret=s1,data-file=x,metadata=y", NULL },
        { "drive-mirror: vda: 'ssh://example.org/a@b' and a@b: 5://", NULL },
        { "destination 'ssh://root@beta:22': no", NULL },
        { "the data: all of it", NULL },
        { "", NULL },
    };
    (void)unused;

    secrets_are_called(names);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = { 0 };

        error_set(&err, ERROR_SYSTEM, "%s", cases[i].text);
        assert_string_equal(err.text, cases[i].told ? cases[i].told : cases[i].text);
        error_prefix(&err, "disk");
        error_append(&err, " (password=%s", "x)");
        assert_says(err.text, "(password=***");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_failed_and_of_which_kind),
        cmocka_unit_test(is_utf8_whatever_it_is_made_of),
        cmocka_unit_test(says_why_in_the_systems_words),
        cmocka_unit_test(puts_a_prefix_before_the_text_and_leaves_the_kind),
        cmocka_unit_test(takes_its_own_text_as_a_prefix),
        cmocka_unit_test(may_be_of_no_interest),
        cmocka_unit_test(leaves_a_text_alone_that_just_fits),
        cmocka_unit_test(marks_a_text_that_did_not_fit),
        cmocka_unit_test(marks_a_text_that_does_not_fit_after_its_prefix),
        cmocka_unit_test(marks_a_prefix_that_leaves_no_room_for_the_text),
        cmocka_unit_test(never_cuts_a_character_in_two),
        cmocka_unit_test(is_forgotten_when_dealt_with),
        cmocka_unit_test(ends_at_a_refusal_that_nobody_collects),
        cmocka_unit_test(collects_refusals_and_says_them_together),
        cmocka_unit_test(does_not_collect_a_failure),
        cmocka_unit_test(takes_a_refusal_back_that_nothing_can_follow),
        cmocka_unit_test(has_a_name_for_every_kind_and_knows_it_again),
        cmocka_unit_test(calls_the_limit_of_a_move_a_timeout),
        cmocka_unit_test(takes_a_newer_peers_kind_for_its_own_affair),
        cmocka_unit_test(tells_no_secret),
    };

    return cmocka_run_group_tests(tests, fill, NULL);
}
