/* A thread between two sockets, which sleeps when it was too fast. */
#include "host/xen/throttle.h"

#include <errno.h>
#include <sys/socket.h>
#include <time.h>

#include <uv.h>

#include "xmig/cleanup.h"

enum {
    CHUNK = 65536
};

struct throttle {
    uv_thread_t thread;
    int from, out, in;
    uint64_t rate; /* bytes a second */
};

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

static void sleep_for(double seconds)
{
    struct timespec time = { .tv_sec = (time_t)seconds };

    time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
    nanosleep(&time, NULL);
}

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* `due_s` is when the next bytes may go; a pause of the writer's is not made up for. */
static void run(void *arg)
{
    struct throttle *throttle = arg;
    AUTO_FREE char *chunk = must(malloc(CHUNK));
    double due_s = now_s();
    ssize_t got;

    while ((got = read(throttle->from, chunk, CHUNK)) > 0) {
        double now = now_s();

        if (due_s > now)
            sleep_for(due_s - now);
        else
            due_s = now;
        due_s += (double)got / (double)throttle->rate;
        if (!write_all(throttle->out, chunk, (size_t)got))
            break;
    }
    shutdown(throttle->from, SHUT_RDWR);
}

struct throttle *throttle_new(int out, uint64_t bytes_per_second, int *in, struct error *err)
{
    struct throttle *throttle;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        error_set(err, ERROR_SYSTEM, "cannot make a socket pair: %m");
        return NULL;
    }
    throttle = must(calloc(1, sizeof(*throttle)));
    *throttle =
        (struct throttle){ .from = pair[0], .in = pair[1], .out = out, .rate = bytes_per_second };
    *in = pair[1];
    if (uv_thread_create(&throttle->thread, run, throttle))
        abort();
    return throttle;
}

void throttle_free(struct throttle *throttle)
{
    if (!throttle)
        return;
    shutdown(throttle->in, SHUT_WR);
    uv_thread_join(&throttle->thread);
    close(throttle->in);
    close(throttle->from);
    free(throttle);
}
