/* The order in which the source's QEMU is told to switch over, against one that is only a
 * script. Every other order loses something.
 */
#include "host/qemu/guest/guest.h"
#include "tests/fake/fake-qemu.h"
#include "tests/unit/helpers.h"
#include "xmig/guest-calls.h"
#include "xmig/hypervisor-calls.h"

#define ID "0123456789abcdef"
#define MIRROR "xmig-01234567-vda"

#define STATUS(STATUS) "{\"event\": \"MIGRATION\", \"data\": {\"status\": \"" STATUS "\"}}"
#define STOPPED "{\"event\": \"STOP\"}"
#define PASS(NUMBER) "{\"event\": \"MIGRATION_PASS\", \"data\": {\"pass\": " NUMBER "}}"
#define JOB(STATUS, REST)                                                                          \
    "[{\"device\": \"" MIRROR "\", \"status\": \"" STATUS "\", \"offset\": 1, \"len\": 1" REST "}" \
    "]"
#define READY JOB("ready", ", \"ready\": true")
#define COMPLETED                                                                                  \
    "{\"event\": \"BLOCK_JOB_COMPLETED\", \"data\": {\"device\": \"" MIRROR "\"}}",                \
        "{\"event\": \"JOB_STATUS_CHANGE\", \"data\": {\"id\": \"" MIRROR                          \
        "\", \"status\": \"concluded\"}}"
#define ACTIVE "{\"status\": \"active\", \"ram\": {\"total\": 9, \"remaining\": 3}}"

struct scene {
    struct loop *loop;
    struct fake_qemu *fake;
    struct qemu_guest *vm;
    bool told_pausing;
    bool may_pause;
    struct error err;
};

static struct scene scene_with(const struct exchange *script, enum ram_mode mode)
{
    struct scene scene = { .loop = loop_new(), .may_pause = true };
    struct vm_context context = {
        .loop = scene.loop,
        .id = ID,
        .runtime_dir = "/nonexistent",
        .options = { .max_downtime_ms = 77, .mirrors_disks = true },
    };

    scene.fake = fake_qemu_new(scene.loop, script);
    scene.vm = qemu_guest_of(hypervisor_guest(&qemu_hypervisor, &context, NULL));
    scene.vm->base.found = true;
    scene.vm->qemu.q = qmp_connect(scene.loop, fake_qemu_path(scene.fake), QMP_CONNECT_MS, NULL);
    assert_non_null(scene.vm->qemu.q);
    scene.vm->ram = mode;
    scene.vm->process.uid = geteuid();
    scene.vm->disks = must(calloc(1, sizeof(struct source_disk)));
    scene.vm->disks[0].params.name = "vda";
    scene.vm->disk_count = 1;
    return scene;
}

static bool about_to_pause(void *arg, struct error *err)
{
    struct scene *scene = arg;

    scene->told_pausing = true;
    return scene->may_pause || error_set(err, ERROR_CANCELLED, "no");
}

static bool ram_is_sent(struct scene *scene)
{
    const struct ram_hooks hooks = { .pausing = about_to_pause, .arg = scene };

    return guest_ram_send(&scene->vm->base, "/ram.sock", &hooks, &scene->err);
}

static void end(struct scene *scene)
{
    assert_null(fake_qemu_complaint(scene->fake));
    guest_free(&scene->vm->base);
    fake_qemu_free(scene->fake);
    loop_free(scene->loop);
}

#define PREPARED                                                                                   \
    { "query-migrate-capabilities", .reply = NULL },                                               \
        { "migrate-set-capabilities", .with = "pause-before-switchover" },                         \
    {                                                                                              \
        "migrate-set-parameters", .reply = NULL                                                    \
    }
#define DRAINED                                                                                    \
    { "query-block-jobs", .reply = READY },                                                        \
        { "block-job-cancel", .with = "\"force\":false", .events = { COMPLETED } },                \
    {                                                                                              \
        "query-block-jobs", .reply = JOB("concluded", "")                                          \
    }

static void drains_the_mirrors_between_the_pause_and_the_rest(void **unused)
{
    const struct exchange script[] = {
        PREPARED,
        { "migrate", .with = "unix:/ram.sock", .events = { STOPPED, STATUS("pre-switchover") } },
        DRAINED,
        { "migrate-continue", .events = { STATUS("device"), STATUS("completed") } },
        { "query-status", .reply = "{\"running\": false, \"status\": \"postmigrate\"}" },
        { 0 },
    };
    struct scene scene = scene_with(script, RAM_LIVE);
    uint64_t before_ms = loop_now_ms();
    (void)unused;

    assert_true(ram_is_sent(&scene));
    assert_true(scene.told_pausing);
    assert_in_range(guest_paused_at(&scene.vm->base), before_ms, loop_now_ms());
    end(&scene);
}

static void does_not_migrate_before_it_may_pause(void **unused)
{
    const struct exchange script[] = { PREPARED, { 0 } };
    struct scene scene = scene_with(script, RAM_LIVE);
    (void)unused;

    scene.may_pause = false;
    assert_false(ram_is_sent(&scene));
    assert_int_equal(scene.err.kind, ERROR_CANCELLED);
    end(&scene);
}

static void does_not_go_on_when_a_mirror_fails_at_the_end(void **unused)
{
    const struct exchange script[] = {
        PREPARED,
        { "migrate", .events = { STOPPED, STATUS("pre-switchover") } },
        { "query-block-jobs", .reply = JOB("concluded", ", \"error\": \"Input/output error\"") },
        { 0 },
    };
    struct scene scene = scene_with(script, RAM_LIVE);
    (void)unused;

    assert_false(ram_is_sent(&scene));
    assert_int_equal(scene.err.kind, ERROR_SYSTEM);
    end(&scene);
}

static void gives_up_when_a_mirror_fails_while_ram_is_sent(void **unused)
{
    const struct exchange script[] = {
        PREPARED,
        { "migrate", .events = { STATUS("active") } },
        { "query-migrate", .reply = ACTIVE },
        { "query-block-jobs", .reply = "[]" },
        { 0 },
    };
    struct scene scene = scene_with(script, RAM_LIVE);
    (void)unused;

    assert_false(ram_is_sent(&scene));
    assert_string_equal(scene.err.text, "vda: its mirror is gone");
    end(&scene);
}

static void tells_why_qemu_failed(void **unused)
{
    const struct exchange script[] = {
        PREPARED,
        { "migrate", .events = { STATUS("failed") } },
        { "query-migrate", .reply = "{\"error-desc\": \"Broken pipe\"}" },
        { 0 },
    };
    struct scene scene = scene_with(script, RAM_LIVE);
    (void)unused;

    assert_false(ram_is_sent(&scene));
    assert_string_equal(scene.err.text, "QEMU's migration has ended as 'failed': Broken pipe");
    assert_int_equal(scene.err.kind, ERROR_LOST); /* the target is asked for the reason */
    end(&scene);
}

static void does_not_hand_over_a_flash_that_is_being_written(void **unused)
{
    const struct exchange script[] = {
        PREPARED,
        { "migrate", .events = { STOPPED, STATUS("pre-switchover") } },
        { "human-monitor-command", .reply = "\"(prio 0, i/o): system.flash0\"" },
        { 0 },
    };
    struct scene scene = scene_with(script, RAM_LIVE);
    (void)unused;

    scene.vm->process.words = must(cJSON_Parse("[\"-drive\", \"if=pflash,file=/f\"]"));
    assert_false(ram_is_sent(&scene));
    assert_says(scene.err.text, "firmware's flash");
    end(&scene);
}

static void hands_over_a_flash_that_is_read(void **unused)
{
    const struct exchange script[] = {
        PREPARED,
        { "migrate", .events = { STOPPED, STATUS("pre-switchover") } },
        { "human-monitor-command", .with = "info mtree",
          .reply = "\"(prio 0, romd): system.flash0\"" },
        DRAINED,
        { "migrate-continue", .events = { STATUS("completed") } },
        { "query-status", .reply = "{\"running\": false, \"status\": \"postmigrate\"}" },
        { 0 },
    };
    struct scene scene = scene_with(script, RAM_LIVE);
    (void)unused;

    scene.vm->process.words = must(cJSON_Parse("[\"-pflash\", \"/f\"]"));
    assert_true(ram_is_sent(&scene));
    end(&scene);
}

static void stops_the_guest_first_when_asked_to(void **unused)
{
    const struct exchange script[] = {
        PREPARED,
        { "stop", .events = { STOPPED } },
        { "migrate", .events = { STATUS("pre-switchover") } },
        DRAINED,
        { "migrate-continue", .events = { STATUS("completed") } },
        { "query-status", .reply = "{\"running\": false, \"status\": \"postmigrate\"}" },
        { 0 },
    };
    struct scene scene = scene_with(script, RAM_STOPPED);
    (void)unused;

    assert_true(ram_is_sent(&scene));
    end(&scene);
}

static void lets_no_second_pass_begin_while_the_guest_runs(void **unused)
{
    const struct exchange script[] = {
        { "query-migrate-capabilities", .reply = NULL },
        { "migrate-set-capabilities", .reply = NULL },
        { "migrate-set-parameters", .with = "\"downtime-limit\":0" },
        { "migrate", .events = { PASS("1"), STATUS("active"), PASS("2") } },
        { "stop", .events = { STOPPED } },
        { "query-migrate", .reply = ACTIVE },
        { "query-block-jobs", .reply = READY, .events = { STATUS("pre-switchover") } },
        DRAINED,
        { "migrate-continue", .events = { STATUS("completed") } },
        { "query-status", .reply = "{\"running\": false, \"status\": \"postmigrate\"}" },
        { 0 },
    };
    struct scene scene = scene_with(script, RAM_ONE_PASS);
    (void)unused;

    assert_true(ram_is_sent(&scene));
    end(&scene);
}

static void asks_for_the_users_downtime_with_kvm(void **unused)
{
    const struct exchange script[] = {
        { "query-migrate-capabilities", .reply = NULL },
        { "migrate-set-capabilities", .reply = NULL },
        { "migrate-set-parameters", .with = "\"downtime-limit\":77" },
        { "migrate", .reply = "error: enough" },
        { 0 },
    };
    struct scene scene = scene_with(script, RAM_LIVE);
    (void)unused;

    assert_false(ram_is_sent(&scene));
    end(&scene);
}

/* ---- giving up ---- */

static void cancels_until_qemu_has_given_up(void **unused)
{
    const struct exchange script[] = {
        { "query-migrate", .reply = ACTIVE },
        { "migrate_cancel", .reply = NULL },
        { "query-migrate", .reply = "{\"status\": \"cancelling\"}" },
        { "query-migrate", .reply = "{\"status\": \"cancelled\"}" },
        { 0 },
    };
    struct scene scene = scene_with(script, RAM_LIVE);
    (void)unused;

    assert_true(qemu_ram_cancel(scene.vm, &scene.err));
    end(&scene);
}

static void does_not_cancel_what_is_being_set_up(void **unused)
{
    const struct exchange script[] = {
        { "query-migrate", .reply = "{\"status\": \"setup\"}" },
        { "query-migrate", .reply = ACTIVE },
        { "migrate_cancel", .reply = NULL },
        { "query-migrate", .reply = "{\"status\": \"cancelled\"}" },
        { 0 },
    };
    struct scene scene = scene_with(script, RAM_LIVE);
    (void)unused;

    assert_true(qemu_ram_cancel(scene.vm, &scene.err));
    end(&scene);
}

static void cuts_the_stream_of_a_qemu_that_does_not_answer(void **unused)
{
    const struct exchange script[] = {
        { "query-migrate", .action = FAKE_IGNORE },
        { "yank", .with = "\"exec-oob\"" },
        { "query-migrate", .reply = "{\"status\": \"failed\"}" },
        { 0 },
    };
    struct scene scene = scene_with(script, RAM_LIVE);
    (void)unused;

    assert_true(qemu_ram_cancel(scene.vm, &scene.err));
    end(&scene);
}

/* ---- for how long is it paused? ---- */

static uint64_t paused_for(struct scene *scene, bool with_ram)
{
    return guest_paused_for(&scene->vm->base, with_ram);
}

/* An event of QEMU's that nobody waits for. */
static void hear(struct scene *scene, const char *name)
{
    size_t mark = 0;

    assert_non_null(qmp_wait_event(scene->vm->qemu.q, &mark, name, NULL, NULL, 10000, NULL));
    (void)loop_pause(scene->loop, 5, NULL);
}

static struct scene sending_scene_with(const struct exchange *script)
{
    struct scene scene = scene_with(script, RAM_LIVE);

    scene.vm->sending_ms = loop_now_ms();
    (void)loop_pause(scene.loop, 1, NULL);
    assert_int_equal(paused_for(&scene, true), 0);
    assert_true(qmp_call(scene.vm->qemu.q, "migrate", NULL, NULL, NULL));
    return scene;
}

static void a_guest_that_qemu_has_paused_by_itself_is_paused_from_then_on(void **unused)
{
    const struct exchange script[] = { { "migrate", .events = { STOPPED } }, { 0 } };
    struct scene scene = sending_scene_with(script);
    (void)unused;

    hear(&scene, "STOP");
    assert_in_range(paused_for(&scene, true), 5, 10000);
    end(&scene);
}

static void a_guest_that_a_failing_disk_has_stopped_is_not_paused_for_the_move(void **unused)
{
    const struct exchange script[] = {
        { "migrate", .events = { "{\"event\": \"BLOCK_IO_ERROR\"}", STOPPED } }, { 0 }
    };
    struct scene scene = sending_scene_with(script);
    (void)unused;

    hear(&scene, "STOP");
    assert_int_equal(paused_for(&scene, true), 0);
    end(&scene);
}

static void a_guest_that_runs_again_is_not_paused(void **unused)
{
    const struct exchange script[] = {
        { "migrate", .events = { STOPPED, "{\"event\": \"RESUME\"}" } }, { 0 }
    };
    struct scene scene = sending_scene_with(script);
    (void)unused;

    hear(&scene, "RESUME");
    assert_int_equal(paused_for(&scene, true), 0);
    end(&scene);
}

static void ram_that_is_sent_meanwhile_is_told_apart(void **unused)
{
    const struct exchange script[] = { { 0 } };
    struct scene scene = scene_with(script, RAM_ONE_PASS);
    (void)unused;

    scene.vm->paused_ms = loop_now_ms() - 5000;
    scene.vm->ram_since_ms = loop_now_ms() - 3000;
    scene.vm->ram_ms = 1000;
    assert_in_range(paused_for(&scene, true), 5000, 5900);
    assert_in_range(paused_for(&scene, false), 1000, 1900);
    scene.vm->ram_ms = 9000;
    assert_int_equal(paused_for(&scene, false), 0);
    end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_guest_that_qemu_has_paused_by_itself_is_paused_from_then_on),
        cmocka_unit_test(a_guest_that_a_failing_disk_has_stopped_is_not_paused_for_the_move),
        cmocka_unit_test(a_guest_that_runs_again_is_not_paused),
        cmocka_unit_test(ram_that_is_sent_meanwhile_is_told_apart),
        cmocka_unit_test(drains_the_mirrors_between_the_pause_and_the_rest),
        cmocka_unit_test(does_not_migrate_before_it_may_pause),
        cmocka_unit_test(does_not_go_on_when_a_mirror_fails_at_the_end),
        cmocka_unit_test(gives_up_when_a_mirror_fails_while_ram_is_sent),
        cmocka_unit_test(tells_why_qemu_failed),
        cmocka_unit_test(does_not_hand_over_a_flash_that_is_being_written),
        cmocka_unit_test(hands_over_a_flash_that_is_read),
        cmocka_unit_test(stops_the_guest_first_when_asked_to),
        cmocka_unit_test(lets_no_second_pass_begin_while_the_guest_runs),
        cmocka_unit_test(asks_for_the_users_downtime_with_kvm),
        cmocka_unit_test(cancels_until_qemu_has_given_up),
        cmocka_unit_test(does_not_cancel_what_is_being_set_up),
        cmocka_unit_test(cuts_the_stream_of_a_qemu_that_does_not_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
