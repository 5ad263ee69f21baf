/* Connections to the exports of an NBD server, which is a listening socket and what the test has it
 * say. */
#include "qmp/nbd-exports.h"

#include <signal.h>
#include <sys/socket.h>

#include "tests/unit/helpers.h"
#include "xmig/bytes.h"

#define GREETING "NBDMAGICIHAVEOPT\0\3"
#define EXPORT "\0\0\0\0\0\0\x10\0\1\xed"
#define ASKS(LENGTH) "\0\0\0\3IHAVEOPT\0\0\0\1\0\0\0" LENGTH
#define FLUSH(COOKIE) "\x25\x60\x95\x13\0\0\0\3\0\0\0\0\0\0\0" COOKIE "\0\0\0\0\0\0\0\0\0\0\0\0"
#define ANSWER(ERROR, COOKIE) "\x67\x44\x66\x98\0\0\0" ERROR "\0\0\0\0\0\0\0" COOKIE

enum {
    SOON_MS = 20 * 1000
};

struct scene {
    struct loop *loop;
    char *dir;
    char path[64];
    struct listener *server;
    int clients[4]; /* in the order in which they have come */
    size_t count;
    const char *greeting;
    size_t greeting_len;
    struct nbd_exports *exports;
};

static void on_client(void *arg, int fd)
{
    struct scene *scene = arg;

    assert_true(scene->count < 4);
    scene->clients[scene->count++] = fd;
    if (scene->greeting_len)
        assert_true(bytes_write(fd, scene->greeting, scene->greeting_len));
    else
        shutdown(fd, SHUT_RDWR);
}

static struct scene *begin(const char *greeting, size_t len)
{
    struct scene *scene = must(calloc(1, sizeof(*scene)));

    scene->loop = loop_new();
    scene->dir = make_directory();
    scene->greeting = greeting;
    scene->greeting_len = len;
    snprintf(scene->path, sizeof(scene->path), "%s/nbd", scene->dir);
    scene->server = listener_new(scene->loop, scene->path, on_client, scene, NULL);
    assert_non_null(scene->server);
    return scene;
}

#define BEGIN(GREETING) begin(GREETING, sizeof(GREETING) - 1)

static void end(struct scene *scene)
{
    nbd_exports_free(scene->exports);
    listener_free(scene->server);
    loop_free(scene->loop);
    for (size_t i = 0; i < scene->count; i++)
        close(scene->clients[i]);
    remove_empty(scene->dir);
    free(scene);
}

static bool open_two(struct scene *scene, struct error *err)
{
    const struct nbd_export_wanted wanted[] = { { "vda", 4096 }, { "vdb", 4096 } };

    scene->exports = nbd_exports_open(scene->loop, scene->path, wanted, 2, err);
    return scene->exports != NULL;
}

static void hear(int fd, const char *words, size_t len)
{
    char heard[64];

    assert_int_equal(bytes_read(fd, heard, len), len);
    assert_memory_equal(heard, words, len);
}

static void a_lanes_connection_is_past_the_handshake_and_taken_once(void **unused)
{
    struct scene *scene = BEGIN(GREETING EXPORT);
    struct error err = { 0 };
    int fd;
    (void)unused;

    assert_true(open_two(scene, &err));
    fd = nbd_exports_take(scene->exports, "vdb", &err);
    assert_true(fd >= 0);
    hear(scene->clients[2], ASKS("\3") "vdb", 23);
    assert_true(bytes_write(scene->clients[2], "answer", 6));
    hear(fd, "answer", 6);
    assert_int_equal(nbd_exports_take(scene->exports, "vdb", &err), -1);
    assert_int_equal(nbd_exports_take(scene->exports, "vdc", &err), -1);
    assert_int_equal(err.kind, ERROR_REFUSED);
    close(fd);
    end(scene);
}

static void flushes_every_export_by_a_connection_of_its_own(void **unused)
{
    struct scene *scene = BEGIN(GREETING EXPORT);
    struct error err = { 0 };
    (void)unused;

    assert_true(open_two(scene, &err));
    assert_true(bytes_write(scene->clients[1], ANSWER("\0", "\1"), 16));
    assert_true(bytes_write(scene->clients[3], ANSWER("\0", "\1"), 16));
    assert_true(nbd_exports_flush(scene->exports, SOON_MS, &err));
    hear(scene->clients[1], ASKS("\3") "vda" FLUSH("\1"), 23 + 28);
    hear(scene->clients[3], ASKS("\3") "vdb" FLUSH("\1"), 23 + 28);
    end(scene);
}

static void a_flush_that_fails_names_the_disk(void **unused)
{
    struct scene *scene = BEGIN(GREETING EXPORT);
    struct error err = { 0 };
    (void)unused;

    assert_true(open_two(scene, &err));
    assert_true(bytes_write(scene->clients[1], ANSWER("\0", "\1"), 16));
    assert_true(bytes_write(scene->clients[3], ANSWER("\5", "\1"), 16));
    assert_false(nbd_exports_flush(scene->exports, SOON_MS, &err));
    assert_string_equal(err.text, "disk 'vdb': QEMU cannot flush it: error 5");
    end(scene);
}

static void a_server_that_ends_has_not_flushed(void **unused)
{
    struct scene *scene = BEGIN(GREETING EXPORT);
    struct error err = { 0 };
    (void)unused;

    assert_true(open_two(scene, &err));
    assert_true(bytes_write(scene->clients[1], ANSWER("\0", "\1"), 16));
    shutdown(scene->clients[3], SHUT_RDWR);
    assert_false(nbd_exports_flush(scene->exports, SOON_MS, &err));
    assert_int_equal(err.kind, ERROR_LOST);
    end(scene);
}

static void a_flush_that_takes_too_long_names_the_disk(void **unused)
{
    struct scene *scene = BEGIN(GREETING EXPORT);
    struct error err = { 0 };
    (void)unused;

    assert_true(open_two(scene, &err));
    assert_true(bytes_write(scene->clients[1], ANSWER("\0", "\1"), 16));
    assert_false(nbd_exports_flush(scene->exports, 100, &err));
    assert_int_equal(err.kind, ERROR_TIMEOUT);
    assert_string_equal(err.text, "disk 'vdb': QEMU has not flushed it: nothing came within 0.1 s");
    end(scene);
}

static void refuses_what_is_not_the_export(void **unused)
{
#define WORDS(TEXT)                                                                                \
    {                                                                                              \
        TEXT, sizeof(TEXT) - 1                                                                     \
    }
    static const struct {
        const char *text;
        size_t len;
    } words[] = {
        WORDS(""),                                  /* it hangs up: there is none of that name */
        WORDS(GREETING "\0\0\0\0\0\0\x20\0\1\xed"), /* another size */
        WORDS(GREETING "\0\0\0\0\0\0\x10\0\0\3"),   /* read-only */
        WORDS(GREETING EXPORT "more"),
        WORDS("HTTP/1.1 400 Bad Request\r\n\r\n"),
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        struct scene *scene = begin(words[i].text, words[i].len);
        struct error err = { 0 };

        assert_false(open_two(scene, &err));
        assert_int_not_equal(err.kind, ERROR_NONE);
        end(scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lanes_connection_is_past_the_handshake_and_taken_once),
        cmocka_unit_test(flushes_every_export_by_a_connection_of_its_own),
        cmocka_unit_test(a_flush_that_fails_names_the_disk),
        cmocka_unit_test(a_server_that_ends_has_not_flushed),
        cmocka_unit_test(a_flush_that_takes_too_long_names_the_disk),
        cmocka_unit_test(refuses_what_is_not_the_export),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
