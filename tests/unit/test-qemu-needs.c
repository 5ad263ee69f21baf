/* What a QEMU would need of the target host, by the parameters as they arrived. */
#include "helpers.h"

#include "host/qemu/copy/needs-line.h"
#include "xmig/text.h"

static struct needs needs;
static bool mirrored = true;

static int tear_down(void **state)
{
    (void)state;
    needs_done(&needs);
    return 0;
}

/* The members that every source sends; the first of two members of one name counts. */
#define DISK "\"allocated\":0,\"source\":\"/vm/a\",\"uid\":0,\"gid\":0,\"overwrite\":true"
#define MACHINE                                                                                    \
    "\"program\":\"/bin/sh\",\"machine\":\"pc\",\"accelerator\":\"tcg\",\"major\":7,"              \
    "\"minor\":2,\"uid\":0,\"drops_privileges\":false,\"outputs\":[],\"sockets\":[],"              \
    "\"pidfiles\":[],\"searched\":[],\"audio\":[],\"bridges\":[],\"needs\":[],\"ports\":[],"       \
    "\"slots\":{},\"taps\":[],\"drives\":[],\"media\":[]"
#define TAP "{\"up\":true,\"mtu\":1500,\"port\":{}}"
#define MEDIUM(IMAGE, FORMAT)                                                                      \
    ",\"media\":[{\"name\":\"cd0\",\"device\":\"\",\"qdev\":\"\",\"node\":\"\",\"source\":\"\","   \
    "\"image\":\"" IMAGE "\",\"format\":\"" FORMAT "\"}]"

/* Find the needs of a line, between single blanks, and of `more` parameters of QEMU's. */
static void look_at_disk(const char *image, const char *line, const char *more)
{
    AUTO_FREE char *text = NULL;
    AUTO_JSON cJSON *params = NULL;
    AUTO_FREE char *text_of_line = must(strdup(line));
    AUTO_JSON cJSON *refusals = cJSON_CreateArray();
    struct error err = { .refusals = refusals };
    char *rest = text_of_line, *word;
    struct qemu_params read;
    cJSON *words;

    text = formatted("{\"name\":\"web\",\"memory\":1,\"disks\":[{\"name\":\"vda\",\"size\":7,"
                     "\"image\":\"%s\"," DISK "}],\"qemu\":{\"umask\":18%s," MACHINE "}}",
                     image, more);
    params = json_parse_object(text, strlen(text), &err);
    assert_ok(params != NULL, &err);
    words = cJSON_AddArrayToObject(cJSON_GetObjectItem(params, "qemu"), "words");
    while (*line && (word = strsep(&rest, " ")))
        cJSON_AddItemToArray(words, cJSON_CreateString(word));
    needs_done(&needs);
    assert_ok(qemu_params_read(params, &read, &err), &err);
    assert_ok(machine_needs(&read, NULL, mirrored, &needs, &err), &err);
}

static void look(const char *line, const char *more)
{
    look_at_disk("/vm/a.raw", line, more);
}

static void assert_need(enum need_kind kind, const char *what)
{
    if (needs_have(&needs, kind, what))
        return;
    for (size_t i = 0; i < needs.count; i++)
        print_error("%d '%s' (%s)\n", needs.items[i].kind, needs.items[i].what, needs.items[i].of);
    fail_msg("there is no need of '%s'", what);
}

static void assert_no(enum need_kind kind)
{
    for (size_t i = 0; i < needs.count; i++)
        if (needs.items[i].kind == kind)
            fail_msg("there is a need of '%s' (%s)", needs.items[i].what, needs.items[i].of);
}

/* There is a need of which nobody knows anything, and it says so. */
static void assert_unknown(const char *words)
{
    for (size_t i = 0; i < needs.count; i++)
        if (needs.items[i].kind == NEED_UNKNOWN && strstr(needs.items[i].what, words))
            return;
    fail_msg("nothing unknown is '%s'", words);
}

/* The most of those of its kind. */
static uint64_t amount(enum need_kind kind)
{
    uint64_t most = 0;

    for (size_t i = 0; i < needs.count; i++)
        if (needs.items[i].kind == kind && needs.items[i].amount > most)
            most = needs.items[i].amount;
    return most;
}

static void a_plain_vm_needs_its_program_user_and_disk(void **state)
{
    (void)state;
    look("-drive file=/vm/a.raw,format=raw,if=virtio -nodefaults", "");
    assert_need(NEED_PROGRAM, "/bin/sh");
    assert_need(NEED_USER, "root");
    assert_need(NEED_IMAGE, "/vm/a.raw");
    assert_int_equal(amount(NEED_IMAGE), 7);
    assert_no(NEED_FILE);
    assert_no(NEED_READ);
    assert_no(NEED_UNKNOWN);
}

static void a_disk_is_an_image_or_a_device(void **state)
{
    (void)state;
    look_at_disk("/dev/vg0/a", "-nodefaults", "");
    assert_need(NEED_DEVICE, "/dev/vg0/a");
    assert_need(NEED_OVERWRITE, "/dev/vg0/a");
    assert_no(NEED_IMAGE);
}

static void memory_is_what_qemu_will_have(void **state)
{
    (void)state;
    look("-nodefaults", "");
    assert_int_equal(amount(NEED_MEMORY), 128 << 20);
    look("-m 64", "");
    assert_int_equal(amount(NEED_MEMORY), 64 << 20);
    look("-m size=1G,slots=2,maxmem=8G", "");
    assert_int_equal(amount(NEED_MEMORY), 1 << 30);
    look("-m 1G -object memory-backend-ram,id=m1,size=1g -device pc-dimm,memdev=m1", "");
    assert_int_equal(amount(NEED_MEMORY), UINT64_C(2) << 30);
    look("-m nonsense", "");
    assert_true(amount(NEED_MEMORY) == UINT64_MAX);
    look("-device pc-dimm,memdev=unknown", "");
    assert_true(amount(NEED_MEMORY) == UINT64_MAX);
}

static void users_are_those_of_the_process_and_of_the_line(void **state)
{
    (void)state;
    look("", ",\"user\":\"nobody\"");
    assert_need(NEED_USER, "nobody");
    look("-runas nobody", ",\"user\":\"nobody\",\"drops_privileges\":true");
    assert_need(NEED_USER, "nobody");
    assert_false(needs_have(&needs, NEED_USER, "root"));
    look("-run-with user=daemon", ",\"user\":\"nobody\",\"drops_privileges\":true");
    assert_need(NEED_USER, "daemon");
    look("", ",\"user\":\"nobody\",\"drops_privileges\":true"); /* it only says so */
    assert_need(NEED_USER, "root");
}

static void files_are_read_only_where_the_table_says_so(void **state)
{
    (void)state;
    look("-kernel /vm/bzImage -append root=/dev/vda", "");
    assert_need(NEED_READ, "/vm/bzImage");
    assert_no(NEED_FILE);
    look("-drive file=/iso/a.iso,media=cdrom,readonly=on,format=raw", "");
    assert_need(NEED_READ, "/iso/a.iso");
    look("-drive file=/etc/passwd,format=raw", "");
    assert_need(NEED_FILE, "/etc/passwd");
    assert_no(NEED_READ);
    look("-blockdev {\"driver\":\"file\",\"filename\":\"/etc/passwd\",\"node-name\":\"a\"}", "");
    assert_need(NEED_FILE, "/etc/passwd");
    look("-blockdev driver=file,filename=/usr/share/fw,node-name=a,auto-read-only=on "
         "-blockdev driver=raw,file=a,node-name=b,read-only=on",
         "");
    assert_need(NEED_READ, "/usr/share/fw");
    look("-blockdev driver=file,filename=/usr/share/fw,node-name=a,auto-read-only=on "
         "-blockdev driver=raw,file=a,node-name=b",
         "");
    assert_need(NEED_FILE, "/usr/share/fw");
}

static void whatever_looks_like_a_path_is_a_need(void **state)
{
    static const struct {
        const char *line, *path;
    } lines[] = {
        { "-pidfile /run/a.pid", "/run/a.pid" },
        { "-serial file:/log/a", "/log/a" },
        { "-serial unix:/run/s,server=on,wait=off", "/run/s" },
        { "-chardev socket,id=c,path=/run/docker.sock", "/run/docker.sock" },
        { "-chardev file,id=c,path=/log/a,logfile=/log/b", "/log/b" },
        { "-object filter-dump,id=f,netdev=n,file=/tmp/dump", "/tmp/dump" },
        { "-object pr-manager-helper,id=p,path=/run/pr.sock", "/run/pr.sock" },
        { "-object dbus-vmstate,id=d,addr=unix:path=/run/bus", "/run/bus" },
        { "-audiodev wav,id=a,path=/tmp/wav", "/tmp/wav" },
        { "-device loader,file=/etc/shadow", "/etc/shadow" },
        { "-set drive.d.file=/etc/shadow", "/etc/shadow" },
        { "-global isa-fdc.drive=/dev/sda", "/dev/sda" },
        { "-netdev vde,id=n,sock=/run/vde", "/run/vde" },
        { "-netdev user,id=n,smb=/srv/share", "/srv/share" },
        { "-drive file=nbd:unix:/run/nbd,format=raw", "/run/nbd" },
        { "-display egl-headless,rendernode=/dev/dri/renderD128", "/dev/dri/renderD128" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        look(lines[i].line, "");
        assert_need(NEED_FILE, lines[i].path);
    }
}

static void what_nobody_can_judge_is_said_to_be_so(void **state)
{
    (void)state;
    look("-drive file=json:{\"driver\":\"file\"},if=virtio", "");
    assert_need(NEED_UNKNOWN, "json:{\"driver\":\"file\"}");
    look("-netdev passt,id=n", "");
    assert_need(NEED_UNKNOWN, "passt");
    look("", MEDIUM("nbd:host:1", "raw"));
    assert_need(NEED_UNKNOWN, "nbd:host:1");
}

/* As many nodes as are looked through, between two others. */
#define DEEPER ",file.file.file.file.file.file.file.file"

static void images_that_exist_are_raw(void **state)
{
    (void)state;
    look("-drive file=/iso/a.iso,media=cdrom,readonly=on,format=raw", "");
    assert_no(NEED_UNKNOWN);
    look("-drive file=/iso/a.iso,media=cdrom,readonly=on", "");
    assert_unknown("'/iso/a.iso', which may lead to other files");
    look("-drive file=/vm/b.qcow2,format=qcow2", "");
    assert_unknown("'/vm/b.qcow2', which may lead to other files");
    look("-blockdev driver=qcow2,node-name=b,file.driver=file,file.filename=/vm/b.qcow2", "");
    assert_unknown("'/vm/b.qcow2'");
    look("-blockdev driver=file,node-name=a,filename=/vm/b.qcow2 -blockdev "
         "driver=qcow2,node-name=b,file=a",
         "");
    assert_unknown("'/vm/b.qcow2'");
    look("-drive file=/iso/a.iso,format=raw,file.driver=raw,file.file.driver=qcow2,readonly=on",
         "");
    assert_unknown("'/iso/a.iso'");
    look("-drive driver=throttle" DEEPER ".driver=throttle" DEEPER ".file.filename=/iso/a.iso", "");
    assert_unknown("an image in a network or within many nodes");
    look("-blockdev driver=raw,node-name=a" DEEPER ".driver=qcow2", "");
    assert_unknown("an image in a network or within many nodes");
    look("-drive if=none,id=empty", "");
    assert_no(NEED_UNKNOWN);
    look("-drive file=/vm/a.raw,format=qcow2", ""); /* a disk that is made here */
    assert_no(NEED_UNKNOWN);
    mirrored = false;
    look("-drive file=/vm/a.raw,format=qcow2", "");
    mirrored = true;
    assert_unknown("'/vm/a.raw'");
    look("", MEDIUM("/iso/b", "raw"));
    assert_no(NEED_UNKNOWN);
    look("", MEDIUM("/iso/b", "qcow2"));
    assert_unknown("'/iso/b'");
}

static void networks_need_bridges_scripts_and_commands(void **state)
{
    (void)state;
    look("-netdev tap,id=n,ifname=tap7,script=no,downscript=no", "");
    assert_need(NEED_BRIDGE, "tap7");
    assert_no(NEED_SCRIPT);
    look("-netdev tap,id=n,ifname=tap7,script=no,downscript=no",
         ",\"taps\":[{\"tap\":\"tap7\",\"bridge\":\"br7\",\"state\":" TAP "}]");
    assert_need(NEED_BRIDGE, "br7");
    assert_false(needs_have(&needs, NEED_BRIDGE, "tap7"));
    look("-netdev tap,id=n,script=/vm/up", "");
    assert_need(NEED_SCRIPT, "/vm/up");
    assert_need(NEED_SCRIPT, "/etc/qemu-ifdown");
    assert_no(NEED_READ);
    look("-netdev bridge,id=n", "");
    assert_need(NEED_BRIDGE, "br0");
    look("-netdev tap,id=n,br=br5,helper=/tmp/helper", "");
    assert_need(NEED_BRIDGE, "br5");
    assert_need(NEED_COMMAND, "/tmp/helper");
    look("-netdev user,id=n,guestfwd=tcp:10.0.2.100:80-cmd:/bin/sh", "");
    assert_need(NEED_COMMAND, "/bin/sh");
    look("-nic user,model=virtio-net-pci", "");
    assert_no(NEED_UNKNOWN);
}

static void servers_need_addresses(void **state)
{
    (void)state;
    look("-vnc 127.0.0.1:3", "");
    assert_need(NEED_LISTENER, "127.0.0.1");
    assert_int_equal(amount(NEED_LISTENER), 5903);
    look("-gdb tcp::1234", "");
    assert_need(NEED_LISTENER, "");
    look("-netdev user,id=n,hostfwd=tcp:10.0.0.1:2222-:22", "");
    assert_need(NEED_LISTENER, "10.0.0.1");
}

static void what_only_the_parameters_say_counts_too(void **state)
{
    (void)state;
    look("", ",\"outputs\":[\"/log/x\"],\"sockets\":[\"/run/x\"],\"pidfiles\":[\"/run/y\"],"
             "\"needs\":[{\"path\":\"/etc/shadow\",\"size\":1,\"sha256\":\"\"}],"
             "\"bridges\":[\"br9\"],\"searched\":[\"/etc/x\",\"../x\",\"vgabios.bin\"]" MEDIUM(
                 "/iso/b", "raw"));
    assert_need(NEED_FILE, "/log/x");
    assert_need(NEED_FILE, "/run/x");
    assert_need(NEED_FILE, "/run/y");
    assert_need(NEED_READ, "/etc/shadow");
    assert_need(NEED_READ, "/etc/x");
    assert_need(NEED_READ, "../x");
    assert_need(NEED_READ, "/iso/b");
    assert_need(NEED_BRIDGE, "br9");
    assert_false(needs_have(&needs, NEED_READ, "vgabios.bin"));
}

static const struct {
    const char *line, *host;
    uint64_t port;
} connections[] = {
    { "-chardev socket,id=c,host=192.0.2.1,port=80", "192.0.2.1", 80 },
    { "-chardev socket,id=c,port=80", "localhost", 80 },
    { "-chardev udp,id=c,host=192.0.2.1,port=81", "192.0.2.1", 81 },
    { "-serial tcp:192.0.2.1:82", "192.0.2.1", 82 },
    { "-monitor telnet:192.0.2.1:83", "192.0.2.1", 83 },
    { "-serial udp:192.0.2.1:84@:85", "192.0.2.1", 84 },
    { "-serial mon:tcp:[2001:db8::1]:86", "2001:db8::1", 86 },
    { "-vnc 192.0.2.1:5500,reverse=on", "192.0.2.1", 5500 },
    { "-netdev user,id=n,restrict=on,guestfwd=tcp:10.0.2.100:80-tcp:192.0.2.1:87", "192.0.2.1",
      87 },
    { "-netdev user,id=n", "*", 1 },
    { "-netdev {\"type\":\"user\",\"id\":\"n\"}", "*", 1 },
    { "-nic model=e1000", "*", 1 },
    { "-netdev socket,id=n,connect=192.0.2.1:88", "192.0.2.1", 88 },
    { "-netdev socket,id=n,mcast=239.0.0.1:89", "239.0.0.1", 89 },
    { "-netdev socket,id=n,udp=192.0.2.1:90,localaddr=:91", "192.0.2.1", 90 },
    { "-netdev stream,id=n,addr.type=inet,addr.host=192.0.2.1,addr.port=92", "192.0.2.1", 92 },
    { "-netdev dgram,id=n,remote.type=inet,remote.host=192.0.2.1,remote.port=93", "192.0.2.1", 93 },
    { "-netdev l2tpv3,id=n,src=192.0.2.9,dst=192.0.2.1,dstport=94", "192.0.2.1", 94 },
    { "-drive file=nbd://192.0.2.1:95/x,media=cdrom", "192.0.2.1", 95 },
    { "-drive file=nbd:192.0.2.1:96:exportname=x,media=cdrom", "192.0.2.1", 96 },
    { "-cdrom http://host/a.iso", "host", 1 },
    { "-drive file=ssh://me@host:97/a,media=cdrom", "host", 97 },
    { "-drive file=rbd:pool/a,media=cdrom", "*", 1 },
    { "-drive driver=nbd,host=192.0.2.1,port=98,media=cdrom", "192.0.2.1", 98 },
    { "-blockdev driver=nbd,node-name=b,server.type=inet,server.host=192.0.2.1,server.port=99",
      "192.0.2.1", 99 },
    { "-blockdev "
      "{\"driver\":\"raw\",\"node-name\":\"b\",\"file\":{\"driver\":\"https\","
      "\"url\":\"https://host/a\"}}",
      "host", 1 },
};

static void other_hosts_are_connected_to(void **state)
{
    (void)state;
    look("-nodefaults", "");
    assert_no(NEED_CONNECTION);
    look("", "");
    assert_need(NEED_CONNECTION, "*"); /* QEMU makes one network, unless it is told not to */
    for (size_t i = 0; i < sizeof(connections) / sizeof(connections[0]); i++) {
        AUTO_FREE char *line = NULL;

        assert_true(asprintf(&line, "-nodefaults %s", connections[i].line) > 0);
        look(line, "");
        assert_need(NEED_CONNECTION, connections[i].host);
        assert_int_equal(amount(NEED_CONNECTION), connections[i].port);
    }
    look("-netdev user,id=n,restrict=on", "");
    assert_no(NEED_CONNECTION);
    look("-nodefaults -drive "
         "driver=nbd,server.type=unix,server.path=/run/nbd,media=cdrom",
         "");
    assert_need(NEED_FILE, "/run/nbd");
    assert_no(NEED_CONNECTION);
}

#define needs_test(f) cmocka_unit_test_teardown(f, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        needs_test(a_plain_vm_needs_its_program_user_and_disk),
        needs_test(a_disk_is_an_image_or_a_device),
        needs_test(memory_is_what_qemu_will_have),
        needs_test(users_are_those_of_the_process_and_of_the_line),
        needs_test(files_are_read_only_where_the_table_says_so),
        needs_test(whatever_looks_like_a_path_is_a_need),
        needs_test(what_nobody_can_judge_is_said_to_be_so),
        needs_test(images_that_exist_are_raw),
        needs_test(networks_need_bridges_scripts_and_commands),
        needs_test(servers_need_addresses),
        needs_test(other_hosts_are_connected_to),
        needs_test(what_only_the_parameters_say_counts_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
