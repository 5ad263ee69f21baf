/* The command line of a device model, as libxl makes it. */
#include "host/xen/argv/argv.h"
#include "host/xen/params.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "xmig/cleanup.h"

struct scene {
    cJSON *disks, *media, *bridges, *needs, *renamed;
    struct xen_argv vm;
    struct error err;
};

static void set_up(struct scene *scene, const char *new_name)
{
    const struct disk_params disk = { .name = "hda",
                                      .source = "/srv/web.raw",
                                      .image = "/srv/web2.raw" };
    const struct xen_medium media[] = {
        { "hdc", "5632", "ide-5632", .source = "", .image = "/iso/b.iso" },
        { "hdd", "5696", "ide-5696", .source = "", .image = "" },
    };

    *scene = (struct scene){
        .disks = must(cJSON_CreateArray()),
        .media = must(cJSON_CreateArray()),
        .bridges = cJSON_Parse("{\"office\":\"xenbr1\"}"),
        .needs = cJSON_CreateArray(),
        .renamed = cJSON_CreateObject(),
    };
    cJSON_AddItemToArray(scene->disks, fields_new(disk_fields, &disk));
    for (size_t i = 0; i < 2; i++)
        cJSON_AddItemToArray(scene->media, fields_new(xen_medium_fields, &media[i]));
    scene->vm = (struct xen_argv){ .name = "web",
                                   .new_name = new_name,
                                   .machine = "pc-i440fx-7.2",
                                   .disks = scene->disks,
                                   .media = scene->media,
                                   .bridges = scene->bridges,
                                   .needs = scene->needs,
                                   .renamed = scene->renamed };
}

static void tear_down(struct scene *scene)
{
    cJSON_Delete(scene->disks);
    cJSON_Delete(scene->media);
    cJSON_Delete(scene->bridges);
    cJSON_Delete(scene->needs);
    cJSON_Delete(scene->renamed);
}

/* Words are separated by single spaces. */
static cJSON *split(const char *text)
{
    AUTO_FREE char *copy = must(strdup(text));
    char *rest = copy;
    const char *word;
    cJSON *words = cJSON_CreateArray();

    while ((word = strsep(&rest, " ")))
        cJSON_AddItemToArray(words, cJSON_CreateString(word));
    return words;
}

static char *join(const cJSON *words)
{
    char *text = must(strdup(""));
    const cJSON *word;

    cJSON_ArrayForEach (word, words) {
        char *longer = must(malloc(strlen(text) + strlen(word->valuestring) + 2));

        strcpy(longer, text);
        if (*text)
            strcat(longer, " ");
        strcat(longer, word->valuestring);
        free(text);
        text = longer;
    }
    return text;
}

static void becomes(const char *new_name, const char *line, const char *expected)
{
    struct scene scene;
    AUTO_JSON cJSON *words = split(line);
    AUTO_JSON cJSON *rewritten = NULL;
    AUTO_JSON cJSON *numbered = NULL;
    AUTO_FREE char *text = NULL;

    set_up(&scene, new_name);
    rewritten = xen_argv_rewrite(words, &scene.vm, &scene.err);
    if (!rewritten)
        fail_msg("%s", scene.err.text);
    numbered = xen_argv_number(rewritten, 42);
    text = join(numbered);
    assert_string_equal(text, expected);
    tear_down(&scene);
}

static void is_refused(const char *line)
{
    struct scene scene;
    AUTO_JSON cJSON *words = split(line);

    set_up(&scene, NULL);
    assert_null(xen_argv_rewrite(words, &scene.vm, &scene.err));
    assert_int_equal(scene.err.kind, ERROR_REFUSED);
    tear_down(&scene);
}

static void the_domains_number_is_replaced_wherever_it_stands(void **unused)
{
    (void)unused;
    becomes(NULL,
            "-xen-domid 5 -chardev socket,id=libxl-cmd,path=/var/run/xen/qmp-libxl-5,server=on,"
            "wait=off -mon chardev=libxl-cmd,mode=control -chardev "
            "socket,id=libxenstat-cmd,path=/var/run/xen/qmp-libxenstat-5,server=on,wait=off "
            "-netdev type=tap,id=net0,ifname=vif5.0-emu,br=xenbr0,script=no,downscript=no",
            "-xen-domid 42 -chardev socket,id=libxl-cmd,path=/var/run/xen/qmp-libxl-42,server=on,"
            "wait=off -mon chardev=libxl-cmd,mode=control -chardev "
            "socket,id=libxenstat-cmd,path=/var/run/xen/qmp-libxenstat-42,server=on,wait=off "
            "-netdev type=tap,id=net0,ifname=vif42.0-emu,br=xenbr0,script=no,downscript=no");
}

static void a_bridge_may_be_called_otherwise_at_the_target(void **unused)
{
    (void)unused;
    becomes(NULL, "-netdev type=tap,id=net0,ifname=vif5.0-emu,br=office,script=no,downscript=no",
            "-netdev type=tap,id=net0,ifname=vif42.0-emu,br=xenbr1,script=no,downscript=no");
}

static void the_machine_gets_its_versioned_name(void **unused)
{
    (void)unused;
    becomes(NULL, "-machine pc,accel=xen,suppress-vmdesc=on -m 96",
            "-machine pc-i440fx-7.2,accel=xen,suppress-vmdesc=on -m 96");
}

static void a_moved_disk_is_opened_at_its_new_place(void **unused)
{
    (void)unused;
    becomes("web2", "-drive file=/srv/web.raw,if=ide,index=0,media=disk,format=raw,cache=writeback",
            "-drive file=/srv/web2.raw,if=ide,index=0,media=disk,format=raw,cache=writeback");
}

static void the_name_is_the_domains_whatever_it_was_started_with(void **unused)
{
    (void)unused;
    becomes(NULL, "-name web--incoming -S -incoming fd:14", "-name web");
    becomes("web2", "-name web", "-name web2");
}

static void files_that_are_written_go_with_the_name(void **unused)
{
    (void)unused;
    becomes("web2", "-serial file:/run/web.ser -chardev pty,id=l,logfile=/lab/web.log,logappend=on",
            "-serial file:/run/web2.ser -chardev pty,id=l,logfile=/lab/web2.log,logappend=on");
}

static void what_is_only_read_is_needed(void **unused)
{
    struct scene scene;
    AUTO_JSON cJSON *words =
        split("-kernel /boot/k -drive if=none,readonly=on,id=other,file=/iso/a.iso,format=raw");
    AUTO_JSON cJSON *rewritten = NULL;
    AUTO_FREE char *needs = NULL;

    (void)unused;
    set_up(&scene, NULL);
    rewritten = xen_argv_rewrite(words, &scene.vm, &scene.err);
    assert_non_null(rewritten);
    needs = join(scene.needs);
    assert_string_equal(needs, "/boot/k /iso/a.iso");
    tear_down(&scene);
}

static void a_drive_holds_what_lies_in_it_now(void **unused)
{
    (void)unused;
    becomes(NULL,
            "-drive if=none,readonly=on,id=ide-5632,file=/iso/a.iso,format=raw "
            "-drive if=none,readonly=on,id=ide-5696,file=/iso/a.iso,format=raw",
            "-drive if=none,readonly=on,id=ide-5632,file=/iso/b.iso,format=raw "
            "-drive if=none,readonly=on,id=ide-5696");
}

static void what_changes_is_told_for_the_configuration(void **unused)
{
    struct scene scene;
    AUTO_JSON cJSON *words = split("-chardev pty,id=l,logfile=/lab/web.log");
    AUTO_JSON cJSON *rewritten = NULL;
    const cJSON *now;

    (void)unused;
    set_up(&scene, "web2");
    rewritten = xen_argv_rewrite(words, &scene.vm, &scene.err);
    assert_non_null(rewritten);
    now = cJSON_GetObjectItem(scene.renamed, "pty,id=l,logfile=/lab/web.log");
    assert_non_null(now);
    assert_string_equal(now->valuestring, "pty,id=l,logfile=/lab/web2.log,logappend=on");
    tear_down(&scene);
}

static void what_is_bound_to_this_host_is_refused(void **unused)
{
    static const char *const lines[] = {
        "-device xen-pci-passthrough,hostaddr=0000:00:02.0",
        "-device usb-host,hostbus=1",
        "-usbdevice host:1.2",
        "-drive file=/srv/other.raw,if=ide,index=1",
        "-xen-domid-restrict",
        "-runas nobody",
        "-chardev socket,id=c,fd=5",
        "-netdev user,id=n",
        "-spice port=5900",
        "-some-option-nobody-knows",
        "bare-word",
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        is_refused(lines[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_domains_number_is_replaced_wherever_it_stands),
        cmocka_unit_test(a_bridge_may_be_called_otherwise_at_the_target),
        cmocka_unit_test(the_machine_gets_its_versioned_name),
        cmocka_unit_test(a_moved_disk_is_opened_at_its_new_place),
        cmocka_unit_test(the_name_is_the_domains_whatever_it_was_started_with),
        cmocka_unit_test(files_that_are_written_go_with_the_name),
        cmocka_unit_test(what_is_only_read_is_needed),
        cmocka_unit_test(a_drive_holds_what_lies_in_it_now),
        cmocka_unit_test(what_changes_is_told_for_the_configuration),
        cmocka_unit_test(what_is_bound_to_this_host_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
