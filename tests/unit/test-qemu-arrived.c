/* A QEMU's command line that came from another host: what is taken as it is, and what is not. */
#include "host/qemu/argv/argv.h"

#include "tests/unit/words.h"

#define REST " -machine pc -accel tcg -display none"

static bool arrives(const char *line, struct argv_result *result, struct error *err)
{
    AUTO_JSON cJSON *array = words(line);
    const struct disk_params disks[] = {
        { .name = "vda", .image = "/vm/a.raw", .format = "raw" },
        { 0 },
    };

    return argv_arrived(array, disks, "pc", "tcg", result, err);
}

#define DISK "-drive file=/vm/a.raw,format=raw,discard=unmap"

static void is_taken(const char *options)
{
    AUTO_FREE char *line = NULL;
    struct argv_result result;
    struct error err = { 0 };

    assert_true(asprintf(&line, DISK " %s" REST, options) > 0);
    assert_ok(arrives(line, &result, &err), &err);
    argv_result_done(&result);
}

static void is_refused(const char *options, const char *because)
{
    AUTO_FREE char *line = NULL;
    struct argv_result result;
    struct error err = { 0 };

    assert_true(asprintf(&line, DISK " %s" REST, options) > 0);
    if (arrives(line, &result, &err))
        fail_msg("'%s' was taken", options);
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_says(err.text, because);
    argv_result_done(&result);
}

static void takes_what_an_xmig_sends(void **unused)
{
    (void)unused;
    is_taken("-name web -m 1G -cpu host -smbios type=1,serial=/x/y -append root=/dev/vda");
    is_taken("-netdev tap,id=n,ifname=tap0,script=/etc/qemu-ifup,downscript=no");
    is_taken("-chardev socket,id=c,path=/run/web,server=on,wait=off -mon c");
    is_taken("-drive file=/iso/a.iso,media=cdrom,format=raw");
    is_taken("-drive file=nbd://host/export,media=cdrom,format=raw");
    is_taken("-blockdev {\"driver\":\"file\",\"filename\":\"/iso/a.iso\",\"node-name\":\"i\"}");
    is_taken("-object secret,id=s,data=/base64/of/it");
    is_taken("-global PIIX4_PM.disable_s3=1 -set device.a.x-vga=on");
    is_taken("-object filter-dump,id=d,netdev=n,file=/log/net");
}

/* What an xmig leaves out or changes before it sends a line. */
static void refuses_what_no_xmig_sends(void **unused)
{
    (void)unused;
    is_refused("-S", "would not give QEMU '-S'");
    is_refused("-D /etc/motd", "would not give QEMU '-D'");
    is_refused("-incoming tcp:0:4444", "would not give QEMU '-incoming'");
    is_refused("-chardev file,id=c,path=/log/a", "would not give QEMU");
    is_refused("-serial file:/log/a", "would not give QEMU");
    is_refused("-pidfile web.pid", "would not give QEMU");
    is_refused("-kernel ../../boot/vmlinuz -machine q35", "would not give QEMU");
    is_refused("-accel kvm", "would not give QEMU '-accel'");
}

/* They are refused at the source, too. */
static void refuses_what_is_never_moved(void **unused)
{
    (void)unused;
    is_refused("-readconfig /tmp/x", "'-readconfig /tmp/x' cannot be moved");
    is_refused("-plugin /tmp/x.so", "'-plugin /tmp/x.so' cannot be moved");
    is_refused("-unheard-of", "does not know QEMU's option '-unheard-of'");
    is_refused("-device vfio-pci,host=01:00.0", "belongs to this host");
    is_refused("-object pr-manager-helper,id=p,path=/run/p", "object 'pr-manager-helper' belongs");
    is_refused("-object dbus-vmstate,id=d,addr=unix:path=/run/bus", "object 'dbus-vmstate'");
    is_refused("-object {\"qom-type\":\"authz-pam\",\"id\":\"p\",\"service\":\"x\"}",
               "'authz-pam'");
    is_refused("-netdev user,id=n,guestfwd=tcp:10.0.2.1:80-cmd:/bin/sh", "guestfwd=...-cmd:");
    is_refused(
        "-netdev user,id=n,guestfwd=tcp:10.0.2.1:80-cmd:x,guestfwd=tcp:10.0.2.1:81-chardev:c",
        "guestfwd=...-cmd:");
    is_refused("-netdev {\"type\":\"user\",\"id\":\"n\",\"guestfwd\":[{\"str\":\"a-cmd:x\"}]}",
               "guestfwd=...-cmd:");
    is_refused("-netdev user,id=n,smb=/srv", "network's 'smb'");
    is_refused("-netdev passt,id=n,path=/tmp/passt", "network 'passt'");
    is_refused("-semihosting", "'-semihosting' cannot be moved");
    is_refused("-semihosting-config enable=on,target=native", "cannot be moved");
    is_refused("-machine pc,dumpdtb=/tmp/x", "cannot be moved");
}

static void refuses_values_past_the_option_itself(void **unused)
{
    (void)unused;
    is_refused("-set drive.d.file=/etc/shadow", "may name a file");
    is_refused("-set device.n.romfile=shadow", "may name a file");
    is_refused("-global virtio-net-pci.romfile=/etc/shadow", "may name a file");
    is_refused("-global driver=virtio-net-pci,property=romfile,value=shadow", "may name a file");
    is_refused("-global nonsense", "may name a file");
}

static void refuses_images_that_are_more_than_images(void **unused)
{
    (void)unused;
    is_refused("-drive file=fat:rw:/etc,format=raw", "called 'fat:rw:/etc'");
    is_refused("-drive file=json:{},media=cdrom", "called 'json:{}'");
    is_refused("-drive file.driver=vvfat,file.dir=/etc", "block driver 'vvfat'");
    is_refused("-drive driver=blkdebug,config=/etc/shadow,image=x", "block driver 'blkdebug'");
    is_refused("-blockdev {\"driver\":\"raw\",\"node-name\":\"r\",\"file\":{\"driver\":\"vvfat\","
               "\"dir\":\"/etc\"}}",
               "block driver 'vvfat'");
}

/* An option of a later QEMU, say. */
static void refuses_a_path_that_no_function_has_looked_at(void **unused)
{
    (void)unused;
    is_refused("-k /tmp/map", "does not know what '/tmp/map' is for in '-k /tmp/map'");
    is_refused("-overcommit x=/tmp/y", "'/tmp/y'");
    is_refused("-netdev user,id=n,later=/tmp/y", "'/tmp/y'");
    is_refused("-chardev later,id=c,file=/tmp/y", "'/tmp/y'");
    is_refused("-gdb later:/tmp/y", "'/tmp/y'");
}

static void finds_what_the_line_starts_and_listens_at(void **unused)
{
    struct argv_result result;
    struct error err = { 0 };
    AUTO_FREE char *ports = NULL;
    (void)unused;

    assert_ok(arrives(DISK " -netdev tap,id=n,helper=/opt/h,script=/opt/up,br=b -gdb tcp::1234"
                           " -vnc :1,password=on,websocket=on -vnc [::1]:2 -spice port=5930"
                           " -netdev user,id=u,hostfwd=tcp:127.0.0.1:ssh-:22"
                           " -chardev udp,id=c,port=1,localport=2" REST,
                      &result, &err),
              &err);
    assert_int_equal(cJSON_GetArraySize(result.programs), 2);
    assert_string_equal(result.programs->child->valuestring, "/opt/up");
    assert_string_equal(result.programs->child->next->valuestring, "/opt/h");
    ports = json_print(result.ports);
    assert_string_equal(
        ports,
        "[{\"what\":\"gdb\",\"host\":\"\",\"port\":1234,\"to\":1234,\"udp\":false,\"open\":true},"
        "{\"what\":\"-vnc\",\"host\":\"\",\"port\":5901,\"to\":5901,\"udp\":false},"
        "{\"what\":\"-vnc websocket\",\"host\":\"\",\"port\":5701,\"to\":5701,\"udp\":false},"
        "{\"what\":\"-vnc\",\"host\":\"::1\",\"port\":5902,\"to\":5902,\"udp\":false,\"open\":true}"
        ","
        "{\"what\":\"-spice\",\"host\":\"\",\"port\":5930,\"to\":5930,\"udp\":false},"
        "{\"what\":\"hostfwd\",\"host\":\"127.0.0.1\",\"port\":22,\"to\":22,\"udp\":false},"
        "{\"what\":\"-chardev\",\"host\":\"\",\"port\":2,\"to\":2,\"udp\":true,\"open\":true}]");
    argv_result_done(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_an_xmig_sends),
        cmocka_unit_test(refuses_what_no_xmig_sends),
        cmocka_unit_test(refuses_what_is_never_moved),
        cmocka_unit_test(refuses_values_past_the_option_itself),
        cmocka_unit_test(refuses_images_that_are_more_than_images),
        cmocka_unit_test(refuses_a_path_that_no_function_has_looked_at),
        cmocka_unit_test(finds_what_the_line_starts_and_listens_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
