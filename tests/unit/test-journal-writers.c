/* Several processes write to one journal; a disk fails; a process dies between two records. */
#include "tests/unit/journal-scene.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* -- other processes ---------------------------------------------------------------------- */

static void lets_one_of_two_last_words_win(void **unused)
{
    struct journal *first = CREATE(SIDE_RECV, RECORD_PREPARED);
    struct journal *second = open_side(SIDE_RECV);
    (void)unused;

    append(first, RECORD_OWNED);
    assert_int_equal(journal_last(second), RECORD_PREPARED);
    assert_refused(second, RECORD_REFUSED, ERROR_REFUSED, "REFUSED cannot follow OWNED, written");
    assert_int_equal(journal_last(second), RECORD_OWNED);
    journal_free(first);
    journal_free(second);
    assert_last(SIDE_RECV, RECORD_OWNED);
}

/* A process that, for each byte it reads, tries to say `word` in the receiver's journal,
 * and answers 'w' for written, 'r' for refused.
 */
static void contend(int parent, enum record word)
{
    char byte;

    while (read(parent, &byte, 1) == 1) {
        struct journal *journal = open_side(SIDE_RECV);
        struct error err = { 0 };

        if (journal_append(journal, word, NULL, &err))
            byte = 'w';
        else
            byte = err.kind == ERROR_REFUSED ? 'r' : '?';
        journal_free(journal);
        (void)!write(parent, &byte, 1);
    }
    _exit(0);
}

/* Returns this end of the line to it. */
static int start_contender(enum record word)
{
    int line[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line), 0);
    if (!fork()) {
        close(line[0]);
        contend(line[1], word);
    }
    close(line[1]);
    return line[0];
}

static void lets_one_of_two_processes_win_every_time(void **unused)
{
    int lines[2] = { start_contender(RECORD_OWNED), start_contender(RECORD_REFUSED) };
    int wins[2] = { 0 };
    (void)unused;

    for (int round = 0; round < 200; round++) {
        char answers[2] = { 0 };

        journal_free(CREATE(SIDE_RECV, RECORD_PREPARED));
        for (int i = 0; i < 2; i++)
            assert_int_equal(write(lines[(i + round) % 2], "", 1), 1);
        for (int i = 0; i < 2; i++)
            assert_int_equal(read(lines[i], &answers[i], 1), 1);
        if (memcmp(answers, "wr", 2) != 0 && memcmp(answers, "rw", 2) != 0)
            fail_msg("round %d: OWNED %c, REFUSED %c", round, answers[0], answers[1]);
        assert_last(SIDE_RECV, answers[0] == 'w' ? RECORD_OWNED : RECORD_REFUSED);
        wins[answers[0] != 'w']++;
        unlink(path_of(ID, SIDE_RECV));
    }
    print_message("OWNED won %d times, REFUSED %d times\n", wins[0], wins[1]);
    close(lines[0]);
    close(lines[1]);
    while (wait(NULL) > 0)
        ;
}

static int exit_of(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void sees_what_another_process_has_written(void **unused)
{
    struct journal *journal = CREATE(SIDE_SEND);
    struct error err = { 0 };
    pid_t pid;
    (void)unused;

    pid = fork();
    if (!pid) {
        struct journal *theirs = open_side(SIDE_SEND);

        append(theirs, RECORD_PAUSING);
        append(theirs, RECORD_NOTE);
        _exit(0);
    }
    assert_int_equal(exit_of(pid), 0);
    assert_true(journal_refresh(journal, &err));
    assert_int_equal(journal_last(journal), RECORD_PAUSING);
    assert_int_equal(json_uint_or(journal_find(journal, RECORD_PAUSING), "pid", 0), pid);
    assert_int_equal(json_uint_or(journal_find(journal, RECORD_NOTE), "pid", 0), pid);
    append(journal, RECORD_COMMIT);
    assert_int_equal(cJSON_GetArraySize(journal_records(journal)), 4);
    journal_free(journal);
}

static int hold_lock(void)
{
    int fd = open(path_of(ID, SIDE_SEND), O_RDWR | O_CLOEXEC);

    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    return fd;
}

static void waits_for_the_lock(void **unused)
{
    struct journal *journal = CREATE(SIDE_SEND);
    AUTO_CLOSE int other = hold_lock();
    (void)unused;

    lock_to_drop = other;
    time_flies = true;
    append(journal, RECORD_PAUSING);
    assert_int_equal(pauses, 1);
    journal_free(journal);
}

static void gives_up_on_a_lock_that_is_never_released(void **unused)
{
    struct journal *journal = CREATE(SIDE_SEND);
    AUTO_CLOSE int other = hold_lock();
    struct error err = { 0 };
    (void)unused;

    time_flies = true;
    assert_refused(journal, RECORD_PAUSING, ERROR_TIMEOUT, "held its lock for 10 s");
    assert_int_equal(pauses, 5000);
    assert_false(journal_lock(journal, &err));
    assert_int_equal(flock(other, LOCK_UN), 0);
    append(journal, RECORD_PAUSING);
    journal_free(journal);
}

static void lets_nobody_in_between_a_record_and_its_act(void **unused)
{
    struct journal *ours = CREATE(SIDE_RECV, RECORD_PREPARED, RECORD_OWNED);
    struct journal *theirs = open_side(SIDE_RECV);
    struct error err = { 0 };
    (void)unused;

    time_flies = true;
    assert_true(journal_lock(ours, &err));
    append(ours, RECORD_RESUMING);
    assert_true(journal_refresh(ours, &err));
    assert_refused(theirs, RECORD_LOST, ERROR_TIMEOUT, "held its lock");
    append(ours, RECORD_RELINQUISHED);
    journal_unlock(ours);
    assert_refused(theirs, RECORD_LOST, ERROR_REFUSED, "cannot follow RELINQUISHED");
    journal_free(ours);
    journal_free(theirs);
}

static void reads_again_when_it_takes_the_lock(void **unused)
{
    struct journal *first = CREATE(SIDE_SEND);
    struct journal *second = open_side(SIDE_SEND);
    struct error err = { 0 };
    (void)unused;

    append(first, RECORD_ABORTED);
    assert_true(journal_lock(second, &err));
    assert_int_equal(journal_last(second), RECORD_ABORTED);
    journal_free(second);
    append(first, RECORD_CLOSED);
    journal_free(first);
}

static void makes_no_promise_in_a_file_that_is_gone(void **unused)
{
    struct journal *journal = CREATE(SIDE_SEND, RECORD_PAUSING);
    (void)unused;

    assert_int_equal(unlink(path_of(ID, SIDE_SEND)), 0);
    assert_refused(journal, RECORD_COMMIT, ERROR_SYSTEM, "removed or replaced");
    assert_int_equal(journal_last(journal), RECORD_PAUSING);
    journal_free(journal);
}

static void makes_no_promise_in_a_file_that_nobody_would_find(void **unused)
{
    struct journal *journal = CREATE(SIDE_SEND, RECORD_PAUSING);
    AUTO_FREE char *aside = strdup(path_of(ID, SIDE_RECV));
    (void)unused;

    assert_int_equal(rename(path_of(ID, SIDE_SEND), aside), 0);
    journal_free(CREATE(SIDE_SEND, RECORD_PAUSING));
    assert_refused(journal, RECORD_COMMIT, ERROR_SYSTEM, "removed or replaced");
    journal_free(journal);
    assert_last(SIDE_SEND, RECORD_PAUSING);
}

static void notices_that_an_older_copy_was_put_back(void **unused)
{
    AUTO_FREE char *bytes = calloc(1, SIZE);
    struct journal *journal;
    (void)unused;

    IMAGE(bytes, RECORD_PAUSING);
    journal = open_side(SIDE_SEND);
    append(journal, RECORD_COMMIT);
    write_file(bytes, SIZE);
    assert_refused(journal, RECORD_DONE, ERROR_PROTOCOL, "lost records");
    journal_free(journal);
}

/* -- a failing disk, a failing process ---------------------------------------------------- */

static void trusts_itself_no_more_after_a_failed_sync(void **unused)
{
    struct journal *journal = CREATE(SIDE_SEND, RECORD_PAUSING);
    struct error err = { 0 };
    (void)unused;

    disk_fails = true;
    assert_refused(journal, RECORD_COMMIT, ERROR_SYSTEM, "Input/output error");
    disk_fails = false;
    assert_int_equal(journal_last(journal), RECORD_PAUSING);
    assert_refused(journal, RECORD_ABORTED, ERROR_SYSTEM, "failed before");
    assert_false(journal_refresh(journal, &err));
    journal_free(journal);
}

static void does_not_believe_a_record_that_it_cannot_sync(void **unused)
{
    (void)unused;
    journal_free(CREATE(SIDE_SEND, RECORD_PAUSING));
    disk_fails = true;
    assert_unreadable("Input/output error");
}

/* A limit on the file's size cuts the write short, as a full disk would. */
static void recovers_from_half_a_record_that_a_failed_write_left(void **unused)
{
    AUTO_FREE char *bytes = calloc(1, SIZE);
    struct rlimit limit;
    struct journal *journal;
    (void)unused;

    IMAGE(bytes, RECORD_PAUSING);
    journal = open_side(SIDE_SEND);
    getrlimit(RLIMIT_FSIZE, &limit);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){ strlen(bytes) + 50, limit.rlim_max });
    assert_refused(journal, RECORD_COMMIT, ERROR_SYSTEM, "File too large");
    setrlimit(RLIMIT_FSIZE, &limit);
    assert_refused(journal, RECORD_ABORTED, ERROR_SYSTEM, "failed before");
    journal_free(journal);
    read_file(bytes);
    assert_int_equal(strlen(bytes), line_at(bytes, 2) + 50);

    journal = open_side(SIDE_SEND);
    append(journal, RECORD_ABORTED);
    journal_free(journal);
    assert_last(SIDE_SEND, RECORD_ABORTED);
}

struct crash {
    enum record record;
    bool written;
};

static bool crash_at(void *arg, enum record record, bool written)
{
    const struct crash *crash = arg;

    return record != crash->record || written != crash->written;
}

static void assert_crash_leaves(bool written, enum record left)
{
    struct crash crash = { RECORD_COMMIT, written };
    struct journal *journal = CREATE(SIDE_SEND);
    struct error err = { 0 };

    journal_set_hook(journal, (struct journal_hook){ crash_at, &crash });
    append(journal, RECORD_PAUSING);
    assert_true(journal_lock(journal, &err));
    assert_refused(journal, RECORD_COMMIT, ERROR_CRASH, "COMMIT");
    assert_last(SIDE_SEND, left); /* and the lock is free, although nobody unlocks */
    assert_refused(journal, RECORD_ABORTED, ERROR_CRASH, "ABORTED");
    journal_free(journal);
    assert_last(SIDE_SEND, left);
}

static void writes_nothing_when_it_crashes_before(void **unused)
{
    (void)unused;
    assert_crash_leaves(false, RECORD_PAUSING);
}

static void has_written_when_it_crashes_after(void **unused)
{
    (void)unused;
    assert_crash_leaves(true, RECORD_COMMIT);
}

/* What another process does while this one rests between decision and lock. */
static bool aborts_meanwhile(void *arg, enum record record, bool written)
{
    (void)written;
    if (record == RECORD_COMMIT)
        append(arg, RECORD_ABORTED);
    return true;
}

static void finds_out_that_it_was_too_slow(void **unused)
{
    struct journal *slow = CREATE(SIDE_SEND, RECORD_PAUSING);
    struct journal *quick = open_side(SIDE_SEND);
    (void)unused;

    journal_set_hook(slow, (struct journal_hook){ aborts_meanwhile, quick });
    assert_refused(slow, RECORD_COMMIT, ERROR_REFUSED, "COMMIT cannot follow ABORTED");
    journal_free(slow);
    journal_free(quick);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lets_one_of_two_last_words_win),
        TEST(lets_one_of_two_processes_win_every_time),
        TEST(sees_what_another_process_has_written),
        TEST(waits_for_the_lock),
        TEST(gives_up_on_a_lock_that_is_never_released),
        TEST(lets_nobody_in_between_a_record_and_its_act),
        TEST(reads_again_when_it_takes_the_lock),
        TEST(makes_no_promise_in_a_file_that_is_gone),
        TEST(makes_no_promise_in_a_file_that_nobody_would_find),
        TEST(notices_that_an_older_copy_was_put_back),
        TEST(trusts_itself_no_more_after_a_failed_sync),
        TEST(does_not_believe_a_record_that_it_cannot_sync),
        TEST(recovers_from_half_a_record_that_a_failed_write_left),
        TEST(writes_nothing_when_it_crashes_before),
        TEST(has_written_when_it_crashes_after),
        TEST(finds_out_that_it_was_too_slow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
