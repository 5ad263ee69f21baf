/* What is pruned by age at a receiver, and what is not. */
#include "cmd/leftovers.h"

#include <fcntl.h>

#include "host/system/file-identity.h"
#include "tests/unit/helpers.h"
#include "xmig/facts.h"
#include "xmig/text.h"

#define ID "0123456789abcdef"

static struct identity here;

struct scene {
    struct places places;
    char *state;
    int said;
};

static void say(void *arg, const char *text)
{
    struct scene *scene = arg;

    assert_says(text, ID);
    scene->said++;
}

static void make_old(const struct scene *scene)
{
    struct timespec long_ago[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
    AUTO_FREE char *path = formatted("%s/recv.journal", scene->state);

    (void)utimensat(AT_FDCWD, path, long_ago, 0);
}

static struct scene begin(enum side side, bool closed)
{
    struct scene scene = { .places = { .state_dir = make_directory(),
                                       .runtime_dir = make_directory() } };
    struct journal *journal = journal_create(scene.places.state_dir, ID, side, &here, NULL, NULL);

    assert_non_null(journal);
    if (closed) {
        assert_true(journal_append(journal, RECORD_REFUSED, NULL, NULL));
        assert_true(journal_append(journal, RECORD_DESTROYED, NULL, NULL));
        assert_true(journal_append(journal, RECORD_CLOSED, NULL, NULL));
    }
    journal_free(journal);
    scene.state = formatted("%s/%s", scene.places.state_dir, ID);
    make_old(&scene);
    return scene;
}

/* Prunes, and ends the scene. */
static void assert_pruned(struct scene *scene, uint64_t keep_ms, bool pruned)
{
    leftovers_prune(&scene->places, keep_ms, say, scene);
    assert_int_equal(access(scene->state, F_OK) != 0, pruned);
    assert_int_equal(scene->said, pruned);
    free(scene->state);
    remove_all(scene->places.runtime_dir);
    remove_all(scene->places.state_dir);
}

static void one_that_was_closed_long_ago_goes(void **unused)
{
    struct scene scene = begin(SIDE_RECV, true);

    (void)unused;
    for (int i = 0; scene.said == 0 && i < 10000; i++) /* until it is older than a millisecond */
        leftovers_prune(&scene.places, 1, say, &scene);
    assert_pruned(&scene, 1, true);
}

static void one_that_is_young_stays(void **unused)
{
    struct scene scene = begin(SIDE_RECV, true);

    (void)unused;
    assert_pruned(&scene, 3600000, false);
}

static void for_ever_is_for_ever(void **unused)
{
    struct scene scene = begin(SIDE_RECV, true);

    (void)unused;
    assert_pruned(&scene, 0, false);
}

static void one_that_is_open_stays(void **unused)
{
    struct scene scene = begin(SIDE_RECV, false);

    (void)unused;
    assert_pruned(&scene, 1, false);
}

static void a_senders_stays(void **unused)
{
    struct scene scene = begin(SIDE_SEND, false);

    (void)unused;
    assert_pruned(&scene, 1, false);
}

static void one_whose_vm_writes_its_log_stays(void **unused)
{
    struct scene scene = begin(SIDE_RECV, true);
    AUTO_FREE char *path = formatted("%s/qemu.log", scene.state);
    int log = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    (void)unused;
    assert_true(log >= 0);
    assert_pruned(&scene, 1, false);
    close(log);
}

static void one_with_an_image_for_clean_stays(void **unused)
{
    struct scene scene = begin(SIDE_RECV, false);
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
    make_old(&scene);
    assert_pruned(&scene, 1, false);
}

int main(void)
{
    struct error err = { 0 };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_was_closed_long_ago_goes),
        cmocka_unit_test(one_that_is_young_stays),
        cmocka_unit_test(for_ever_is_for_ever),
        cmocka_unit_test(one_that_is_open_stays),
        cmocka_unit_test(a_senders_stays),
        cmocka_unit_test(one_whose_vm_writes_its_log_stays),
        cmocka_unit_test(one_with_an_image_for_clean_stays),
    };

    return identity_read(&here, &err) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
