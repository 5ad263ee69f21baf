/* Journals for the tests: a state directory, and a kernel whose disk and clock do as a test wants.
 * Include once a program: fsync(), fdatasync() and nanosleep() are replaced.
 */
#ifndef TESTS_UNIT_JOURNAL_SCENE_H
#define TESTS_UNIT_JOURNAL_SCENE_H

#include <errno.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <time.h>

#include "tests/unit/helpers.h"
#include "xmig/journal.h"

#define ID "0123456789abcdef"
#define OTHER_ID "fedcba9876543210"

enum {
    SIZE = 64 * 1024
};

static const struct identity here = { "11111111111111111111111111111111", "boot-a" };

static bool disk_fails;
static bool time_flies;  /* a pause takes no time */
static int pauses;       /* how often somebody waited for a lock */
static int lock_to_drop; /* at the first pause, if it is a descriptor */

/* Nobody pulls the plug here: syncing would only take its time. */
int fsync(int fd)
{
    (void)fd;
    return 0;
}

int fdatasync(int fd)
{
    (void)fd;
    errno = EIO;
    return disk_fails ? -1 : 0;
}

int nanosleep(const struct timespec *wanted, struct timespec *left)
{
    pauses++;
    if (lock_to_drop >= 0)
        flock(lock_to_drop, LOCK_UN);
    return time_flies ? 0 : (int)syscall(SYS_nanosleep, wanted, left);
}

static char *state_dir;

static inline int set_up(void **unused)
{
    (void)unused;
    state_dir = make_directory();
    disk_fails = false;
    time_flies = false;
    pauses = 0;
    lock_to_drop = -1;
    return 0;
}

static inline int tear_down(void **unused)
{
    (void)unused;
    umount2(state_dir, MNT_DETACH);
    remove_all(state_dir);
    return 0;
}

static inline const char *path_of(const char *id, enum side side)
{
    static char path[160];

    snprintf(path, sizeof(path), "%s/%s/%s.journal", state_dir, id, side_name(side));
    return path;
}

static inline struct journal *open_side(enum side side)
{
    enum journal_health health;
    struct error err = { 0 };
    struct journal *journal = journal_open(state_dir, ID, side, &here, &health, &err);

    assert_ok(journal, &err);
    assert_int_equal(health, JOURNAL_GOOD);
    return journal;
}

static inline void append(struct journal *journal, enum record record)
{
    struct error err = { 0 };

    assert_ok(journal_append(journal, record, NULL, &err), &err);
}

/* A journal with BEGIN and these. */
static inline struct journal *create_with(enum side side, size_t count, const enum record *records)
{
    struct error err = { 0 };
    struct journal *journal = journal_create(state_dir, ID, side, &here, NULL, &err);

    assert_ok(journal, &err);
    for (size_t i = 0; i < count; i++)
        append(journal, records[i]);
    return journal;
}

#define CREATE(side, ...)                                                                          \
    create_with(side, sizeof((enum record[]){ __VA_ARGS__ }) / sizeof(enum record),                \
                (enum record[]){ __VA_ARGS__ })

static inline void assert_unreadable_by(const struct identity *identity, enum side side,
                                        const char *words)
{
    enum journal_health health = JOURNAL_GOOD;
    struct error err = { 0 };

    assert_null(journal_open(state_dir, ID, side, identity, &health, &err));
    assert_int_equal(health, JOURNAL_UNREADABLE);
    assert_says(err.text, words);
}

static inline void assert_unreadable(const char *words)
{
    assert_unreadable_by(&here, SIDE_SEND, words);
}

static inline void assert_refused(struct journal *journal, enum record record, enum error_kind kind,
                                  const char *words)
{
    struct error err = { 0 };

    assert_false(journal_append(journal, record, NULL, &err));
    assert_int_equal(err.kind, kind);
    assert_says(err.text, words);
}

static inline void assert_last(enum side side, enum record record)
{
    struct journal *journal = open_side(side);

    assert_string_equal(record_name(journal_last(journal)), record_name(record));
    journal_free(journal);
}

static inline void read_file(char *bytes)
{
    AUTO_CLOSE int fd = open(path_of(ID, SIDE_SEND), O_RDONLY | O_CLOEXEC);

    assert_int_equal(read(fd, bytes, SIZE), SIZE);
}

static inline void write_file(const char *bytes, size_t size)
{
    AUTO_CLOSE int fd = open(path_of(ID, SIDE_SEND), O_WRONLY | O_TRUNC | O_CLOEXEC);

    assert_int_equal(write(fd, bytes, size), size);
}

/* The bytes of a journal with BEGIN and these; the file is there as well. */
#define IMAGE(bytes, ...)                                                                          \
    do {                                                                                           \
        journal_free(CREATE(SIDE_SEND, __VA_ARGS__));                                              \
        read_file(bytes);                                                                          \
    } while (0)

/* Where line `n`, from 0, begins. */
static inline size_t line_at(const char *bytes, int n)
{
    const char *line = bytes;

    while (n-- > 0)
        line = strchr(line, '\n') + 1;
    return (size_t)(line - bytes);
}

/* Facts of about this many bytes. */
static inline cJSON *big_facts(size_t size)
{
    AUTO_FREE char *text = malloc(size + 1);
    cJSON *facts = cJSON_CreateObject();

    memset(text, 'x', size);
    text[size] = '\0';
    cJSON_AddStringToObject(facts, "reason", text);
    return facts;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
