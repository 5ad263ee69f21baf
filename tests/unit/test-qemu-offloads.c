/* Offloads of the guest's network cards that only a newer kernel's taps have. */
#include "host/qemu/copy/copy.h"
#include "host/qemu/guest/machine.h"
#include "tests/unit/scripted-qmp.h"

#define GREETING(MAJOR, MINOR)                                                                     \
    "{\"QMP\": {\"version\": {\"qemu\": {\"major\": " #MAJOR ", \"minor\": " #MINOR                \
    ", \"micro\": 0}, \"package\": \"\"}, \"capabilities\": [\"oob\"]}}"
#define DEVICES                                                                                    \
    "[{\"name\": \"virtio-rng\", \"path\": \"/machine/peripheral/r/virtio-backend\"},"             \
    " {\"name\": \"virtio-net\", \"path\": \"/machine/peripheral/net0/virtio-backend\"},"          \
    " {\"name\": \"virtio-net\", \"path\": \"/machine/peripheral/net1/virtio-backend\"}]"
#define STATUS(FEATURE)                                                                            \
    "{\"guest-features\": {\"dev-features\": [\"VIRTIO_NET_F_CTRL_VQ: x\", \"" FEATURE ": x\"]},"  \
    " \"host-features\": {\"dev-features\": [\"VIRTIO_NET_F_HOST_USO: x\"]}}"

static bool lists_the_second(struct qmp *q, struct error *err)
{
    struct qemu vm = { .q = q };
    AUTO_JSON cJSON *cards = offloads_read(&vm, err);
    AUTO_FREE char *text = json_print(cards);

    assert_string_equal(text, "[\"net1\"]");
    return true;
}

static void a_card_whose_guest_has_agreed_to_it_is_told_of(void **unused)
{
    const struct exchange script[] = {
        { "x-query-virtio", .reply = DEVICES },
        { "x-query-virtio-status", .reply = STATUS("VIRTIO_NET_F_MAC"), .with = "net0" },
        { "x-query-virtio-status", .reply = STATUS("VIRTIO_NET_F_GUEST_USO4"), .with = "net1" },
        { 0 },
    };
    (void)unused;

    succeeds_with(GREETING(10, 0), script, lists_the_second);
}

static bool lists_none(struct qmp *q, struct error *err)
{
    struct qemu vm = { .q = q };
    AUTO_JSON cJSON *cards = offloads_read(&vm, err);

    assert_non_null(cards);
    assert_null(cards->child);
    return true;
}

static void a_qemu_that_would_end_by_the_question_is_not_asked(void **unused)
{
    const struct exchange nothing[] = { { 0 } };
    const struct exchange no_device[] = {
        { "x-query-virtio", .reply = "error: No virtio devices found" },
        { 0 },
    };
    (void)unused;

    succeeds_with(GREETING(11, 1), nothing, lists_none);
    succeeds_with(GREETING(7, 2), nothing, lists_none);
    succeeds_with(GREETING(10, 0), no_device, lists_none);
}

static void an_older_kernel_is_refused_with_the_cure(void **unused)
{
    AUTO_JSON cJSON *cards = must(cJSON_Parse("[\"net1\"]"));
    struct error err = { 0 };
    (void)unused;

    assert_true(offloads_check_for(cards, "6.2.0", NULL));
    assert_true(offloads_check_for(cards, "7.3.1-1-amd64", NULL));
    assert_true(offloads_check_for(NULL, "6.1.0-56-amd64", NULL));
    assert_false(offloads_check_for(cards, "6.1.0-56-amd64", &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_says(err.text, "the tap of its network card 'net1'");
    assert_says(err.text, "host_uso=off,guest_uso4=off,guest_uso6=off");
    assert_false(offloads_check_for(cards, "5.10.0", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_card_whose_guest_has_agreed_to_it_is_told_of),
        cmocka_unit_test(a_qemu_that_would_end_by_the_question_is_not_asked),
        cmocka_unit_test(an_older_kernel_is_refused_with_the_cure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
