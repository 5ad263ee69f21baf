/* Who holds a migration: the process that took it on last, not the one that began it. */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "cmd/journal-words.h"
#include "pipeline/commit/reopen.h"
#include "tests/unit/helpers.h"
#include "xmig/facts.h"
#include "xmig/text.h"

#define ID "0123456789abcdef"

static const struct identity machine = { .machine = "m", .boot = "b" };
static char dir[64];

static cJSON *facts_of_this_process(void)
{
    cJSON *facts = fact_new(FACT_OWNER);

    json_add_uint(facts, "process_started", process_start_time(getpid()));
    cJSON_AddStringToObject(facts, "host", "simulated");
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

static bool close_it(void)
{
    enum journal_health health;
    struct journal *journal = journal_open(dir, ID, SIDE_SEND, &machine, &health, NULL);
    bool ok = journal && journal_append(journal, RECORD_ABORTED, NULL, NULL) &&
              journal_append(journal, RECORD_CLOSED, NULL, NULL);

    journal_free(journal);
    return ok;
}

static bool begin_and_close(void)
{
    return begin() && close_it();
}

enum {
    UNTIL_ENDED = -1,
    SOON_MS = 100
};

/* A process that has done this, and lives until it is ended, or for a while. */
static pid_t child_that(bool (*does)(void), int lives_ms)
{
    char word = 'n';
    int done[2];
    pid_t pid;

    assert_int_equal(pipe(done), 0);
    pid = fork();
    if (pid == 0) {
        word = does() ? 'y' : 'n';
        if (write(done[1], &word, 1) == 1)
            (void)poll(NULL, 0, lives_ms);
        _exit(1);
    }
    close(done[1]);
    assert_int_equal(read(done[0], &word, 1), 1);
    close(done[0]);
    assert_int_equal(word, 'y');
    return pid;
}

/* The signal that ended it; 0: it ended by itself. */
static int how_it_ended(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* As a later process has it; begin() comes first. */
static struct migration *open_migration(void)
{
    struct migration *m = must(calloc(1, sizeof(*m)));
    enum journal_health health;

    *m = (struct migration){
        .side = SIDE_SEND, .state_dir = dir, .runtime_dir = dir, .own_runtime_dir = dir, .id = ID
    };
    m->loop = loop_new();
    m->journal = journal_open(dir, ID, SIDE_SEND, &machine, &health, NULL);
    assert_non_null(m->journal);
    return m;
}

static void free_migration(struct migration *m)
{
    journal_free(m->journal);
    loop_free(m->loop);
    free(m);
}

static void a_silent_process_that_has_taken_over_is_the_worker(void **unused)
{
    AUTO_FREE char *status = NULL;
    struct migration *m;
    pid_t second;
    (void)unused;

    end(child_that(begin, UNTIL_ENDED));
    second = child_that(take_over, UNTIL_ENDED);
    m = open_migration();
    assert_int_equal(find_worker(m, &status), WORKER_SILENT);
    assert_int_equal(worker_pid(m), second);
    end(second);
    assert_int_equal(find_worker(m, &status), WORKER_NONE);
    free_migration(m);
}

static void a_process_that_is_about_to_end_is_waited_for(void **unused)
{
    pid_t pid = child_that(begin, SOON_MS);
    struct migration *m = open_migration();
    (void)unused;

    assert_true(reopen_end_owner(m, NULL));
    assert_int_equal(how_it_ended(pid), 0);
    free_migration(m);
}

/* Both are woken by the same end. */
static void of_two_who_wait_for_a_process_to_end_one_takes_over(void **unused)
{
    pid_t first = child_that(begin, SOON_MS), second;
    struct migration *m = open_migration();
    struct error err = { 0 };
    (void)unused;

    assert_true(reopen_end_owner(m, NULL));
    second = child_that(take_over, UNTIL_ENDED);
    assert_false(reopen_as_owner(m, &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_int_equal(how_it_ended(first), 0);
    assert_int_equal(waitpid(second, NULL, WNOHANG), 0);
    end(second);
    free_migration(m);
}

/* Its hooks may still run. */
static void a_process_that_has_closed_the_migration_is_left_alone(void **unused)
{
    pid_t pid = child_that(begin_and_close, UNTIL_ENDED);
    struct migration *m = open_migration();
    (void)unused;

    assert_true(reopen_end_owner(m, NULL));
    assert_int_equal(kill(pid, 0), 0);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
    end(pid);
    free_migration(m);
}

/* It was closed by another process before. */
static void a_silent_process_that_has_opened_a_closed_migration_is_ended(void **unused)
{
    struct migration *m;
    pid_t pid;
    (void)unused;

    end(child_that(begin_and_close, UNTIL_ENDED));
    pid = child_that(take_over, UNTIL_ENDED);
    m = open_migration();
    assert_true(reopen_end_owner(m, NULL));
    assert_int_equal(how_it_ended(pid), SIGKILL);
    free_migration(m);
}

static int make_dir(void **unused)
{
    (void)unused;
    snprintf(dir, sizeof(dir), "/tmp/xmig-owner-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **unused)
{
    AUTO_FREE char *own = formatted("%s/" ID, dir);
    AUTO_FREE char *journal = formatted("%s/send.journal", own);
    (void)unused;

    return unlink(journal) || rmdir(own) || rmdir(dir);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_silent_process_that_has_taken_over_is_the_worker),
        TEST(a_process_that_is_about_to_end_is_waited_for),
        TEST(of_two_who_wait_for_a_process_to_end_one_takes_over),
        TEST(a_process_that_has_closed_the_migration_is_left_alone),
        TEST(a_silent_process_that_has_opened_a_closed_migration_is_ended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
