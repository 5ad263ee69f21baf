/* Offloads of the guest's network cards that only a newer kernel's taps have: real taps, in a
 * network name space of this program's own, have them as QEMU lets them have.
 */
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <sys/ioctl.h>

#include "host/qemu/copy/copy.h"
#include "host/qemu/guest/machine.h"
#include "tests/unit/helpers.h"

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
    assert_says(err.text, "the guest has its tap 'tap0' segment UDP (USO)");
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
        cmocka_unit_test(an_older_kernel_is_refused_with_the_cure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
