/* What a guest of QEMU's tells its copy: this very JSON, and nothing that would harm the target. */
#include "host/qemu/params.h"
#include "tests/unit/helpers.h"

#define MIRRORED                                                                                   \
    "{\"name\":\"virtio0\",\"size\":4096,\"allocated\":4096,\"written\":512,"                      \
    "\"source\":\"/vm/web.qcow2\",\"image\":\"/vm/web2.qcow2\",\"format\":\"qcow2\","              \
    "\"options\":{\"compat\":\"1.1\"},\"bitmaps\":[\"backup\"],\"full\":true,\"unmaps\":true,"     \
    "\"skips_zeroes\":true,\"mode\":432,\"uid\":107,\"gid\":107,\"user\":\"qemu\","                \
    "\"group\":\"kvm\",\"drive\":\"virtio0\",\"qdev\":\"/machine/peripheral/d\",\"node\":\"\"}"
#define SHARED                                                                                     \
    "{\"name\":\"data\",\"size\":4096,\"allocated\":0,\"source\":\"/nfs/d\",\"image\":\"/nfs/d\"," \
    "\"uid\":0,\"gid\":0,\"drive\":\"\",\"qdev\":\"\",\"node\":\"data\","                          \
    "\"device_identity\":\"naa.5\",\"nonce\":\"0123456789abcdef0123456789abcdef\","                \
    "\"proof\":\"/nfs/d.xmig-1.proof\",\"shared_by_word\":true}"
#define WHOLE                                                                                      \
    "{\"name\":\"web2\",\"memory\":134217728,\"disks\":[" MIRRORED "," SHARED "],\"qemu\":{"       \
    "\"program\":\"/usr/bin/qemu-system-x86_64\",\"machine\":\"pc-q35-7.2\","                      \
    "\"accelerator\":\"kvm\",\"major\":7,\"minor\":2,\"uid\":107,\"user\":\"qemu\","               \
    "\"drops_privileges\":false,\"words\":[\"-m\",\"128\"],\"outputs\":[\"/vm/log\"],"             \
    "\"sockets\":[\"/vm/sock\"],\"pidfiles\":[\"/vm/pid\"],\"searched\":[\"efi-virtio.rom\"],"     \
    "\"audio\":[\"pa\"],\"bridges\":[\"br0\"],"                                                    \
    "\"needs\":[{\"path\":\"/vm/kernel\",\"size\":9,\"sha256\":\"00ff\"},{\"path\":\"/x\"}],"      \
    "\"ports\":[{\"what\":\"-vnc\",\"host\":\"::1\",\"port\":5900,\"to\":5903,\"udp\":false}],"    \
    "\"slots\":{\"net0\":\"3.0\"},\"taps\":[{\"tap\":\"tap7\",\"bridge\":\"br0\","                 \
    "\"script\":\"/etc/qemu-ifup\",\"by_hand\":\"why\","                                           \
    "\"state\":{\"up\":true,\"mtu\":1500,\"port\":{\"isolated\":\"0\"}}}],"                        \
    "\"drives\":[{\"name\":\"cd0\",\"device\":\"cd0\",\"qdev\":\"\",\"medium\":true,"              \
    "\"source\":\"/iso/a\",\"format\":\"raw\",\"node\":\"#b\",\"limits\":{\"bps\":5}}],"           \
    "\"media\":[{\"name\":\"cd0\",\"device\":\"cd0\",\"qdev\":\"\",\"node\":\"#b\","               \
    "\"source\":\"/iso/a\",\"image\":\"/iso/b\",\"format\":\"raw\",\"size\":7,"                    \
    "\"sha256\":\"ab\"}],\"queues\":[{\"device\":\"virtio-rng\",\"name\":\"r\","                   \
    "\"length\":1024,\"by_line\":8,\"after_reset\":1024}],\"uso\":[\"tap0\"],\"tunnels\":["        \
    "\"tap0\"]}}"

static cJSON *parsed(const char *text)
{
    return must(cJSON_Parse(text));
}

static void the_wire_has_what_it_had(void **unused)
{
    AUTO_JSON cJSON *json = parsed(WHOLE);
    AUTO_JSON cJSON *again = NULL;
    struct qemu_params params;
    struct error err = { 0 };
    (void)unused;

    assert_ok(qemu_params_read(json, &params, &err), &err);
    again = fields_new(qemu_fields, &params);
    assert_true(cJSON_Compare(json, again, true));
}

static void a_disk_is_read_into_its_struct(void **unused)
{
    AUTO_JSON cJSON *json = parsed("[" MIRRORED "," SHARED "]");
    size_t count;
    AUTO_FREE struct disk_params *disks = disk_params_all(json, &count, NULL);
    (void)unused;

    assert_int_equal(count, 2);
    assert_string_equal(disks[0].image, "/vm/web2.qcow2");
    assert_int_equal(disks[0].written, 512);
    assert_int_equal(disks[0].mode, 0660);
    assert_string_equal(disks[1].nonce, "0123456789abcdef0123456789abcdef");
    assert_null(disks[1].format);
    assert_null(disks[1].device);
    assert_null(disks[1].mapping);
    assert_int_equal(disks[1].mode, 0600);
    assert_true(disks[1].written == DISK_WRITTEN_UNKNOWN);
}

static cJSON *member(cJSON *json, const char *name)
{
    cJSON *item = cJSON_IsArray(json) ? json->child : cJSON_GetObjectItemCaseSensitive(json, name);

    assert_non_null(item);
    return item;
}

/* Reads WHOLE with what `path` leads to ("qemu.ports.*.to"; * is the first) being `value`. */
static void is_refused(const char *path, const char *value, const char *why)
{
    AUTO_JSON cJSON *json = parsed(WHOLE);
    AUTO_FREE char *copy = must(strdup(path));
    char *rest = copy;
    char *name = strsep(&rest, ".");
    cJSON *at = json;
    struct qemu_params params;
    struct error err = { 0 };

    for (; rest; name = strsep(&rest, "."))
        at = member(at, name);
    cJSON_DeleteItemFromObjectCaseSensitive(at, name);
    if (value)
        cJSON_AddItemToObject(at, name, parsed(value));
    if (qemu_params_read(json, &params, &err))
        fail_msg("%s: %s was taken", path, value ? value : "nothing");
    assert_int_equal(err.kind, ERROR_PROTOCOL);
    assert_string_equal(err.text, why);
}

static void refuses_what_would_harm_the_target(void **unused)
{
    (void)unused;
    is_refused("disks.*.name", "\"../../tmp/x\"", "disks[0]: 'name' cannot be '../../tmp/x'");
    is_refused("disks.*.mode", "2541", "disks[0]: 'mode' is 2541, and may be 511 at most");
    is_refused("disks.*.uid", "4294967295",
               "disks[0]: 'uid' is 4294967295, and may be 4294967294 at most");
    is_refused("disks.*.size", "1e17", "disks[0]: 'size' is not a whole number from 0 to 2^53");
    is_refused("qemu.ports.*.to", "9007199254740991",
               "qemu: ports[0]: 'to' is 9007199254740991, and may be 65535 at most");
    is_refused("qemu.uid", "4294967296",
               "qemu: 'uid' is 4294967296, and may be 4294967294 at most");
    is_refused("qemu.taps.*.tap", "\"../x\"", "qemu: taps[0]: 'tap' cannot be '../x'");
    is_refused("qemu.taps.*.bridge", "\"a/b\"", "qemu: taps[0]: 'bridge' cannot be 'a/b'");
    is_refused("qemu.taps.*.state.mtu", "65536",
               "qemu: taps[0]: state: 'mtu' is 65536, and may be 65535 at most");
    is_refused("qemu.words", "[\"-m\",{}]", "qemu: 'words' is not all strings");
    is_refused("qemu.media.*.image", "[]", "qemu: media[0]: 'image' is not a string");
}

static void refuses_parameters_without_what_every_source_says(void **unused)
{
    (void)unused;
    is_refused("name", NULL, "'name' is missing");
    is_refused("disks", NULL, "'disks' is missing");
    is_refused("disks.*.image", NULL, "disks[0]: 'image' is missing");
    is_refused("qemu", NULL, "'qemu' is missing");
    is_refused("qemu.words", NULL, "qemu: 'words' is missing");
    is_refused("qemu.taps.*.state", NULL, "qemu: taps[0]: 'state' is missing");
    is_refused("qemu.drives.*.medium", NULL, "qemu: drives[0]: 'medium' is missing");
}

static void two_disks_have_two_names(void **unused)
{
    AUTO_JSON cJSON *json = parsed("[" SHARED "," MIRRORED "," SHARED "]");
    struct error err = { 0 };
    size_t count;
    (void)unused;

    assert_null(disk_params_all(json, &count, &err));
    assert_string_equal(err.text, "two of the 'disks' are called 'data'");
    assert_int_equal(count, 0); /* nothing is taken of them */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wire_has_what_it_had),
        cmocka_unit_test(a_disk_is_read_into_its_struct),
        cmocka_unit_test(refuses_what_would_harm_the_target),
        cmocka_unit_test(refuses_parameters_without_what_every_source_says),
        cmocka_unit_test(two_disks_have_two_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
