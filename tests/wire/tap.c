/* Listens in on a control connection. */
#include "tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct tap {
    int fds[2];
    bool ended[2];
    FILE *file;
    pthread_t thread;
};

static void write_down(struct tap *tap, int side, const char *bytes, size_t len)
{
    uint32_t size = htonl((uint32_t)len);

    fputc("SR"[side], tap -> file);
    fwrite(&size, sizeof(size), 1, tap->file);
    fwrite(bytes, 1, len, tap->file);
    if (fflush(tap->file))
        abort();
}

static bool send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);

        if (sent < 0)
            return false;
        bytes += sent;
        len -= (size_t)sent;
    }
    return true;
}

/* One piece, or the end, from `side` to the other. */
static void hand_on(struct tap *tap, int side)
{
    char bytes[65536];
    ssize_t got = recv(tap->fds[side], bytes, sizeof(bytes), 0);

    write_down(tap, side, bytes, got > 0 ? (size_t)got : 0);
    if (got > 0 && send_all(tap->fds[!side], bytes, (size_t)got))
        return;
    /* One that speaks to nobody any more sees that, as it would without us in between. */
    if (got > 0)
        shutdown(tap->fds[side], SHUT_RDWR);
    else
        shutdown(tap->fds[!side], SHUT_WR);
    tap->ended[side] = true;
}

static void *listen_in(void *arg)
{
    struct tap *tap = arg;

    while (!tap->ended[0] || !tap->ended[1]) {
        struct pollfd polled[2] = {
            { .fd = tap->ended[0] ? -1 : tap->fds[0], .events = POLLIN },
            { .fd = tap->ended[1] ? -1 : tap->fds[1], .events = POLLIN },
        };

        if (poll(polled, 2, -1) < 0 && errno != EINTR)
            abort();
        for (int side = 0; side < 2; side++)
            if (polled[side].revents)
                hand_on(tap, side);
    }
    close(tap->fds[0]);
    close(tap->fds[1]);
    return NULL;
}

struct tap *tap_start(int sender, int receiver, const char *path)
{
    struct tap *tap = calloc(1, sizeof(*tap));

    if (!tap)
        abort();
    tap->fds[0] = sender;
    tap->fds[1] = receiver;
    tap->file = fopen(path, "wbe");
    if (!tap->file || pthread_create(&tap->thread, NULL, listen_in, tap))
        abort();
    return tap;
}

void tap_end(struct tap *tap)
{
    pthread_join(tap->thread, NULL);
    fclose(tap->file);
    free(tap);
}
