/* What opens a disk's image on a command line, however deep, is led to the image at the target. */
#include "host/qemu/argv/argv.h"
#include "tests/unit/helpers.h"

static cJSON *words(const char *option, const char *value)
{
    cJSON *array = must(cJSON_CreateArray());

    cJSON_AddItemToArray(array, must(cJSON_CreateString("-display")));
    cJSON_AddItemToArray(array, must(cJSON_CreateString("none")));
    cJSON_AddItemToArray(array, must(cJSON_CreateString(option)));
    cJSON_AddItemToArray(array, must(cJSON_CreateString(value)));
    return array;
}

/* The last words of the line but for the machine and the accelerator. */
static const char *value_of(const cJSON *line)
{
    return cJSON_GetArrayItem(line, 3)->valuestring;
}

static char *const paths[] = { "/vm/d", NULL };

static struct argv_disk disk_for(const char *target, const char *format)
{
    return (struct argv_disk){ .paths = (char **)paths, .target = target, .format = format };
}

/* The target walks the same table, and finds nothing to change. */
static void is_taken_as_it_is(const cJSON *line, const struct argv_disk *disk)
{
    const struct disk_params disks[] = {
        { .name = "d", .image = disk->target, .format = disk->format_at_target },
        { 0 },
    };
    struct argv_result again;
    struct error err = { 0 };

    assert_ok(argv_arrived(line, disks, "pc-i440fx-7.2", "tcg", &again, &err), &err);
    argv_result_done(&again);
}

struct row {
    const char *option, *value, *becomes;
    const char *format; /* in which the image is here */
    const char *at_target;
};

static void becomes(const struct row *row, const char *target)
{
    struct argv_disk disk = disk_for(target, row->format);
    struct argv_vm vm = { .cwd = "/vm",
                          .name = "a",
                          .machine = "pc-i440fx-7.2",
                          .accelerator = "tcg",
                          .disks = &disk,
                          .disk_count = 1 };
    AUTO_JSON cJSON *line = words(row->option, row->value);
    struct argv_result result = { 0 };
    struct error err = { 0 };

    assert_ok(argv_rewrite(line, &vm, &result, &err), &err);
    assert_string_equal(value_of(result.words), row->becomes);
    assert_string_equal(disk.format_at_target, row->at_target ? row->at_target : row->format);
    is_taken_as_it_is(result.words, &disk);
    argv_result_done(&result);
}

static void all_become(const struct row *rows, size_t count, const char *target)
{
    for (size_t i = 0; i < count; i++)
        becomes(&rows[i], target);
}

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static void opens_the_new_image_beneath_filters(void **unused)
{
    static const struct row rows[] = {
        { "-blockdev",
          "driver=throttle,node-name=d,throttle-group=g,file.driver=qcow2,file.file.driver=file,"
          "file.file.filename=/vm/d",
          "driver=throttle,node-name=d,throttle-group=g,file.driver=qcow2,file.file.driver=file,"
          "file.file.filename=/vm/b",
          "qcow2", NULL },
        { "-blockdev",
          "{\"driver\":\"throttle\",\"node-name\":\"d\",\"file\":{\"driver\":\"raw\",\"file\":"
          "{\"driver\":\"host_device\",\"filename\":\"/vm/d\"}}}",
          "{\"driver\":\"throttle\",\"node-name\":\"d\",\"file\":{\"driver\":\"raw\",\"file\":"
          "{\"driver\":\"file\",\"filename\":\"/vm/b\"}},\"discard\":\"unmap\"}",
          "raw", NULL },
        { "-blockdev",
          "driver=copy-on-read,node-name=d,bottom=q,file.driver=qcow2,file.node-name=q,"
          "file.file.driver=throttle,file.file.file.driver=file,file.file.file.filename=/vm/d",
          "driver=copy-on-read,node-name=d,file.driver=qcow2,file.node-name=q,"
          "file.file.driver=throttle,file.file.file.driver=file,file.file.file.filename=/vm/b",
          "qcow2", NULL },
        { "-drive",
          "driver=throttle,throttle-group=g,file.driver=qcow2,file.file.filename=/vm/d,if=virtio",
          "driver=throttle,throttle-group=g,file.driver=qcow2,file.file.filename=/vm/b,if=virtio",
          "qcow2", NULL },
    };
    (void)unused;
    all_become(rows, COUNT(rows), "/vm/b");
}

static void forgets_which_part_of_the_file_it_was(void **unused)
{
    static const struct row rows[] = {
        { "-drive", "file=/vm/d,format=raw,size=540672,if=pflash",
          "file=/vm/b,format=raw,if=pflash,discard=unmap", "raw", NULL },
        { "-blockdev",
          "{\"driver\":\"raw\",\"node-name\":\"d\",\"size\":540672,\"offset\":512,\"file\":"
          "{\"driver\":\"file\",\"filename\":\"/vm/d\"}}",
          "{\"driver\":\"raw\",\"node-name\":\"d\",\"file\":"
          "{\"driver\":\"file\",\"filename\":\"/vm/b\"},\"discard\":\"unmap\"}",
          "raw", NULL },
        { "-blockdev",
          "{\"driver\":\"throttle\",\"node-name\":\"d\",\"file\":{\"driver\":\"raw\",\"size\":512,"
          "\"file\":{\"driver\":\"file\",\"filename\":\"/vm/d\"}}}",
          "{\"driver\":\"throttle\",\"node-name\":\"d\",\"file\":{\"driver\":\"raw\","
          "\"file\":{\"driver\":\"file\",\"filename\":\"/vm/b\"}},\"discard\":\"unmap\"}",
          "raw", NULL },
    };
    (void)unused;
    all_become(rows, COUNT(rows), "/vm/b");
}

static void writes_a_json_name_as_keys(void **unused)
{
    static const struct row row = {
        "-drive",
        "if=virtio,file=json:{\"driver\":\"qcow2\",,\"lazy-refcounts\":true,,\"file\":"
        "{\"driver\":\"file\",,\"filename\":\"/vm/d\"}}",
        "if=virtio,driver=qcow2,lazy-refcounts=on,file.driver=file,file.filename=/vm/b",
        "qcow2",
        NULL,
    };
    (void)unused;
    becomes(&row, "/vm/b");
}

static void a_block_device_holds_the_disk_raw(void **unused)
{
    static const struct row rows[] = {
        { "-drive", "file=/vm/d,format=qcow2,l2-cache-size=1M,if=virtio",
          "file=/dev/vg/d,format=raw,if=virtio,discard=unmap", "qcow2", "raw" },
        { "-hda", "/vm/d", "index=0,media=disk,file=/dev/vg/d,format=raw,discard=unmap", "raw",
          "raw" },
        { "-blockdev",
          "driver=qcow2,node-name=d,overlap-check=none,file.driver=file,file.filename=/vm/d",
          "driver=raw,node-name=d,file.driver=host_device,file.filename=/dev/vg/d,discard=unmap",
          "qcow2", "raw" },
        { "-blockdev", "driver=file,node-name=d,filename=/vm/d",
          "driver=host_device,node-name=d,filename=/dev/vg/d,discard=unmap", "raw", "raw" },
    };
    (void)unused;
    all_become(rows, COUNT(rows), "/dev/vg/d");
}

static void says_why_a_driver_is_not_moved(void **unused)
{
    static const char *const rows[][2] = {
        { "driver=quorum,node-name=d,children.0.driver=file", "several images" },
        { "driver=blkdebug,node-name=d,image.driver=file", "to test QEMU" },
        { "driver=something,node-name=d", "does not know" },
    };
    (void)unused;

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct argv_vm vm = { .cwd = "/", .name = "a", .machine = "pc", .accelerator = "tcg" };
        AUTO_JSON cJSON *line = words("-blockdev", rows[i][0]);
        struct argv_result result = { 0 };
        struct error err = { 0 };

        assert_false(argv_rewrite(line, &vm, &result, &err));
        assert_says(err.text, rows[i][1]);
        argv_result_done(&result);
    }
}

static void says_where_writes_go_with_a_snapshot(void **unused)
{
    static const char *const rows[][2] = {
        { "-drive", "file=/vm/d,format=raw,snapshot=on" },
        { "-drive", "file=/vm/d,format=raw,snapshot" },
    };
    (void)unused;

    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_JSON cJSON *line = words(rows[i][0], rows[i][1]);
        struct error err = { 0 };

        assert_false(argv_keeps_writes(line, &err));
        assert_says(err.text, "a temporary file");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_the_new_image_beneath_filters),
        cmocka_unit_test(forgets_which_part_of_the_file_it_was),
        cmocka_unit_test(writes_a_json_name_as_keys),
        cmocka_unit_test(a_block_device_holds_the_disk_raw),
        cmocka_unit_test(says_why_a_driver_is_not_moved),
        cmocka_unit_test(says_where_writes_go_with_a_snapshot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
