/* The fence around images: to and fro, and nobody else's file. */
#include <fcntl.h>

#include "host/images/image-fence.h"
#include "tests/unit/helpers.h"

#define ID "0123456789abcdef"

static char *dir;
static char image[64], moved[128], kept[128];

static void make(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        abort();
    close(fd);
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static int make_image(void **unused)
{
    (void)unused;
    dir = make_directory();
    snprintf(image, sizeof(image), "%s/disk.raw", dir);
    snprintf(moved, sizeof(moved), "%s.moved-" ID, image);
    snprintf(kept, sizeof(kept), "%s.kept", image);
    make(image);
    return 0;
}

static int remove_image(void **unused)
{
    (void)unused;
    remove_all(dir);
    return 0;
}

static cJSON *facts_of(const char *path, bool shared)
{
    cJSON *images = must(cJSON_CreateArray());

    assert_true(image_fence_add(images, path, shared, NULL));
    return images;
}

static void takes_the_name_away_and_gives_it_back(void **unused)
{
    AUTO_JSON cJSON *images = facts_of(image, false);
    (void)unused;

    for (int twice = 0; twice < 2; twice++) {
        assert_true(image_fence_set(images, ID, true, NULL));
        assert_true(!is_there(image) && is_there(moved));
    }
    for (int twice = 0; twice < 2; twice++) {
        assert_true(image_fence_set(images, ID, false, NULL));
        assert_true(is_there(image) && !is_there(moved));
    }
}

static void a_file_that_has_taken_the_name_is_left_alone(void **unused)
{
    AUTO_JSON cJSON *images = facts_of(image, false);
    struct error err = { 0 };
    (void)unused;

    assert_true(image_fence_set(images, ID, true, &err));
    make(image);
    assert_true(image_fence_set(images, ID, true, &err));
    assert_true(is_there(image));
    assert_false(image_fence_set(images, ID, false, &err));
    assert_true(is_there(image) && is_there(moved));
}

/* The old start line does not lead to it. */
static void an_image_that_has_lost_its_name_needs_no_fence(void **unused)
{
    AUTO_JSON cJSON *images = facts_of(image, false);
    struct error err = { 0 };
    (void)unused;

    assert_int_equal(rename(image, kept), 0);
    make(image);
    assert_true(image_fence_set(images, ID, true, &err));
    assert_true(is_there(image) && is_there(kept) && !is_there(moved));
}

static void what_is_everybodys_or_shared_keeps_its_name(void **unused)
{
    AUTO_JSON cJSON *firmware = facts_of("/usr/bin/env", false);
    AUTO_JSON cJSON *shared = facts_of(image, true);
    (void)unused;

    assert_string_equal(json_string_or(firmware->child, "fence", "?"), "none");
    assert_true(image_fence_set(shared, ID, true, NULL));
    assert_true(is_there(image));
}

static void an_image_is_known_by_either_name(void **unused)
{
    AUTO_JSON cJSON *images = facts_of(image, false);
    size_t count;
    AUTO_FREE struct image_identity *before = image_fence_identities(images, ID, &count);
    AUTO_FREE struct image_identity *after = NULL;
    (void)unused;

    assert_true(image_fence_set(images, ID, true, NULL));
    after = image_fence_identities(images, ID, &count);
    assert_int_equal(count, 1);
    assert_true(before->inode != 0 && image_is_same(before, after));
}

static void its_name_is_told_also_when_it_is_fenced(void **unused)
{
    AUTO_JSON cJSON *images = facts_of(image, false);
    char names[256], wanted[256], few[8];
    (void)unused;

    assert_true(image_fence_add(images, "/usr/bin/env", true, NULL));
    assert_true(image_fence_set(images, ID, true, NULL));
    snprintf(wanted, sizeof(wanted), "'%s', '/usr/bin/env'", image);
    image_fence_names(images, names, sizeof(names));
    assert_string_equal(names, wanted);
    image_fence_names(images, few, sizeof(few));
    assert_true(strlen(few) < sizeof(few));
}

static void count_ours(void *arg, const struct image_user *other)
{
    if (other->has_image)
        ++*(int *)arg;
}

/* A child has it open; this process, which looks, does not count. */
static void finds_who_may_write_to_an_image(void **unused)
{
    AUTO_JSON cJSON *images = facts_of(image, false);
    struct image_users_search search = { .id = ID };
    AUTO_FREE struct image_identity *all = image_fence_identities(images, ID, &search.image_count);
    const int flags[] = { O_RDONLY, O_RDWR };
    (void)unused;

    search.images = all;
    for (int i = 0; i < 2; i++) {
        int fd = open(image, flags[i]); /* the child inherits it */
        FILE *child = must(popen("read x", "w"));
        int found = 0;

        close(fd);
        image_users_each(&search, count_ours, &found);
        assert_int_equal(found, i);
        pclose(child);
    }
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, make_image, remove_image)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(takes_the_name_away_and_gives_it_back),
        TEST(a_file_that_has_taken_the_name_is_left_alone),
        TEST(an_image_that_has_lost_its_name_needs_no_fence),
        TEST(what_is_everybodys_or_shared_keeps_its_name),
        TEST(an_image_is_known_by_either_name),
        TEST(its_name_is_told_also_when_it_is_fenced),
        TEST(finds_who_may_write_to_an_image),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
