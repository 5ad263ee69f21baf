/* What the running QEMU tells of its disks, and what is made of it. */
#include <fcntl.h>

#include "host/qemu/guest/guest.h"
#include "tests/fake/fake-qemu.h"
#include "tests/unit/helpers.h"
#include "xmig/guest-calls.h"
#include "xmig/hypervisor-calls.h"
#include "xmig/text.h"

/* A directory with the images web.qcow2 and base.raw, in which QEMU, which is this process, works
 * and has them open.
 */
static char *dir;
static int opened[2];

static int make_images(void **unused)
{
    static const char *const names[] = { "web.qcow2", "base.raw" };
    (void)unused;

    dir = make_directory();
    for (size_t i = 0; i < 2; i++) {
        AUTO_FREE char *path = formatted("%s/%s", dir, names[i]);

        opened[i] = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (opened[i] < 0)
            abort();
    }
    return 0;
}

static int remove_images(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < 2; i++)
        close(opened[i]);
    remove_all(dir);
    return 0;
}

struct scene {
    struct loop *loop;
    struct exchange script[2];
    struct fake_qemu *fake;
    struct qemu_guest *vm;
    struct error err;
};

/* The VM "web" whose query-block says `blocks`; it shall be called `new_name`. */
static struct scene *scene_with(const char *blocks, const char *new_name, const cJSON *targets)
{
    static struct scene scene;
    struct vm_context context = {
        .id = "0123456789abcdef",
        .options = { .new_name = new_name, .disk_targets = targets, .mirrors_disks = true },
    };

    scene = (struct scene){ .loop = loop_new(),
                            .script = { { "query-block", .reply = blocks }, { 0 } } };
    context.loop = scene.loop;
    scene.fake = fake_qemu_new(scene.loop, scene.script);
    scene.vm = qemu_guest_of(hypervisor_guest(&qemu_hypervisor, &context, NULL));
    scene.vm->base.found = true;
    scene.vm->qemu.q = qmp_connect(scene.loop, fake_qemu_path(scene.fake), QMP_CONNECT_MS, NULL);
    scene.vm->qemu.pid = getpid();
    scene.vm->name = must(strdup("web"));
    scene.vm->process.cwd = must(strdup(dir));
    return &scene;
}

static void end(struct scene *scene)
{
    guest_free(&scene->vm->base);
    fake_qemu_free(scene->fake);
    loop_free(scene->loop);
}

#define IMAGE(FILE, MORE)                                                                          \
    "{\"filename\": \"" FILE "\", \"virtual-size\": 4096, \"actual-size\": 100" MORE "}"
#define BLOCK(DRIVE, NODE, QDEV, FORMAT, RO, IMAGE)                                                \
    "{\"device\": \"" DRIVE "\", \"qdev\": \"" QDEV "\", \"inserted\": {\"node-name\": \"" NODE    \
    "\", \"drv\": \"" FORMAT "\", \"ro\": " RO ", \"image\": " IMAGE "}}"
#define WEB BLOCK("virtio0", "#block1", "", "qcow2", "false", IMAGE("web.qcow2", ""))

static void target_is(const struct source_disk *disk, const char *name)
{
    AUTO_FREE char *path = formatted("%s/%s", dir, name);

    assert_non_null(disk);
    assert_string_equal(disk->params.image, path);
}

static void calls_a_disk_as_its_user_does(void **unused)
{
    struct scene *scene = scene_with(
        "[" WEB ", " BLOCK("", "root", "", "raw", "false", IMAGE("base.raw", "")) ", " BLOCK(
            "", "#block5", "/machine/peripheral/d2/virtio-backend", "raw", "false",
            IMAGE("base.raw", "")) "]",
        NULL, NULL);
    (void)unused;

    assert_true(source_disks_read(scene->vm, &scene->err));
    assert_int_equal(scene->vm->disk_count, 3);
    assert_string_equal(source_disk_find(scene->vm, "virtio0")->device, "virtio0");
    assert_string_equal(source_disk_find(scene->vm, "root")->device, "root");
    assert_string_equal(source_disk_find(scene->vm, "d2")->device, "#block5");
    end(scene);
}

static void moves_neither_read_only_media_nor_empty_drives(void **unused)
{
    struct scene *scene = scene_with("[{\"device\": \"ide1-cd0\", \"removable\": true}, " BLOCK(
                                         "cd", "#b", "", "raw", "true", IMAGE("cd.iso", "")) "]",
                                     NULL, NULL);
    (void)unused;

    assert_true(source_disks_read(scene->vm, &scene->err));
    assert_int_equal(scene->vm->disk_count, 0);
    end(scene);
}

static void puts_an_image_where_it_was_or_beside_it_or_where_it_is_told(void **unused)
{
    AUTO_JSON cJSON *targets = cJSON_Parse("{\"virtio0\": \"/srv/x.qcow2\"}");
    struct scene *scene = scene_with("[" WEB "]", NULL, NULL);
    (void)unused;

    assert_true(source_disks_read(scene->vm, &scene->err));
    target_is(source_disk_find(scene->vm, "virtio0"), "web.qcow2");
    end(scene);

    scene = scene_with("[" WEB "]", "api", NULL);
    assert_true(source_disks_read(scene->vm, &scene->err));
    target_is(source_disk_find(scene->vm, "virtio0"), "api.qcow2");
    end(scene);

    scene = scene_with("[" WEB "]", "api", targets);
    assert_true(source_disks_read(scene->vm, &scene->err));
    assert_string_equal(source_disk_find(scene->vm, "virtio0")->params.image, "/srv/x.qcow2");
    end(scene);
}

static void counts_what_an_image_lies_on(void **unused)
{
    struct scene *scene = scene_with(
        "[" BLOCK("virtio0", "#b", "", "qcow2", "false",
                  IMAGE("web.qcow2", ", \"cluster-size\": 65536, \"backing-image\": " IMAGE(
                                         "base.raw", ""))) "]",
        NULL, NULL);
    const struct source_disk *disk;
    (void)unused;

    assert_true(source_disks_read(scene->vm, &scene->err));
    disk = source_disk_find(scene->vm, "virtio0");
    assert_int_equal(disk->params.size, 4096);
    assert_int_equal(disk->params.allocated, 200);
    assert_non_null(disk->paths[1]);
    assert_null(disk->paths[2]);
    end(scene);
}

static void an_image_is_made_anew_as_it_was(void **unused)
{
    struct scene *scene = scene_with(
        "[" BLOCK("d", "#b", "", "qcow2", "false",
                  IMAGE("web.qcow2", ", \"cluster-size\": 131072, \"format-specific\": {\"data\": "
                                     "{\"compat\": \"1.1\", \"refcount-bits\": 64, "
                                     "\"lazy-refcounts\": true}}")) "]",
        NULL, NULL);
    AUTO_FREE char *options = NULL;
    (void)unused;

    assert_true(source_disks_read(scene->vm, &scene->err));
    options = json_print(source_disk_find(scene->vm, "d")->params.options);
    assert_string_equal(options, "{\"cluster_size\":\"131072\",\"compat\":\"1.1\","
                                 "\"refcount_bits\":\"64\",\"lazy_refcounts\":\"on\"}");
    end(scene);
}

static void is_refused(const char *blocks, const char *targets_text, const char *because)
{
    AUTO_JSON cJSON *targets = targets_text ? cJSON_Parse(targets_text) : NULL;
    struct scene *scene = scene_with(blocks, NULL, targets);

    assert_false(source_disks_read(scene->vm, &scene->err));
    assert_int_equal(scene->err.kind, ERROR_REFUSED);
    assert_says(scene->err.text, because);
    end(scene);
}

static void refuses_disks_that_it_cannot_make_again(void **unused)
{
    (void)unused;
    is_refused("[" BLOCK("d", "#b", "", "vmdk", "false", IMAGE("base.raw", "")) "]", NULL,
               "format 'vmdk'");
    is_refused("[" BLOCK("d", "#b", "", "raw", "false", IMAGE("nbd://host/x", "")) "]", NULL,
               "only local images");
    is_refused(
        "[" BLOCK("d", "#b", "", "qcow2", "false",
                  IMAGE("web.qcow2", ", \"format-specific\": {\"data\": {\"encrypt\": {}}}")) "]",
        NULL, "encrypted");
    is_refused("[" BLOCK("d", "#b", "", "qcow2", "false",
                         IMAGE("web.qcow2", ", \"backing-image\": " IMAGE(
                                                "base.raw", ", \"format\": \"luks\""))) "]",
               NULL, "'base.raw' is encrypted");
    is_refused("[" BLOCK("d", "#b", "", "qcow2", "false",
                         IMAGE("web.qcow2", ", \"format-specific\": {\"data\": {\"data-file\": "
                                            "\"web.data\"}}")) "]",
               NULL, "the data in another file ('web.data')");
    is_refused("[" WEB ", " WEB "]", NULL, "two disks");
    is_refused("[" BLOCK("", "#b", "", "raw", "false", IMAGE("base.raw", "")) "]", NULL, "no name");
}

static void refuses_a_place_for_a_disk_that_is_not_there(void **unused)
{
    (void)unused;
    is_refused("[" WEB "]", "{\"virtio7\": \"/srv/x\"}",
               "--disk virtio7: the VM has no disk of that name; it has: virtio0");
    is_refused("[" WEB "]", "{\"virtio0\": \"x\"}", "not an absolute path");
}

static void takes_the_word_for_a_shared_disk_of_its_own_only(void **unused)
{
    AUTO_JSON cJSON *own = cJSON_Parse("{\"virtio0\": true}");
    AUTO_JSON cJSON *none = cJSON_Parse("{\"virtio7\": true}");
    struct scene *scene = scene_with("[" WEB "]", NULL, NULL);
    struct vm_options *options = &scene->vm->base.context.options;
    (void)unused;

    options->mirrors_disks = false;
    options->shared = none;
    assert_false(source_disks_read(scene->vm, &scene->err));
    assert_says(scene->err.text, "--shared virtio7");
    end(scene);
    scene = scene_with("[" WEB "]", NULL, NULL);
    options = &scene->vm->base.context.options;
    options->mirrors_disks = true;
    options->shared = own;
    assert_false(source_disks_read(scene->vm, &scene->err));
    assert_int_equal(scene->err.kind, ERROR_REFUSED);
    end(scene);
    scene = scene_with("[" WEB "]", NULL, NULL);
    options = &scene->vm->base.context.options;
    options->mirrors_disks = false;
    options->shared = own;
    assert_true(source_disks_read(scene->vm, &scene->err));
    end(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_a_disk_as_its_user_does),
        cmocka_unit_test(moves_neither_read_only_media_nor_empty_drives),
        cmocka_unit_test(puts_an_image_where_it_was_or_beside_it_or_where_it_is_told),
        cmocka_unit_test(counts_what_an_image_lies_on),
        cmocka_unit_test(an_image_is_made_anew_as_it_was),
        cmocka_unit_test(refuses_disks_that_it_cannot_make_again),
        cmocka_unit_test(refuses_a_place_for_a_disk_that_is_not_there),
        cmocka_unit_test(takes_the_word_for_a_shared_disk_of_its_own_only),
    };

    return cmocka_run_group_tests(tests, make_images, remove_images);
}
