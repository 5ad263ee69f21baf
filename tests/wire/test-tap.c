/* What was said is handed on and written down, in its order, and so is the end. */
#include "tap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/test-tap-XXXXXX";

/* The two sides, with the tap between them. */
struct scene {
    int sender, receiver;
    struct tap *tap;
};

static struct scene begin(void)
{
    struct scene scene;
    int near[2], far[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, near), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, far), 0);
    scene.sender = near[0];
    scene.receiver = far[0];
    scene.tap = tap_start(near[1], far[1], path);
    return scene;
}

static void assert_says(int from, int to, const char *text)
{
    char heard[64] = "";

    assert_int_equal(send(from, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    assert_int_equal(recv(to, heard, strlen(text), MSG_WAITALL), strlen(text));
    assert_string_equal(heard, text);
}

static void assert_written_down(const char *wanted, size_t len)
{
    char found[128];
    FILE *file = fopen(path, "rbe");

    assert_non_null(file);
    assert_int_equal(fread(found, 1, sizeof(found), file), len);
    assert_memory_equal(found, wanted, len);
    fclose(file);
}

static void writes_down_what_both_say_in_its_order(void **unused)
{
    static const char wanted[] = "S\0\0\0\5helloR\0\0\0\2hiS\0\0\0\3byeS\0\0\0\0R\0\0\0\0";
    struct scene scene = begin();
    char byte;
    (void)unused;

    assert_says(scene.sender, scene.receiver, "hello");
    assert_says(scene.receiver, scene.sender, "hi");
    assert_says(scene.sender, scene.receiver, "bye");
    close(scene.sender);
    assert_int_equal(recv(scene.receiver, &byte, 1, 0), 0);
    close(scene.receiver);
    tap_end(scene.tap);
    assert_written_down(wanted, sizeof(wanted) - 1);
}

/* One that goes on speaking to a side that has gone must fail some day. */
static void tells_who_speaks_that_nobody_listens_any_more(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    close(scene.receiver);
    while (send(scene.sender, "anybody?", 8, MSG_NOSIGNAL) == 8)
        ;
    close(scene.sender);
    tap_end(scene.tap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_down_what_both_say_in_its_order),
        cmocka_unit_test(tells_who_speaks_that_nobody_listens_any_more),
    };
    int fd = mkstemp(path);
    int failed;

    if (fd < 0)
        return 1;
    close(fd);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
