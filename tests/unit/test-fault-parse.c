/* What --fault understands, and what it refuses rather than never striking. */
#include "xmig/fault.h"
#include "xmig/record.h"

#include "tests/unit/helpers.h"
#include "xmig/stage.h"

static void assert_refused(const char *text, const char *why)
{
    struct fault fault = { 0 };
    struct error err = { 0 };

    if (fault_parse(text, &fault, &err))
        fail_msg("'%s' was accepted", text);
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_says(err.text, why);
    assert_string_equal(fault.point, "");
}

static void understands_a_stages_phases(void **unused)
{
    const struct {
        const char *text;
        struct fault fault;
    } cases[] = {
        { "params-copy:check:recv", { "params-copy", FAULT_CHECK, SIDE_RECV, FAULT_FAIL } },
        { "drive-mirror:begin:send:fail", { "drive-mirror", FAULT_BEGIN, SIDE_SEND, FAULT_FAIL } },
        { "ram-stream:end:send:lose", { "ram-stream", FAULT_END, SIDE_SEND, FAULT_LOSE } },
        { "ram-stream:undo:recv:crash", { "ram-stream", FAULT_UNDO, SIDE_RECV, FAULT_CRASH } },
        { "incoming-resume:finish:send:stop",
          { "incoming-resume", FAULT_FINISH, SIDE_SEND, FAULT_STOP } },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fault fault = { 0 };
        struct error err = { 0 };

        assert_ok(fault_parse(cases[i].text, &fault, &err), &err);
        assert_string_equal(fault.point, cases[i].fault.point);
        assert_int_equal(fault.phase, cases[i].fault.phase);
        assert_int_equal(fault.side, cases[i].fault.side);
        assert_int_equal(fault.how, cases[i].fault.how);
    }
}

static void understands_before_and_after_a_record(void **unused)
{
    struct fault fault = { 0 };
    (void)unused;

    assert_true(fault_parse("COMMIT:before:send:crash", &fault, NULL));
    assert_string_equal(fault.point, "COMMIT");
    assert_int_equal(fault.phase, FAULT_BEFORE);
    assert_true(fault_parse("PREPARED:after:recv", &fault, NULL));
    assert_int_equal(fault.phase, FAULT_AFTER);
}

/* It travels to the receiver in this form. */
static void understands_everything_that_it_prints(void **unused)
{
    (void)unused;

    for (const struct stage *const *stage = stage_catalog; *stage; stage++) {
        for (int phase = FAULT_CHECK; phase <= FAULT_FINISH; phase++) {
            struct fault fault = { "", (enum fault_phase)phase, SIDE_RECV, FAULT_LOSE };
            struct fault again = { 0 };
            AUTO_FREE char *text = NULL;

            strcpy(fault.point, (*stage)->name);
            text = fault_print(&fault);
            assert_true(fault_parse(text, &again, NULL));
            assert_memory_equal(again.point, fault.point, strlen(fault.point) + 1);
            assert_int_equal(again.phase, fault.phase);
            assert_int_equal(again.side, fault.side);
            assert_int_equal(again.how, fault.how);
        }
    }
}

static void prints_all_four_parts(void **unused)
{
    const struct fault fault = { "ram-stream", FAULT_BEGIN, SIDE_SEND, FAULT_FAIL };
    AUTO_FREE char *text = fault_print(&fault);
    (void)unused;

    assert_string_equal(text, "ram-stream:begin:send:fail");
}

static void refuses_what_has_not_the_form(void **unused)
{
    const char *const cases[] = { "",
                                  ":",
                                  "ram-stream",
                                  "ram-stream:begin",
                                  "ram-stream:middle:send",
                                  "ram-stream:begin:both",
                                  "ram-stream:begin:send:melt",
                                  "ram-stream:begin:send:fail:twice",
                                  "ram-stream:begin:send:",
                                  "ram-stream:begin:",
                                  " ram-stream:begin :send" };
    (void)unused;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refused(cases[i], "is not STAGE:");
}

static void refuses_a_point_that_does_not_exist(void **unused)
{
    (void)unused;

    assert_refused("warp-drive:begin:send", "'warp-drive' is no stage or record");
    assert_refused(":begin:send", "is no stage or record");
    assert_refused("none:before:send", "is no stage or record");
    assert_refused("a-name-that-is-longer-than-any-stages-name:begin:send",
                   "is no stage or record");
}

static void refuses_a_phase_that_the_point_does_not_have(void **unused)
{
    (void)unused;

    assert_refused("COMMIT:begin:send", "'COMMIT' is no stage or record with a phase 'begin'");
    assert_refused("ram-stream:before:send",
                   "'ram-stream' is no stage or record with a phase 'before'");
}

static void refuses_a_record_that_the_side_never_writes(void **unused)
{
    struct fault fault = { 0 };
    (void)unused;

    assert_refused("COMMIT:before:recv", "'recv' never writes COMMIT");
    assert_refused("OWNED:after:send", "'send' never writes OWNED");
    assert_refused("NOTE:after:send", "'send' never writes NOTE");
    assert_true(fault_parse("BEGIN:before:recv", &fault, NULL));
    assert_true(fault_parse("WORD:after:send", &fault, NULL));
    assert_true(fault_parse("WORD:after:recv", &fault, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(understands_a_stages_phases),
        cmocka_unit_test(understands_before_and_after_a_record),
        cmocka_unit_test(understands_everything_that_it_prints),
        cmocka_unit_test(prints_all_four_parts),
        cmocka_unit_test(refuses_what_has_not_the_form),
        cmocka_unit_test(refuses_a_point_that_does_not_exist),
        cmocka_unit_test(refuses_a_phase_that_the_point_does_not_have),
        cmocka_unit_test(refuses_a_record_that_the_side_never_writes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
