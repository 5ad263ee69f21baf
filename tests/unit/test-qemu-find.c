/* Which process is a QEMU, and what its command line says of its name and its monitors. */
#include "host/qemu/find.h"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/qemu/argv/argv.h"
#include "tests/unit/helpers.h"
#include "tests/unit/words.h"
#include "xmig/text.h"

static void finds_the_name(void **unused)
{
    AUTO_JSON cJSON *plain = words("-m 1 -name web,process=x");
    AUTO_JSON cJSON *keyed = words("-name debug-threads=on,guest=web");
    AUTO_JSON cJSON *value = words("-serial -name -m 1");
    AUTO_JSON cJSON *twice = words("-name old -name web -m 1 -name process=x");
    AUTO_FREE char *a = argv_name(plain);
    AUTO_FREE char *b = argv_name(keyed);
    AUTO_FREE char *c = argv_name(twice);
    (void)unused;

    assert_string_equal(a, "web");
    assert_string_equal(b, "web");
    assert_non_null(c);
    assert_string_equal(c, "web");
    assert_null(argv_name(value));
}

static void an_option_that_it_does_not_know_hides_no_name(void **unused)
{
    static const char *const lines[] = { "-id 100 -name web", "-frobnicate 100 -name web",
                                         "-frobnicate -name web",
                                         "-frobnicate a=b -m 1 -name web" };
    (void)unused;

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        AUTO_JSON cJSON *line = words(lines[i]);
        AUTO_FREE char *name = argv_name(line);

        assert_non_null(name);
        assert_string_equal(name, "web");
    }
}

static void a_wrapped_program_is_known_by_its_own_name(void **unused)
{
    AUTO_FREE char *nix = qemu_program_unwrapped("/nix/1/bin/.qemu-system-x86_64-wrapped");
    AUTO_FREE char *twice = qemu_program_unwrapped("/nix/1/bin/..qemu-kvm-wrapped-wrapped");
    AUTO_FREE char *plain = qemu_program_unwrapped("/usr/bin/qemu-system-x86_64");
    (void)unused;

    assert_string_equal(nix, "/nix/1/bin/qemu-system-x86_64");
    assert_string_equal(twice, "/nix/1/bin/qemu-kvm");
    assert_string_equal(plain, "/usr/bin/qemu-system-x86_64");
    assert_true(qemu_is_name(".qemu-system-x86_64-wrapped"));
    assert_true(qemu_is_name("/gnu/bin/.qemu-system-x86_64-real"));
    assert_false(qemu_is_name("/usr/bin/qemu-img"));
    assert_false(qemu_is_name("-wrapped"));
}

/* The program's file says what it is; what it calls itself counts where that is not known. */
static void a_process_is_a_qemu_by_its_file(void **unused)
{
    static const char line[] = "web\0-name\0web";
    static const char usual[] = "/usr/bin/kvm\0-name\0web";
    AUTO_JSON cJSON *renamed = qemu_words(line, sizeof(line), "/usr/bin/qemu-system-x86_64");
    AUTO_JSON cJSON *unknown = qemu_words(usual, sizeof(usual), NULL);
    (void)unused;

    assert_int_equal(cJSON_GetArraySize(renamed), 2);
    assert_int_equal(cJSON_GetArraySize(unknown), 2);
    assert_null(qemu_words(usual, sizeof(usual), "/usr/bin/python3"));
    assert_null(qemu_words(line, sizeof(line), NULL));
}

static void finds_the_sockets_for_qmp(void **unused)
{
    AUTO_JSON cJSON *line =
        words("-qmp tcp::1,server -qmp unix:/a,server=on,wait=off -monitor unix:/m,server "
              "-chardev socket,id=b,path=b,server=on -mon chardev=b,mode=control "
              "-chardev socket,id=h,path=/h,server=on -mon h "
              "-chardev socket,id=xmig-monitor,path=/own,server=on "
              "-mon chardev=xmig-monitor,mode=control");
    AUTO_JSON cJSON *found = argv_qmp_sockets(line, "/vm");
    AUTO_FREE char *sockets = joined(found);
    (void)unused;

    assert_string_equal(sockets, "/own /a /vm/b tcp::1");
}

static void finds_a_monitor_that_has_a_chardev(void **unused)
{
    AUTO_JSON cJSON *line =
        words("-id 7 -chardev socket,id=a,path=/a,server -qmp chardev:a "
              "-chardev socket,id=b,path=/b,server=on -object monitor-qmp,id=m,chardev=b "
              "-chardev socket,id=c,path=/c,server=on -object monitor-hmp,id=n,chardev=c "
              "-chardev socket,id=d,host=::1,port=4,server=on -mon chardev=d,mode=control "
              "-chardev socket,id=e,path=/e,reconnect=5 -mon chardev=e,mode=control "
              "-chardev socket,id=f,path=/f,server=on "
              "-object {'qom-type':'monitor-qmp','id':'o','chardev':'f'} "
              "-qmp tcp:127.0.0.1:5,server=on,wait=off -qmp tcp::6,server=on,to=9 -qmp tcp:h:7");
    AUTO_JSON cJSON *found = argv_qmp_sockets(line, "/vm");
    AUTO_FREE char *sockets = joined(found);
    (void)unused;

    assert_string_equal(sockets, "/a /b /f tcp:[::1]:4 tcp:127.0.0.1:5");
}

/* ---- a file of options ---- */

static void write_file(const char *path, const char *text)
{
    FILE *file = must(fopen(path, "we"));

    fputs(text, file);
    fclose(file);
}

/* The line "-m 1 -readconfig CONFIG -smp 2" with what a file of this content says. */
static char *expanded(const char *content)
{
    char *directory = make_directory();
    AUTO_FREE char *path = formatted("%s/config", directory);
    AUTO_JSON cJSON *line = words("-m 1 -readconfig config -smp 2");
    AUTO_JSON cJSON *files = must(cJSON_CreateArray());
    AUTO_JSON cJSON *found = NULL;

    write_file(path, content);
    found = argv_expand(line, directory, files);
    if (files->child)
        assert_string_equal(files->child->valuestring, path);
    remove_all(directory);
    return joined(found);
}

static void says_becomes(const char *content, const char *expected)
{
    AUTO_FREE char *line = expanded(content);
    AUTO_FREE char *wanted = formatted("-m 1 %s%s-smp 2", expected, *expected ? " " : "");

    assert_string_equal(line, wanted);
}

static void a_file_of_options_is_read_where_the_line_names_it(void **unused)
{
    (void)unused;
    says_becomes("", "");
    says_becomes("# Machine\n[device \"ehci\"]\n  driver = \"ich9-usb-ehci1\"\n"
                 "  multifunction = \"on\"\n\n[machine]\n type = \"q35\"\n",
                 "-device id=ehci,driver=ich9-usb-ehci1,multifunction=on -machine type=q35");
    says_becomes(
        "[memory]\n size = \"1G\"\n[smp-opts]\n cpus = \"2\"\n[boot-opts]\n strict = \"on\"\n",
        "-m size=1G -smp cpus=2 -boot strict=on");
    says_becomes("[drive]\n file = \"a,b\"\n if = \"none\"\n file = \"c,d\"\n",
                 "-drive file=c,,d,if=none");
}

/* As QEMU does. */
static void a_value_without_quotation_marks_is_empty(void **unused)
{
    (void)unused;
    says_becomes("[name]\n guest = web\n", "-name guest=");
}

static void a_file_that_is_not_understood_stays_on_the_line(void **unused)
{
    (void)unused;
    says_becomes("guest = \"web\"\n", "-readconfig config");
    says_becomes("[name]\n  \n", "-readconfig config");
}

static void what_is_no_file_is_not_read(void **unused)
{
    AUTO_JSON cJSON *device = words("-readconfig /dev/zero -name web");
    AUTO_JSON cJSON *missing = words("-readconfig /nowhere/config -name web");
    AUTO_JSON cJSON *relative = words("-readconfig config -name web");
    AUTO_JSON cJSON *a = argv_expand(device, "/", NULL);
    AUTO_JSON cJSON *b = argv_expand(missing, "/", NULL);
    AUTO_JSON cJSON *c = argv_expand(relative, NULL, NULL);
    (void)unused;

    assert_true(cJSON_Compare(a, device, true));
    assert_true(cJSON_Compare(b, missing, true));
    assert_true(cJSON_Compare(c, relative, true));
}

/* Is a file of this kind opened? */
static bool opens(const char *directory, const char *name)
{
    AUTO_FREE char *path = formatted("%s/%s", directory, name);
    AUTO_CLOSE int events = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    AUTO_FREE char *text = formatted("-readconfig %s -name web", name);
    AUTO_JSON cJSON *line = words(text);
    AUTO_JSON cJSON *found = NULL;
    char event[512];
    bool opened;

    assert_true(inotify_add_watch(events, path, IN_OPEN) >= 0);
    found = argv_expand(line, directory, NULL);
    opened = read(events, event, sizeof(event)) > 0;
    assert_int_equal(!cJSON_Compare(found, line, true), opened);
    return opened;
}

static void only_a_small_regular_file_is_opened(void **unused)
{
    char *directory = make_directory();
    AUTO_FREE char *pipe = formatted("%s/pipe", directory);
    AUTO_FREE char *large = formatted("%s/large", directory);
    AUTO_FREE char *small = formatted("%s/small", directory);
    (void)unused;

    assert_int_equal(mkfifo(pipe, 0600), 0);
    write_file(large, "");
    assert_int_equal(truncate(large, (1 << 20) + 1), 0);
    write_file(small, "");
    assert_true(opens(directory, "small"));
    assert_false(opens(directory, "pipe"));
    assert_false(opens(directory, "large"));
    remove_all(directory);
}

static void only_so_many_files_are_read(void **unused)
{
    char *directory = make_directory();
    AUTO_FREE char *path = formatted("%s/config", directory);
    AUTO_JSON cJSON *line = must(cJSON_CreateArray());
    AUTO_JSON cJSON *files = must(cJSON_CreateArray());
    AUTO_JSON cJSON *found = NULL;
    AUTO_FREE char *text = NULL;
    (void)unused;

    write_file(path, "");
    for (int i = 0; i < 17; i++) {
        cJSON_AddItemToArray(line, cJSON_CreateString("-readconfig"));
        cJSON_AddItemToArray(line, cJSON_CreateString("config"));
    }
    found = argv_expand(line, directory, files);
    remove_all(directory);
    text = joined(found);
    assert_int_equal(cJSON_GetArraySize(files), 16);
    assert_string_equal(text, "-readconfig config");
}

static void finds_name_and_monitor_in_a_file_of_options(void **unused)
{
    char *directory = make_directory();
    AUTO_FREE char *path = formatted("%s/config", directory);
    AUTO_FREE char *text = formatted("/usr/bin/kvm|-readconfig|%s|", path);
    AUTO_JSON cJSON *found = NULL;
    AUTO_JSON cJSON *sockets = NULL;
    AUTO_FREE char *name = NULL;
    size_t len = strlen(text);
    (void)unused;

    for (size_t i = 0; i < len; i++)
        if (text[i] == '|')
            text[i] = '\0';
    write_file(path, "[name]\n guest = \"web\"\n[mon]\n chardev = \"m\"\n mode = \"control\"\n"
                     "[chardev \"m\"]\n backend = \"socket\"\n path = \"q\"\n server = \"on\"\n");
    found = qemu_words(text, len, NULL);
    name = argv_name(found);
    sockets = argv_qmp_sockets(found, "/vm");
    assert_string_equal(name, "web");
    assert_string_equal(sockets->child->valuestring, "/vm/q");
    remove_all(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_name),
        cmocka_unit_test(an_option_that_it_does_not_know_hides_no_name),
        cmocka_unit_test(a_wrapped_program_is_known_by_its_own_name),
        cmocka_unit_test(a_process_is_a_qemu_by_its_file),
        cmocka_unit_test(finds_the_sockets_for_qmp),
        cmocka_unit_test(finds_a_monitor_that_has_a_chardev),
        cmocka_unit_test(a_file_of_options_is_read_where_the_line_names_it),
        cmocka_unit_test(a_value_without_quotation_marks_is_empty),
        cmocka_unit_test(a_file_that_is_not_understood_stays_on_the_line),
        cmocka_unit_test(what_is_no_file_is_not_read),
        cmocka_unit_test(only_a_small_regular_file_is_opened),
        cmocka_unit_test(only_so_many_files_are_read),
        cmocka_unit_test(finds_name_and_monitor_in_a_file_of_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
