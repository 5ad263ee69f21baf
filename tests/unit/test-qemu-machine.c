/* The machine as QEMU has it now, and what its start line makes. */
#include "host/qemu/guest/machine.h"
#include "tests/fake/fake-qemu.h"
#include "tests/unit/words.h"
#include "xmig/guest-calls.h"
#include "xmig/hypervisor-calls.h"

static void reads_forwarded_ports(void **unused)
{
    AUTO_JSON cJSON *networks = usernet_forwards(
        "Hub -1 (n):\r\n"
        "  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n"
        "  TCP[HOST_FORWARD]  14       127.0.0.1 22222       10.0.2.15    22     0     0\r\n"
        "  TCP[ESTABLISHED]   15       127.0.0.1 22222       10.0.2.15    22     0     0\r\n"
        "  UDP[HOST_FORWARD]  13               *  3333       10.0.2.15    33     0     0\r\n"
        "  UDP[236 sec]       16       10.0.2.15  3333         9.9.9.9    53     0     0\r\n"
        "Hub -1 (#net013):\r\n");
    AUTO_FREE char *text = json_print(networks);
    (void)unused;

    assert_string_equal(text, "{\"n\":[\"tcp:127.0.0.1:22222-10.0.2.15:22\","
                              "\"udp::3333-10.0.2.15:33\"],\"#net013\":[]}");
}

static void without_networks_of_the_users_there_are_no_forwarded_ports(void **unused)
{
    AUTO_JSON cJSON *networks = usernet_forwards("unknown command: 'info usernet'\r\n");
    (void)unused;

    assert_null(networks->child);
}

static void makes(const char *line, const char *machine, size_t anonymous)
{
    AUTO_JSON cJSON *array = words(line);

    assert_int_equal(line_count_anonymous(array, machine), anonymous);
}

static void counts_devices_that_have_no_id(void **unused)
{
    (void)unused;
    makes("-device e1000,netdev=n -device e1000,id=x -device {\"driver\":\"e1000\"} -nic user",
          "pc-i440fx-7.2", 2);
    makes("-drive file=a,if=virtio -drive if=virtio,id=x -drive file=b -hda c -cdrom d",
          "pc-q35-7.2", 2);
    makes("-drive file=a -drive file=b,if=none,id=b -cdrom d disk.raw", "virt-7.2", 3);
}

/* ---- once more ---- */

#define NONE "[]"
#define ONE "[{\"name\": \"device[0]\", \"type\": \"child<e1000>\"}]"
#define CD                                                                                         \
    "[{\"device\": \"cd0\", \"removable\": true, \"inserted\": {\"ro\": true, \"drv\": \"raw\", "  \
    "\"bps\": 5, \"image\": {\"filename\": \"a.iso\"}}}]"
#define EMPTY "[{\"device\": \"cd0\", \"removable\": true}]"

/* A machine is read: its devices without an id, its objects and its drives. */
#define MACHINE(ANONYMOUS, OBJECTS, BLOCKS)                                                        \
    { "qom-list", .reply = NONE }, { "qom-list", .reply = ANONYMOUS },                             \
        { "qom-list", .reply = NONE }, { "query-pci", .reply = NONE },                             \
        { "x-query-virtio", .reply = NONE }, { "qom-list", .reply = OBJECTS },                     \
        { "query-chardev", .reply = NONE },                                                        \
        { "human-monitor-command", .reply = "\"\"", .with = "info network" },                      \
        { "human-monitor-command", .reply = "\"\"", .with = "info usernet" },                      \
    {                                                                                              \
        "query-block", .reply = BLOCKS                                                             \
    }

/* A machine read twice, with the devices without an id and the drives as given. */
static bool is_still(const char *anonymous, const char *blocks, const char *later_anonymous,
                     const char *later_blocks, struct error *err)
{
    const struct exchange script[] = {
        MACHINE(anonymous, NONE, blocks),
        MACHINE(later_anonymous, NONE, later_blocks),
        { 0 },
    };
    struct loop *loop = loop_new();
    struct vm_context context = { .loop = loop };
    struct fake_qemu *fake = fake_qemu_new(loop, script);
    struct qemu_guest *vm = qemu_guest_of(hypervisor_guest(&qemu_hypervisor, &context, NULL));
    AUTO_JSON cJSON *before = NULL;
    bool same;

    vm->base.found = true;
    vm->qemu.q = qmp_connect(loop, fake_qemu_path(fake), QMP_CONNECT_MS, NULL);
    vm->process.cwd = must(strdup("/vm"));
    vm->process.start_dir = must(strdup("/vm"));
    before = machine_read(vm, err);
    assert_non_null(before);
    same = machine_is_still(vm, before, err);
    assert_null(fake_qemu_complaint(fake));
    guest_free(&vm->base);
    fake_qemu_free(fake);
    loop_free(loop);
    return same;
}

static void sees_what_was_changed_meanwhile(void **unused)
{
    struct error err = { 0 };
    (void)unused;

    assert_true(is_still(ONE, CD, ONE, CD, &err));
    assert_false(is_still(NONE, CD, ONE, CD, &err));
    assert_says(err.text, "'device[0]' (anonymous) was added");
    assert_false(is_still(ONE, CD, NONE, CD, &err));
    assert_says(err.text, "was taken out");
    assert_false(is_still(ONE, CD, ONE, EMPTY, &err));
    assert_says(err.text, "drive 'cd0' were changed");
    assert_false(is_still(ONE, EMPTY, ONE, NONE, &err));
}

/* ---- beside the line ---- */

/* `objects`: what /objects has now. */
static bool is_as_started(const char *line, const char *objects, struct error *err)
{
    const struct exchange script[] = {
        MACHINE(NONE, objects, NONE),
        { "query-block-exports", .reply = NONE },
        { 0 },
    };
    struct loop *loop = loop_new();
    struct vm_context context = { .loop = loop };
    struct fake_qemu *fake = fake_qemu_new(loop, script);
    struct qemu_guest *vm = qemu_guest_of(hypervisor_guest(&qemu_hypervisor, &context, NULL));
    AUTO_JSON cJSON *machine = NULL;
    bool same;

    vm->base.found = true;
    vm->qemu.q = qmp_connect(loop, fake_qemu_path(fake), QMP_CONNECT_MS, NULL);
    vm->process.words = words(line);
    vm->process.cwd = must(strdup("/vm"));
    vm->process.start_dir = must(strdup("/vm"));
    vm->machine = must(strdup("pc-q35-11.1"));
    machine = machine_read(vm, err);
    assert_non_null(machine);
    same = machine_check(vm, machine, err);
    assert_null(fake_qemu_complaint(fake));
    guest_free(&vm->base);
    fake_qemu_free(fake);
    loop_free(loop);
    return same;
}

#define OBJECT(name, type) "[{\"name\": \"" name "\", \"type\": \"child<" type ">\"}]"

static void a_monitor_of_the_line_is_no_object_that_was_added(void **unused)
{
    struct error err = { 0 };
    (void)unused;

    assert_true(is_as_started("qemu -qmp unix:q", OBJECT("compat_monitor0", "monitor-qmp"), &err));
    assert_true(is_as_started("qemu -mon id=m,chardev=c", OBJECT("m", "monitor-hmp"), &err));
    assert_true(
        is_as_started("qemu -object monitor-hmp,id=m,chardev=c", OBJECT("m", "monitor-hmp"), &err));
}

static void an_object_that_was_added_is_named(void **unused)
{
    struct error err = { 0 };
    (void)unused;

    assert_false(is_as_started("qemu -qmp unix:q", OBJECT("m", "monitor-qmp"), &err));
    assert_says(err.text, "the object 'm' was added after the VM's start");
    assert_false(is_as_started("qemu -qmp unix:q", OBJECT("io", "iothread"), &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_forwarded_ports),
        cmocka_unit_test(without_networks_of_the_users_there_are_no_forwarded_ports),
        cmocka_unit_test(counts_devices_that_have_no_id),
        cmocka_unit_test(sees_what_was_changed_meanwhile),
        cmocka_unit_test(a_monitor_of_the_line_is_no_object_that_was_added),
        cmocka_unit_test(an_object_that_was_added_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
