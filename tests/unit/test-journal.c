/* A journal is created, found, listed, and says only what the protocol's model permits. */
#include "tests/unit/journal-scene.h"

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
    assert_says(err.text, "'systemd-machine-id-setup' makes one");
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

/* Mounts a file system of `kib` at the state directory. */
static void mount_small(int kib)
{
    char options[40];

    snprintf(options, sizeof(options), "size=%dk", kib);
    if (mount("xmig-test", state_dir, "tmpfs", 0, options))
        fail_msg("cannot mount a tmpfs: %s", strerror(errno));
}

static void leaves_nothing_behind_when_there_is_no_room(void **unused)
{
    struct error err = { 0 };
    (void)unused;

    mount_small(16);
    assert_null(journal_create(state_dir, ID, SIDE_SEND, &here, NULL, &err));
    assert_int_equal(err.kind, ERROR_SYSTEM);
    assert_says(err.text, "No space left on device");
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

/* -- listing ------------------------------------------------------------------------------ */

static void write_down(void *arg, const char *id, enum side side)
{
    strcat(strcat(strcat(strcat(arg, id), "/"), side_name(side)), " ");
}

static void make_dated(const char *id, enum side side, time_t seconds, long ns)
{
    struct error err = { 0 };
    struct timespec times[2] = { { seconds, ns }, { seconds, ns } };

    journal_free(journal_create(state_dir, id, side, &here, NULL, &err));
    assert_int_equal(utimensat(AT_FDCWD, path_of(id, side), times, 0), 0);
}

static void lists_the_newest_first(void **unused)
{
    char listed[200] = "";
    struct error err = { 0 };
    (void)unused;

    make_dated(ID, SIDE_SEND, 1000, 0);
    make_dated(OTHER_ID, SIDE_SEND, 3000, 0);
    make_dated(ID, SIDE_RECV, 2000, 0);
    assert_true(journal_list(state_dir, write_down, listed, &err));
    assert_string_equal(listed, OTHER_ID "/send " ID "/recv " ID "/send ");
}

static void lists_the_newest_first_of_one_second_too(void **unused)
{
    char listed[200] = "";
    struct error err = { 0 };
    (void)unused;

    make_dated(ID, SIDE_SEND, 1000, 1000000);
    make_dated(OTHER_ID, SIDE_SEND, 1000, 3000000);
    make_dated(ID, SIDE_RECV, 1000, 2000000);
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
    make_dated(ID, SIDE_RECV, 1000, 0);
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
        TEST(lists_the_newest_first),
        TEST(lists_the_newest_first_of_one_second_too),
        TEST(lists_only_journals),
        TEST(a_journal_that_cannot_be_looked_at_is_not_passed_over),
        TEST(lists_nothing_where_there_is_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
