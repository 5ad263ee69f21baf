/* When has a mirror stalled, and when is the guest too fast? Against a host that is only numbers.
 */
#include "stages/stages.h"
#include "tests/unit/clock.h"
#include "tests/unit/helpers.h"

enum {
    STALL_MS = 60000
};

#define GIB (UINT64_C(1) << 30)

/* What the host says of its only disk, one after the other; the last one stays. */
struct script {
    const struct mirror_state *states;
    size_t count;
    size_t asked;
    uint64_t step_ms; /* passes before each question */
};

static struct script script;
static char warning[256]; /* the last one */
static size_t warnings;

static void hear(void *arg, const struct event *event)
{
    (void)arg;
    if (event->kind != EVENT_WARNING)
        return;
    warnings++;
    snprintf(warning, sizeof(warning), "%s", event->text);
}

static bool mirror_state(struct guest *guest, const char *disk, struct mirror_state *state,
                         struct error *err)
{
    size_t i = script.asked < script.count ? script.asked : script.count - 1;
    (void)guest;
    (void)disk;
    (void)err;

    time_passes(script.step_ms);
    script.asked++;
    *state = script.states[i];
    return true;
}

static bool await(const struct mirror_state *states, size_t count, uint64_t step_ms,
                  struct error *err)
{
    static const struct mirror_ops mirrors = { .state = mirror_state };
    static const struct guest_ops ops = { .mirrors = &mirrors };
    struct guest guest = { .ops = &ops, .found = true };
    struct migration_options options = migration_default_options;
    struct migration m = {
        .guest = &guest, .options = &options, .at = "block-ready-wait", .events.emit = hear
    };
    bool ok;

    script = (struct script){ states, count, 0, step_ms };
    warnings = 0;
    options.stall_ms = STALL_MS;
    options.poll_ms = 1;
    m.loop = guest.context.loop = loop_new();
    m.params = cJSON_Parse(
        "{\"name\": \"web\", \"memory\": 1, \"disks\": [{\"name\": \"vda\", \"size\": 1}]}");
    ok = block_ready_wait.send.run(&m, NULL, err);
    cJSON_Delete(m.params);
    loop_free(m.loop);
    return ok;
}

static void a_mirror_that_copies_nothing_any_more_has_stalled(void **unused)
{
    static const struct mirror_state states[] = { { .done = 5, .total = 7 } };
    struct error err = { 0 };
    (void)unused;

    assert_false(await(states, 1, STALL_MS / 2, &err));
    assert_int_equal(err.kind, ERROR_TIMEOUT);
    assert_string_equal(err.text, "the mirrors have made no progress for 60 s");
}

static void a_target_that_is_being_zeroed_has_not_stalled(void **unused)
{
    static const struct mirror_state states[] = {
        { .zeroed = 1 }, { .zeroed = 2 }, { .zeroed = 3 }, { .zeroed = 4 }, { .ready = true },
    };
    struct error err = { 0 };
    (void)unused;

    assert_true(await(states, 5, 8 * STALL_MS, &err));
}

static void a_mirror_that_still_looks_what_there_is_gets_more_time(void **unused)
{
    static const struct mirror_state states[] = { { 0 }, { 0 }, { 0 }, { .ready = true } };
    struct error err = { 0 };
    (void)unused;

    assert_true(await(states, 4, 2 * STALL_MS, &err));
}

static void a_mirror_that_looks_for_ever_has_stalled(void **unused)
{
    static const struct mirror_state states[] = { { 0 } };
    struct error err = { 0 };
    (void)unused;

    assert_false(await(states, 1, STALL_MS, &err));
    assert_int_equal(err.kind, ERROR_TIMEOUT);
    assert_true(script.asked > 2); /* a busy machine pauses longer than it is asked to */
}

static void a_guest_that_writes_as_fast_as_is_copied_is_told_of_once(void **unused)
{
    static const struct mirror_state states[] = {
        { .done = 1 * GIB, .total = 9 * GIB },  { .done = 2 * GIB, .total = 10 * GIB },
        { .done = 3 * GIB, .total = 11 * GIB }, { .done = 4 * GIB, .total = 12 * GIB },
        { .done = 5 * GIB, .total = 13 * GIB }, { .ready = true },
    };
    struct error err = { 0 };
    (void)unused;

    assert_true(await(states, 6, STALL_MS * 3 / 4, &err));
    assert_int_equal(warnings, 1);
    assert_says(warning, "the VM writes ");
    assert_says(warning, "MiB/s to its disks");
}

static void a_guest_that_writes_less_than_is_copied_is_no_matter(void **unused)
{
    static const struct mirror_state states[] = {
        { .done = 2, .total = 9 },  { .done = 4, .total = 10 },  { .done = 6, .total = 11 },
        { .done = 8, .total = 12 }, { .done = 10, .total = 13 }, { .ready = true },
    };
    struct error err = { 0 };
    (void)unused;

    assert_true(await(states, 6, STALL_MS * 3 / 4, &err));
    assert_int_equal(warnings, 0);
}

/* Each write is under way for a round trip, so that there is always one. */
static void a_guest_that_always_writes_a_little_is_waited_for_no_longer(void **unused)
{
    static const struct mirror_state states[] = {
        { .done = 1 * GIB, .total = 2 * GIB },
        { .done = 2 * GIB, .total = 2 * GIB + 8192 },
        { .done = 2 * GIB + 8192, .total = 2 * GIB + 2 * 8192 },
        { .done = 2 * GIB + 2 * 8192, .total = 2 * GIB + 3 * 8192 },
        { .ready = true },
    };
    struct error err = { 0 };
    (void)unused;

    assert_true(await(states, 5, 600, &err));
    assert_int_equal(script.asked, 4); /* for more than a second */
}

static void a_mirror_that_hangs_before_its_end_has_stalled(void **unused)
{
    static const struct mirror_state states[] = { { .done = 2 * GIB, .total = 2 * GIB + 8192 } };
    struct error err = { 0 };
    (void)unused;

    assert_false(await(states, 1, STALL_MS / 2, &err));
    assert_int_equal(err.kind, ERROR_TIMEOUT);
}

/* Most of a sparse disk takes no time. */
static void a_little_has_a_bound_whatever_the_speed(void **unused)
{
    static const struct mirror_state states[] = {
        { .done = 500 * GIB, .total = 500 * GIB + GIB / 200 },
        { .done = 501 * GIB, .total = 501 * GIB + GIB / 200 },
        { .done = 502 * GIB, .total = 502 * GIB + GIB / 200 },
        { .ready = true },
    };
    struct error err = { 0 };
    (void)unused;

    assert_true(await(states, 4, 900, &err));
    assert_int_equal(script.asked, 4);
}

static void a_little_that_is_left_for_a_moment_is_not_enough(void **unused)
{
    static const struct mirror_state states[] = {
        { .done = 2 * GIB, .total = 2 * GIB + 8192 },
        { .done = 2 * GIB, .total = 4 * GIB },
        { .done = 4 * GIB, .total = 4 * GIB + 8192 },
        { .done = 5 * GIB, .total = 7 * GIB },
        { .ready = true },
    };
    struct error err = { 0 };
    (void)unused;

    assert_true(await(states, 5, 600, &err));
    assert_int_equal(script.asked, 5);
}

static void a_little_counts_only_when_it_fits_the_downtime(void **unused)
{
    static const struct mirror_state states[] = {
        { .done = 100, .total = 300 },
        { .done = 100, .total = 300 },
        { .done = 100, .total = 300 },
        { .ready = true },
    };
    struct error err = { 0 };
    (void)unused;

    assert_true(await(states, 4, 900, &err));
    assert_int_equal(script.asked, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mirror_that_copies_nothing_any_more_has_stalled),
        cmocka_unit_test(a_guest_that_always_writes_a_little_is_waited_for_no_longer),
        cmocka_unit_test(a_little_that_is_left_for_a_moment_is_not_enough),
        cmocka_unit_test(a_mirror_that_hangs_before_its_end_has_stalled),
        cmocka_unit_test(a_little_has_a_bound_whatever_the_speed),
        cmocka_unit_test(a_little_counts_only_when_it_fits_the_downtime),
        cmocka_unit_test(a_target_that_is_being_zeroed_has_not_stalled),
        cmocka_unit_test(a_mirror_that_still_looks_what_there_is_gets_more_time),
        cmocka_unit_test(a_mirror_that_looks_for_ever_has_stalled),
        cmocka_unit_test(a_guest_that_writes_as_fast_as_is_copied_is_told_of_once),
        cmocka_unit_test(a_guest_that_writes_less_than_is_copied_is_no_matter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
