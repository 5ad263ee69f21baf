/* What the kernel makes of an image is found in /sys; here that is a directory of the test's own.
 */
#include <fcntl.h>

#include "host/system/kernel-users.h"
#include "tests/unit/helpers.h"

static char *dir;

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *format, ...)
{
    char command[1024], words[768];
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    snprintf(command, sizeof(command), "set -e; cd %s; %s", dir, words);
    assert_int_equal(system(command), 0);
}

static int make_sys(void **unused)
{
    (void)unused;
    dir = make_directory();
    run("mkdir -p block/loop0/loop block/loop1 dev/block; touch image; echo 7:0 >block/loop0/dev");
    return 0;
}

static int remove_sys(void **unused)
{
    (void)unused;
    remove_all(dir);
    return 0;
}

static void note(void *arg, const struct image_user *other)
{
    assert_true(other->has_image);
    assert_int_equal(other->pid, 0);
    strcpy(arg, other->who);
}

/* Who of the kernel's has it; "": nothing. */
static const char *user_of(struct image_identity image)
{
    static char who[128];
    struct image_users_search search = { .images = &image, .image_count = 1, .sys = dir };

    *who = '\0';
    kernel_users_each(&search, note, who);
    return who;
}

static const char *user_of_file(void)
{
    char path[128];
    struct stat st;

    snprintf(path, sizeof(path), "%s/image", dir);
    assert_int_equal(stat(path, &st), 0);
    return user_of(image_identity(&st));
}

static const char *user_of_device(void)
{
    return user_of((struct image_identity){ .device = 240 << 8 | 3 });
}

static void a_loop_device_is_found_by_the_file_beneath(void **unused)
{
    (void)unused;
    assert_string_equal(user_of_file(), "");
    run("echo %s/other >block/loop0/loop/backing_file; touch other", dir);
    assert_string_equal(user_of_file(), "");
    run("ln image again; echo %s/again >block/loop0/loop/backing_file", dir);
    assert_string_equal(user_of_file(), "the kernel (loop device 'loop0')");
}

static void one_that_cannot_write_is_none(void **unused)
{
    (void)unused;
    run("echo %s/image >block/loop0/loop/backing_file; echo 1 >block/loop0/ro", dir);
    assert_string_equal(user_of_file(), "");
    run("mkdir -p dev/block/240:3/holders/dm-1; echo 1 >dev/block/240:3/holders/dm-1/ro");
    assert_string_equal(user_of_device(), "");
}

static void a_device_that_is_made_of_it_is_found(void **unused)
{
    (void)unused;
    assert_string_equal(user_of_device(), "");
    run("mkdir -p dev/block/240:3/holders/dm-1; echo 0 >dev/block/240:3/holders/dm-1/ro");
    assert_string_equal(user_of_device(), "the kernel (device 'dm-1')");
    assert_string_equal(user_of((struct image_identity){ .device = 240 << 8 | 4 }), "");
}

static void so_is_one_that_is_made_of_its_partition(void **unused)
{
    (void)unused;
    run("mkdir -p dev/block/240:3/vdx1/holders/md0; touch dev/block/240:3/vdx1/partition");
    assert_string_equal(user_of_device(), "the kernel (device 'md0')");
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, make_sys, remove_sys)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_loop_device_is_found_by_the_file_beneath),
        TEST(one_that_cannot_write_is_none),
        TEST(a_device_that_is_made_of_it_is_found),
        TEST(so_is_one_that_is_made_of_its_partition),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
