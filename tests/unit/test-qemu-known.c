/* A command line in the words of another version of QEMU, by the help that versions print:
 * tests/qemu-help has it, in a short form.
 */
#include "host/qemu/argv/argv.h"
#include "host/qemu/argv/known.h"
#include "tests/unit/words.h"
#include "xmig/text.h"

/* ---- what a version prints ---- */

struct version {
    const char *name;
    char *text; /* of its file */
    cJSON *answers;
};

static char *read_text(const char *version)
{
    AUTO_FREE char *path = formatted("%s/tests/qemu-help/%s", SOURCE_DIR, version);
    FILE *file = must(fopen(path, "re"));
    char *text = must(calloc(1, 1 << 20));

    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    return text;
}

static const char *help(void *arg, const char *option, const char *what)
{
    struct version *version = arg;
    AUTO_FREE char *question = formatted("== %s%s%s\n", option, what ? " " : "", what ? what : "");
    const cJSON *known = cJSON_GetObjectItemCaseSensitive(version->answers, question);
    const char *from = strstr(version->text, question);
    const char *to;

    if (known || !from)
        return known ? known->valuestring : NULL;
    from += strlen(question);
    to = strstr(from, "\n== ");
    AUTO_FREE char *answer = must(strndup(from, to ? (size_t)(to - from) : strlen(from)));

    cJSON_AddStringToObject(version->answers, question, answer);
    return cJSON_GetObjectItemCaseSensitive(version->answers, question)->valuestring;
}

static struct version version_of(const char *name)
{
    return (struct version){ name, read_text(name), must(cJSON_CreateObject()) };
}

static void version_done(struct version *version)
{
    free(version->text);
    cJSON_Delete(version->answers);
}

/* ---- lines ---- */

/* The line for that version; of a line that it refuses, why. The caller frees it. */
static char *said_to(const char *version_name, const char *line)
{
    struct version version = version_of(version_name);
    const struct argv_known known = { help, &version, true, "the target's QEMU" };
    AUTO_JSON cJSON *array = words(line);
    AUTO_JSON cJSON *notes = must(cJSON_CreateArray());
    AUTO_JSON cJSON *translated = NULL;
    struct error err = { 0 };
    char *text;

    translated = argv_translate(array, &known, notes, &err);
    assert_ok(translated != NULL, &err);
    text = argv_check_known(translated, &known, &err) ? joined(translated) : must(strdup(err.text));
    version_done(&version);
    return text;
}

static void becomes(const char *version, const char *line, const char *expected)
{
    AUTO_FREE char *text = said_to(version, line);

    assert_string_equal(text, expected);
}

static void stays(const char *version, const char *line)
{
    becomes(version, line, line);
}

static void is_refused(const char *version, const char *line, const char *why)
{
    AUTO_FREE char *text = said_to(version, line);

    assert_says(text, why);
}

/* ---- translated ---- */

static void says_the_machines_properties_as_such(void **unused)
{
    (void)unused;
    becomes("11.1", "-no-hpet -no-acpi", "-machine hpet=off -machine acpi=off");
    stays("7.2", "-no-hpet -no-acpi");
}

static void says_what_qemu_runs_with_as_each_version_does(void **unused)
{
    (void)unused;
    becomes("11.1", "-async-teardown -runas kvm", "-run-with async-teardown=on -run-with user=kvm");
    becomes("10.0", "-runas kvm", "-run-with user=kvm");
    becomes("7.2", "-run-with async-teardown=on,user=kvm", "-async-teardown -runas kvm");
    stays("10.0", "-run-with async-teardown=on,user=kvm");
}

static void steps_singly_in_every_version(void **unused)
{
    (void)unused;
    becomes("11.1", "-singlestep -machine pc -accel tcg,tb-size=9",
            "-machine pc -accel tcg,tb-size=9,one-insn-per-tb=on");
    becomes("11.1", "-machine pc,accel=tcg -singlestep",
            "-machine pc -accel tcg,one-insn-per-tb=on");
    becomes("7.2", "-accel tcg,one-insn-per-tb=on", "-singlestep -accel tcg");
    becomes("11.1", "-singlestep -machine pc", "-machine pc -accel tcg,one-insn-per-tb=on");
    becomes("7.2", "-accel tcg,one-insn-per-tb=off", "-accel tcg");
}

static void another_accelerator_stays_where_tcg_would_step_singly(void **unused)
{
    (void)unused;
    becomes("11.1", "-machine pc,accel=kvm -singlestep", "-machine pc,accel=kvm");
    becomes("11.1", "-singlestep -machine pc -accel kvm", "-machine pc -accel kvm");
    becomes("11.1", "-machine pc -singlestep -enable-kvm", "-machine pc -enable-kvm");
    becomes("11.1", "-singlestep -accel kvm -accel tcg",
            "-accel kvm -accel tcg,one-insn-per-tb=on");
}

static const char *no_help(void *arg, const char *option, const char *what)
{
    (void)arg;
    (void)option;
    (void)what;
    return NULL;
}

static void without_help_all_stays_as_it_is_said(void **unused)
{
    const struct argv_known known = { no_help, NULL, true, "the target's QEMU" };
    const char *line = "-run-with user=kvm -chardev socket,id=c,path=/s,reconnect=5 -no-acpi";
    AUTO_JSON cJSON *array = words(line);
    AUTO_JSON cJSON *translated = NULL;
    AUTO_FREE char *text = NULL;
    struct error err = { 0 };
    (void)unused;

    translated = argv_translate(array, &known, NULL, &err);
    assert_ok(translated != NULL, &err);
    text = joined(translated);
    assert_string_equal(text, line);
}

static void says_how_often_to_connect_in_the_versions_unit(void **unused)
{
    (void)unused;
    becomes("11.1", "-chardev socket,id=c,path=/s,reconnect=5",
            "-chardev socket,id=c,path=/s,reconnect-ms=5000");
    becomes("7.2", "-chardev socket,id=c,path=/s,reconnect-ms=1500",
            "-chardev socket,id=c,path=/s,reconnect=2");
    becomes("11.1", "-netdev stream,id=n,addr.type=unix,addr.path=/s,reconnect=1",
            "-netdev stream,id=n,addr.type=unix,addr.path=/s,reconnect-ms=1000");
    stays("7.2", "-chardev socket,id=c,path=/s,reconnect=5");
}

static void has_a_monitor_in_every_version(void **unused)
{
    (void)unused;
    becomes("7.2", "-object monitor-qmp,id=m,chardev=c", "-mon chardev=c,mode=control,id=m");
    becomes("10.0", "-object monitor-hmp,id=m,chardev=c", "-mon chardev=c,mode=readline,id=m");
    stays("11.1", "-object monitor-qmp,id=m,chardev=c");
    stays("11.1", "-mon chardev=c,mode=control");
}

static void leaves_out_what_says_nothing(void **unused)
{
    (void)unused;
    becomes("11.1", "-smp 4,sockets=0,dies=0,cores=2 -enable-fips", "-smp 4,cores=2");
    becomes("11.1", "-device virtio-blk-pci,scsi=off,drive=d", "-device virtio-blk-pci,drive=d");
    stays("7.2", "-device virtio-blk-pci,scsi=off,drive=d");
}

static void says_a_kind_by_the_name_that_is_not_an_alias(void **unused)
{
    (void)unused;
    becomes("11.1", "-chardev tty,id=c,path=/dev/ttyS0 -chardev parport,id=p,path=/dev/parport0",
            "-chardev serial,id=c,path=/dev/ttyS0 -chardev parallel,id=p,path=/dev/parport0");
}

static void says_options_of_older_versions_as_devices(void **unused)
{
    (void)unused;
    becomes("11.1", "-watchdog i6300esb -soundhw hda -rtc-td-hack",
            "-device i6300esb -device intel-hda -device hda-duplex -rtc driftfix=slew");
}

/* Nothing looks at the words once more. */
static void no_option_becomes_another_with_more_keys(void **unused)
{
    (void)unused;
    is_refused("11.1", "-watchdog vfio-pci,host=0:3.0", "'-watchdog vfio-pci,host=0:3.0'");
    is_refused("11.1", "-watchdog vfio-pci", "'-watchdog vfio-pci'");
    is_refused("11.1", "-runas kvm,chroot=/srv", "'-runas kvm,chroot=/srv'");
    becomes("11.1", "-watchdog ib700", "-device ib700");
}

static void keeps_the_image_that_stands_without_an_option(void **unused)
{
    (void)unused;
    stays("11.1", "/vm/disk.raw");
}

/* ---- refused ---- */

static void refuses_a_device_that_is_gone(void **unused)
{
    (void)unused;
    is_refused("11.1", "-device sga", "restart the guest with -machine graphics=off");
    is_refused("10.0", "-device qxl-vga", "qemu-system-modules-spice");
    is_refused("11.1", "-device virtio-blk-pci,scsi=on,drive=d", "'scsi' for the device");
}

static void refuses_kinds_that_are_gone(void **unused)
{
    (void)unused;
    is_refused("11.1", "-object colo-nothing,id=o", "kind of object 'colo-nothing'");
    is_refused("11.1", "-cpu Icelake-Client", "the CPU 'Icelake-Client'");
    is_refused("11.1", "-netdev tunnel,id=n", "the network 'tunnel'");
    is_refused("11.1", "-chardev spicevmc,id=c", "the character device 'spicevmc'");
    is_refused("11.1", "-drive file=/d,format=sheepdog", "the block driver 'sheepdog'");
    is_refused("11.1", "-machine pc-q35-7.2,kernel_irqchip=on,nonsense=1", "'nonsense'");
    is_refused("11.1", "-cpu qemu64,+aes,-nonsense", "'nonsense' for the CPU");
    is_refused("7.2", "-shim /s", "the option '-shim /s'");
}

static void knows_the_properties_of_what_stays(void **unused)
{
    (void)unused;
    stays("11.1", "-cpu qemu64,+aes,-sse4.1,kvm=off,hv_relaxed");
    stays("11.1", "-machine pc-q35-7.2,kernel_irqchip=on,pflash0=p,accel=tcg,hpet=off");
    stays("11.1", "-device virtio-blk-pci,drive=d,id=v,bus=pci.0,addr=4,disable-legacy=on");
    stays("11.1", "-device {\"driver\":\"virtio-blk-pci\",\"drive\":\"d\",\"id\":\"v\"}");
    stays("11.1", "-object memory-backend-ram,id=m,size=64M,merge=off");
}

/* ---- each line of a manual ---- */

static void each_line(void (*look)(const char *outcome, const char *line, void *arg), void *arg)
{
    AUTO_FREE char *text = read_text("lines");
    char *rest = text;
    char *line;

    while ((line = strsep(&rest, "\n"))) {
        size_t outcome = strcspn(line, " ");
        const char *words = line + outcome + strspn(line + outcome, " ");

        line[outcome] = '\0';
        if (*line && *line != '#')
            look(line, words, arg);
    }
}

/* With the VM's folder for each "%". The caller frees it. */
static char *in_folder(const char *line)
{
    char *text = must(strdup(""));

    for (; *line; line++) {
        char *longer = *line == '%' ? formatted("%s/vm", text) : formatted("%s%c", text, *line);

        free(text);
        text = longer;
    }
    return text;
}

static void goes_to(const char *outcome, const char *line, void *version_name)
{
    struct version version = version_of(version_name);
    const struct argv_known known = { help, &version, true, "the target's QEMU" };
    AUTO_FREE char *text = in_folder(line);
    AUTO_JSON cJSON *array = words(text);
    AUTO_JSON cJSON *notes = must(cJSON_CreateArray());
    AUTO_JSON cJSON *translated = NULL;
    struct argv_vm vm = { "/vm", "web", NULL, "pc-i440fx-7.2", "tcg", .disk_count = 0 };
    struct argv_result result = { 0 };
    struct error err = { 0 };
    bool ok = argv_rewrite(array, &vm, &result, &err) &&
              (translated = argv_translate(result.words, &known, notes, &err)) &&
              argv_check_known(translated, &known, &err);

    bool moves = !strcmp(outcome, "moves") || !strcmp(outcome, "else");

    if (strcmp(outcome, "ends") != 0 && ok != moves)
        fail_msg("%s to %s: %s", line, version.name, ok ? "is not refused" : err.text);
    argv_result_done(&result);
    version_done(&version);
}

static void treats_each_line_of_the_manual_as_it_says(void **unused)
{
    (void)unused;
    each_line(goes_to, "11.1");
    each_line(goes_to, "10.0");
}

static void look_for(const char *outcome, const char *line, void *option)
{
    AUTO_JSON cJSON *array = words(line);
    const cJSON *word;

    (void)outcome;
    cJSON_ArrayForEach (word, array)
        if (!strcmp(word->valuestring, option))
            *(char *)option = '\0'; /* found */
}

static void has_each_option_of_the_manual(void **unused)
{
    AUTO_FREE char *text = read_text("7.2");
    char *rest = strchr(text, '\n') + 1;
    char *line;
    (void)unused;

    while ((line = strsep(&rest, "\n")) && strncmp(line, "==", 2) != 0) {
        AUTO_FREE char *option = must(strndup(line, strcspn(line, " /,")));
        AUTO_FREE char *wanted = must(strdup(option));

        each_line(look_for, option);
        if (*option)
            fail_msg("tests/qemu-help/lines lacks %s", wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_the_machines_properties_as_such),
        cmocka_unit_test(says_what_qemu_runs_with_as_each_version_does),
        cmocka_unit_test(steps_singly_in_every_version),
        cmocka_unit_test(another_accelerator_stays_where_tcg_would_step_singly),
        cmocka_unit_test(without_help_all_stays_as_it_is_said),
        cmocka_unit_test(says_how_often_to_connect_in_the_versions_unit),
        cmocka_unit_test(has_a_monitor_in_every_version),
        cmocka_unit_test(leaves_out_what_says_nothing),
        cmocka_unit_test(says_a_kind_by_the_name_that_is_not_an_alias),
        cmocka_unit_test(says_options_of_older_versions_as_devices),
        cmocka_unit_test(no_option_becomes_another_with_more_keys),
        cmocka_unit_test(keeps_the_image_that_stands_without_an_option),
        cmocka_unit_test(refuses_a_device_that_is_gone),
        cmocka_unit_test(refuses_kinds_that_are_gone),
        cmocka_unit_test(knows_the_properties_of_what_stays),
        cmocka_unit_test(treats_each_line_of_the_manual_as_it_says),
        cmocka_unit_test(has_each_option_of_the_manual),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
