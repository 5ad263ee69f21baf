/* What the kernel does while a table is exchanged is ended by no signal. */
#include "host/kernel-disks/device-mapper.h"

#include <errno.h>
#include <libdevmapper.h>
#include <signal.h>

#include "tests/unit/helpers.h"

/* ---- libdevmapper, of which these tests need nothing but the moment of the call ---- */

static bool signals_came; /* while a task was run */

struct dm_task *dm_task_create(int type)
{
    (void)type;
    return malloc(1);
}

void dm_task_destroy(struct dm_task *task)
{
    free(task);
}

int dm_task_set_name(struct dm_task *task, const char *name)
{
    (void)task, (void)name;
    return 1;
}

int dm_task_skip_lockfs(struct dm_task *task)
{
    (void)task;
    return 1;
}

int dm_task_get_errno(struct dm_task *task)
{
    (void)task;
    return EINTR;
}

int dm_task_run(struct dm_task *task)
{
    (void)task;
    raise(SIGUSR1);
    return !signals_came;
}

static void came(int number)
{
    (void)number;
    signals_came = true;
}

static int await_signals(void **unused)
{
    (void)unused;
    signals_came = false;
    signal(SIGUSR1, came);
    return 0;
}

/* ---- the tests ---- */

static void a_signal_waits_for_the_end_of_a_suspend(void **unused)
{
    struct error err = { 0 };

    (void)unused;
    assert_ok(mapper_suspend("lab-v", &err), &err);
    assert_true(signals_came);
}

static void a_signal_waits_for_the_end_of_a_resume(void **unused)
{
    struct error err = { 0 };

    (void)unused;
    assert_ok(mapper_resume("lab-v", &err), &err);
    assert_true(signals_came);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_signal_waits_for_the_end_of_a_suspend, await_signals),
        cmocka_unit_test_setup(a_signal_waits_for_the_end_of_a_resume, await_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
