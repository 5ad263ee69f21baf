/* A QEMU's command line, rewritten for the target. */
#include <sys/stat.h>

#include "host/qemu/argv/argv.h"
#include "host/qemu/params.h"
#include "tests/unit/helpers.h"
#include "tests/unit/words.h"

/* A VM called web in /vm, with the disk /vm/web.qcow2 on the base /vm/base.raw. */
static char *const disk_paths[] = { "/vm/web.qcow2", "/vm/base.raw", NULL };

struct scene {
    struct argv_disk disk;
    struct argv_vm vm;
    struct argv_result result;
    struct error err;
};

/* `options` rewritten for a VM with that disk, or without one. */
static struct scene *rewrite(const char *options, const char *new_name, bool with_disk)
{
    static struct scene scene;
    AUTO_JSON cJSON *line = words(options);

    argv_result_done(&scene.result);
    free(scene.disk.renamed);
    scene = (struct scene){
        .disk = { .paths = (char **)disk_paths, .target = "/vm/web2.qcow2", .format = "qcow2" },
        .vm = { "/vm", "web", new_name, "pc-i440fx-7.2", "tcg", &scene.disk, with_disk },
    };
    if (!with_disk)
        scene.vm.disks = NULL;
    if (strstr(options, "driver=raw"))
        scene.disk.format = "raw";
    argv_rewrite(line, &scene.vm, &scene.result, &scene.err);
    return &scene;
}

#define UNSAID "-machine pc-i440fx-7.2 -accel tcg"
#define UNSAID_NAMED UNSAID " -name web2"

/* The target walks the same table, and finds nothing to change. */
static void is_taken_as_it_is(const struct scene *scene)
{
    const struct disk_params disks[] = {
        { .name = "vda",
          .image = scene->disk.target,
          .format = scene->disk.format_at_target,
          .full = scene->disk.stays_full },
        { 0 },
    };
    struct argv_result result;
    struct error err = { 0 };

    assert_ok(argv_arrived(scene->result.words, scene->vm.disks ? disks : NULL, scene->vm.machine,
                           scene->vm.accelerator, &result, &err),
              &err);
    argv_result_done(&result);
}

/* Without a display and with all else said, `options` become `expected`. */
static void becomes(const char *options, const char *new_name, bool with_disk, const char *expected)
{
    struct scene *scene = rewrite(options, new_name, with_disk);
    AUTO_FREE char *line = joined(scene->result.words);

    assert_string_equal(scene->err.text, "");
    assert_string_equal(line, expected);
    is_taken_as_it_is(scene);
}

static void is_refused(const char *options, const char *because)
{
    struct scene *scene = rewrite(options, NULL, false);

    assert_int_equal(scene->err.kind, ERROR_REFUSED);
    assert_says(scene->err.text, because);
}

#define NODISPLAY "-display none"

static void says_what_the_source_left_unsaid(void **unused)
{
    (void)unused;
    becomes("-m 512", NULL, false, "-m 512 " UNSAID " " NODISPLAY);
    becomes("-m 512", "web2", false, "-m 512 " UNSAID_NAMED " " NODISPLAY);
}

static void keeps_what_is_about_the_machine(void **unused)
{
    const char *options =
        "-cpu max,+avx -smp 2,maxcpus=4 -m size=1G,slots=2,maxmem=4G -uuid "
        "0-0 -rtc base=utc -nodefaults --no-reboot -device virtio-rng-pci " NODISPLAY;
    (void)unused;

    becomes(options, NULL, false,
            "-cpu max,+avx -smp 2,maxcpus=4 -m size=1G,slots=2,maxmem=4G -uuid 0-0 -rtc base=utc "
            "-nodefaults -no-reboot -device virtio-rng-pci " NODISPLAY " " UNSAID);
}

static void names_the_versioned_machine_and_the_accelerator_in_use(void **unused)
{
    (void)unused;
    becomes("-machine pc,accel=kvm:tcg,usb=off " NODISPLAY, NULL, false,
            "-machine pc-i440fx-7.2,accel=tcg,usb=off " NODISPLAY);
    becomes("-M type=pc -accel kvm -accel tcg,thread=single " NODISPLAY, NULL, false,
            "-machine type=pc-i440fx-7.2 -accel tcg,thread=single " NODISPLAY);
    becomes("-M pc -enable-kvm " NODISPLAY, NULL, false,
            "-machine pc-i440fx-7.2 " NODISPLAY " -accel tcg");
}

static void drops_what_was_only_about_the_start(void **unused)
{
    (void)unused;
    becomes("-S -incoming defer -daemonize -loadvm x " NODISPLAY, NULL, false,
            NODISPLAY " " UNSAID);
}

static void gives_the_new_name(void **unused)
{
    (void)unused;
    becomes("-name web,debug-threads=on " NODISPLAY, "web2", false,
            "-name web2,debug-threads=on " NODISPLAY " " UNSAID);
    becomes("-name guest=web " NODISPLAY, "web2", false, "-name guest=web2 " NODISPLAY " " UNSAID);
    becomes("-name guest=web " NODISPLAY, NULL, false, "-name guest=web " NODISPLAY " " UNSAID);
}

static void opens_no_window(void **unused)
{
    (void)unused;
    becomes("-display gtk,gl=on", NULL, false, NODISPLAY " " UNSAID);
    becomes("-sdl -full-screen", NULL, false, NODISPLAY " " UNSAID);
    becomes("-nographic", NULL, false, "-nographic " UNSAID);
    becomes("-vnc :1", NULL, false, "-vnc :1 " UNSAID);
    becomes("-vnc :1,password=on", "web2", false, "-vnc :1,password=on,to=99 " UNSAID_NAMED);
}

/* ---- disks ---- */

static void gives_a_disk_its_new_image(void **unused)
{
    (void)unused;
    becomes("-drive file=web.qcow2,if=virtio,cache=none " NODISPLAY, NULL, true,
            "-drive file=/vm/web2.qcow2,if=virtio,cache=none,format=qcow2 " NODISPLAY " " UNSAID);
    becomes("-hda /vm/./web.qcow2 " NODISPLAY, NULL, true,
            "-drive index=0,media=disk,file=/vm/web2.qcow2,format=qcow2 " NODISPLAY " " UNSAID);
    becomes("/vm/web.qcow2 " NODISPLAY, NULL, true,
            "-drive index=0,media=disk,file=/vm/web2.qcow2,format=qcow2 " NODISPLAY " " UNSAID);
}

static void forgets_what_the_old_image_lay_on(void **unused)
{
    (void)unused;
    becomes("-drive file=web.qcow2,format=qcow2,backing.file.filename=/vm/base.raw " NODISPLAY,
            NULL, true, "-drive file=/vm/web2.qcow2,format=qcow2 " NODISPLAY " " UNSAID);
}

static void keeps_the_format_said_when_a_snapshot_was_put_on_top(void **unused)
{
    struct scene *scene = rewrite("-drive file=/vm/base.raw,format=raw", NULL, true);
    (void)unused;

    assert_string_equal(scene->err.text, "");
    assert_string_equal(scene->disk.format_at_target, "raw");
}

static void gives_a_blockdev_its_new_image(void **unused)
{
    (void)unused;
    becomes("-blockdev driver=file,node-name=f,filename=/vm/web.qcow2 "
            "-blockdev driver=qcow2,node-name=d,file=f " NODISPLAY,
            NULL, true,
            "-blockdev driver=file,node-name=f,filename=/vm/web2.qcow2 "
            "-blockdev driver=qcow2,node-name=d,file=f " NODISPLAY " " UNSAID);
    becomes("-blockdev {\"driver\":\"qcow2\",\"node-name\":\"d\",\"file\":"
            "{\"driver\":\"host_device\",\"filename\":\"/vm/web.qcow2\"}} " NODISPLAY,
            NULL, true,
            "-blockdev {\"driver\":\"qcow2\",\"node-name\":\"d\",\"file\":"
            "{\"driver\":\"file\",\"filename\":\"/vm/web2.qcow2\"}} " NODISPLAY " " UNSAID);
}

static void refuses_a_disk_that_the_command_line_does_not_open(void **unused)
{
    struct scene *scene = rewrite("-m 512", NULL, true);
    (void)unused;

    assert_int_equal(scene->err.kind, ERROR_REFUSED);
    assert_says(scene->err.text, "plugged in later");
}

static void needs_read_only_media_where_they_are(void **unused)
{
    struct scene *scene = rewrite("-cdrom cd.iso -kernel /nonexistent", NULL, false);
    AUTO_FREE char *needs = joined(scene->result.needs);
    AUTO_FREE char *line = joined(scene->result.words);
    (void)unused;

    assert_string_equal(needs, "/vm/cd.iso");
    assert_string_equal(line,
                        "-drive index=2,media=cdrom,file=/vm/cd.iso -kernel /nonexistent " UNSAID
                        " " NODISPLAY);
}

/* "cd0" holds b.iso, and shall hold `image` at the target; "cd1" is a node of -blockdev. */
static void changed_medium_becomes(const char *options, const char *image, const char *expected)
{
    AUTO_JSON cJSON *line = words(options);
    AUTO_JSON cJSON *media = must(cJSON_CreateArray());
    AUTO_JSON cJSON *nodes = words("iso");
    const struct qemu_medium medium = { .name = "cd0",
                                        .device = "cd0",
                                        .qdev = "",
                                        .node = "iso",
                                        .source = "/vm/b.iso",
                                        .image = image,
                                        .format = "raw" };
    struct argv_vm vm = { .cwd = "/vm",
                          .name = "web",
                          .machine = "pc",
                          .accelerator = "tcg",
                          .media = media,
                          .nodes = nodes };
    struct argv_result result;
    struct error err = { 0 };
    AUTO_FREE char *text = NULL;

    cJSON_AddItemToArray(media, fields_new(qemu_medium_fields, &medium));
    assert_true(argv_rewrite(line, &vm, &result, &err));
    text = joined(result.words);
    argv_result_done(&result);
    text[strlen(text) - strlen(" -machine pc -accel tcg -display none")] = '\0';
    assert_string_equal(text, expected);
}

static void starts_a_drive_empty_whose_medium_was_changed(void **unused)
{
    (void)unused;
    changed_medium_becomes("-cdrom a.iso", "/vm/b.iso", "-drive index=2,media=cdrom");
    changed_medium_becomes("-drive file=a.iso,format=raw,if=none,id=cd0,readonly=on", "/vm/b.iso",
                           "-drive if=none,id=cd0,readonly=on");
    changed_medium_becomes("-drive file=b.iso,if=none,id=cd0", "/vm/b.iso",
                           "-drive file=/vm/b.iso,if=none,id=cd0");
    changed_medium_becomes("-drive file=b.iso,if=none,id=cd0", "", "-drive if=none,id=cd0");
    changed_medium_becomes("-drive file=a.raw,format=raw,if=none,id=ro,readonly=on", "/vm/b.iso",
                           "-drive file=/vm/a.raw,format=raw,if=none,id=ro,readonly=on");
    changed_medium_becomes("-device scsi-cd,drive=iso", "/vm/b.iso", "-device scsi-cd,drive=iso");
    changed_medium_becomes("-device scsi-cd,drive=iso", "/vm/c.iso", "-device scsi-cd");
    changed_medium_becomes("-device scsi-hd,drive=iso", "/vm/c.iso", "-device scsi-hd,drive=iso");
}

static void forwards_the_ports_that_are_forwarded_now(void **unused)
{
    AUTO_JSON cJSON *line = words("-netdev user,id=n,hostfwd=tcp::1-:1,net=10.1.0.0/24,"
                                  "hostfwd=tcp::2-:2 -nic user,hostfwd=tcp::3-:3");
    AUTO_JSON cJSON *forwards = cJSON_Parse("{\"n\": [\"tcp::4-10.1.0.15:4\"], \"#net01\": []}");
    struct argv_vm vm = {
        .cwd = "/vm", .name = "web", .machine = "pc", .accelerator = "tcg", .forwards = forwards
    };
    struct argv_result result;
    AUTO_FREE char *text = NULL;
    struct error err = { 0 };
    (void)unused;

    assert_true(argv_rewrite(line, &vm, &result, &err));
    text = joined(result.words);
    argv_result_done(&result);
    assert_string_equal(text, "-netdev user,id=n,net=10.1.0.0/24,hostfwd=tcp::4-10.1.0.15:4 "
                              "-nic user -machine pc -accel tcg -display none");
}

static void joins_the_bridge_that_is_named(void **unused)
{
    AUTO_JSON cJSON *line = words("-netdev bridge,id=a -netdev tap,helper=/h,br=lan,id=b "
                                  "-netdev tap,id=c,ifname=tap0");
    AUTO_JSON cJSON *bridges = cJSON_Parse("{\"br0\": \"br1\"}");
    struct argv_vm vm = {
        .cwd = "/vm", .name = "web", .machine = "pc", .accelerator = "tcg", .bridges = bridges
    };
    struct argv_result result;
    AUTO_FREE char *text = NULL;
    AUTO_FREE char *joined_bridges = NULL;
    struct error err = { 0 };
    (void)unused;

    assert_true(argv_rewrite(line, &vm, &result, &err));
    text = joined(result.words);
    joined_bridges = joined(result.bridges);
    argv_result_done(&result);
    assert_string_equal(joined_bridges, "br0 lan");
    assert_string_equal(text, "-netdev bridge,id=a,br=br1 -netdev tap,helper=/h,br=lan,id=b "
                              "-netdev tap,id=c,ifname=tap0 -machine pc -accel tcg -display none");
}

static void ports_are(const char *options, const char *expected)
{
    struct scene *scene = rewrite(options, NULL, false);
    AUTO_FREE char *text = json_print(scene->result.ports);

    assert_int_equal(scene->err.kind, ERROR_NONE);
    assert_string_equal(text, expected);
}

#define PORT(WHAT, HOST, PORT, TO, UDP)                                                            \
    "{\"what\":\"" WHAT "\",\"host\":\"" HOST "\",\"port\":" PORT ",\"to\":" TO ",\"udp\":" UDP "}"
#define OPEN(WHAT, HOST, PORT, TO)                                                                 \
    "{\"what\":\"" WHAT "\",\"host\":\"" HOST "\",\"port\":" PORT ",\"to\":" TO                    \
    ",\"udp\":false,\"open\":true}"

static void knows_the_ports_to_listen_at(void **unused)
{
    (void)unused;
    ports_are("-netdev user,id=n,hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=udp::53-:53",
              "[" PORT("hostfwd", "127.0.0.1", "2222", "2222",
                       "false") "," PORT("hostfwd", "", "53", "53", "true") "]");
    ports_are("-nic {\"type\":\"user\",\"hostfwd\":[{\"str\":\"tcp::7-:7\"}]} -s",
              "[" PORT("hostfwd", "", "7", "7", "false") "," OPEN("-s", "", "1234", "1234") "]");
    ports_are("-vnc [::1]:3,to=5 -gdb tcp::99 -serial telnet:h:8,server=on,wait=off",
              "[" OPEN("-vnc", "::1", "5903", "5905") "," OPEN("gdb", "", "99", "99") "," OPEN(
                  "serial", "h", "8", "8") "]");
    ports_are("-chardev socket,id=c,host=h,port=9,server=on,to=12 -spice port=5930,addr=a "
              "-netdev socket,id=s,listen=:77",
              "[" OPEN("-chardev", "h", "9", "12") "," PORT(
                  "-spice", "a", "5930", "5930", "false") "," OPEN("netdev", "", "77", "77") "]");
    ports_are("-chardev socket,id=c,host=h,port=9,path=/t,server=on -tpmdev "
              "emulator,id=t,chardev=c",
              "[" OPEN("-chardev", "h", "9", "9") "]");
    ports_are("-vnc none -vnc unix:/vm/v -serial tcp:h:8 -chardev socket,id=c,host=h,port=9", "[]");
}

static void sends_no_sound_to_a_desktop(void **unused)
{
    (void)unused;
    becomes("-audiodev pa,id=s,server=x,in.voices=1 -audio driver=alsa,model=hda,id=t", NULL, false,
            "-audiodev none,id=s -audio none,model=hda,id=t " UNSAID " " NODISPLAY);
    becomes("-audiodev wav,id=s,path=/vm/web.wav", "web2", false,
            "-audiodev wav,id=s,path=/vm/web2.wav " UNSAID_NAMED " " NODISPLAY);
}

static void needs_no_rom_where_it_is_said_that_there_is_none(void **unused)
{
    struct scene *scene =
        rewrite("-device e1000,romfile= -device e1000,romfile=own.rom -bios b.bin", NULL, false);
    AUTO_FREE char *needs = joined(scene->result.needs);
    AUTO_FREE char *searched = joined(scene->result.searched);
    (void)unused;

    assert_string_equal(needs, "");
    assert_string_equal(searched, "own.rom b.bin");
}

static void an_empty_rom_is_none_in_a_default_too(void **unused)
{
    (void)unused;
    becomes("-global e1000.romfile= -set device.n.romfile= " NODISPLAY, NULL, false,
            "-global e1000.romfile= -set device.n.romfile= " NODISPLAY " " UNSAID);
    is_refused("-global e1000.romfile=own.rom", "may name a file of this host");
}

/* ---- character devices ---- */

static void named_pipes_are_the_vms_own(void **unused)
{
    struct scene *scene;
    AUTO_FREE char *pipes = NULL;
    (void)unused;

    becomes("-chardev pipe,id=p,path=web -serial pipe:c -monitor mon:pipe:d " NODISPLAY, "web2",
            false,
            "-chardev pipe,id=p,path=/vm/web2 -serial pipe:/vm/web2-c -monitor "
            "mon:pipe:/vm/web2-d " NODISPLAY " " UNSAID_NAMED);
    scene = rewrite("-chardev pipe,id=p,path=c", NULL, false);
    pipes = joined(scene->result.pipes);
    assert_string_equal(pipes, "/vm/c");
}

static void renames_sockets_and_waits_for_nobody(void **unused)
{
    struct scene *scene = rewrite("-qmp unix:/vm/web.qmp,server -serial unix:tty,server=on,wait=on "
                                  "-monitor tcp::4444,server,nowait -nographic",
                                  "web2", false);
    AUTO_FREE char *line = joined(scene->result.words);
    AUTO_FREE char *sockets = joined(scene->result.sockets);
    (void)unused;

    assert_string_equal(line, "-qmp unix:/vm/web2.qmp,server,wait=off "
                              "-serial unix:/vm/web2-tty,server=on,wait=off "
                              "-monitor tcp::4444,server,wait=off -nographic " UNSAID_NAMED);
    assert_string_equal(sockets, "/vm/web2.qmp /vm/web2-tty");
}

static void empties_no_log(void **unused)
{
    (void)unused;
    becomes("-chardev socket,id=c,path=/vm/c,server=on,logfile=web.log " NODISPLAY, "web2", false,
            "-chardev socket,id=c,path=/vm/web2-c,server=on,logfile=/vm/web2.log,wait=off,"
            "logappend=on " NODISPLAY " " UNSAID_NAMED);
    becomes("-chardev file,id=c,path=out " NODISPLAY, NULL, false,
            "-chardev file,id=c,path=/vm/out,append=on " NODISPLAY " " UNSAID);
    becomes("-serial file:out " NODISPLAY, NULL, false,
            "-chardev file,id=serial0,path=/vm/out,append=on -serial chardev:serial0 " NODISPLAY
            " " UNSAID);
}

static void drops_the_monitor_that_an_earlier_move_added(void **unused)
{
    (void)unused;
    becomes("-chardev socket,id=xmig-monitor,path=/run/x,server=on,wait=off "
            "-mon chardev=xmig-monitor,mode=control -mon chardev=mine " NODISPLAY,
            NULL, false, "-mon chardev=mine " NODISPLAY " " UNSAID);
}

static void keeps_commas_doubled(void **unused)
{
    (void)unused;
    becomes("-device loader,file=/a,,b,addr=0 -smbios type=1,product=a,,b " NODISPLAY, NULL, false,
            "-device loader,file=/a,,b,addr=0 -smbios type=1,product=a,,b " NODISPLAY " " UNSAID);
}

/* ---- refusals ---- */

static void refuses_what_cannot_be_made_again(void **unused)
{
    (void)unused;
    is_refused("-snapshot", "snapshot");
    is_refused("-drive file=a,snapshot=on", "snapshot");
    is_refused("-device vfio-pci,host=01:00.0", "vfio-pci");
    is_refused("-device {\"driver\":\"usb-host\"}", "usb-host");
    is_refused("-netdev tap,id=n,fd=3", "descriptor");
    is_refused("-chardev socket,id=c,fd=3,server=on", "descriptor");
    is_refused("-netdev vhost-user,id=n,chardev=c", "vhost-user");
    is_refused("-virtfs proxy,socket=s,mount_tag=a", "only a folder");
    is_refused("-blockdev driver=qcow2,node-name=d,file=f,backing=b", "backing");
    is_refused("-readconfig vm.cfg", "readconfig");
}

static void refuses_what_it_does_not_know(void **unused)
{
    (void)unused;
    is_refused("-frobnicate", "does not know");
    is_refused("-m", "no value");
}

static int forget(void **unused)
{
    (void)unused;
    argv_result_done(&rewrite("", NULL, false)->result);
    return 0;
}

static void a_raw_image_is_not_called_after_another_format(void **unused)
{
    struct scene *scene;
    (void)unused;

    becomes("-display none -drive file=base.raw,format=raw", "web2", true,
            "-display none -drive file=/vm/web2.raw,format=raw,discard=unmap " UNSAID_NAMED);
    scene = rewrite("-drive file=base.raw,format=raw", "web2", true);
    assert_string_equal(scene->disk.renamed, "/vm/web2.raw");
    free(steal(scene->disk.renamed));
}

/* ---- thin disks ---- */

#define RAW(MORE) "-display none -drive file=web.qcow2,format=raw" MORE
#define RAW_THERE(MORE) "-display none -drive file=/vm/web2.qcow2,format=raw" MORE " " UNSAID_NAMED

static void a_raw_disk_of_which_nothing_is_said_gives_back_what_is_unmapped(void **unused)
{
    (void)unused;

    becomes(RAW(""), "web2", true, RAW_THERE(",discard=unmap"));
    becomes(RAW(",discard=ignore"), "web2", true, RAW_THERE(",discard=ignore"));
    becomes(RAW(",discard=on"), "web2", true, RAW_THERE(",discard=on"));
}

static void every_node_above_a_raw_disk_lets_zeroes_pass(void **unused)
{
    (void)unused;

    becomes("-display none -blockdev driver=file,node-name=f,filename=web.qcow2 "
            "-blockdev driver=raw,node-name=r,file=f -blockdev driver=raw,node-name=other,file=g "
            "-blockdev driver=throttle,node-name=t,file=r",
            "web2", true,
            "-display none -blockdev "
            "driver=file,node-name=f,filename=/vm/web2.qcow2,discard=unmap "
            "-blockdev driver=raw,node-name=r,file=f,discard=unmap "
            "-blockdev driver=raw,node-name=other,file=g "
            "-blockdev driver=throttle,node-name=t,file=r,discard=unmap " UNSAID_NAMED);
}

/* As QEMU itself does. */
static void takes_json_with_single_marks(void **unused)
{
    (void)unused;
    becomes("-blockdev "
            "{'driver':'file','filename':'/vm/web.qcow2','node-name':'it\\'s\"0\"'} " NODISPLAY,
            NULL, true,
            "-blockdev {\"driver\":\"file\",\"filename\":\"/vm/web2.qcow2\","
            "\"node-name\":\"it's\\\"0\\\"\"} " NODISPLAY " " UNSAID);
    assert_string_equal(rewrite("-object {'data':'top',", NULL, false)->err.text,
                        "an option's value begins with '{' and is not JSON");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_the_source_left_unsaid),
        cmocka_unit_test(keeps_what_is_about_the_machine),
        cmocka_unit_test(names_the_versioned_machine_and_the_accelerator_in_use),
        cmocka_unit_test(drops_what_was_only_about_the_start),
        cmocka_unit_test(gives_the_new_name),
        cmocka_unit_test(opens_no_window),
        cmocka_unit_test(gives_a_disk_its_new_image),
        cmocka_unit_test(forgets_what_the_old_image_lay_on),
        cmocka_unit_test(keeps_the_format_said_when_a_snapshot_was_put_on_top),
        cmocka_unit_test(gives_a_blockdev_its_new_image),
        cmocka_unit_test(refuses_a_disk_that_the_command_line_does_not_open),
        cmocka_unit_test(needs_read_only_media_where_they_are),
        cmocka_unit_test(starts_a_drive_empty_whose_medium_was_changed),
        cmocka_unit_test(forwards_the_ports_that_are_forwarded_now),
        cmocka_unit_test(joins_the_bridge_that_is_named),
        cmocka_unit_test(knows_the_ports_to_listen_at),
        cmocka_unit_test(sends_no_sound_to_a_desktop),
        cmocka_unit_test(needs_no_rom_where_it_is_said_that_there_is_none),
        cmocka_unit_test(an_empty_rom_is_none_in_a_default_too),
        cmocka_unit_test(named_pipes_are_the_vms_own),
        cmocka_unit_test(renames_sockets_and_waits_for_nobody),
        cmocka_unit_test(empties_no_log),
        cmocka_unit_test(drops_the_monitor_that_an_earlier_move_added),
        cmocka_unit_test(keeps_commas_doubled),
        cmocka_unit_test(refuses_what_cannot_be_made_again),
        cmocka_unit_test(refuses_what_it_does_not_know),
        cmocka_unit_test(a_raw_image_is_not_called_after_another_format),
        cmocka_unit_test(a_raw_disk_of_which_nothing_is_said_gives_back_what_is_unmapped),
        cmocka_unit_test(every_node_above_a_raw_disk_lets_zeroes_pass),
        cmocka_unit_test(takes_json_with_single_marks),
    };

    return cmocka_run_group_tests(tests, NULL, forget);
}
