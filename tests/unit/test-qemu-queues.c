/* Virtqueues that are longer than the command line makes them: seen at the source, let in or
 * refused at the target.
 */
#include "host/qemu/copy/copy.h"
#include "host/qemu/guest/machine.h"
#include "tests/unit/scripted-qmp.h"

#define DEVICE(NAME, PATH)                                                                         \
    "{\"name\": \"" NAME "\", \"path\": \"/machine/" PATH "/virtio-backend\"}"
#define QUEUE(LENGTH, DEFAULT) "{\"vring-num\": " #LENGTH ", \"vring-num-default\": " #DEFAULT "}"

#define NO_QUEUE "x-query-virtio-queue-status", .reply = "error: Invalid virtqueue number 7"

/* ---- at the source ---- */

static bool read_into(struct qmp *q, char **text, struct error *err)
{
    struct qemu vm = { .q = q };
    AUTO_JSON cJSON *longer = queues_read(&vm, err);

    *text = longer ? json_print(longer) : NULL;
    return longer != NULL;
}

static bool finds_nothing(struct qmp *q, struct error *err)
{
    AUTO_FREE char *text = NULL;

    assert_true(read_into(q, &text, err));
    assert_string_equal(text, "[]");
    return true;
}

static void queues_as_the_line_makes_them_are_not_told_of(void **unused)
{
    const struct exchange script[] = {
        { "x-query-virtio", .reply = "[" DEVICE("virtio-blk", "peripheral/d") "," DEVICE(
                                "virtio-rng", "peripheral/r") "]" },
        { "x-query-virtio-queue-status", .reply = QUEUE(1024, 1024) },
        { NO_QUEUE },
        { "qom-get", .reply = "1024", .with = "queue-size" },
        { "qom-get", .reply = "1024", .with = "queue-size" },
        { "x-query-virtio-queue-status", .reply = QUEUE(8, 8) },
        { NO_QUEUE },
        { 0 },
    };
    (void)unused;

    succeeds(script, finds_nothing);
}

static void a_vm_may_have_no_virtio_device(void **unused)
{
    const struct exchange script[] = {
        { "x-query-virtio", .reply = "error: No virtio devices found" },
        { 0 },
    };
    (void)unused;

    succeeds(script, finds_nothing);
}

static bool reads(struct qmp *q, struct error *err)
{
    AUTO_FREE char *text = NULL;

    return read_into(q, &text, err);
}

static void a_qemu_that_is_lost_is_not_one_without(void **unused)
{
    const struct exchange script[] = { { "x-query-virtio", .action = FAKE_HANG_UP }, { 0 } };
    struct error err = failure_of(script, reads);
    (void)unused;

    assert_int_equal(err.kind, ERROR_LOST);
}

static bool finds_two(struct qmp *q, struct error *err)
{
    AUTO_FREE char *text = NULL;

    assert_true(read_into(q, &text, err));
    assert_string_equal(
        text, "[{\"device\":\"virtio-blk\",\"name\":\"/machine/peripheral-anon/device[7]\","
              "\"length\":1024,\"by_line\":256,\"after_reset\":1024},"
              "{\"device\":\"virtio-net\",\"name\":\"net0\","
              "\"length\":1024,\"by_line\":64,\"after_reset\":256}]");
    return true;
}

static void longer_ones_are(void **unused)
{
    const struct exchange script[] = {
        { "x-query-virtio",
          .reply = "[" DEVICE("virtio-blk", "peripheral-anon/device[7]") "," DEVICE(
              "virtio-unheard-of", "peripheral/u") "," DEVICE("virtio-net",
                                                              "peripheral/net0") "]" },
        { "x-query-virtio-queue-status", .reply = QUEUE(256, 1024), .with = "\"queue\":0" },
        { "x-query-virtio-queue-status", .reply = QUEUE(1024, 1024), .with = "\"queue\":1" },
        { NO_QUEUE },
        { "qom-get", .reply = "256", .with = "queue-size" },
        { "qom-get", .reply = "256", .with = "queue-size" },
        { "x-query-virtio-queue-status", .reply = QUEUE(512, 512) },
        { "x-query-virtio-queue-status", .reply = QUEUE(256, 256) },
        { "x-query-virtio-queue-status", .reply = QUEUE(1024, 256) },
        { NO_QUEUE },
        { "qom-get", .reply = "512", .with = "rx_queue_size" },
        { "qom-get", .reply = "error: no such property", .with = "tx_queue_size" },
        { 0 },
    };
    (void)unused;

    succeeds(script, finds_two);
}

/* ---- at the target ---- */

#define LONGER(DEVICE, BY_LINE, AFTER_RESET)                                                       \
    "{\"device\":\"" DEVICE "\",\"name\":\"x\",\"length\":1024,\"by_line\":" #BY_LINE              \
    ",\"after_reset\":" #AFTER_RESET "}"

/* Words that a QEMU of that version is started with; NULL: it is refused. */
static char *words_for(unsigned version, const char *queues, const char *words, struct error *err)
{
    AUTO_JSON cJSON *json = must(cJSON_Parse(queues));
    AUTO_JSON cJSON *line = must(cJSON_Parse(words));
    struct qemu_copy vm = { .images.qemu = version,
                            .params.qemu = { .queues = json, .words = line } };
    AUTO_JSON cJSON *made = NULL;

    if (!queues_check(&vm, err))
        return NULL;
    made = queues_let_in(&vm);
    return json_print(made);
}

static void starts_with(unsigned version, const char *queues, const char *words, const char *wanted)
{
    struct error err = { 0 };
    AUTO_FREE char *made = words_for(version, queues, words, &err);

    assert_ok(made != NULL, &err);
    assert_string_equal(made, wanted);
}

static void disks_are_let_in_by_longer_queues_there(void **unused)
{
    const char *both = "[" LONGER("virtio-blk", 256, 1024) "," LONGER("virtio-scsi", 128, 128) "]";
    (void)unused;

    starts_with(QEMU_VERSION(11, 1), both, "[\"-m\",\"64\"]",
                "[\"-m\",\"64\",\"-global\",\"virtio-blk-device.queue-size=1024\","
                "\"-global\",\"virtio-scsi-device.virtqueue_size=1024\"]");
    starts_with(QEMU_VERSION(11, 0), both, "[\"-m\",\"64\"]", "[\"-m\",\"64\"]");
    starts_with(QEMU_VERSION(11, 1), "[]", "[\"-m\",\"64\"]", "[\"-m\",\"64\"]");
}

static void a_device_that_names_its_own_length_is_made_longer_too(void **unused)
{
    (void)unused;

    starts_with(QEMU_VERSION(11, 1), "[" LONGER("virtio-blk", 128, 1024) "]",
                "[\"-device\",\"virtio-blk-pci,queue-size=128,drive=d\",\"-device\","
                "\"virtio-scsi-pci,virtqueue_size=64\"]",
                "[\"-device\",\"virtio-blk-pci,drive=d\",\"-device\","
                "\"virtio-scsi-pci,virtqueue_size=64\",\"-global\","
                "\"virtio-blk-device.queue-size=1024\"]");
}

static void other_devices_are_refused_with_the_cure(void **unused)
{
    struct error err = { 0 };
    (void)unused;

    assert_null(
        words_for(QEMU_VERSION(11, 1), "[" LONGER("virtio-net", 256, 1024) "]", "[]", &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_says(err.text, "the VM's virtio-net (x) has a queue of 1024 entries");
    assert_says(err.text, "Move the VM to a host with another QEMU before 11.1");

    err = (struct error){ 0 };
    assert_null(words_for(QEMU_VERSION(11, 1), "[" LONGER("virtio-rng", 8, 8) "]", "[]", &err));
    assert_says(err.text, "reboot the guest");

    starts_with(QEMU_VERSION(10, 2), "[" LONGER("virtio-net", 256, 1024) "]", "[]", "[]");
}

/* ---- devices ---- */

static bool has_no_foreign_device(unsigned version, const char *words, struct error *err)
{
    AUTO_JSON cJSON *line = must(cJSON_Parse(words));
    struct qemu_copy vm = { .images.qemu = version, .params.qemu.words = line };

    return devices_check(&vm, err);
}

static void a_device_that_only_a_newer_qemu_moves_is_refused(void **unused)
{
    const char *line = "[\"-m\",\"64\",\"-device\",\"nvme,serial=x,drive=d\"]";
    struct error err = { 0 };
    (void)unused;

    assert_true(has_no_foreign_device(QEMU_VERSION(11, 1), line, NULL));
    assert_true(has_no_foreign_device(QEMU_VERSION(7, 2), "[\"-device\",\"e1000\"]", NULL));
    assert_false(has_no_foreign_device(QEMU_VERSION(10, 0), line, &err));
    assert_says(err.text, "'nvme', which QEMU moves from 11.1 on, and the target has 10.0");
    assert_false(has_no_foreign_device(QEMU_VERSION(7, 2),
                                       "[\"-device\",\"{\\\"driver\\\":\\\"nvme\\\"}\"]", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queues_as_the_line_makes_them_are_not_told_of),
        cmocka_unit_test(a_vm_may_have_no_virtio_device),
        cmocka_unit_test(a_qemu_that_is_lost_is_not_one_without),
        cmocka_unit_test(longer_ones_are),
        cmocka_unit_test(disks_are_let_in_by_longer_queues_there),
        cmocka_unit_test(a_device_that_names_its_own_length_is_made_longer_too),
        cmocka_unit_test(other_devices_are_refused_with_the_cure),
        cmocka_unit_test(a_device_that_only_a_newer_qemu_moves_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
