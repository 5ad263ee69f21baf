/* What a domain would need of the target host, by the parameters as they arrived. */
#include "helpers.h"

#include "host/xen/copy/needs.h"
#include "tests/unit/xen-guest.h"
#include "xmig/text.h"

enum place {
    DISKS,
    MEDIA,
    DEVICES,
    WORDS,
    CONFIG_MEMORY,
    BUILD_INFO,
    CONFIG_DISKS,
    NIC,
    CONFIG,
    PLACES
};

static struct needs needs;
static char refused[ERROR_TEXT_MAX];

static int tear_down(void **state)
{
    (void)state;
    needs_done(&needs);
    return 0;
}

/* Find what the guest needs with `more` in a place. */
static void look_with(const char *program, enum place place, const char *more)
{
    const char *said[PLACES];
    AUTO_FREE char *text = NULL;
    AUTO_JSON cJSON *params = NULL;
    struct xen_params read;
    struct error err = { 0 };

    for (int i = 0; i < PLACES; i++)
        said[i] = i == (int)place ? more : "";
    text = formatted(xen_guest, said[0], said[1], said[2], said[3],
                     *said[CONFIG_MEMORY] ? said[CONFIG_MEMORY] : "1024", said[5], said[6], said[7],
                     said[8]);
    params = json_parse_object(text, strlen(text), &err);
    assert_ok(params != NULL, &err);
    needs_done(&needs);
    refused[0] = '\0';
    if (!xen_params_read(params, &read, &err) || !domain_needs(&read, program, true, &needs, &err))
        snprintf(refused, sizeof(refused), "%s", err.text);
}

static void look(enum place place, const char *more)
{
    look_with("/usr/libexec/xen-qemu-system-i386", place, more);
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

/* The text of the first of its kind. */
static const char *needs_text(enum need_kind kind)
{
    for (size_t i = 0; i < needs.count; i++)
        if (needs.items[i].kind == kind)
            return needs.items[i].what;
    return "";
}

static uint64_t amount(enum need_kind kind)
{
    for (size_t i = 0; i < needs.count; i++)
        if (needs.items[i].kind == kind)
            return needs.items[i].amount;
    fail();
    return 0;
}

static void a_guest_without_a_device_model_needs_no_program(void **state)
{
    (void)state;
    look_with("", PLACES, "");
    assert_string_equal(refused, "");
    assert_no(NEED_PROGRAM);
}

static void a_plain_guest_needs_what_it_is_made_of(void **state)
{
    (void)state;
    look(PLACES, "");
    assert_string_equal(refused, "");
    assert_need(NEED_PROGRAM, "/usr/libexec/xen-qemu-system-i386");
    assert_need(NEED_IMAGE, "/vm/a");
    assert_need(NEED_READ, "/iso/a");
    assert_need(NEED_BRIDGE, "xenbr0");
    assert_need(NEED_LISTENER, "127.0.0.1");
    assert_int_equal(amount(NEED_MEMORY), 512 * 4096);
    assert_no(NEED_FILE);
    assert_no(NEED_SCRIPT);
    assert_no(NEED_USER);
    assert_no(NEED_UNKNOWN);
}

static void memory_is_also_that_of_the_next_boot(void **state)
{
    (void)state;
    look(CONFIG_MEMORY, "8388608");
    assert_true(amount(NEED_MEMORY) == UINT64_C(8) << 30);
}

static void disks_are_images_or_devices(void **state)
{
    (void)state;
    look(DISKS,
         ",{\"name\":\"xvdb\",\"size\":1,\"image\":\"/dev/vg0/b\"," DISK ",\"overwrite\":true}");
    assert_need(NEED_DEVICE, "/dev/vg0/b");
    assert_need(NEED_OVERWRITE, "/dev/vg0/b");
}

static const struct {
    const char *device;
    enum need_kind kind;
    const char *what;
} devices[] = {
    { "\"kind\":\"vif\",\"id\":\"1\",\"backend\":\"vif\",\"backend_keys\":"
      "{\"bridge\":\"other\",\"script\":\"/tmp/x\"}",
      NEED_SCRIPT, "/tmp/x" },
    { "\"kind\":\"vif\",\"id\":\"1\",\"backend\":\"vif\",\"backend_keys\":{\"bridge\":"
      "\"other\"}",
      NEED_BRIDGE, "other" },
    { "\"kind\":\"vif\",\"id\":\"1\",\"backend\":\"vif\",\"backend_keys\":{\"vifname\":"
      "\"eth0\"}",
      NEED_BRIDGE, "eth0" },
    { "\"kind\":\"vbd\",\"id\":\"1\",\"backend\":\"vbd\",\"backend_keys\":"
      "{\"dev\":\"xvdz\",\"params\":\"/dev/sda\"}",
      NEED_FILE, "/dev/sda" },
    { "\"kind\":\"vbd\",\"id\":\"1\",\"backend\":\"vbd\",\"backend_keys\":"
      "{\"dev\":\"xvdz\",\"params\":\"/etc/shadow\",\"mode\":\"r\"}",
      NEED_READ, "/etc/shadow" },
    { "\"kind\":\"vbd\",\"id\":\"1\",\"backend\":\"vbd\",\"backend_keys\":"
      "{\"dev\":\"hdc\",\"params\":\"/dev/sda\"}",
      NEED_FILE, "/dev/sda" },
    { "\"kind\":\"vbd\",\"id\":\"1\",\"backend\":\"vbd\",\"backend_keys\":"
      "{\"dev\":\"xvda\",\"physical-device\":\"8:0\"}",
      NEED_UNKNOWN, "a block device by its number" },
    { "\"kind\":\"vbd\",\"id\":\"1\",\"backend\":\"vbd\",\"backend_keys\":"
      "{\"dev\":\"xvda\",\"script\":\"block-x\"}",
      NEED_SCRIPT, "block-x" },
    { "\"kind\":\"vbd\",\"id\":\"1\",\"backend\":\"qdisk\",\"backend_keys\":"
      "{\"dev\":\"xvdz\",\"params\":\"qcow2:/vm/b\"}",
      NEED_UNKNOWN, "qcow2:/vm/b" },
    { "\"kind\":\"9pfs\",\"id\":\"0\",\"backend\":\"9pfs\",\"backend_keys\":{\"path\":\"/\"}",
      NEED_UNKNOWN, "9pfs" },
    { "\"kind\":\"vbd\",\"id\":\"x\",\"backend\":\"vbd\",\"backend_keys\":{}", NEED_UNKNOWN,
      "vbd" },
    { "\"kind\":\"vbd\",\"id\":\"1\",\"backend\":\"x\",\"backend_keys\":{}", NEED_UNKNOWN, "vbd" },
    { "\"kind\":\"vfb\",\"id\":\"0\",\"backend\":\"vfb\",\"backend_keys\":"
      "{\"vnclisten\":\"0.0.0.0\"}",
      NEED_LISTENER, "0.0.0.0" },
};

static void a_device_leads_to_nothing_unseen(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        AUTO_FREE char *text = NULL;

        text = formatted(",{%s," DEVICE "}", devices[i].device);
        look(DEVICES, text);
        assert_string_equal(refused, "");
        assert_need(devices[i].kind, devices[i].what);
    }
}

static void the_device_models_line_leads_to_nothing_unseen(void **state)
{
    static const struct {
        const char *words;
        enum need_kind kind;
        const char *what;
    } lines[] = {
        { "\"-drive\",\"file=/etc/passwd,if=ide\"", NEED_FILE, "/etc/passwd" },
        { "\"-chardev\",\"socket,id=x,path=/run/docker.sock\"", NEED_FILE, "/run/docker.sock" },
        { "\"-chardev\",\"socket,id=x,host=0.0.0.0,port=22,server=on\"", NEED_LISTENER, "0.0.0.0" },
        { "\"-chardev\",\"socket,id=x,host=192.0.2.1,port=22\"", NEED_CONNECTION, "192.0.2.1" },
        { "\"-kernel\",\"/boot/vmlinuz\"", NEED_READ, "/boot/vmlinuz" },
        { "\"-D\",\"/etc/cron.d/x\"", NEED_FILE, "/etc/cron.d/x" },
        { "\"-vnc\",\"0.0.0.0:3\"", NEED_LISTENER, "0.0.0.0" },
        { "\"-vnc\",\":3,websocket=5700\"", NEED_LISTENER, "" },
        { "\"-serial\",\"tcp:0.0.0.0:22,server=on\"", NEED_LISTENER, "0.0.0.0" },
        { "\"-serial\",\"udp:192.0.2.1:22\"", NEED_CONNECTION, "192.0.2.1" },
        { "\"-serial\",\"braille\"", NEED_UNKNOWN, "braille" },
        { "\"-serial\",\"file:/etc/x\"", NEED_FILE, "/etc/x" },
        { "\"-netdev\",\"tap,id=x,ifname=y,br=br7\"", NEED_SCRIPT, "/etc/qemu-ifup" },
        { "\"-netdev\",\"tap,id=x,ifname=y,br=br7,script=no\"", NEED_BRIDGE, "br7" },
        { "\"-netdev\",\"user,id=x\"", NEED_UNKNOWN, "user" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        AUTO_FREE char *text = NULL;

        text = formatted(",%s", lines[i].words);
        look(WORDS, text);
        assert_need(lines[i].kind, lines[i].what);
    }
    look(WORDS, ",\"-fsdev\",\"local,path=/\",\"-kernel\",\"/x\"");
    assert_says(needs_text(NEED_UNKNOWN), "-fsdev");
}

static void a_reboot_leads_to_nothing_unseen(void **state)
{
    static const struct {
        enum place place;
        const char *text;
        enum need_kind kind;
        const char *what;
    } configs[] = {
        { BUILD_INFO, ",\"device_model\":\"/tmp/dm\"", NEED_PROGRAM, "/tmp/dm" },
        { BUILD_INFO, ",\"bootloader\":\"sh\"", NEED_COMMAND, "sh" },
        { BUILD_INFO, ",\"device_model_user\":\"daemon\"", NEED_USER, "daemon" },
        { BUILD_INFO, ",\"kernel\":\"/etc/shadow\"", NEED_READ, "/etc/shadow" },
        { BUILD_INFO, ",\"firmware\":\"../x\"", NEED_UNKNOWN, "../x" },
        { BUILD_INFO, ",\"serial_list\":[\"tcp::22,server\"]", NEED_LISTENER, "" },
        { BUILD_INFO, ",\"serial_list\":[\"tcp:192.0.2.1:22\"]", NEED_CONNECTION, "192.0.2.1" },
        { BUILD_INFO, ",\"extra_hvm\":[\"-netdev\",\"user,id=x\"]", NEED_UNKNOWN, "user" },
        { BUILD_INFO, ",\"usbdevice_list\":[\"host:1.2\"]", NEED_UNKNOWN, "host:1.2" },
        { BUILD_INFO, ",\"extra_hvm\":[\"-D\",\"/etc/x\"]", NEED_FILE, "/etc/x" },
        { BUILD_INFO, ",\"extra\":[1]", NEED_UNKNOWN,
          "a word of the device model's command line is no text" },
        { BUILD_INFO, ",\"extra\":[\"-kernel\",\"/etc/x\"]", NEED_READ, "/etc/x" },
        { BUILD_INFO, ",\"unheard_of\":{\"y\":[\"/etc/x\"]}", NEED_FILE, "/etc/x" },
        { CONFIG_DISKS, ",{\"pdev_path\":\"/dev/sda\",\"vdev\":\"xvdz\",\"readwrite\":1}",
          NEED_FILE, "/dev/sda" },
        { CONFIG_DISKS, ",{\"pdev_path\":\"/x\",\"vdev\":\"xvdz\",\"readwrite\":0}", NEED_READ,
          "/x" },
        { CONFIG_DISKS, ",{\"vdev\":\"xvda\",\"script\":\"block-x\"}", NEED_SCRIPT, "block-x" },
        { NIC, ",\"script\":\"/tmp/x\",\"x\":\"\"", NEED_BRIDGE, "xenbr0" },
        { NIC, ",\"ifname\":\"eth0\"", NEED_BRIDGE, "eth0" },
        { NIC, ",\"colo_sock_mirror_ip\":\"0.0.0.0\"", NEED_UNKNOWN, "0.0.0.0" },
        { CONFIG, ",\"vfbs\":[{\"vnc\":{\"listen\":\"10.0.0.1\"}}]", NEED_LISTENER, "10.0.0.1" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
        look(configs[i].place, configs[i].text);
        assert_need(configs[i].kind, configs[i].what);
    }
}

static void what_is_off_needs_nothing(void **state)
{
    (void)state;
    look(NIC, ",\"colo_enable\":\"False\",\"colo_default_enable\":\"False\"");
    assert_no(NEED_UNKNOWN);
    look(NIC, ",\"colo_enable\":\"True\"");
    assert_says(needs_text(NEED_UNKNOWN), "True");
}

static void what_cannot_be_moved_from_here_does_not_come_here(void **state)
{
    (void)state;
    look(CONFIG, ",\"pcidevs\":[{}]");
    assert_says(refused, "a PCI device of the host");
    look(BUILD_INFO, ",\"dm_restrict\":\"True\"");
    assert_says(refused, "dm_restrict");
}

#define needs_test(f) cmocka_unit_test_teardown(f, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        needs_test(a_guest_without_a_device_model_needs_no_program),
        needs_test(a_plain_guest_needs_what_it_is_made_of),
        needs_test(memory_is_also_that_of_the_next_boot),
        needs_test(disks_are_images_or_devices),
        needs_test(a_device_leads_to_nothing_unseen),
        needs_test(the_device_models_line_leads_to_nothing_unseen),
        needs_test(a_reboot_leads_to_nothing_unseen),
        needs_test(what_is_off_needs_nothing),
        needs_test(what_cannot_be_moved_from_here_does_not_come_here),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
