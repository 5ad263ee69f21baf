/* Bytes from socket to socket, through LZ4 if asked for. */
#include "transport/lanes/compression.h"

#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <lz4frame.h>

#include "xmig/cleanup.h"

enum {
    CHUNK = 65536,   /* LZ4's default block */
    GATHER_US = 2000 /* so long bytes wait for more: each piece wakes all up to the target */
};

/* What was written shall come out, and not wait for more. A negative level is LZ4's
 * acceleration: with this one it is faster than any ssh (`lz4 -b --fast=32` tells), so that the
 * lane never waits for it.
 */
static const LZ4F_preferences_t preferences = { .frameInfo.blockMode = LZ4F_blockIndependent,
                                                .compressionLevel = -32,
                                                .autoFlush = 1 };

/* LZ4 fails to compress only when it is called in the wrong way. */
static size_t made(size_t size)
{
    if (LZ4F_isError(size))
        abort();
    return size;
}

/* Returns 0 at the end, and when `to` has been closed: who has nothing to write would not notice.
 * With MSG_WAITALL waits for all, but no longer than the socket's timeout.
 */
static size_t receive(int from, int to, char *data, size_t size, int flags)
{
    struct pollfd polled[] = { { .fd = from, .events = POLLIN }, { .fd = to } };
    ssize_t got = poll(polled, 2, -1) > 0 && !polled[1].revents ? recv(from, data, size, flags) : 0;

    return got > 0 ? (size_t)got : 0;
}

/* A blocking socket takes all, or is broken. */
static bool put(int to, const char *data, size_t size)
{
    return send(to, data, size, MSG_NOSIGNAL) == (ssize_t)size;
}

/* False: `to` has been closed meanwhile. */
static bool await_turn(int to, struct rate *rate, size_t size)
{
    struct pollfd polled = { .fd = to };
    struct turn turn = rate_take(rate, size);
    int wait_ms;

    while ((wait_ms = rate_wait_ms(rate, &turn)) > 0)
        if (poll(&polled, 1, wait_ms) > 0)
            return false;
    return true;
}

static size_t portion(const struct rate *rate)
{
    size_t most = rate ? rate_portion(rate) : CHUNK; /* once: it may change meanwhile */

    return most < CHUNK ? most : CHUNK;
}

void pass_plain(int from, int to, struct rate *rate)
{
    AUTO_FREE char *chunk = must(malloc(CHUNK));
    size_t got;

    do
        got = receive(from, to, chunk, portion(rate), 0);
    while (got > 0 && (!rate || await_turn(to, rate, got)) && put(to, chunk, got));
}

void pass_compressed(int from, int to, atomic_uint_fast64_t *written)
{
    const struct timeval gather = { .tv_usec = GATHER_US };
    size_t room = LZ4F_compressBound(CHUNK, &preferences);
    AUTO_FREE char *chunk = must(malloc(CHUNK));
    AUTO_FREE char *out = must(malloc(room));
    LZ4F_cctx *lz4;
    size_t size, got;

    made(LZ4F_createCompressionContext(&lz4, LZ4F_VERSION));
    (void)setsockopt(from, SOL_SOCKET, SO_RCVTIMEO, &gather, sizeof(gather));
    size = made(LZ4F_compressBegin(lz4, out, room, &preferences));
    do {
        atomic_fetch_add(written, size);
        got = put(to, out, size) ? receive(from, to, chunk, CHUNK, MSG_WAITALL) : 0;
        size = made(got > 0 ? LZ4F_compressUpdate(lz4, out, room, chunk, got, NULL)
                            : LZ4F_compressEnd(lz4, out, room, NULL));
    } while (got > 0);
    (void)put(to, out, size);
    LZ4F_freeCompressionContext(lz4);
}

/* False: the frame has ended, or nobody reads any more, or the data is damaged, which is an error.
 */
static bool decompress(LZ4F_dctx *lz4, const char *data, size_t size, char *out, int to,
                       struct error *err)
{
    size_t count, wanted;

    do {
        size_t used = size;

        count = CHUNK;
        wanted = LZ4F_decompress(lz4, out, &count, data, &used, NULL);
        if (LZ4F_isError(wanted))
            return error_set(err, ERROR_PROTOCOL, "damaged on its way to the target (LZ4: %s)",
                             LZ4F_getErrorName(wanted));
        if (!put(to, out, count))
            return false;
        data += used;
        size -= used;
    } while (wanted > 0 && (size > 0 || count == CHUNK));
    return wanted > 0;
}

bool pass_decompressed(int from, int to, struct error *err)
{
    AUTO_FREE char *chunk = must(malloc(CHUNK));
    AUTO_FREE char *out = must(malloc(CHUNK));
    struct error damage = { 0 };
    LZ4F_dctx *lz4;
    size_t got;

    made(LZ4F_createDecompressionContext(&lz4, LZ4F_VERSION));
    do
        got = receive(from, to, chunk, CHUNK, 0);
    while (got > 0 && decompress(lz4, chunk, got, out, to, &damage));
    LZ4F_freeDecompressionContext(lz4);
    if (damage.kind)
        *err = damage;
    return !damage.kind;
}
