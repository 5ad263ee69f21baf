/* The handshake that QEMU's NBD client is answered here: byte by byte, as the protocol has it. */
#include "transport/lanes/nbd-greeting.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "tests/unit/helpers.h"
#include "xmig/bytes.h"

enum {
    SOON_MS = 20 * 1000
};

#define SIZE UINT64_C(0x123456789)
#define GREETING "NBDMAGICIHAVEOPT\0\3"
#define FLAGS "\0\0\0\3"
#define HEAD(OPTION, LENGTH) "IHAVEOPT\0\0\0" OPTION "\0\0\0" LENGTH
#define REPLY "\0\3\xe8\x89\x04\x55\x65\xa9\0\0\0"
#define STRUCTURED_REPLIES HEAD("\x08", "\0")
#define UNSUPPORTED REPLY "\x08\x80\0\0\1\0\0\0\0"
/* Of the export "vda", with its block sizes. */
#define GO HEAD("\7", "\xb") "\0\0\0\3vda\0\1\0\3"
#define EXPORT REPLY "\7\0\0\0\3\0\0\0\xc\0\0\0\0\0\1\x23\x45\x67\x89\0\x69"
#define BLOCK_SIZES REPLY "\7\0\0\0\3\0\0\0\xe\0\3\0\0\0\1\0\0\x10\0\2\0\0\0"
#define GOES REPLY "\7\0\0\0\1\0\0\0\0"

struct scene {
    struct loop *loop;
    struct nbd_greeting *greeting;
    int client;
    int fd; /* that was handed on */
    bool done;
};

static void on_done(void *arg, int fd)
{
    struct scene *scene = arg;

    scene->greeting = NULL;
    scene->fd = fd;
    scene->done = true;
}

static struct scene *begin(void)
{
    struct scene *scene = must(calloc(1, sizeof(*scene)));
    int both[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both), 0);
    scene->loop = loop_new();
    scene->client = both[0];
    scene->fd = -1;
    scene->greeting = nbd_greet(scene->loop, both[1], SIZE, on_done, scene);
    assert_non_null(scene->greeting);
    return scene;
}

static void end(struct scene *scene)
{
    nbd_greeting_free(scene->greeting);
    loop_free(scene->loop);
    cleanup_close(&scene->fd);
    close(scene->client);
    free(scene);
}

static bool is_done(void *arg)
{
    return ((struct scene *)arg)->done;
}

static void say(struct scene *scene, const char *words, size_t len)
{
    assert_true(bytes_write(scene->client, words, len));
}

#define SAY(SCENE, WORDS) say(SCENE, WORDS, sizeof(WORDS) - 1)

static bool has_answered(void *arg)
{
    const struct scene *scene = arg;
    char byte;

    return recv(scene->client, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

static void hear(struct scene *scene, const char *words, size_t len)
{
    char heard[256];

    while (!has_answered(scene))
        assert_true(loop_pause(scene->loop, 1, NULL));
    assert_true(len <= sizeof(heard));
    assert_int_equal(bytes_read(scene->client, heard, len), len);
    assert_memory_equal(heard, words, len);
}

#define HEAR(SCENE, WORDS) hear(SCENE, WORDS, sizeof(WORDS) - 1)

static void answers_what_qemu_asks_and_hands_the_descriptor_on(void **unused)
{
    struct scene *scene = begin();
    char request[8];
    (void)unused;

    HEAR(scene, GREETING);
    SAY(scene, FLAGS STRUCTURED_REPLIES);
    HEAR(scene, UNSUPPORTED);
    SAY(scene, GO);
    HEAR(scene, EXPORT BLOCK_SIZES GOES);
    assert_true(loop_wait(scene->loop, is_done, scene, SOON_MS, NULL));
    SAY(scene, "requests");
    assert_int_equal(recv(scene->fd, request, sizeof(request), MSG_DONTWAIT), sizeof(request));
    assert_memory_equal(request, "requests", sizeof(request));
    end(scene);
}

static void words_that_come_byte_by_byte_are_the_same(void **unused)
{
    static const char words[] = FLAGS STRUCTURED_REPLIES GO;
    struct scene *scene = begin();
    (void)unused;

    for (size_t i = 0; i < sizeof(words) - 1; i++) {
        say(scene, words + i, 1);
        assert_true(loop_pause(scene->loop, 1, NULL));
    }
    assert_true(scene->done);
    assert_true(scene->fd >= 0);
    HEAR(scene, GREETING UNSUPPORTED EXPORT BLOCK_SIZES GOES);
    end(scene);
}

static void hangs_up_on_what_is_no_handshake(void **unused)
{
#define WORDS(TEXT)                                                                                \
    {                                                                                              \
        TEXT, sizeof(TEXT) - 1                                                                     \
    }
    static const struct {
        const char *text;
        size_t len;
    } words[] = {
        WORDS("\0\0\0\0"),                                    /* an older client's flags */
        WORDS(FLAGS "GET / HTTP/1.1\r\n"),                    /* another protocol */
        WORDS(FLAGS HEAD("\1", "\3") "vda"),                  /* EXPORT_NAME */
        WORDS(FLAGS HEAD("\2", "\0")),                        /* ABORT */
        WORDS(FLAGS HEAD("\7", "\0")),                        /* GO without a name */
        WORDS(FLAGS HEAD("\7", "\6") "\xff\xff\xff\xff\0\0"), /* a name that is too long */
        WORDS(FLAGS HEAD("\7", "\6") "\0\0\0\0\0\1"),         /* an item is missing */
        WORDS(FLAGS HEAD("\7", "\6") "\0\0\0\0\xff\xff"),
        WORDS(FLAGS "IHAVEOPT\0\0\0\x08\xff\xff\xff\xff"), /* an option of 4 GiB */
        WORDS(FLAGS GO "requests"),                        /* before the answer to GO */
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        struct scene *scene = begin();

        say(scene, words[i].text, words[i].len);
        assert_true(loop_wait(scene->loop, is_done, scene, SOON_MS, NULL));
        assert_int_equal(scene->fd, -1);
        end(scene);
    }
}

static void a_client_that_goes_away_is_done_with(void **unused)
{
    struct scene *scene = begin();
    (void)unused;

    SAY(scene, FLAGS "IHAVE");
    shutdown(scene->client, SHUT_RDWR);
    assert_true(loop_wait(scene->loop, is_done, scene, SOON_MS, NULL));
    assert_int_equal(scene->fd, -1);
    end(scene);
}

static void a_greeting_that_is_freed_hangs_up(void **unused)
{
    struct scene *scene = begin();
    (void)unused;

    nbd_greeting_free(steal(scene->greeting));
    HEAR(scene, GREETING);
    assert_true(loop_pause(scene->loop, 1, NULL));
    assert_int_equal(bytes_read(scene->client, (char[1]){ 0 }, 1), 0);
    assert_false(scene->done);
    end(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_what_qemu_asks_and_hands_the_descriptor_on),
        cmocka_unit_test(words_that_come_byte_by_byte_are_the_same),
        cmocka_unit_test(hangs_up_on_what_is_no_handshake),
        cmocka_unit_test(a_client_that_goes_away_is_done_with),
        cmocka_unit_test(a_greeting_that_is_freed_hangs_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
