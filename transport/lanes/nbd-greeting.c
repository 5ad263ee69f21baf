/* Fixed newstyle negotiation, the server's side: options are refused until the client asks to GO.
 */
#include "transport/lanes/nbd-greeting.h"

#include <endian.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "xmig/cleanup.h"
#include "xmig/nbd.h"
#include "xmig/stream.h"

enum {
    CLIENT_FLAGS = 4,
    OPTION_HEAD = 16,
    OPTION_MAX = 4096 + 256, /* a name has at most 4096 bytes */
    BLOCK_PREFERRED = 4096,
    BLOCK_MOST = 32 * 1024 * 1024,
};

struct nbd_greeting {
    int fd;
    struct stream *stream; /* has a copy of it */
    uint64_t size;
    bool has_flags; /* the client has said its own */
    void (*done)(void *arg, int fd);
    void *arg;
};

struct words {
    uint8_t bytes[64];
    size_t len;
};

static void put(struct words *words, uint64_t number, size_t len)
{
    uint64_t big = htobe64(number);

    memcpy(words->bytes + words->len, (const uint8_t *)&big + sizeof(big) - len, len);
    words->len += len;
}

static uint64_t get(const uint8_t *bytes, size_t len)
{
    uint64_t big = 0;

    memcpy((uint8_t *)&big + sizeof(big) - len, bytes, len);
    return be64toh(big);
}

/* Into a socket's buffer, in which the client leaves next to nothing: it reads each answer. */
static bool say(const struct nbd_greeting *greeting, const struct words *words)
{
    return send(greeting->fd, words->bytes, words->len, MSG_NOSIGNAL | MSG_DONTWAIT) ==
           (ssize_t)words->len;
}

static void put_reply(struct words *words, uint32_t option, uint32_t type, size_t len)
{
    put(words, NBD_OPTION_REPLY_MAGIC, 8);
    put(words, option, 4);
    put(words, type, 4);
    put(words, len, 4);
}

static bool say_reply(const struct nbd_greeting *greeting, uint32_t option, uint32_t type)
{
    struct words words = { 0 };

    put_reply(&words, option, type, 0);
    return say(greeting, &words);
}

static bool say_export(const struct nbd_greeting *greeting, uint32_t option)
{
    struct words words = { 0 };

    put_reply(&words, option, NBD_REPLY_INFO, 12);
    put(&words, NBD_INFO_EXPORT, 2);
    put(&words, greeting->size, 8);
    put(&words, LANE_NBD_FLAGS, 2);
    return say(greeting, &words);
}

static bool say_block_size(const struct nbd_greeting *greeting, uint32_t option)
{
    struct words words = { 0 };

    put_reply(&words, option, NBD_REPLY_INFO, 14);
    put(&words, NBD_INFO_BLOCK_SIZE, 2);
    put(&words, 1, 4);
    put(&words, BLOCK_PREFERRED, 4);
    put(&words, BLOCK_MOST, 4);
    return say(greeting, &words);
}

static void end_with(struct nbd_greeting *greeting, bool ok)
{
    int fd = steal_fd(&greeting->fd);

    stream_free(greeting->stream);
    if (!ok) {
        close(fd);
        fd = -1;
    }
    greeting->done(greeting->arg, fd);
    free(greeting);
}

/* INFO or GO: the name's length, the name, the number of items, the items. */
static bool answer_info(struct nbd_greeting *greeting, uint32_t option, const uint8_t *data,
                        size_t len)
{
    size_t name = len >= 6 ? get(data, 4) : SIZE_MAX;
    size_t items;

    if (len < 6 || name > len - 6)
        return false;
    items = get(data + 4 + name, 2);
    if (items * 2 != len - 6 - name)
        return false;
    if (!say_export(greeting, option))
        return false;
    for (const uint8_t *item = data + 6 + name; items-- > 0; item += 2)
        if (get(item, 2) == NBD_INFO_BLOCK_SIZE && !say_block_size(greeting, option))
            return false;
    return say_reply(greeting, option, NBD_REPLY_ACK);
}

/* Without structured replies, which only reading needs: a mirror's target is not read. */
static bool answer(struct nbd_greeting *greeting, uint32_t option, const uint8_t *data, size_t len,
                   bool *over)
{
    switch (option) {
    case NBD_OPTION_GO:
        *over = true;
        return answer_info(greeting, option, data, len);
    case NBD_OPTION_INFO:
        return answer_info(greeting, option, data, len);
    case NBD_OPTION_EXPORT_NAME: /* has no answer that would refuse it */
    case NBD_OPTION_ABORT:
        (void)say_reply(greeting, option, NBD_REPLY_ACK);
        return false;
    default:
        return say_reply(greeting, option, NBD_REPLY_UNSUPPORTED);
    }
}

static bool take_flags(struct nbd_greeting *greeting, const uint8_t *bytes)
{
    greeting->has_flags = true;
    stream_consume(greeting->stream, CLIENT_FLAGS);
    return get(bytes, CLIENT_FLAGS) & NBD_FIXED_NEWSTYLE;
}

/* One thing that the client has said, if it is all here (else *more is false). After GO nothing is
 * read any more.
 */
static bool hear(struct nbd_greeting *greeting, bool *more, bool *over)
{
    size_t have, len;
    const uint8_t *bytes = stream_peek(greeting->stream, &have);

    *more = have >= (greeting->has_flags ? OPTION_HEAD : CLIENT_FLAGS);
    if (!*more)
        return true;
    if (!greeting->has_flags)
        return take_flags(greeting, bytes);
    len = get(bytes + 12, 4);
    if (get(bytes, 8) != NBD_OPTION_MAGIC || len > OPTION_MAX)
        return false;
    *more = have >= OPTION_HEAD + len;
    if (!*more)
        return true;
    if (!answer(greeting, (uint32_t)get(bytes + 8, 4), bytes + OPTION_HEAD, len, over))
        return false;
    stream_consume(greeting->stream, OPTION_HEAD + len);
    return true;
}

/* Whoever gets the descriptor would never see it: a client waits for the answer to GO. */
static bool has_more(const struct nbd_greeting *greeting)
{
    size_t have;

    (void)stream_peek(greeting->stream, &have);
    return have > 0;
}

static void on_change(void *arg)
{
    struct nbd_greeting *greeting = arg;
    bool more = true, over = false, ok = true;

    while (ok && more && !over)
        ok = hear(greeting, &more, &over);
    if (over)
        ok = ok && !has_more(greeting);
    if (!ok || over || stream_ended(greeting->stream, NULL))
        end_with(greeting, ok && over);
}

struct nbd_greeting *nbd_greet(struct loop *loop, int fd, uint64_t size,
                               void (*done)(void *arg, int fd), void *arg)
{
    struct nbd_greeting *greeting = must(calloc(1, sizeof(*greeting)));
    struct words words = { 0 };
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

    *greeting = (struct nbd_greeting){ .fd = fd, .size = size, .done = done, .arg = arg };
    if (copy >= 0)
        greeting->stream = stream_new(loop, copy, copy, OPTION_HEAD + OPTION_MAX, NULL);
    put(&words, NBD_MAGIC, 8);
    put(&words, NBD_OPTION_MAGIC, 8);
    put(&words, NBD_FIXED_NEWSTYLE | NBD_NO_ZEROES, 2);
    if (!greeting->stream || !say(greeting, &words)) {
        nbd_greeting_free(greeting);
        return NULL;
    }
    stream_on_change(greeting->stream, on_change, greeting);
    return greeting;
}

void nbd_greeting_free(struct nbd_greeting *greeting)
{
    if (!greeting)
        return;
    stream_free(greeting->stream);
    close(greeting->fd);
    free(greeting);
}
