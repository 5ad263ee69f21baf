/* Where files may be made, whom they belong to, and how they are known again. */
#include "host/system/file-identity.h"
#include "host/system/private-directory.h"

#include "tests/unit/helpers.h"
#include "xmig/text.h"

/* A user that nobody here is. */
enum {
    STRANGER = 54321
};

struct scene {
    char *dir;  /* ours, mode 0700 */
    char *path; /* in it */
};

static int begin(void **state)
{
    static struct scene scene;

    scene.dir = make_directory();
    scene.path = formatted("%s/file", scene.dir);
    *state = &scene;
    return 0;
}

static int end(void **state)
{
    struct scene *scene = *state;

    chmod(scene->dir, 0700);
    remove_all(scene->dir);
    free(scene->path);
    return 0;
}

static void make_file(const char *path)
{
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

static void is_open(const char *path)
{
    struct error err = { 0 };
    AUTO_CLOSE int fd = private_directory_open(path, geteuid(), &err);

    assert_ok(fd >= 0, &err);
}

static void is_refused(const char *path, const char *because)
{
    struct error err = { 0 };

    assert_int_equal(private_directory_open(path, geteuid(), &err), -1);
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_says(err.text, because);
}

static void a_directory_of_our_own_is_one(void **state)
{
    const struct scene *scene = *state;

    is_open(scene->dir);
    is_open("/");
    is_open("/usr/bin");
}

static void where_others_may_write_is_none(void **state)
{
    const struct scene *scene = *state;
    AUTO_FREE char *below = formatted("%s/below", scene->dir);
    AUTO_FREE char *parent = formatted("others may write in the directory '%s'", scene->dir);

    assert_int_equal(chmod(scene->dir, 0777), 0);
    is_refused(scene->dir, "others may write in the directory");
    assert_int_equal(mkdir(below, 0700), 0);
    is_refused(below, parent);
    assert_int_equal(chmod(scene->dir, 0775), 0);
    is_open(scene->dir);
    assert_int_equal(chmod(scene->dir, 01777), 0);
    is_open(scene->dir);
    is_open(below);
}

static void what_is_not_there_is_none(void **state)
{
    (void)state;
    is_refused("/no/such/directory", "there is no directory '/no/such/directory'");
    is_refused("relative", "no absolute path");
}

static void a_link_of_ours_is_followed_once(void **state)
{
    const struct scene *scene = *state;
    AUTO_FREE char *link = formatted("%s/link", scene->dir);
    AUTO_FREE char *below = formatted("%s/bin", link);

    assert_int_equal(symlink("/usr", link), 0);
    is_open(below);
}

/* Only the superuser can set this scene. */
static void what_is_a_strangers_is_none(void **state)
{
    const struct scene *scene = *state;
    AUTO_FREE char *link = formatted("%s/link", scene->dir);
    struct error err = { 0 };

    if (geteuid() != 0)
        fail_msg("run as root: only the superuser can give files to a stranger");
    assert_int_equal(symlink("/usr", link), 0);
    assert_int_equal(lchown(link, STRANGER, 0), 0);
    is_refused(link, "who chooses where it leads");
    make_file(scene->path);
    assert_int_equal(lchown(scene->path, STRANGER, 0), 0);
    assert_false(private_directory_permits(scene->path, 0, S_IFREG, &err));
    assert_says(err.text, "is user 54321's");
    assert_true(private_directory_permits(scene->path, STRANGER, S_IFREG, &err));
    assert_int_equal(chown(scene->dir, STRANGER, 0), 0);
    is_refused(scene->dir, "is user 54321's");
}

static void a_file_must_be_of_the_kind_that_is_made(void **state)
{
    const struct scene *scene = *state;
    struct error err = { 0 };

    assert_true(private_directory_permits(scene->path, geteuid(), S_IFSOCK, &err));
    make_file(scene->path);
    assert_true(private_directory_permits(scene->path, geteuid(), S_IFREG, &err));
    assert_false(private_directory_permits(scene->path, geteuid(), S_IFSOCK, &err));
    assert_says(err.text, "is no socket");
    assert_true(private_directory_permits("/dev/null", geteuid(), S_IFREG, &err));
}

/* Opening one would wait for its reader, and tell him. */
static void a_fifo_or_a_link_is_not_opened(void **state)
{
    const struct scene *scene = *state;
    struct error err = { 0 };

    assert_int_equal(mkfifo(scene->path, 0600), 0);
    assert_false(private_directory_permits(scene->path, geteuid(), S_IFREG, &err));
    assert_says(err.text, "is no regular file");
    assert_int_equal(unlink(scene->path), 0);
    assert_int_equal(symlink("/etc/passwd", scene->path), 0);
    assert_false(private_directory_permits(scene->path, geteuid(), S_IFREG, &err));
    assert_says(err.text, "is no regular file");
}

static void only_the_very_file_is_removed(void **state)
{
    const struct scene *scene = *state;
    AUTO_FREE char *aside = formatted("%s/aside", scene->dir);
    AUTO_JSON cJSON *fact = must(cJSON_CreateObject());
    struct error err = { 0 };

    make_file(scene->path);
    cJSON_AddStringToObject(fact, "path", scene->path);
    assert_ok(file_identity_add_path(fact, scene->path, &err), &err);
    assert_true(file_identity_has(scene->path, fact));
    assert_int_equal(rename(scene->path, aside), 0);
    assert_true(file_identity_remove(fact, &err)); /* gone */
    make_file(scene->path);
    assert_false(file_identity_has(scene->path, fact));
    assert_true(file_identity_remove(fact, &err));
    assert_int_equal(access(scene->path, F_OK), 0);
    assert_int_equal(rename(aside, scene->path), 0);
    assert_true(file_identity_remove(fact, &err));
    assert_int_equal(access(scene->path, F_OK), -1);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_directory_of_our_own_is_one),  TEST(where_others_may_write_is_none),
        TEST(what_is_not_there_is_none),      TEST(a_link_of_ours_is_followed_once),
        TEST(what_is_a_strangers_is_none),    TEST(a_file_must_be_of_the_kind_that_is_made),
        TEST(a_fifo_or_a_link_is_not_opened), TEST(only_the_very_file_is_removed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
