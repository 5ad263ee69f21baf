/* Threads that write or read a stream of bytes in which each place has its own value, so
 * that nothing can be lost, doubled or moved unseen.
 */
#ifndef TESTS_UNIT_TRAFFIC_H
#define TESTS_UNIT_TRAFFIC_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct traffic {
    int fd;
    size_t bytes; /* so many, and then the end */
    uint64_t seed;
    bool ok;
    pthread_t thread;
};

enum {
    TRAFFIC_BLOCK = 128 * 1024
};

static inline void traffic_fill(uint64_t *block, uint64_t seed, uint64_t number)
{
    uint64_t x = seed * 0x9e3779b97f4a7c15 + number + 1;

    for (size_t i = 0; i < TRAFFIC_BLOCK / sizeof(*block); i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        block[i] = x;
    }
}

static inline bool traffic_write_block(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t put = write(fd, data, len);

        if (put <= 0)
            return false;
        data += put;
        len -= (size_t)put;
    }
    return true;
}

/* Of a socket one direction ends, of anything else the descriptor. */
static inline void traffic_end_writing(int fd)
{
    if (shutdown(fd, SHUT_WR) < 0)
        close(fd);
}

static inline void *traffic_write_all(void *arg)
{
    struct traffic *t = arg;
    uint64_t *block = malloc(TRAFFIC_BLOCK);

    t->ok = true;
    for (size_t done = 0; t->ok && done < t->bytes; done += TRAFFIC_BLOCK) {
        size_t len = t->bytes - done < TRAFFIC_BLOCK ? t->bytes - done : TRAFFIC_BLOCK;

        traffic_fill(block, t->seed, done / TRAFFIC_BLOCK);
        t->ok = traffic_write_block(t->fd, (const char *)block, len);
    }
    traffic_end_writing(t->fd);
    free(block);
    return NULL;
}

static inline size_t traffic_read_block(int fd, char *data, size_t len)
{
    size_t done = 0;
    ssize_t got;

    while (done < len && (got = read(fd, data + done, len - done)) > 0)
        done += (size_t)got;
    return done;
}

static inline void *traffic_read_all(void *arg)
{
    struct traffic *t = arg;
    char *wanted = malloc(TRAFFIC_BLOCK);
    char *got = malloc(TRAFFIC_BLOCK);
    size_t done = 0;
    size_t len;

    t->ok = true;
    do {
        traffic_fill((uint64_t *)wanted, t->seed, done / TRAFFIC_BLOCK);
        len = traffic_read_block(t->fd, got, TRAFFIC_BLOCK);
        for (size_t i = 0; i < len; i++)
            t->ok = t->ok && got[i] == wanted[i];
        done += len;
    } while (len == TRAFFIC_BLOCK);
    t->ok = t->ok && done == t->bytes;
    free(wanted);
    free(got);
    return NULL;
}

static inline struct traffic *traffic_start(void *(*what)(void *arg), int fd, size_t bytes,
                                            uint64_t seed)
{
    struct traffic *t = calloc(1, sizeof(*t));

    if (!t)
        abort();
    *t = (struct traffic){ .fd = fd, .bytes = bytes, .seed = seed };
    if (pthread_create(&t->thread, NULL, what, t))
        abort();
    return t;
}

static inline bool traffic_end(struct traffic *t)
{
    bool ok;

    pthread_join(t->thread, NULL);
    ok = t->ok;
    free(t);
    return ok;
}

/* `bytes` from `a_out` to `b`, and others from `b` to `a_in`, at once; then the ends. */
struct traffic_pair {
    struct traffic *parts[4];
};

static inline struct traffic_pair traffic_start_pair(int a_out, int a_in, int b, size_t bytes)
{
    return (struct traffic_pair){ {
        traffic_start(traffic_write_all, a_out, bytes, 1),
        traffic_start(traffic_read_all, b, bytes, 1),
        traffic_start(traffic_write_all, b, bytes, 2),
        traffic_start(traffic_read_all, a_in, bytes, 2),
    } };
}

static inline bool traffic_end_pair(struct traffic_pair *pair)
{
    bool ok = true;

    for (int i = 0; i < 4; i++)
        ok = traffic_end(pair->parts[i]) && ok;
    return ok;
}

#endif
