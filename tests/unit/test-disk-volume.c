/* A volume that is made for a disk: what LVM is asked, by commands that stand in for LVM's. */
#include "host/images/disk-volume.h"

#include "tests/unit/helpers.h"
#include "xmig/text.h"

enum {
    MIB = 1024 * 1024
};

struct scene {
    struct loop *loop;
    char *dir, *path; /* PATH as it was */
    struct error err;
};

static void stands_in(const struct scene *scene, const char *name, const char *script)
{
    AUTO_FREE char *file = formatted("%s/%s", scene->dir, name);
    FILE *out = fopen(file, "w");

    assert_non_null(out);
    fprintf(out, "#!/bin/sh\necho \"%s $*\" >>'%s/said'\n%s\n", name, scene->dir, script);
    fclose(out);
    assert_int_equal(chmod(file, 0700), 0);
}

static struct scene make_scene(const char *vgs, const char *lvs)
{
    struct scene scene = { .loop = loop_new(),
                           .dir = make_directory(),
                           .path = must(strdup(getenv("PATH"))) };
    AUTO_FREE char *path = formatted("%s:%s", scene.dir, scene.path);

    stands_in(&scene, "vgs", vgs);
    stands_in(&scene, "lvs", lvs);
    stands_in(&scene, "lvcreate", "");
    stands_in(&scene, "lvremove", "");
    setenv("PATH", path, 1);
    return scene;
}

static void end_scene(struct scene *scene)
{
    setenv("PATH", scene->path, 1);
    free(scene->path);
    loop_free(scene->loop);
    remove_all(scene->dir);
}

/* What LVM has been asked. The caller frees it. */
static char *asked(const struct scene *scene)
{
    AUTO_FREE char *file = formatted("%s/said", scene->dir);
    AUTO_CLOSE int fd = open(file, O_RDONLY | O_CLOEXEC);
    char *text = must(calloc(1, 4096));

    if (fd >= 0)
        assert_true(read(fd, text, 4095) >= 0);
    return text;
}

static void is_named_for_the_vm_and_the_disk(void **unused)
{
    struct error err = { 0 };
    AUTO_FREE char *path = disk_volume_path("vg0", "web", "xvda", &err);
    (void)unused;

    assert_string_equal(path, "/dev/vg0/web.xvda");
}

static void what_lvm_has_no_name_for_is_refused(void **unused)
{
    static const char *const names[][2] = {
        { "vg0", "my web" }, { "vg0", "a/b" }, { "vg0", "-web" }, { "vg/0", "web" }, { "", "web" }
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct error err = { 0 };

        assert_null(disk_volume_path(names[i][0], names[i][1], "xvda", &err));
        assert_int_equal(err.kind, ERROR_REFUSED);
    }
}

static void needs_a_group_with_room(void **unused)
{
    struct scene scene = make_scene("echo '  10485760 4194304'", "");
    (void)unused;

    assert_ok(disk_volume_check(scene.loop, "/dev/vg0/web.a", 8 * MIB, &scene.err), &scene.err);
    assert_false(disk_volume_check(scene.loop, "/dev/vg0/web.a", 12 * MIB, &scene.err));
    assert_says(scene.err.text, "'vg0' has 10485760 bytes left, and the disk has 12582912");
    assert_false(disk_volume_check(scene.loop, "/dev/vg0/web.a", 5 * MIB, &scene.err));
    assert_says(scene.err.text, "no multiple of the extents of 'vg0'");
    end_scene(&scene);
}

static void a_group_that_is_not_there_is_refused_in_lvms_words(void **unused)
{
    struct scene scene = make_scene("echo 'Volume group \"vg0\" not found' >&2; exit 5", "");
    (void)unused;

    assert_false(disk_volume_check(scene.loop, "/dev/vg0/web.a", 8 * MIB, &scene.err));
    assert_says(scene.err.text, "the volume group 'vg0'");
    assert_says(scene.err.text, "not found");
    end_scene(&scene);
}

static void is_made_with_our_tag(void **unused)
{
    struct scene scene = make_scene("", "");
    AUTO_FREE char *said = NULL;
    (void)unused;

    assert_ok(disk_volume_create(scene.loop, "00ff", "/dev/vg0/web.a", 8 * MIB, &scene.err),
              &scene.err);
    said = asked(&scene);
    assert_says(said, "--addtag xmig-00ff --size 8388608b --name web.a vg0\n");
    end_scene(&scene);
}

/* Any path that is there will do. */
static void is_removed_by_its_tag_alone(void **unused)
{
    static const struct {
        const char *tags;
        bool ours;
    } cases[] = {
        { "  xmig-00ff", true },
        { "  a,xmig-00ff,b", true },
        { "  xmig-00ff0", false },
        { "  axmig-00ff", false },
        { "", false },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_FREE char *lvs = formatted("echo '%s'", cases[i].tags);
        struct scene scene = make_scene("", lvs);
        AUTO_FREE char *said = NULL;

        assert_ok(disk_volume_remove(scene.loop, "00ff", "/dev/null", &scene.err), &scene.err);
        said = asked(&scene);
        assert_int_equal(strstr(said, "lvremove") != NULL, cases[i].ours);
        end_scene(&scene);
    }
}

static void what_is_gone_need_not_be_removed(void **unused)
{
    struct scene scene = make_scene("", "exit 5");
    (void)unused;

    assert_ok(disk_volume_remove(scene.loop, "00ff", "/dev/vg0/none", &scene.err), &scene.err);
    end_scene(&scene);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_named_for_the_vm_and_the_disk),
        cmocka_unit_test(what_lvm_has_no_name_for_is_refused),
        cmocka_unit_test(needs_a_group_with_room),
        cmocka_unit_test(a_group_that_is_not_there_is_refused_in_lvms_words),
        cmocka_unit_test(is_made_with_our_tag),
        cmocka_unit_test(is_removed_by_its_tag_alone),
        cmocka_unit_test(what_is_gone_need_not_be_removed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
