/* Who holds a migration: the process that took it on last, not the one that began it. */
#include <signal.h>
#include <sys/wait.h>

#include "cmd/journal-words.h"
#include "tests/unit/helpers.h"
#include "xmig/facts.h"

#define ID "0123456789abcdef"

static const struct identity machine = { .machine = "m", .boot = "b" };
static char dir[] = "/tmp/xmig-owner-XXXXXX";

static cJSON *facts_of_this_process(void)
{
    cJSON *facts = fact_new(FACT_OWNER);

    json_add_uint(facts, "process_started", process_start_time(getpid()));
    return facts;
}

static bool begin(void)
{
    AUTO_JSON cJSON *facts = facts_of_this_process();
    struct journal *journal = journal_create(dir, ID, SIDE_SEND, &machine, facts, NULL);

    journal_free(journal);
    return journal != NULL;
}

static bool take_over(void)
{
    AUTO_JSON cJSON *facts = facts_of_this_process();
    enum journal_health health;
    struct journal *journal = journal_open(dir, ID, SIDE_SEND, &machine, &health, NULL);
    bool ok = journal && journal_append(journal, RECORD_NOTE, facts, NULL);

    journal_free(journal);
    return ok;
}

/* A process that has done this, and lives until it is ended. */
static pid_t child_that(bool (*does)(void))
{
    char word = 'n';
    int done[2];
    pid_t pid;

    assert_int_equal(pipe(done), 0);
    pid = fork();
    if (pid == 0) {
        word = does() ? 'y' : 'n';
        if (write(done[1], &word, 1) == 1)
            pause();
        _exit(1);
    }
    close(done[1]);
    assert_int_equal(read(done[0], &word, 1), 1);
    close(done[0]);
    assert_int_equal(word, 'y');
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void a_silent_process_that_has_taken_over_is_the_worker(void **unused)
{
    AUTO_FREE char *status = NULL;
    struct migration m = {
        .side = SIDE_SEND, .state_dir = dir, .runtime_dir = dir, .own_runtime_dir = dir, .id = ID
    };
    enum journal_health health;
    AUTO_FREE char *own = NULL;
    pid_t second;
    (void)unused;

    assert_non_null(mkdtemp(dir));
    end(child_that(begin));
    second = child_that(take_over);
    m.loop = loop_new();
    m.journal = journal_open(dir, ID, SIDE_SEND, &machine, &health, NULL);
    assert_non_null(m.journal);
    assert_int_equal(find_worker(&m, &status), WORKER_SILENT);
    assert_int_equal(worker_pid(&m), second);
    end(second);
    assert_int_equal(find_worker(&m, &status), WORKER_NONE);

    assert_int_equal(unlink(journal_path(m.journal)), 0);
    journal_free(m.journal);
    loop_free(m.loop);
    assert_true(asprintf(&own, "%s/" ID, dir) > 0);
    assert_int_equal(rmdir(own) || rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_process_that_has_taken_over_is_the_worker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
