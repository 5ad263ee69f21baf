/* What a journal says, and what it can never be made to say: whatever is torn, changed,
 * lost or written by somebody else.
 */
#include "xmig/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "core/journal-parse.h"

#define ID "0123456789abcdef"
#define OTHER_ID "fedcba9876543210"

enum {
    SIZE = 64 * 1024
};

static const struct identity here = { "11111111111111111111111111111111", "boot-a" };
static const struct identity rebooted = { "11111111111111111111111111111111", "boot-b" };
static const struct identity elsewhere = { "22222222222222222222222222222222", "boot-a" };
static const struct journal_owner owner = { ID, SIDE_SEND, "11111111111111111111111111111111" };

/* -- the kernel, as some tests want it ---------------------------------------------------- */

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

/* -- a scene ------------------------------------------------------------------------------ */

static char state_dir[64];

static int set_up(void **unused)
{
    (void)unused;
    strcpy(state_dir, "/tmp/test-journal-XXXXXX");
    disk_fails = false;
    time_flies = false;
    pauses = 0;
    lock_to_drop = -1;
    return mkdtemp(state_dir) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

static int tear_down(void **unused)
{
    (void)unused;
    umount2(state_dir, MNT_DETACH);
    return nftw(state_dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *path_of(const char *id, enum side side)
{
    static char path[160];

    snprintf(path, sizeof(path), "%s/%s/%s.journal", state_dir, id, side_name(side));
    return path;
}

static struct journal *open_side(enum side side)
{
    enum journal_health health;
    struct error err = { 0 };
    struct journal *journal = journal_open(state_dir, ID, side, &here, &health, &err);

    if (!journal)
        fail_msg("%s", err.text);
    assert_int_equal(health, JOURNAL_GOOD);
    return journal;
}

static void append(struct journal *journal, enum record record)
{
    struct error err = { 0 };

    if (!journal_append(journal, record, NULL, &err))
        fail_msg("%s", err.text);
}

/* A journal with BEGIN and these. */
static struct journal *create_with(enum side side, size_t count, const enum record *records)
{
    struct error err = { 0 };
    struct journal *journal = journal_create(state_dir, ID, side, &here, NULL, &err);

    if (!journal)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < count; i++)
        append(journal, records[i]);
    return journal;
}

#define CREATE(side, ...)                                                                          \
    create_with(side, sizeof((enum record[]){ __VA_ARGS__ }) / sizeof(enum record),                \
                (enum record[]){ __VA_ARGS__ })

static void assert_unreadable_by(const struct identity *identity, enum side side, const char *words)
{
    enum journal_health health = JOURNAL_GOOD;
    struct error err = { 0 };

    assert_null(journal_open(state_dir, ID, side, identity, &health, &err));
    assert_int_equal(health, JOURNAL_UNREADABLE);
    if (!strstr(err.text, words))
        fail_msg("'%s' does not say '%s'", err.text, words);
}

static void assert_unreadable(const char *words)
{
    assert_unreadable_by(&here, SIDE_SEND, words);
}

static void assert_refused(struct journal *journal, enum record record, enum error_kind kind,
                           const char *words)
{
    struct error err = { 0 };

    assert_false(journal_append(journal, record, NULL, &err));
    assert_int_equal(err.kind, kind);
    if (!strstr(err.text, words))
        fail_msg("'%s' does not say '%s'", err.text, words);
}

static void assert_last(enum side side, enum record record)
{
    struct journal *journal = open_side(side);

    assert_string_equal(record_name(journal_last(journal)), record_name(record));
    journal_free(journal);
}

static void read_file(char *bytes)
{
    AUTO_CLOSE int fd = open(path_of(ID, SIDE_SEND), O_RDONLY | O_CLOEXEC);

    assert_int_equal(read(fd, bytes, SIZE), SIZE);
}

static void write_file(const char *bytes, size_t size)
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
static size_t line_at(const char *bytes, int n)
{
    const char *line = bytes;

    while (n-- > 0)
        line = strchr(line, '\n') + 1;
    return (size_t)(line - bytes);
}

/* What these bytes say as a journal: -1 is nothing. */
static int verdict(const char *bytes)
{
    struct journal_text text;
    int last;

    if (!journal_parse(bytes, SIZE, &owner, &text, NULL))
        return -1;
    last = (int)text.last;
    journal_text_done(&text);
    return last;
}

/* -- which record may follow which -------------------------------------------------------- */

static enum side side_from_name(const char *name)
{
    assert_true(!strcmp(name, "send") || !strcmp(name, "recv"));
    return strcmp(name, "send") ? SIDE_RECV : SIDE_SEND;
}

static void permits_what_the_model_has_proven_and_no_more(void **unused)
{
    bool proven[2][RECORD_COUNT][RECORD_COUNT] = { 0 };
    FILE *file = fopen(SOURCE_DIR "/tests/model/transitions.txt", "re");
    char line[200], side[20], last[20], next[20];
    (void)unused;

    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        if (sscanf(line, "%19s %19s %19s", side, last, next) != 3 || side[0] == '#')
            continue;
        assert_int_not_equal(record_from_name(next), RECORD_NONE);
        proven[side_from_name(side)][record_from_name(last)][record_from_name(next)] = true;
    }
    fclose(file);
    for (int s = SIDE_SEND; s <= SIDE_RECV; s++)
        for (int from = 0; from < RECORD_COUNT; from++)
            for (int to = 0; to < RECORD_COUNT; to++)
                if (to != RECORD_NOTE && record_permitted((enum side)s, (enum record)from,
                                                          (enum record)to) != proven[s][from][to])
                    fail_msg("%s %s %s: the model and the program disagree",
                             side_name((enum side)s), record_name((enum record)from),
                             record_name((enum record)to));
}

static void permits_a_note_after_anything(void **unused)
{
    (void)unused;
    for (int last = RECORD_BEGIN; last < RECORD_COUNT; last++)
        assert_true(record_permitted(SIDE_SEND, (enum record)last, RECORD_NOTE));
}

static void knows_every_record_by_its_name(void **unused)
{
    (void)unused;
    for (int record = RECORD_BEGIN; record < RECORD_COUNT; record++)
        assert_int_equal(record_from_name(record_name((enum record)record)), record);
    assert_int_equal(record_from_name("NONSENSE"), RECORD_NONE);
    assert_int_equal(record_from_name("NONE"), RECORD_NONE);
}

/* -- names -------------------------------------------------------------------------------- */

static void knows_what_an_id_looks_like(void **unused)
{
    (void)unused;
    assert_true(journal_valid_id(ID));
    assert_false(journal_valid_id(""));
    assert_false(journal_valid_id("../x"));
    assert_false(journal_valid_id("0123456789abcde"));
    assert_false(journal_valid_id(ID "0"));
    assert_false(journal_valid_id("0123456789ABCDEF"));
    assert_false(journal_valid_id("../../../../etc/"));
}

static void makes_a_new_name_each_time(void **unused)
{
    char id[2][17];
    char token[2][33];
    (void)unused;

    for (int i = 0; i < 2; i++) {
        journal_new_id(id[i]);
        journal_new_token(token[i]);
        assert_true(journal_valid_id(id[i]));
        assert_int_equal(strspn(token[i], "0123456789abcdef"), 32);
    }
    assert_string_not_equal(id[0], id[1]);
    assert_string_not_equal(token[0], token[1]);
}

static void refuses_an_id_that_would_leave_the_state_directory(void **unused)
{
    enum journal_health health;
    struct error err = { 0 };
    (void)unused;

    assert_null(journal_create(state_dir, "../x", SIDE_SEND, &here, NULL, &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_null(journal_open(state_dir, "../x", SIDE_SEND, &here, &health, &err));
    assert_int_equal(health, JOURNAL_MISSING);
}

static void knows_this_machine_and_its_boot(void **unused)
{
    struct identity first;
    struct identity second;
    struct error err = { 0 };
    (void)unused;

    assert_true(identity_read(&first, &err));
    assert_true(identity_read(&second, &err));
    assert_int_equal(strlen(first.machine), 32);
    assert_int_equal(strlen(first.boot), 36);
    assert_memory_equal(&first.boot, &second.boot, 36);
}

/* Made-up VMs need none. */
static void a_machine_without_an_id_is_told_how_to_get_one(void **unused)
{
    struct identity identity;
    struct error err = { 0 };
    (void)unused;

    assert_true(identity_read_at(&identity, "/nowhere/machine-id", &err));
    assert_string_equal(err.text, "");
    assert_false(identity_check(&identity, &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_non_null(strstr(err.text, "'systemd-machine-id-setup' makes one"));
}

static void an_unfinished_machine_id_is_none(void **unused)
{
    struct identity identity;
    struct error err = { 0 };
    (void)unused;

    assert_true(identity_read_at(&identity, "/proc/sys/kernel/ostype", &err));
    assert_false(identity_check(&identity, &err));
}

/* -- creating and opening ----------------------------------------------------------------- */

static void takes_all_its_space_at_once(void **unused)
{
    struct stat st;
    (void)unused;

    journal_free(CREATE(SIDE_SEND));
    assert_int_equal(stat(path_of(ID, SIDE_SEND), &st), 0);
    assert_int_equal(st.st_size, SIZE);
    assert_true(st.st_blocks * 512 >= SIZE);
}

static void keeps_other_users_out(void **unused)
{
    char path[100];
    struct stat st;
    (void)unused;

    journal_free(CREATE(SIDE_SEND));
    assert_int_equal(stat(path_of(ID, SIDE_SEND), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    snprintf(path, sizeof(path), "%s/%s", state_dir, ID);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
}

static void makes_the_directories_above_it(void **unused)
{
    char deep[100];
    struct error err = { 0 };
    struct journal *journal;
    struct stat st;
    (void)unused;

    snprintf(deep, sizeof(deep), "%s/lib//xmig/", state_dir);
    journal = journal_create(deep, ID, SIDE_RECV, &here, NULL, &err);
    assert_non_null(journal);
    assert_int_equal(stat(deep, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    journal_free(journal);
}

static void refuses_to_create_a_journal_twice(void **unused)
{
    struct error err = { 0 };
    (void)unused;

    journal_free(CREATE(SIDE_SEND, RECORD_PAUSING));
    assert_null(journal_create(state_dir, ID, SIDE_SEND, &here, NULL, &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_last(SIDE_SEND, RECORD_PAUSING);
}

static void keeps_both_sides_of_a_local_move_apart(void **unused)
{
    (void)unused;
    journal_free(CREATE(SIDE_SEND, RECORD_PAUSING));
    journal_free(CREATE(SIDE_RECV, RECORD_PREPARED));
    assert_last(SIDE_SEND, RECORD_PAUSING);
    assert_last(SIDE_RECV, RECORD_PREPARED);
}

static void says_that_there_is_none(void **unused)
{
    enum journal_health health;
    struct error err = { 0 };
    (void)unused;

    assert_null(journal_open(state_dir, ID, SIDE_SEND, &here, &health, &err));
    assert_int_equal(health, JOURNAL_MISSING);
    assert_int_equal(err.kind, ERROR_REFUSED);
}

/* Mounts a file system of `kib` at the state directory; skips the test if it may not. */
static void mount_small(int kib)
{
    char options[40];

    snprintf(options, sizeof(options), "size=%dk", kib);
    if (mount("xmig-test", state_dir, "tmpfs", 0, options)) {
        print_message("cannot mount a tmpfs: %s\n", strerror(errno));
        skip();
    }
}

static void leaves_nothing_behind_when_there_is_no_room(void **unused)
{
    struct error err = { 0 };
    (void)unused;

    mount_small(16);
    assert_null(journal_create(state_dir, ID, SIDE_SEND, &here, NULL, &err));
    assert_int_equal(err.kind, ERROR_SYSTEM);
    assert_non_null(strstr(err.text, "No space left on device"));
    assert_int_equal(rmdir(state_dir), -1);
    assert_int_equal(errno, EBUSY); /* as any mount point; not ENOTEMPTY */
    umount2(state_dir, 0);
}

static void needs_no_more_room_once_it_exists(void **unused)
{
    struct journal *journal;
    char block[4096] = { 1 };
    char path[100];
    int fd;
    (void)unused;

    mount_small(256);
    journal = CREATE(SIDE_SEND);
    snprintf(path, sizeof(path), "%s/filler", state_dir);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    while (write(fd, block, sizeof(block)) > 0)
        ;
    assert_int_equal(errno, ENOSPC);
    close(fd);
    append(journal, RECORD_PAUSING);
    append(journal, RECORD_COMMIT);
    journal_free(journal);
    assert_last(SIDE_SEND, RECORD_COMMIT);
}

static void leaves_nothing_behind_when_begin_cannot_be_written(void **unused)
{
    struct error err = { 0 };
    (void)unused;

    disk_fails = true;
    assert_null(journal_create(state_dir, ID, SIDE_SEND, &here, NULL, &err));
    assert_int_equal(err.kind, ERROR_SYSTEM);
    disk_fails = false;
    assert_int_equal(rmdir(state_dir), 0);
    assert_int_equal(mkdir(state_dir, 0700), 0);
}

/* -- records ------------------------------------------------------------------------------ */

static void remembers_facts_and_who_wrote_them(void **unused)
{
    AUTO_JSON cJSON *facts = cJSON_Parse("{\"guest\":\"web\\n\\u00e9\",\"disks\":[1,2]}");
    struct error err = { 0 };
    struct journal *journal = journal_create(state_dir, ID, SIDE_SEND, &here, facts, &err);
    const cJSON *begin;
    struct tm utc;
    (void)unused;

    assert_non_null(journal);
    journal_free(journal);
    journal = open_side(SIDE_SEND);
    begin = journal_find(journal, RECORD_BEGIN);
    assert_int_equal(cJSON_GetArraySize(journal_records(journal)), 1);
    assert_string_equal(json_string_or(begin, "guest", ""), "web\n\xc3\xa9");
    assert_int_equal(cJSON_GetArraySize(json_array(begin, "disks", &err)), 2);
    assert_int_equal(json_uint_or(begin, "seq", 0), 1);
    assert_int_equal(json_uint_or(begin, "pid", 0), getpid());
    assert_string_equal(json_string_or(begin, "record", ""), "BEGIN");
    assert_string_equal(json_string_or(begin, "machine", ""), here.machine);
    assert_string_equal(json_string_or(begin, "boot", ""), here.boot);
    assert_string_equal(strptime(json_string_or(begin, "time", ""), "%FT%T.", &utc) + 3, "Z");
    journal_free(journal);
}

static void lets_no_fact_pass_for_what_only_it_may_say(void **unused)
{
    AUTO_JSON cJSON *facts = cJSON_Parse("{\"Machine\":\"another\"}");
    struct journal *journal = CREATE(SIDE_SEND);
    struct error err = { 0 };
    (void)unused;

    assert_false(journal_append(journal, RECORD_NOTE, facts, &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    append(journal, RECORD_PAUSING);
    journal_free(journal);
}

static void tells_notes_from_what_has_been_promised(void **unused)
{
    struct journal *journal = CREATE(SIDE_SEND, RECORD_NOTE, RECORD_PAUSING, RECORD_NOTE);
    (void)unused;

    assert_int_equal(journal_last(journal), RECORD_PAUSING);
    assert_true(journal_has(journal, RECORD_NOTE));
    assert_false(journal_has(journal, RECORD_COMMIT));
    assert_int_equal(json_uint_or(journal_find(journal, RECORD_NOTE), "seq", 0), 2);
    assert_null(journal_find(journal, RECORD_COMMIT));
    assert_int_equal(journal_side(journal), SIDE_SEND);
    assert_string_equal(journal_id(journal), ID);
    assert_string_equal(journal_path(journal), path_of(ID, SIDE_SEND));
    journal_free(journal);
}

static void lends_a_record_for_as_long_as_it_lives(void **unused)
{
    struct journal *journal = CREATE(SIDE_SEND);
    const cJSON *begin = journal_find(journal, RECORD_BEGIN);
    (void)unused;

    append(journal, RECORD_PAUSING);
    assert_ptr_equal(journal_find(journal, RECORD_BEGIN), begin);
    assert_string_equal(json_string_or(begin, "record", ""), "BEGIN");
    journal_free(journal);
}

static void refuses_what_may_not_follow(void **unused)
{
    struct journal *journal = CREATE(SIDE_SEND);
    (void)unused;

    assert_refused(journal, RECORD_COMMIT, ERROR_REFUSED, "COMMIT cannot follow BEGIN");
    assert_refused(journal, RECORD_OWNED, ERROR_REFUSED, "OWNED cannot follow BEGIN");
    journal_free(journal);
    assert_last(SIDE_SEND, RECORD_BEGIN);
}

static void knows_whether_the_machine_has_been_started_since(void **unused)
{
    enum journal_health health;
    struct error err = { 0 };
    struct journal *journal = CREATE(SIDE_SEND, RECORD_PAUSING);
    (void)unused;

    assert_false(journal_rebooted_since(journal, journal_find(journal, RECORD_PAUSING)));
    journal_free(journal);
    journal = journal_open(state_dir, ID, SIDE_SEND, &rebooted, &health, &err);
    assert_true(journal_rebooted_since(journal, journal_find(journal, RECORD_PAUSING)));
    append(journal, RECORD_ABORTED);
    assert_true(journal_rebooted_since(journal, journal_find(journal, RECORD_BEGIN)));
    assert_false(journal_rebooted_since(journal, journal_find(journal, RECORD_ABORTED)));
    journal_free(journal);
}

/* Facts of about this many bytes. */
static cJSON *big_facts(size_t size)
{
    AUTO_FREE char *text = malloc(size + 1);
    cJSON *facts = cJSON_CreateObject();

    memset(text, 'x', size);
    text[size] = '\0';
    cJSON_AddStringToObject(facts, "reason", text);
    return facts;
}

/* Until not even a note of `size` bytes fits. */
static void note_until_full(struct journal *journal, size_t size)
{
    AUTO_JSON cJSON *facts = big_facts(size);
    struct error err = { 0 };

    while (journal_append(journal, RECORD_NOTE, facts, &err))
        ;
    assert_int_equal(err.kind, ERROR_SYSTEM);
    assert_non_null(strstr(err.text, "no room"));
}

/* The longest way through a journal that there is, with a reason of `size` bytes each time. */
static void walk_to_the_end(struct journal *journal, size_t size)
{
    static const enum record way[] = { RECORD_PREPARED, RECORD_WORD,         RECORD_OWNED,
                                       RECORD_RESUMING, RECORD_RELINQUISHED, RECORD_DESTROYED,
                                       RECORD_CLOSED };
    AUTO_JSON cJSON *facts = big_facts(size);
    struct error err = { 0 };

    for (size_t i = 0; i < sizeof(way) / sizeof(way[0]); i++)
        if (!journal_append(journal, way[i], facts, &err))
            fail_msg("with %zu bytes: %s", size, err.text);
}

static void keeps_room_for_the_last_words_whatever_is_noted(void **unused)
{
    (void)unused;
    for (size_t size = 500; size < 8000; size += 300) {
        struct journal *journal = CREATE(SIDE_RECV);
        size_t said;

        note_until_full(journal, 6000);
        note_until_full(journal, 100);
        walk_to_the_end(journal, size);
        said = strlen(json_string_or(journal_find(journal, RECORD_PREPARED), "reason", ""));
        assert_int_equal(said, size < 3800 ? size : said);
        assert_true(json_true(journal_find(journal, RECORD_CLOSED), "facts_left_out"));
        journal_free(journal);
        assert_last(SIDE_RECV, RECORD_CLOSED);
        unlink(path_of(ID, SIDE_RECV));
    }
}

static void refuses_a_beginning_that_takes_the_room_of_the_end(void **unused)
{
    AUTO_JSON cJSON *facts = big_facts(SIZE - 8 * 1024);
    struct error err = { 0 };
    (void)unused;

    assert_null(journal_create(state_dir, ID, SIDE_SEND, &here, facts, &err));
    assert_non_null(strstr(err.text, "no room"));
}

/* -- damage ------------------------------------------------------------------------------- */

static void ignores_every_beginning_of_a_record_and_writes_over_it(void **unused)
{
    AUTO_FREE char *whole = calloc(1, SIZE);
    AUTO_FREE char *torn = calloc(1, SIZE);
    size_t start, end;
    (void)unused;

    IMAGE(whole, RECORD_PAUSING, RECORD_COMMIT);
    start = line_at(whole, 2);
    end = line_at(whole, 3);
    for (size_t cut = start; cut < end - 1; cut++) {
        struct journal *journal;

        memset(torn, 0, SIZE);
        memcpy(torn, whole, cut);
        write_file(torn, SIZE);
        journal = open_side(SIDE_SEND);
        assert_int_equal(journal_last(journal), RECORD_PAUSING);
        append(journal, RECORD_NOTE);
        journal_free(journal);
        read_file(torn);
        assert_int_equal(strlen(torn), line_at(torn, 3));
        assert_int_equal(verdict(torn), RECORD_PAUSING);
    }
}

static void leaves_nothing_of_a_torn_record_that_was_longer_than_the_next(void **unused)
{
    AUTO_FREE char *bytes = calloc(1, SIZE);
    AUTO_JSON cJSON *facts = big_facts(2000);
    struct journal *journal = CREATE(SIDE_SEND);
    struct error err = { 0 };
    (void)unused;

    assert_true(journal_append(journal, RECORD_NOTE, facts, &err));
    journal_free(journal);
    read_file(bytes);
    memset(bytes + strlen(bytes) - 4, 0, 4);
    write_file(bytes, SIZE);
    journal = open_side(SIDE_SEND);
    append(journal, RECORD_PAUSING);
    journal_free(journal);
    read_file(bytes);
    assert_int_equal(strlen(bytes), line_at(bytes, 2));
    assert_int_equal(verdict(bytes), RECORD_PAUSING);
}

static void takes_a_record_for_whole_that_lacks_but_its_newline(void **unused)
{
    AUTO_FREE char *bytes = calloc(1, SIZE);
    struct journal *journal;
    (void)unused;

    IMAGE(bytes, RECORD_PAUSING, RECORD_COMMIT);
    bytes[strlen(bytes) - 1] = '\0';
    write_file(bytes, SIZE);
    journal = open_side(SIDE_SEND);
    assert_int_equal(journal_last(journal), RECORD_COMMIT);
    assert_refused(journal, RECORD_ABORTED, ERROR_REFUSED, "cannot follow COMMIT");
    append(journal, RECORD_DONE);
    journal_free(journal);
    assert_last(SIDE_SEND, RECORD_DONE);
}

/* Any one byte of the text, changed into any other that could matter. */
static void never_says_anything_else_after_a_byte_has_changed(void **unused)
{
    AUTO_FREE char *bytes = calloc(1, SIZE);
    (void)unused;

    IMAGE(bytes, RECORD_PAUSING, RECORD_NOTE, RECORD_COMMIT);
    for (size_t i = 0, length = strlen(bytes); i < length; i++) {
        const char was = bytes[i];
        const char others[] = { (char)(was ^ 1),
                                (char)(was ^ 2),
                                (char)(was ^ 4),
                                (char)(was ^ 8),
                                (char)(was ^ 0x10),
                                (char)(was ^ 0x20),
                                (char)(was ^ 0x40),
                                (char)(was ^ 0x80),
                                '\n',
                                ' ',
                                '{',
                                '}',
                                '\0' };

        for (size_t k = 0; k < sizeof(others); k++) {
            bool only_newline_lost = i == length - 1 && others[k] == '\0';

            bytes[i] = others[k];
            if (verdict(bytes) != (others[k] == was || only_newline_lost ? RECORD_COMMIT : -1))
                fail_msg("byte %zu from %02x to %02x goes unnoticed", i, was, others[k]);
        }
        bytes[i] = was;
    }
}

static void never_says_anything_else_when_empty_space_has_changed(void **unused)
{
    AUTO_FREE char *bytes = calloc(1, SIZE);
    size_t length;
    (void)unused;

    IMAGE(bytes, RECORD_PAUSING, RECORD_COMMIT);
    length = strlen(bytes);
    for (size_t i = length; i < SIZE; i += 1 + (i - length) / 8) {
        bytes[i] = 'x';
        assert_int_equal(verdict(bytes), i == length ? RECORD_COMMIT : -1);
        bytes[i] = '\n';
        assert_int_equal(verdict(bytes), -1);
        bytes[i] = '\0';
    }
}

static void does_not_take_a_changed_newline_for_a_torn_record(void **unused)
{
    AUTO_FREE char *bytes = calloc(1, SIZE);
    size_t end;
    (void)unused;

    IMAGE(bytes, RECORD_PAUSING, RECORD_COMMIT);
    end = strlen(bytes);
    bytes[end - 1] = 'J';
    memcpy(bytes + end, bytes, 30); /* and a torn one really follows */
    write_file(bytes, SIZE);
    assert_unreadable("line 3");
}

static void proves_nothing_with_a_line_dropped(void **unused)
{
    AUTO_FREE char *bytes = calloc(1, SIZE + 1);
    AUTO_FREE char *cut = calloc(1, SIZE);
    (void)unused;

    IMAGE(bytes, RECORD_NOTE, RECORD_PAUSING, RECORD_COMMIT);
    for (int n = 0; n < 3; n++) {
        memset(cut, 0, SIZE);
        memcpy(cut, bytes, line_at(bytes, n));
        strcat(cut, bytes + line_at(bytes, n + 1));
        write_file(cut, SIZE);
        assert_unreadable("checksum");
    }
}

static void proves_nothing_with_two_lines_swapped(void **unused)
{
    AUTO_FREE char *bytes = calloc(1, SIZE + 1);
    AUTO_FREE char *swapped = calloc(1, SIZE);
    (void)unused;

    IMAGE(bytes, RECORD_NOTE, RECORD_NOTE, RECORD_PAUSING);
    memcpy(swapped, bytes, line_at(bytes, 1));
    strncat(swapped, bytes + line_at(bytes, 2), line_at(bytes, 3) - line_at(bytes, 2));
    strncat(swapped, bytes + line_at(bytes, 1), line_at(bytes, 2) - line_at(bytes, 1));
    strcat(swapped, bytes + line_at(bytes, 3));
    write_file(swapped, SIZE);
    assert_unreadable("line 2: its checksum is wrong");
}

static void proves_nothing_with_a_hole(void **unused)
{
    AUTO_FREE char *bytes = calloc(1, SIZE);
    (void)unused;

    IMAGE(bytes, RECORD_PAUSING, RECORD_COMMIT);
    memset(bytes + line_at(bytes, 2), 0, 20);
    write_file(bytes, SIZE);
    assert_unreadable("hole");
}

static void proves_nothing_when_cut_short_even_between_records(void **unused)
{
    AUTO_FREE char *bytes = calloc(1, SIZE);
    (void)unused;

    IMAGE(bytes, RECORD_PAUSING, RECORD_COMMIT);
    write_file(bytes, line_at(bytes, 2));
    assert_unreadable("should have 65536");
}

static void proves_nothing_when_it_has_grown(void **unused)
{
    AUTO_FREE char *bytes = calloc(1, SIZE + 1);
    (void)unused;

    IMAGE(bytes, RECORD_PAUSING);
    write_file(bytes, SIZE + 1);
    assert_unreadable("should have 65536");
}

static void proves_nothing_when_all_is_gone(void **unused)
{
    AUTO_FREE char *bytes = calloc(1, SIZE);
    (void)unused;

    journal_free(CREATE(SIDE_SEND));
    write_file(bytes, SIZE);
    assert_unreadable("lost records");
}

static void proves_nothing_under_another_name(void **unused)
{
    AUTO_FREE char *send = NULL;
    AUTO_FREE char *recv = NULL;
    (void)unused;

    journal_free(CREATE(SIDE_SEND));
    send = strdup(path_of(ID, SIDE_SEND));
    recv = strdup(path_of(ID, SIDE_RECV));
    assert_int_equal(rename(send, recv), 0);
    assert_unreadable_by(&here, SIDE_RECV, "line 1: its checksum is wrong");
}

static void proves_nothing_on_another_machine(void **unused)
{
    (void)unused;
    journal_free(CREATE(SIDE_SEND, RECORD_PAUSING));
    assert_unreadable_by(&elsewhere, SIDE_SEND, "written on another machine");
}

static void proves_nothing_as_a_symbolic_link(void **unused)
{
    AUTO_FREE char *path = NULL;
    AUTO_FREE char *away = NULL;
    (void)unused;

    journal_free(CREATE(SIDE_SEND));
    path = strdup(path_of(ID, SIDE_SEND));
    away = strdup(path_of(ID, SIDE_RECV));
    assert_int_equal(rename(path, away), 0);
    assert_int_equal(symlink(away, path), 0);
    assert_unreadable("Too many levels of symbolic links");
}

/* What only a forger writes: good checksums over the JSON `bodies`, which end with NULL. */
static void assert_forgery_fails(const char *const *bodies, const char *words)
{
    AUTO_FREE char *bytes = calloc(1, SIZE);
    char chain[24] = ID "/send";
    struct journal_text text;
    struct error err = { 0 };

    for (; *bodies; bodies++) {
        journal_checksum(chain, *bodies, strlen(*bodies), chain);
        strcat(strcat(strcat(strcat(bytes, chain), " "), *bodies), "\n");
    }
    assert_false(journal_parse(bytes, SIZE, &owner, &text, &err));
    if (!strstr(err.text, words))
        fail_msg("'%s' does not say '%s'", err.text, words);
}

#define BODY(seq, record)                                                                          \
    "{\"seq\":" seq ",\"record\":\"" record "\",\"time\":\"t\","                                   \
    "\"machine\":\"11111111111111111111111111111111\",\"boot\":\"b\",\"pid\":1}"
#define FORGERY(words, ...) assert_forgery_fails((const char *const[]){ __VA_ARGS__, NULL }, words)

static void believes_no_checksum_that_covers_nonsense(void **unused)
{
    (void)unused;
    FORGERY("line 2: its number is 3", BODY("1", "BEGIN"), BODY("3", "PAUSING"));
    FORGERY("line 1: its number is 2", BODY("2", "BEGIN"));
    FORGERY("line 1: PAUSING after NONE", BODY("1", "PAUSING"));
    FORGERY("line 1: NOTE after NONE", BODY("1", "NOTE"));
    FORGERY("line 2: COMMIT after BEGIN", BODY("1", "BEGIN"), BODY("2", "COMMIT"));
    FORGERY("line 2: OWNED after BEGIN", BODY("1", "BEGIN"), BODY("2", "OWNED"));
    FORGERY("line 1: unknown record 'NONE'", BODY("1", "NONE"));
    FORGERY("line 1: unknown record 'START'", BODY("1", "START"));
    FORGERY("line 1: 'machine' is missing", "{\"seq\":1,\"record\":\"BEGIN\"}");
    FORGERY("line 1: JSON, but not an object", "[1]");
    FORGERY("line 1: not JSON", "{\"seq\":");
}

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

/* -- listing ------------------------------------------------------------------------------ */

static void write_down(void *arg, const char *id, enum side side)
{
    strcat(strcat(strcat(strcat(arg, id), "/"), side_name(side)), " ");
}

static void make_dated(const char *id, enum side side, time_t seconds)
{
    struct error err = { 0 };
    struct timespec times[2] = { { .tv_sec = seconds }, { .tv_sec = seconds } };

    journal_free(journal_create(state_dir, id, side, &here, NULL, &err));
    assert_int_equal(utimensat(AT_FDCWD, path_of(id, side), times, 0), 0);
}

static void lists_the_newest_first(void **unused)
{
    char listed[200] = "";
    struct error err = { 0 };
    (void)unused;

    make_dated(ID, SIDE_SEND, 1000);
    make_dated(OTHER_ID, SIDE_SEND, 3000);
    make_dated(ID, SIDE_RECV, 2000);
    assert_true(journal_list(state_dir, write_down, listed, &err));
    assert_string_equal(listed, OTHER_ID "/send " ID "/recv " ID "/send ");
}

static void lists_only_journals(void **unused)
{
    static const char *const strangers[] = { "lost+found", OTHER_ID, ID "x" };
    char listed[200] = "";
    struct error err = { 0 };
    char path[100];
    (void)unused;

    for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", state_dir, strangers[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    snprintf(path, sizeof(path), "%s/%s/send.journal.new", state_dir, OTHER_ID);
    close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    make_dated(ID, SIDE_RECV, 1000);
    assert_true(journal_list(state_dir, write_down, listed, &err));
    assert_string_equal(listed, ID "/recv ");
}

static void a_journal_that_cannot_be_looked_at_is_not_passed_over(void **unused)
{
    struct error err = { 0 };
    char listed[200] = "";
    char path[100];
    (void)unused;

    snprintf(path, sizeof(path), "%s/" ID, state_dir);
    assert_int_equal(symlink(ID, path), 0); /* leads to itself */
    assert_false(journal_list(state_dir, write_down, listed, &err));
    assert_int_equal(err.kind, ERROR_SYSTEM);
    assert_int_equal(unlink(path), 0);
}

static void lists_nothing_where_there_is_nothing(void **unused)
{
    struct error err = { 0 };
    char listed[200] = "";
    char missing[100];
    (void)unused;

    assert_true(journal_list(state_dir, write_down, listed, &err));
    snprintf(missing, sizeof(missing), "%s/missing", state_dir);
    assert_true(journal_list(missing, write_down, listed, &err));
    assert_string_equal(listed, "");
    assert_false(journal_list("/dev/null", write_down, listed, &err));
    assert_int_equal(err.kind, ERROR_SYSTEM);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(permits_what_the_model_has_proven_and_no_more),
        TEST(permits_a_note_after_anything),
        TEST(knows_every_record_by_its_name),
        TEST(knows_what_an_id_looks_like),
        TEST(makes_a_new_name_each_time),
        TEST(refuses_an_id_that_would_leave_the_state_directory),
        TEST(knows_this_machine_and_its_boot),
        TEST(a_machine_without_an_id_is_told_how_to_get_one),
        TEST(an_unfinished_machine_id_is_none),
        TEST(takes_all_its_space_at_once),
        TEST(keeps_other_users_out),
        TEST(makes_the_directories_above_it),
        TEST(refuses_to_create_a_journal_twice),
        TEST(keeps_both_sides_of_a_local_move_apart),
        TEST(says_that_there_is_none),
        TEST(leaves_nothing_behind_when_there_is_no_room),
        TEST(needs_no_more_room_once_it_exists),
        TEST(leaves_nothing_behind_when_begin_cannot_be_written),
        TEST(remembers_facts_and_who_wrote_them),
        TEST(lets_no_fact_pass_for_what_only_it_may_say),
        TEST(tells_notes_from_what_has_been_promised),
        TEST(lends_a_record_for_as_long_as_it_lives),
        TEST(refuses_what_may_not_follow),
        TEST(knows_whether_the_machine_has_been_started_since),
        TEST(keeps_room_for_the_last_words_whatever_is_noted),
        TEST(refuses_a_beginning_that_takes_the_room_of_the_end),
        TEST(ignores_every_beginning_of_a_record_and_writes_over_it),
        TEST(leaves_nothing_of_a_torn_record_that_was_longer_than_the_next),
        TEST(takes_a_record_for_whole_that_lacks_but_its_newline),
        TEST(never_says_anything_else_after_a_byte_has_changed),
        TEST(never_says_anything_else_when_empty_space_has_changed),
        TEST(does_not_take_a_changed_newline_for_a_torn_record),
        TEST(proves_nothing_with_a_line_dropped),
        TEST(proves_nothing_with_two_lines_swapped),
        TEST(proves_nothing_with_a_hole),
        TEST(proves_nothing_when_cut_short_even_between_records),
        TEST(proves_nothing_when_it_has_grown),
        TEST(proves_nothing_when_all_is_gone),
        TEST(proves_nothing_under_another_name),
        TEST(proves_nothing_on_another_machine),
        TEST(proves_nothing_as_a_symbolic_link),
        TEST(believes_no_checksum_that_covers_nonsense),
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
        TEST(lists_the_newest_first),
        TEST(lists_only_journals),
        TEST(a_journal_that_cannot_be_looked_at_is_not_passed_over),
        TEST(lists_nothing_where_there_is_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
