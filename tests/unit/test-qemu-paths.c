/* Paths of a VM's command line, and the notation of QEMU's option arguments. */
#include <sys/stat.h>

#include "qmp/argv/keyvals.h"
#include "tests/unit/helpers.h"
#include "xmig/paths.h"

/* ---- paths ---- */

static void absolute_is(const char *cwd, const char *path, const char *expected)
{
    AUTO_FREE char *absolute = path_absolute(cwd, path);

    assert_string_equal(absolute, expected);
}

static void makes_paths_absolute(void **unused)
{
    (void)unused;
    absolute_is("/vm", "disk.raw", "/vm/disk.raw");
    absolute_is("/vm", "./a//b/../disk.raw", "/vm/a/disk.raw");
    absolute_is("/vm", "../../..", "/");
    absolute_is("/vm", "/srv/disk.raw", "/srv/disk.raw");
    absolute_is("/", "disk.raw", "/disk.raw");
}

static void renamed_is(const char *path, const char *old, const char *new, const char *expected)
{
    AUTO_FREE char *renamed = path_renamed(path, old, new);

    assert_string_equal(renamed, expected);
}

static void renames_the_whole_word_in_the_files_name(void **unused)
{
    (void)unused;
    renamed_is("/vm/web.qcow2", "web", "web2", "/vm/web2.qcow2");
    renamed_is("/vm/web/web-data.web", "web", "api", "/vm/web/api-data.api");
    renamed_is("/vm/disk.raw", "web", "web2", "/vm/web2-disk.raw");
    renamed_is("/vm/website.raw", "web", "web2", "/vm/web2-website.raw");
    renamed_is("/vm/web.qcow2", "web", NULL, "/vm/web.qcow2");
}

static void a_rename_replaces_nothing(void **unused)
{
    char *dir = make_directory();
    char a[64], b[64];
    struct error err = { 0 };
    (void)unused;

    snprintf(a, sizeof(a), "%s/a", dir);
    snprintf(b, sizeof(b), "%s/b", dir);
    fclose(must(fopen(a, "w")));
    assert_true(path_rename(a, b, &err));
    fclose(must(fopen(a, "w")));
    assert_false(path_rename(a, b, &err));
    assert_int_equal(access(a, F_OK), 0);
    remove_all(dir);
}

/* ---- option arguments ---- */

static struct keyvals parsed(const char *text)
{
    struct keyvals kv;

    assert_true(keyvals_parse(text, &kv, NULL));
    return kv;
}

static void prints_as(const struct keyvals *kv, const char *expected)
{
    AUTO_FREE char *text = keyvals_print(kv);

    assert_string_equal(text, expected);
}

static void reads_words_flags_and_doubled_commas(void **unused)
{
    AUTO_KEYVALS struct keyvals kv = parsed("socket,path=/a,,b=c,server,nowait");
    (void)unused;

    assert_string_equal(keyvals_get_implied(&kv, "backend"), "socket");
    assert_string_equal(keyvals_get(&kv, "path"), "/a,b=c");
    assert_true(keyvals_flag(&kv, "server"));
    assert_false(keyvals_flag(&kv, "wait"));
    assert_null(keyvals_get(&kv, "server"));
    prints_as(&kv, "socket,path=/a,,b=c,server,nowait");
}

static void changes_text(void **unused)
{
    AUTO_KEYVALS struct keyvals kv = parsed("web,file=a,nowait,backing.x=1,file=b");
    (void)unused;

    assert_string_equal(keyvals_get(&kv, "file"), "b");
    keyvals_set(&kv, "file", "c,d");
    keyvals_set_implied(&kv, "guest", "api");
    keyvals_remove(&kv, "wait");
    keyvals_remove_prefixed(&kv, "backing");
    keyvals_set_flag(&kv, "wait", false);
    prints_as(&kv, "api,file=a,file=c,,d,wait=off");
}

static void changes_json(void **unused)
{
    AUTO_KEYVALS struct keyvals kv =
        parsed("{\"driver\":\"raw\",\"read-only\":true,\"file\":{\"filename\":\"a\"}}");
    (void)unused;

    assert_string_equal(keyvals_get_implied(&kv, "driver"), "raw");
    assert_string_equal(keyvals_get(&kv, "file.filename"), "a");
    assert_true(keyvals_flag(&kv, "read-only"));
    keyvals_set(&kv, "file.filename", "b");
    keyvals_set(&kv, "file.driver", "file");
    keyvals_remove(&kv, "read-only");
    prints_as(&kv, "{\"driver\":\"raw\",\"file\":{\"filename\":\"b\",\"driver\":\"file\"}}");
}

static void refuses_broken_json(void **unused)
{
    struct keyvals kv;
    struct error err = { 0 };
    (void)unused;

    assert_false(keyvals_parse("{\"driver\":", &kv, &err));
    assert_int_equal(err.kind, ERROR_PROTOCOL);
    keyvals_done(&kv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_paths_absolute),
        cmocka_unit_test(renames_the_whole_word_in_the_files_name),
        cmocka_unit_test(a_rename_replaces_nothing),
        cmocka_unit_test(reads_words_flags_and_doubled_commas),
        cmocka_unit_test(changes_text),
        cmocka_unit_test(changes_json),
        cmocka_unit_test(refuses_broken_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
