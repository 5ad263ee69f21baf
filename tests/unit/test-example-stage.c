/* The stage of docs/writing-a-stage.md, in a catalog of our own: does it do what is said there? */
#include "stages/stages.h"
#include "tests/fault/world.h"
#include "tests/unit/helpers.h"

/* Taken from the page by tests/CMakeLists.txt. */
extern const struct stage origin_note;

const struct stage *const stage_catalog[] = {
    &params_copy,      &origin_note, &qemu_defer_start, &drive_mirror,
    &block_ready_wait, &ram_stream,  &incoming_resume,  NULL,
};

const struct stage *stage_find(const char *name)
{
    for (const struct stage *const *stage = stage_catalog; *stage; stage++)
        if (!strcmp((*stage)->name, name))
            return *stage;
    return NULL;
}

/* What the target has written down; "" when there is no such file. */
static const char *note(const struct world *world, char text[256])
{
    char path[256];
    FILE *in;

    snprintf(path, sizeof(path), "%s/%s/origin", world->state_dir[SIDE_RECV], world->id);
    in = fopen(path, "re");
    text[in ? fread(text, 1, 255, in) : 0] = '\0';
    if (in)
        fclose(in);
    return text;
}

static void writes_down_where_the_vm_came_from(void **unused)
{
    struct world world;
    struct result result;
    char text[256] = "";
    (void)unused;

    world_init(&world);
    world_send(&world, &result);
    world_join(&world);
    assert_int_equal(result.outcome, OUTCOME_DONE);
    assert_string_equal(note(&world, text), "demo,disk-size=64K,ram=64K, on machine machine-0\n");
    world_done(&world);
}

static void refuses_a_name_of_two_lines(void **unused)
{
    struct world world;
    struct result result;
    (void)unused;

    world_init(&world);
    world.vm = "de\nmo,disk-size=64K,ram=64K";
    world_send(&world, &result);
    assert_int_equal(result.outcome, OUTCOME_REFUSED);
    assert_string_equal(result.stage, "origin-note");
    assert_string_equal(result.error.text, "the VM's name has more than one line");
    world_done(&world);
}

static void fail_at(const char *point, enum outcome expected)
{
    struct world world;
    struct result result;
    char text[256] = "";

    world_init(&world);
    assert_true(fault_parse(point, &world.options.fault, NULL));
    world_send(&world, &result);
    world_join(&world);
    assert_int_equal(result.outcome, expected);
    assert_string_equal(note(&world, text), "");
    world_done(&world);
}

static void leaves_nothing_when_it_fails(void **unused)
{
    (void)unused;

    fail_at("origin-note:check:send", OUTCOME_REFUSED);
    fail_at("origin-note:check:recv", OUTCOME_REFUSED);
    fail_at("origin-note:begin:send", OUTCOME_ROLLED_BACK);
    fail_at("origin-note:begin:recv", OUTCOME_ROLLED_BACK);
    fail_at("origin-note:end:send", OUTCOME_ROLLED_BACK);
    fail_at("origin-note:end:recv", OUTCOME_ROLLED_BACK);
    fail_at("origin-note:begin:recv:lose", OUTCOME_ROLLED_BACK);
}

static void leaves_nothing_when_a_later_stage_fails(void **unused)
{
    (void)unused;

    fail_at("ram-stream:end:recv", OUTCOME_ROLLED_BACK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_down_where_the_vm_came_from),
        cmocka_unit_test(refuses_a_name_of_two_lines),
        cmocka_unit_test(leaves_nothing_when_it_fails),
        cmocka_unit_test(leaves_nothing_when_a_later_stage_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
