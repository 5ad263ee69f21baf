/* Where could a directory be made? */
#include <errno.h>

#include "tests/unit/helpers.h"
#include "xmig/directory.h"
#include "xmig/text.h"

static char *dir;

static int make_dir(void **unused)
{
    (void)unused;
    dir = make_directory();
    return 0;
}

static int remove_dir(void **unused)
{
    (void)unused;
    remove_all(dir);
    return 0;
}

static void below_a_directory_one_could_be_made_and_is_not(void **unused)
{
    AUTO_FREE char *path = formatted("%s/a/b", dir);
    struct error err = { 0 };
    (void)unused;

    assert_ok(directory_can_make(path, &err), &err);
    assert_int_equal(access(path, F_OK), -1);
}

static void a_file_and_what_is_below_one_are_no_directory(void **unused)
{
    AUTO_FREE char *file = formatted("%s/file", dir);
    AUTO_FREE char *below = formatted("%s/none", file);
    const char *const paths[] = { file, below };
    (void)unused;

    close(open(file, O_CREAT | O_WRONLY, 0700));
    for (size_t i = 0; i < 2; i++) {
        struct error err = { 0 };

        errno = 0;
        assert_false(directory_can_make(paths[i], &err));
        assert_int_equal(err.kind, ERROR_REFUSED);
        assert_says(err.text, "Not a directory");
    }
}

static void what_is_made_with_its_parents_is_there(void **unused)
{
    AUTO_FREE char *path = formatted("%s/c/d", dir);
    struct error err = { 0 };
    struct stat st;
    (void)unused;

    assert_ok(directory_make_all(path, &err), &err);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(below_a_directory_one_could_be_made_and_is_not),
        cmocka_unit_test(a_file_and_what_is_below_one_are_no_directory),
        cmocka_unit_test(what_is_made_with_its_parents_is_there),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
