/* A thread between two sockets, which compresses or decompresses what goes through, and sleeps
 * when it was too fast.
 */
#include "transport/lanes/codec.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include <lz4frame.h>
#include <uv.h>

#include "xmig/cleanup.h"

enum {
    CHUNK = 65536,    /* LZ4's default block */
    GATHER_US = 10000 /* as long may bytes wait for more of them */
};

struct codec {
    uv_thread_t thread;
    int lane, plain, inner; /* what is written to one of the last two is read from the other */
    bool compresses;
    atomic_bool hurries;
    atomic_uint_fast64_t written;
    struct error error;
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

static bool write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, data, size);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        data += written;
        size -= (size_t)written;
    }
    return true;
}

/* EAGAIN is the end of GATHER_US before the first byte came. */
static ssize_t read_some(int fd, char *data, size_t size, int flags)
{
    ssize_t got;

    do
        got = recv(fd, data, size, flags);
    while (got < 0 && (errno == EINTR || errno == EAGAIN));
    return got;
}

static bool send_out(struct codec *codec, const char *data, size_t size)
{
    atomic_fetch_add(&codec->written, size);
    return write_all(codec->lane, data, size);
}

static void compress_all(struct codec *codec, LZ4F_cctx *lz4)
{
    size_t room = LZ4F_compressBound(CHUNK, &preferences);
    AUTO_FREE char *chunk = must(malloc(CHUNK));
    AUTO_FREE char *out = must(malloc(room));
    size_t size = made(LZ4F_compressBegin(lz4, out, room, &preferences));
    ssize_t got = 1;

    while (got > 0) {
        if (!send_out(codec, out, size))
            return;
        got = read_some(codec->inner, chunk, CHUNK, atomic_load(&codec->hurries) ? 0 : MSG_WAITALL);
        size = made(got > 0 ? LZ4F_compressUpdate(lz4, out, room, chunk, (size_t)got, NULL)
                            : LZ4F_compressEnd(lz4, out, room, NULL));
    }
    send_out(codec, out, size);
}

static void compress(struct codec *codec)
{
    LZ4F_cctx *lz4;

    if (LZ4F_isError(LZ4F_createCompressionContext(&lz4, LZ4F_VERSION)))
        abort();
    compress_all(codec, lz4);
    LZ4F_freeCompressionContext(lz4);
}

/* Returns what LZ4 would like to read next; 0: the frame has ended, or it was damaged, or
 * nobody wants it.
 */
static size_t pass_on(struct codec *codec, LZ4F_dctx *lz4, const char *data, size_t size, char *out)
{
    size_t used, made, wanted;

    do {
        used = size;
        made = CHUNK;
        wanted = LZ4F_decompress(lz4, out, &made, data, &used, NULL);
        if (LZ4F_isError(wanted)) {
            error_set(&codec->error, ERROR_PROTOCOL,
                      "the stream of RAM was damaged on the way (%s)", LZ4F_getErrorName(wanted));
            return 0;
        }
        if (!write_all(codec->inner, out, made))
            return 0;
        data += used;
        size -= used;
    } while (wanted && (size > 0 || made == CHUNK));
    return wanted;
}

static void decompress(struct codec *codec)
{
    AUTO_FREE char *chunk = must(malloc(CHUNK));
    AUTO_FREE char *out = must(malloc(CHUNK));
    LZ4F_dctx *lz4;
    ssize_t got;

    if (LZ4F_isError(LZ4F_createDecompressionContext(&lz4, LZ4F_VERSION)))
        abort();
    do
        got = read_some(codec->lane, chunk, CHUNK, 0);
    while (got > 0 && pass_on(codec, lz4, chunk, (size_t)got, out) > 0);
    LZ4F_freeDecompressionContext(lz4);
}

static void run(void *arg)
{
    struct codec *codec = arg;

    if (codec->compresses)
        compress(codec);
    else
        decompress(codec);
    shutdown(codec->inner, SHUT_RDWR);
}

static struct codec *start(int lane, bool compresses, int *plain, struct error *err)
{
    struct codec *codec;
    const struct timeval gather = { .tv_usec = GATHER_US };
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        error_set(err, ERROR_SYSTEM, "cannot make a socket pair: %m");
        return NULL;
    }
    if (compresses)
        (void)setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &gather, sizeof(gather));
    codec = must(calloc(1, sizeof(*codec)));
    codec->lane = lane;
    codec->inner = pair[0];
    codec->plain = *plain = pair[1];
    codec->compresses = compresses;
    if (uv_thread_create(&codec->thread, run, codec))
        abort();
    return codec;
}

struct codec *codec_compress(int lane, int *plain, struct error *err)
{
    return start(lane, true, plain, err);
}

struct codec *codec_decompress(int lane, int *plain, struct error *err)
{
    return start(lane, false, plain, err);
}

void codec_hurry(struct codec *codec)
{
    atomic_store(&codec->hurries, true);
}

uint64_t codec_written(struct codec *codec)
{
    return atomic_load(&codec->written);
}

bool codec_free(struct codec *codec, struct error *err)
{
    bool ok;

    if (!codec)
        return true;
    shutdown(codec->plain, codec->compresses ? SHUT_WR : SHUT_RDWR);
    if (!codec->compresses)
        shutdown(codec->lane, SHUT_RD);
    uv_thread_join(&codec->thread);
    ok = !codec->error.kind;
    if (!ok && err)
        *err = codec->error;
    close(codec->plain);
    close(codec->inner);
    free(codec);
    return ok;
}
