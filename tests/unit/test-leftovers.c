/* What is pruned by age at a receiver, and what is not. */
#include "cmd/leftovers.h"

#include <fcntl.h>
#include <poll.h>

#include "host/system/file-identity.h"
#include "tests/unit/helpers.h"
#include "xmig/facts.h"
#include "xmig/text.h"

#define ID "0123456789abcdef"
#define OTHER "fedcba9876543210" /* was undone, and goes as soon as it is old enough */

static struct identity here;

struct scene {
    struct directories places;
    char *state;
    int said;
};

static void say(void *arg, const char *text)
{
    struct scene *scene = arg;

    scene->said += strstr(text, ID) != NULL;
}

static void make_old(const char *state)
{
    struct timespec long_ago[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
    AUTO_FREE char *path = formatted("%s/recv.journal", state);

    (void)utimensat(AT_FDCWD, path, long_ago, 0);
}

static void begin_journal(const struct scene *scene, const char *id, enum side side,
                          const enum record *records)
{
    struct journal *journal = journal_create(scene->places.state_dir, id, side, &here, NULL, NULL);
    AUTO_FREE char *state = formatted("%s/%s", scene->places.state_dir, id);

    assert_non_null(journal);
    for (; *records != RECORD_NONE; records++)
        assert_true(journal_append(journal, *records, NULL, NULL));
    journal_free(journal);
    make_old(state);
}

static const enum record undone[] = { RECORD_REFUSED, RECORD_DESTROYED, RECORD_CLOSED,
                                      RECORD_NONE };
static const enum record open_yet[] = { RECORD_NONE };

static struct scene begin(enum side side, const enum record *records)
{
    struct scene scene = { .places = { .state_dir = make_directory(),
                                       .runtime_dir = make_directory() } };

    begin_journal(&scene, ID, side, records);
    begin_journal(&scene, OTHER, SIDE_RECV, undone);
    scene.state = formatted("%s/%s", scene.places.state_dir, ID);
    return scene;
}

/* Prunes until the other one was old enough, and ends the scene. */
static void assert_pruned(struct scene *scene, uint64_t keep_ms, bool pruned)
{
    AUTO_FREE char *other = formatted("%s/%s", scene->places.state_dir, OTHER);
    bool is_due = keep_ms == 1;

    do
        leftovers_prune(&scene->places, keep_ms, say, scene);
    while (is_due && access(other, F_OK) == 0 && poll(NULL, 0, 10) == 0);
    /* Ages are whole seconds: one may have passed between the looks at the two. */
    leftovers_prune(&scene->places, keep_ms, say, scene);
    assert_int_equal(access(scene->state, F_OK) != 0, pruned);
    assert_int_equal(scene->said, pruned);
    free(scene->state);
    remove_all(scene->places.runtime_dir);
    remove_all(scene->places.state_dir);
}

static void one_that_was_undone_long_ago_goes(void **unused)
{
    struct scene scene = begin(SIDE_RECV, undone);

    (void)unused;
    assert_pruned(&scene, 1, true);
}

static void one_that_is_young_stays(void **unused)
{
    struct scene scene = begin(SIDE_RECV, undone);

    (void)unused;
    assert_pruned(&scene, 3600000, false);
}

static void for_ever_is_for_ever(void **unused)
{
    struct scene scene = begin(SIDE_RECV, undone);

    (void)unused;
    assert_pruned(&scene, 0, false);
}

static void one_that_is_open_stays(void **unused)
{
    struct scene scene = begin(SIDE_RECV, open_yet);

    (void)unused;
    assert_pruned(&scene, 1, false);
}

static void a_senders_stays(void **unused)
{
    struct scene scene = begin(SIDE_SEND, open_yet);

    (void)unused;
    assert_pruned(&scene, 1, false);
}

static void one_that_has_brought_its_vm_here_stays(void **unused)
{
    static const enum record moved[] = { RECORD_PREPARED, RECORD_OWNED,  RECORD_RESUMING,
                                         RECORD_RUNNING,  RECORD_CLOSED, RECORD_NONE };
    struct scene scene = begin(SIDE_RECV, moved);

    (void)unused;
    assert_pruned(&scene, 1, false);
}

static void one_whose_vm_writes_its_log_stays(void **unused)
{
    struct scene scene = begin(SIDE_RECV, undone);
    AUTO_FREE char *path = formatted("%s/qemu.log", scene.state);
    int log = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    (void)unused;
    assert_true(log >= 0);
    assert_pruned(&scene, 1, false);
    close(log);
}

static void one_with_an_image_for_clean_stays(void **unused)
{
    struct scene scene = begin(SIDE_RECV, open_yet);
    enum journal_health health;
    struct journal *journal =
        journal_open(scene.places.state_dir, ID, SIDE_RECV, &here, &health, NULL);
    AUTO_JSON cJSON *fact = fact_new(FACT_IMAGE);
    AUTO_FREE char *image = formatted("%s/a", scene.places.runtime_dir);
    AUTO_FREE char *kept = formatted("%s.xmig-" ID, image);
    AUTO_CLOSE int fd = open(kept, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    (void)unused;
    cJSON_AddStringToObject(fact, "path", image);
    assert_true(file_identity_add_fd(fact, fd, NULL));
    assert_true(journal_append(journal, RECORD_NOTE, fact, NULL));
    assert_true(journal_append(journal, RECORD_REFUSED, NULL, NULL));
    assert_true(journal_append(journal, RECORD_DESTROYED, NULL, NULL));
    assert_true(journal_append(journal, RECORD_CLOSED, NULL, NULL));
    journal_free(journal);
    make_old(scene.state);
    assert_pruned(&scene, 1, false);
}

int main(void)
{
    struct error err = { 0 };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_was_undone_long_ago_goes),
        cmocka_unit_test(one_that_is_young_stays),
        cmocka_unit_test(for_ever_is_for_ever),
        cmocka_unit_test(one_that_is_open_stays),
        cmocka_unit_test(a_senders_stays),
        cmocka_unit_test(one_that_has_brought_its_vm_here_stays),
        cmocka_unit_test(one_whose_vm_writes_its_log_stays),
        cmocka_unit_test(one_with_an_image_for_clean_stays),
    };

    return identity_read(&here, &err) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
