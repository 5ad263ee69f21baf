/* Buffered bytes in both directions: what is kept, what ends them, and what is owned by whom. */
#include "xmig/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include "tests/unit/helpers.h"

enum {
    LIMIT = 256 * 1024,
    READ_CHUNK = 64 * 1024, /* by so much a read may exceed the limit */
    BLOCK = 4096,
    MUCH = 10 * 1024 * 1024,
    SOON_MS = 20 * 1000
};

/* A stream, and the other end of its descriptors; the same twice for a socket. */
struct scene {
    struct loop *loop;
    struct stream *stream;
    int to, from;
    int calls;
    size_t buffered_at_end; /* what was there to be read when the end was told; -1: not yet */
};

static void on_change(void *arg)
{
    struct scene *scene = arg;
    size_t len;

    scene->calls++;
    stream_peek(scene->stream, &len);
    if (stream_ended(scene->stream, NULL) && scene->buffered_at_end == SIZE_MAX)
        scene->buffered_at_end = len;
}

static struct scene *begin(int in_fd, int out_fd, int to, int from)
{
    struct scene *scene = must(calloc(1, sizeof(*scene)));
    struct error err = { 0 };

    *scene = (struct scene){ loop_new(), NULL, to, from, 0, SIZE_MAX };
    scene->stream = stream_new(scene->loop, in_fd, out_fd, LIMIT, &err);
    assert_string_equal(err.text, "");
    stream_on_change(scene->stream, on_change, scene);
    return scene;
}

static struct scene *begin_with_socket(void)
{
    int fds[2];

    make_pair(fds);
    return begin(fds[0], fds[0], fds[1], fds[1]);
}

static struct scene *begin_with_pipes(void)
{
    int in[2], out[2];

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    return begin(in[0], out[1], in[1], out[0]);
}

static void peer_closes(struct scene *scene)
{
    close(scene->to);
    if (scene->from != scene->to)
        close(scene->from);
    scene->to = scene->from = -1;
}

static void end(struct scene *scene)
{
    stream_free(scene->stream);
    loop_free(scene->loop);
    peer_closes(scene);
    free(scene);
}

static void peer_says(struct scene *scene, const char *text)
{
    assert_int_equal(write(scene->to, text, strlen(text)), strlen(text));
}

static bool has_ended(void *arg)
{
    const struct scene *scene = arg;

    return stream_ended(scene->stream, NULL);
}

static bool has_bytes(void *arg)
{
    const struct scene *scene = arg;
    size_t len;

    stream_peek(scene->stream, &len);
    return len > 0;
}

static void wait_until(struct scene *scene, bool (*what)(void *arg))
{
    struct error err = { 0 };

    assert_ok(loop_wait(scene->loop, what, scene, SOON_MS, &err), &err);
}

static void assert_buffered(struct scene *scene, const char *text)
{
    size_t len;
    const uint8_t *bytes = stream_peek(scene->stream, &len);

    assert_int_equal(len, strlen(text));
    assert_memory_equal(bytes, text, len);
}

static bool is_closed(int fd)
{
    return fcntl(fd, F_GETFD) < 0 && errno == EBADF;
}

/* ---- bytes ---- */

static void carries_bytes_both_ways(void **unused)
{
    struct scene *scenes[] = { begin_with_socket(), begin_with_pipes() };
    (void)unused;

    for (size_t i = 0; i < 2; i++) {
        struct scene *scene = scenes[i];
        char heard[3];

        peer_says(scene, "ping");
        wait_until(scene, has_bytes);
        assert_buffered(scene, "ping");
        assert_true(stream_write(scene->stream, "abc", 3, NULL));
        assert_true(stream_flush(scene->stream, SOON_MS, NULL));
        assert_int_equal(stream_unsent(scene->stream), 0);
        assert_int_equal(read(scene->from, heard, sizeof(heard)), 3);
        assert_memory_equal(heard, "abc", 3);
        end(scene);
    }
}

static void keeps_what_is_not_consumed(void **unused)
{
    struct scene *scene = begin_with_socket();
    (void)unused;

    assert_false(has_bytes(scene));
    peer_says(scene, "one two");
    wait_until(scene, has_bytes);
    stream_consume(scene->stream, 4);
    assert_buffered(scene, "two");
    stream_consume(scene->stream, 0);
    scene->calls = 0;
    peer_says(scene, " three");
    while (scene->calls == 0)
        assert_true(loop_pause(scene->loop, 1, NULL));
    assert_buffered(scene, "two three");
    end(scene);
}

/* Numbered blocks, until no more go. Returns how many went. */
static size_t peer_says_all_it_can(struct scene *scene)
{
    enum {
        TRIES = 3
    };
    uint8_t block[BLOCK];
    size_t count = 0;

    fcntl(scene->to, F_SETFL, O_NONBLOCK);
    for (int refused = 0; refused < TRIES; uv_run(loop_uv(scene->loop), UV_RUN_NOWAIT)) {
        ssize_t put;

        memset(block, (int)(count % 251), sizeof(block));
        put = write(scene->to, block, sizeof(block));
        assert_true(put == BLOCK || errno == EAGAIN);
        count += put == BLOCK;
        refused = put == BLOCK ? 0 : refused + 1;
    }
    return count;
}

static void stops_reading_at_its_limit_until_some_is_consumed(void **unused)
{
    struct scene *scene = begin_with_socket();
    size_t written = peer_says_all_it_can(scene) * BLOCK;
    size_t consumed = 0;
    size_t len;
    (void)unused;

    stream_peek(scene->stream, &len);
    assert_in_range(len, LIMIT, LIMIT + READ_CHUNK);
    assert_true(written > len);
    while (consumed < written) {
        const uint8_t *bytes;

        wait_until(scene, has_bytes);
        bytes = stream_peek(scene->stream, &len);
        for (size_t i = 0; i < len; i++)
            assert_int_equal(bytes[i], (consumed + i) / BLOCK % 251);
        consumed += len;
        stream_consume(scene->stream, len);
    }
    end(scene);
}

static void queues_what_the_other_end_does_not_read_yet(void **unused)
{
    AUTO_FREE char *much = must(calloc(1, MUCH));
    struct scene *scene = begin_with_socket();
    struct error err = { 0 };
    (void)unused;

    assert_true(stream_write(scene->stream, much, MUCH, &err));
    assert_true(stream_unsent(scene->stream) > 0);
    assert_false(stream_flush(scene->stream, 1, &err));
    assert_int_equal(err.kind, ERROR_TIMEOUT);
    end(scene);
}

/* Nothing of it is left behind: the leak checker looks. */
static void may_be_freed_with_writes_pending(void **unused)
{
    AUTO_FREE char *much = must(calloc(1, MUCH));
    struct scene *scene = begin_with_pipes();
    (void)unused;

    for (int i = 0; i < 3; i++)
        assert_true(stream_write(scene->stream, much, MUCH, NULL));
    assert_true(stream_unsent(scene->stream) > 0);
    end(scene);
}

static void free_it(void *arg)
{
    struct scene *scene = arg;

    scene->calls++;
    stream_free(steal(scene->stream));
}

static bool was_called(void *arg)
{
    const struct scene *scene = arg;

    return scene->calls > 0;
}

static void may_be_freed_in_its_own_callback(void **unused)
{
    struct scene *scene = begin_with_socket();
    (void)unused;

    stream_on_change(scene->stream, free_it, scene);
    assert_true(stream_write(scene->stream, "x", 1, NULL));
    peer_says(scene, "x");
    wait_until(scene, was_called);
    assert_true(loop_pause(scene->loop, 1, NULL));
    assert_int_equal(scene->calls, 1);
    end(scene);
}

/* ---- the end ---- */

static void tells_the_end_after_the_last_bytes(void **unused)
{
    struct scene *scenes[] = { begin_with_socket(), begin_with_pipes() };
    (void)unused;

    for (size_t i = 0; i < 2; i++) {
        struct scene *scene = scenes[i];
        struct error err = { 0 };

        assert_false(stream_ended(scene->stream, &err));
        peer_says(scene, "last words");
        peer_closes(scene);
        wait_until(scene, has_ended);
        assert_buffered(scene, "last words");
        assert_int_equal(scene->buffered_at_end, strlen("last words"));
        assert_true(stream_ended(scene->stream, &err));
        assert_int_equal(err.kind, ERROR_LOST);
        assert_string_equal(err.text, "the connection was closed");
        end(scene);
    }
}

/* We speak to a peer that has gone: that fails before its last words have been read. */
static void has_the_last_words_when_a_write_tells_the_end(void **unused)
{
    struct scene *scenes[] = { begin_with_socket(), begin_with_pipes() };
    (void)unused;

    for (size_t i = 0; i < 2; i++) {
        struct scene *scene = scenes[i];

        peer_says(scene, "last words");
        peer_closes(scene);
        (void)stream_write(scene->stream, "hello?", 6, NULL);
        wait_until(scene, has_ended);
        assert_int_equal(scene->buffered_at_end, strlen("last words"));
        assert_buffered(scene, "last words");
        end(scene);
    }
}

static void a_write_that_fails_is_the_end_though_the_peer_could_still_speak(void **unused)
{
    struct scene *scene = begin_with_pipes();
    struct error err = { 0 };
    (void)unused;

    close(scene->from);
    (void)stream_write(scene->stream, "hello?", 6, NULL);
    wait_until(scene, has_ended);
    assert_true(stream_ended(scene->stream, &err));
    assert_string_equal(err.text, "the connection broke: broken pipe");
    scene->from = scene->to;
    end(scene);
}

static void says_so_when_the_peer_closes_in_the_middle_of_a_write(void **unused)
{
    AUTO_FREE char *much = must(calloc(1, MUCH));
    struct scene *scenes[] = { begin_with_socket(), begin_with_pipes() };
    (void)unused;

    for (size_t i = 0; i < 2; i++) {
        struct scene *scene = scenes[i];
        struct error err = { 0 };
        char heard[100];

        assert_true(stream_write(scene->stream, much, MUCH, &err));
        assert_int_equal(read(scene->from, heard, sizeof(heard)), sizeof(heard));
        peer_closes(scene);
        assert_false(stream_flush(scene->stream, SOON_MS, &err));
        assert_int_equal(err.kind, ERROR_LOST);
        assert_true(has_ended(scene));
        end(scene);
    }
}

static void writes_nothing_more_once_it_has_ended(void **unused)
{
    struct scene *scene = begin_with_socket();
    struct error err = { 0 };
    (void)unused;

    peer_closes(scene);
    wait_until(scene, has_ended);
    assert_false(stream_write(scene->stream, "x", 1, &err));
    assert_int_equal(err.kind, ERROR_LOST);
    assert_int_equal(stream_unsent(scene->stream), 0);
    end(scene);
}

static void can_be_broken_off_from_this_side(void **unused)
{
    struct scene *scene = begin_with_socket();
    char byte;
    (void)unused;

    stream_shutdown(scene->stream);
    assert_true(stream_ended(scene->stream, NULL));
    assert_int_equal(read(scene->from, &byte, 1), 0);
    assert_int_equal(write(scene->to, "x", 1), -1);
    end(scene);
}

static void a_pipes_other_end_learns_of_a_shutdown_when_it_is_freed(void **unused)
{
    struct scene *scene = begin_with_pipes();
    char byte;
    (void)unused;

    stream_shutdown(scene->stream);
    assert_true(stream_ended(scene->stream, NULL));
    stream_free(steal(scene->stream));
    assert_true(loop_pause(scene->loop, 1, NULL));
    assert_int_equal(read(scene->from, &byte, 1), 0);
    end(scene);
}

static void tells_the_end_only_when_there_is_room_to_read_it(void **unused)
{
    struct scene *scene = begin_with_socket();
    size_t len;
    (void)unused;

    peer_says_all_it_can(scene);
    peer_closes(scene);
    assert_true(loop_pause(scene->loop, 1, NULL));
    assert_false(has_ended(scene));
    while (!has_ended(scene)) {
        stream_peek(scene->stream, &len);
        stream_consume(scene->stream, len);
        assert_true(loop_pause(scene->loop, 1, NULL));
    }
    end(scene);
}

/* ---- descriptors ---- */

static void closes_its_descriptors(void **unused)
{
    int in[2], out[2];
    struct loop *loop = loop_new();
    (void)unused;

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    stream_free(stream_new(loop, in[0], out[1], LIMIT, NULL));
    stream_free(NULL);
    loop_free(loop);
    assert_true(is_closed(in[0]));
    assert_true(is_closed(out[1]));
    close(in[1]);
    close(out[0]);
}

/* As when `xmig recv` is started from cron, or without a peer. */
static void refuses_descriptors_that_cannot_be_waited_for(void **unused)
{
    struct loop *loop = loop_new();
    struct error err = { 0 };
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int out[2];
    (void)unused;

    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_null(stream_new(loop, in, out[1], LIMIT, &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_says(err.text, "neither a socket nor a pipe");
    loop_free(loop);
    assert_true(is_closed(in));
    assert_true(is_closed(out[1]));
    close(out[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(carries_bytes_both_ways),
        cmocka_unit_test(keeps_what_is_not_consumed),
        cmocka_unit_test(stops_reading_at_its_limit_until_some_is_consumed),
        cmocka_unit_test(queues_what_the_other_end_does_not_read_yet),
        cmocka_unit_test(may_be_freed_with_writes_pending),
        cmocka_unit_test(may_be_freed_in_its_own_callback),
        cmocka_unit_test(tells_the_end_after_the_last_bytes),
        cmocka_unit_test(has_the_last_words_when_a_write_tells_the_end),
        cmocka_unit_test(a_write_that_fails_is_the_end_though_the_peer_could_still_speak),
        cmocka_unit_test(says_so_when_the_peer_closes_in_the_middle_of_a_write),
        cmocka_unit_test(writes_nothing_more_once_it_has_ended),
        cmocka_unit_test(can_be_broken_off_from_this_side),
        cmocka_unit_test(a_pipes_other_end_learns_of_a_shutdown_when_it_is_freed),
        cmocka_unit_test(tells_the_end_only_when_there_is_room_to_read_it),
        cmocka_unit_test(closes_its_descriptors),
        cmocka_unit_test(refuses_descriptors_that_cannot_be_waited_for),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
