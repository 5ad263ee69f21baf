/* A migration by its id, the id's beginning, or the VM's name. */
#include "cmd/find-id.h"

#include "tests/unit/helpers.h"
#include "xmig/directory.h"

static const struct identity here = { "machine", "boot" };

struct scene {
    char *dir;
    char id[17];
    struct error err;
};

static struct scene begin(void)
{
    return (struct scene){ .dir = make_directory() };
}

static void end(const struct scene *scene)
{
    remove_all(scene->dir);
}

static void add_with(const struct scene *scene, const char *id, cJSON *facts, bool finished)
{
    struct journal *journal;

    journal = journal_create(scene->dir, id, SIDE_SEND, &here, facts, NULL);
    assert_non_null(journal);
    if (finished) {
        assert_true(journal_append(journal, RECORD_ABORTED, NULL, NULL));
        assert_true(journal_append(journal, RECORD_CLOSED, NULL, NULL));
    }
    journal_free(journal);
}

static void add(const struct scene *scene, const char *id, const char *vm, bool finished)
{
    AUTO_JSON cJSON *facts = must(cJSON_CreateObject());

    cJSON_AddStringToObject(facts, "source_vm", vm);
    add_with(scene, id, facts, finished);
}

static bool finds(struct scene *scene, const char *word, const char *id)
{
    return find_id(scene->dir, &here, word, scene->id, &scene->err) && !strcmp(scene->id, id);
}

static const char one[] = "0123456789abcdef";
static const char other[] = "0fedcba987654321";

static void finds_by_the_beginning_and_by_the_name(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    add(&scene, one, "qemu:web", false);
    add(&scene, other, "db", false);
    assert_true(finds(&scene, one, one));
    assert_true(finds(&scene, "012", one));
    assert_true(finds(&scene, "web", one));
    assert_true(finds(&scene, "qemu:web", one));
    assert_true(finds(&scene, "db", other));
    end(&scene);
}

static void finds_by_its_name_a_vm_that_was_moved_by_its_socket(void **unused)
{
    struct scene scene = begin();
    AUTO_JSON cJSON *facts =
        cJSON_Parse("{\"source_vm\": \"qemu:/run/web.sock\", \"name\": \"web\"}");
    (void)unused;

    add_with(&scene, one, facts, false);
    assert_true(finds(&scene, "web", one));
    end(&scene);
}

static void refuses_what_means_two_and_lists_them(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    add(&scene, one, "web", false);
    add(&scene, other, "web", false);
    assert_false(finds(&scene, "web", one));
    assert_says(scene.err.text, one);
    assert_says(scene.err.text, other);
    assert_false(finds(&scene, "0", one));
    end(&scene);
}

static void takes_the_one_that_is_not_finished(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    add(&scene, one, "web", true);
    add(&scene, other, "web", false);
    assert_true(finds(&scene, "web", other));
    assert_true(finds(&scene, "01", one));
    end(&scene);
}

static void never_returns_what_would_be_another_path(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    add(&scene, one, "web", false);
    assert_false(finds(&scene, "../../../../etc", one));
    assert_false(finds(&scene, "", one));
    assert_int_equal(scene.err.kind, ERROR_REFUSED);
    end(&scene);
}

/* As user 65534, where the tests are root's. */
static void as_another_user(struct scene *scene)
{
    bool is_root = geteuid() == 0;

    assert_int_equal(is_root ? seteuid(65534) : 0, 0);
    assert_false(finds(scene, "web", one));
    assert_int_equal(is_root ? seteuid(0) : 0, 0);
}

static void tells_a_user_that_others_moves_are_not_seen(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    assert_int_equal(chmod(scene.dir, 0755), 0);
    as_another_user(&scene);
    assert_says(scene.err.text, "known in '");
    assert_says(scene.err.text, "; what root or another user moves, only that user sees");
    end(&scene);
}

static void another_users_directory_is_refused(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    add(&scene, one, "web", false);
    assert_int_equal(chmod(scene.dir, 0), 0);
    as_another_user(&scene);
    assert_says(scene.err.text, "Permission denied");
    assert_int_equal(chmod(scene.dir, 0700), 0);
    end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_by_the_beginning_and_by_the_name),
        cmocka_unit_test(finds_by_its_name_a_vm_that_was_moved_by_its_socket),
        cmocka_unit_test(refuses_what_means_two_and_lists_them),
        cmocka_unit_test(takes_the_one_that_is_not_finished),
        cmocka_unit_test(never_returns_what_would_be_another_path),
        cmocka_unit_test(tells_a_user_that_others_moves_are_not_seen),
        cmocka_unit_test(another_users_directory_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
