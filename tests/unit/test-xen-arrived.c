/* A device model's command line that came from another host: what is taken, and what is not. */
#include "host/xen/argv/argv.h"

#include "qmp/argv/port.h"
#include "tests/unit/helpers.h"

#define DISK "-drive file=/vm/a.raw,if=ide,index=0,media=disk,format=raw,cache=writeback"
#define MONITORS                                                                                   \
    "-xen-domid @DOMID@ -chardev "                                                                 \
    "socket,id=libxl-cmd,path=/var/run/xen/qmp-libxl-@DOMID@,server=on,wait=off "                  \
    "-mon chardev=libxl-cmd,mode=control -nodefaults -no-user-config -name web "

static bool arrives(const char *options, struct argv_result *result, struct error *err)
{
    const struct disk_params disk = { .name = "hda", .source = "/old/a.raw", .image = "/vm/a.raw" };
    const struct xen_medium medium = { "hdc", "5632", "ide-5632", "/iso/a.iso", "/iso/b.iso" };
    AUTO_JSON cJSON *disks = must(cJSON_CreateArray());
    AUTO_JSON cJSON *media = must(cJSON_CreateArray());
    AUTO_JSON cJSON *words = must(cJSON_CreateArray());
    const struct xen_params params = { .name = "web",
                                       .disks = disks,
                                       .xen = { .machine = "pc-i440fx-7.2", .media = media } };
    AUTO_FREE char *line = NULL;
    char *rest, *word;

    cJSON_AddItemToArray(disks, fields_new(disk_fields, &disk));
    cJSON_AddItemToArray(media, fields_new(xen_medium_fields, &medium));
    assert_true(asprintf(&line, MONITORS DISK " %s", options) > 0);
    for (rest = line; (word = strsep(&rest, " "));)
        if (*word)
            cJSON_AddItemToArray(words, must(cJSON_CreateString(word)));
    return xen_argv_arrived(words, &params, result, err);
}

static void is_taken(const char *options)
{
    struct argv_result result;
    struct error err = { 0 };

    assert_ok(arrives(options, &result, &err), &err);
    argv_result_done(&result);
}

static void is_refused(const char *options, const char *because)
{
    struct argv_result result;
    struct error err = { 0 };

    if (arrives(options, &result, &err))
        fail_msg("'%s' was taken", options);
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_says(err.text, because);
    argv_result_done(&result);
}

static void takes_what_an_xmig_sends(void **unused)
{
    (void)unused;
    is_taken("-vnc 127.0.0.1:0,to=99 -display none -serial pty -device cirrus-vga,vgamem_mb=8");
    is_taken("-machine pc-i440fx-7.2,accel=xen,suppress-vmdesc=on -m 96 -boot order=cda");
    is_taken("-netdev type=tap,id=n,ifname=vif@DOMID@.0-emu,br=xenbr0,script=no,downscript=no");
    is_taken("-drive if=none,readonly=on,id=ide-5632,file=/iso/b.iso,format=raw");
    is_taken("-drive if=none,readonly=on,id=other,file=/iso/c.iso,format=raw");
    is_taken("-kernel /boot/vmlinuz -initrd /boot/initrd -append root=/dev/xvda");
    is_taken("-serial unix:/run/web,server=on,wait=off -usbdevice tablet");
    is_taken("-global PIIX4_PM.disable_s3=1 -smbios type=1,serial=/x/y");
    is_taken("-xen-attach -vnc none -display none -nographic -m 128");
    is_taken("-chardev pty,id=l,logfile=/lab/web.log,logappend=on");
}

static void refuses_what_no_xmig_sends(void **unused)
{
    (void)unused;
    is_refused("-S", "would not give QEMU '-S'");
    is_refused("-incoming tcp:0:4444", "would not give QEMU '-incoming'");
    is_refused("-D /etc/motd", "would not give QEMU '-D'");
    is_refused("-name other", "would not give QEMU 'other'");
    is_refused("-xen-domid 0", "would not give QEMU '0'");
    is_refused("-machine pc", "would not give QEMU 'pc'");
    is_refused("-netdev tap,id=n,ifname=vif7.0-emu,script=no", "would not give QEMU");
    is_refused("-chardev socket,id=x,path=/tmp/qmp-libxl-3,server=on,wait=off", "would not give");
    is_refused("-drive readonly=on,id=ide-5632,file=/etc/shadow,format=raw", "would not give");
}

/* They are refused at the source, too. */
static void refuses_what_is_never_moved(void **unused)
{
    (void)unused;
    is_refused("-unheard-of", "does not know the device model's option '-unheard-of'");
    is_refused("-fsdev local,path=/", "does not know the device model's option '-fsdev'");
    is_refused("-spice port=5930", "cannot be moved");
    is_refused("-runas nobody", "cannot be moved");
    is_refused("-display gtk", "cannot be moved");
    is_refused("-usbdevice host:1.2", "cannot be moved");
    is_refused("-device vfio-pci,host=01:00.0", "cannot be moved");
    is_refused("-device driver=vfio-pci,host=01:00.0", "cannot be moved");
    is_refused("-device {\"driver\":\"usb-host\"}", "cannot be moved");
    is_refused("-netdev user,id=n", "cannot be moved");
    is_refused("-vnc :0,password=on", "cannot be moved");
    is_refused("-serial /dev/ttyS0", "cannot be moved");
    is_refused("-drive file=/etc/passwd,if=ide", "cannot be moved");
    is_refused("-drive file.filename=/etc/passwd,if=ide", "cannot be moved");
    is_refused("-drive file=/old/a.raw,if=ide", "cannot be moved");
    is_refused("-drive file=fat:rw:/etc,readonly=on", "called 'fat:rw:/etc'");
    is_refused("-drive driver=vvfat,dir=/etc,readonly=on", "block driver 'vvfat'");
    is_refused("-global virtio-net-pci.romfile=/etc/shadow", "may name a file");
}

static void refuses_a_path_that_no_function_has_looked_at(void **unused)
{
    (void)unused;
    is_refused("-k /tmp/map", "does not know what '/tmp/map' is for in '-k /tmp/map'");
    is_refused("-rtc x=/tmp/y", "'/tmp/y'");
    is_refused("-chardev later,id=c,file=/tmp/y", "'/tmp/y'");
    is_refused("-netdev tap,id=n,ifname=vif@DOMID@.0-emu,script=no,later=/tmp/y", "'/tmp/y'");
}

static const char *first(const cJSON *list)
{
    return list->child ? list->child->valuestring : "";
}

static void finds_what_the_line_starts_makes_and_reaches(void **unused)
{
    struct argv_result result;
    struct error err = { 0 };
    AUTO_FREE char *ports = NULL, *peers = NULL;

    (void)unused;
    assert_ok(arrives("-netdev tap,id=n,ifname=vif@DOMID@.0-emu,script=/opt/up,downscript=no"
                      " -serial file:/log/a -vnc 10.0.0.1:1,to=99"
                      " -serial tcp:0.0.0.0:22,server=on,wait=off -serial tcp:192.0.2.1:80"
                      " -drive file=nbd://192.0.2.2:10809/x,readonly=on",
                      &result, &err),
              &err);
    assert_string_equal(first(result.programs), "/opt/up");
    assert_string_equal(first(result.outputs), "/log/a");
    assert_string_equal(first(result.sockets), "/var/run/xen/qmp-libxl-@DOMID@");
    ports = json_print(result.ports);
    assert_string_equal(ports,
                        "[{\"what\":\"-vnc\",\"host\":\"10.0.0.1\",\"port\":5901,\"to\":5999,"
                        "\"udp\":false,\"open\":true},"
                        "{\"what\":\"serial\",\"host\":\"0.0.0.0\",\"port\":22,\"to\":22,"
                        "\"udp\":false,\"open\":true}]");
    peers = json_print(result.peers);
    assert_string_equal(peers, "[{\"what\":\"serial\",\"host\":\"192.0.2.1\",\"port\":80,\"to\":80,"
                               "\"udp\":false},"
                               "{\"what\":\"drive\",\"host\":\"192.0.2.2\",\"port\":10809,"
                               "\"to\":10809,\"udp\":false}]");
    argv_result_done(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_an_xmig_sends),
        cmocka_unit_test(refuses_what_no_xmig_sends),
        cmocka_unit_test(refuses_what_is_never_moved),
        cmocka_unit_test(refuses_a_path_that_no_function_has_looked_at),
        cmocka_unit_test(finds_what_the_line_starts_makes_and_reaches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
