/* The standard error of the programs that reach the target, made printable. */
#include "peer-words.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "printable.h"
#include "xmig/cleanup.h"

enum {
    CHUNK = 16 * 1024, /* then whatever else has come has its turn */
};

struct peer_words {
    struct report *report;
    char *from;
    int ends[2];
    uv_poll_t *poll; /* on the heap until libuv has closed it */
    char bytes[CHUNK];
    size_t count; /* of them that have not been printed */
};

/* A lane says a NUL now and then where it is idle, for its connection's sake. */
static size_t without_beats(char *bytes, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++)
        if (bytes[i])
            bytes[kept++] = bytes[i];
    return kept;
}

/* Returns whether anything has come. */
static bool read_more(struct peer_words *words)
{
    char *end = words->bytes + words->count;
    ssize_t count = read(words->ends[0], end, sizeof(words->bytes) - words->count);

    if (count > 0)
        words->count += without_beats(end, (size_t)count);
    return count > 0;
}

static void print(struct peer_words *words, bool is_end)
{
    size_t used;
    AUTO_FREE char *shown = printable_lines(words->bytes, words->count, is_end, &used);

    words->count -= used;
    memmove(words->bytes, words->bytes + used, words->count);
    report_pass_on(words->report, words->from, shown);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct peer_words *words = poll->data;

    (void)status;
    (void)events;
    if (read_more(words) && words->count > 0)
        print(words, false);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

struct peer_words *peer_words_new(struct loop *loop, struct report *report, const char *from)
{
    struct peer_words *words = must(calloc(1, sizeof(*words)));

    words->report = report;
    words->from = printable(from);
    words->poll = must(calloc(1, sizeof(*words->poll)));
    words->poll->data = words;
    if (pipe2(words->ends, O_CLOEXEC) < 0 ||
        fcntl(words->ends[0], F_SETFL, O_RDONLY | O_NONBLOCK) < 0 ||
        uv_poll_init(loop_uv(loop), words->poll, words->ends[0]) ||
        uv_poll_start(words->poll, UV_READABLE, on_readable))
        abort();
    return words;
}

int peer_words_fd(const struct peer_words *words)
{
    return words->ends[1];
}

/* Of a flood no more than what the pipe held. */
void peer_words_print(struct peer_words *words)
{
    enum {
        PIPE_SIZE = 64 * 1024
    };

    for (size_t chunks = 0; chunks <= PIPE_SIZE / CHUNK && read_more(words); chunks++)
        print(words, false);
    print(words, true);
}

void peer_words_free(struct peer_words *words)
{
    if (!words)
        return;
    peer_words_print(words);
    uv_close((uv_handle_t *)words->poll, on_closed);
    close(words->ends[0]);
    close(words->ends[1]);
    free(words->from);
    free(words);
}
