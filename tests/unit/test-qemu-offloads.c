/* Offloads of the guest's network cards that only a newer kernel's taps have: real taps, in a
 * network name space of this program's own, have them as QEMU lets them have; and a script tells
 * what the guest has agreed to.
 */
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <sys/ioctl.h>

#include "host/qemu/copy/copy.h"
#include "host/qemu/guest/machine.h"
#include "tests/unit/scripted-qmp.h"

/* Newer than the headers of some systems that this is built on. */
enum {
    USO = 0x20 | 0x40,     /* TUN_F_USO4, TUN_F_USO6 */
    TUNNELS = 0x80 | 0x100 /* TUN_F_UDP_TUNNEL_GSO, …_CSUM */
};

/* A tap that does this for its guest. Skips the test where that cannot be had. */
static int open_tap(const char *name, unsigned offloads)
{
    static bool is_apart;
    struct ifreq tap = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
    unsigned all = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | offloads;
    int fd;

    is_apart = is_apart || unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
    snprintf(tap.ifr_name, sizeof(tap.ifr_name), "%s", name);
    fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (!is_apart || fd < 0 || ioctl(fd, TUNSETIFF, &tap) < 0 ||
        ioctl(fd, TUNSETOFFLOAD, all) < 0) {
        print_message("no such tap here: %s\n", strerror(errno));
        skip();
    }
    return fd;
}

static char *taps_with(enum tap_offload what)
{
    AUTO_JSON cJSON *taps = offloads_read(getpid(), what);

    return json_print(taps);
}

static void the_taps_tell_what_the_guest_has_agreed_to(void **unused)
{
    AUTO_CLOSE int plain = open_tap("plain", 0);
    AUTO_CLOSE int segments = open_tap("segments", USO);
    AUTO_FREE char *uso = taps_with(TAP_USO);
    AUTO_FREE char *tunnels = taps_with(TAP_TUNNELS);
    (void)unused;

    assert_string_equal(uso, "[\"segments\"]");
    assert_string_equal(tunnels, "[]");
    assert_int_equal(ioctl(segments, TUNSETOFFLOAD, 0), 0); /* as QEMU does when the guest boots */
    free(uso);
    uso = taps_with(TAP_USO);
    assert_string_equal(uso, "[]");
}

static void tunnels_are_told_of(void **unused)
{
    AUTO_CLOSE int tap = open_tap("tap", USO | TUNNELS);
    AUTO_FREE char *tunnels = taps_with(TAP_TUNNELS);
    (void)unused;

    assert_string_equal(tunnels, "[\"tap\"]");
}

static void a_process_in_another_network_is_not_asked(void **unused)
{
    AUTO_CLOSE int tap = open_tap("tap", USO);
    AUTO_JSON cJSON *taps = NULL;
    (void)unused;

    taps = offloads_read(getppid(), TAP_USO);
    assert_null(taps->child);
}

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

static bool names_become(struct qmp *q, const char *wanted, struct error *err)
{
    struct qemu vm = { .q = q };
    AUTO_JSON cJSON *names = must(cJSON_Parse("[\"tap0\"]"));
    bool ok = offloads_add_cards(&vm, names, err);
    AUTO_FREE char *text = json_print(names);

    assert_string_equal(text, wanted);
    return ok;
}

static bool adds_the_second_card(struct qmp *q, struct error *err)
{
    return names_become(q, "[\"tap0\",\"net1\"]", err);
}

static bool adds_none(struct qmp *q, struct error *err)
{
    return names_become(q, "[\"tap0\"]", err);
}

static void a_guest_that_may_only_send_what_needs_it_is_told_of(void **unused)
{
    const struct exchange script[] = {
        { "x-query-virtio", .reply = DEVICES },
        { "x-query-virtio-status", .reply = STATUS("VIRTIO_NET_F_MAC"), .with = "net0" },
        { "x-query-virtio-status", .reply = STATUS("VIRTIO_NET_F_HOST_USO"), .with = "net1" },
        { 0 },
    };
    (void)unused;

    succeeds_with(GREETING(10, 0), script, adds_the_second_card);
    succeeds_with(GREETING(8, 2), script, adds_the_second_card);
}

static void a_qemu_that_would_end_by_the_question_is_not_asked(void **unused)
{
    const struct exchange nothing[] = { { 0 } };
    const struct exchange no_device[] = {
        { "x-query-virtio", .reply = "error: No virtio devices found" },
        { 0 },
    };
    (void)unused;

    succeeds_with(GREETING(11, 1), nothing, adds_none);
    succeeds_with(GREETING(10, 1), nothing, adds_none);
    succeeds_with(GREETING(7, 2), nothing, adds_none);
    succeeds_with(GREETING(10, 0), no_device, adds_none);
}

static void an_older_kernel_is_refused_with_the_cure(void **unused)
{
    AUTO_JSON cJSON *taps = must(cJSON_Parse("[\"tap0\"]"));
    const struct qemu_machine none = { 0 }, uso = { .uso = taps }, tunnels = { .tunnels = taps };
    struct error err = { 0 };
    (void)unused;

    assert_true(offloads_check_for(&uso, "6.2.0", NULL));
    assert_true(offloads_check_for(&uso, "7.3.1-1-amd64", NULL));
    assert_true(offloads_check_for(&none, "6.1.0-56-amd64", NULL));
    assert_false(offloads_check_for(&uso, "5.10.0", NULL));
    assert_false(offloads_check_for(&uso, "6.1.0-56-amd64", &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_says(err.text, "the guest has its network card or tap 'tap0' segment UDP (USO)");
    assert_says(err.text, "host_uso=off,guest_uso4=off,guest_uso6=off");
    error_clear(&err);
    assert_true(offloads_check_for(&tunnels, "6.17.0", NULL));
    assert_false(offloads_check_for(&tunnels, "6.12.48+deb13-amd64", &err));
    assert_says(err.text, "Linux can from 6.17 on");
    assert_says(err.text, "host_tunnel=off,guest_tunnel=off");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_taps_tell_what_the_guest_has_agreed_to),
        cmocka_unit_test(tunnels_are_told_of),
        cmocka_unit_test(a_process_in_another_network_is_not_asked),
        cmocka_unit_test(a_guest_that_may_only_send_what_needs_it_is_told_of),
        cmocka_unit_test(a_qemu_that_would_end_by_the_question_is_not_asked),
        cmocka_unit_test(an_older_kernel_is_refused_with_the_cure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
