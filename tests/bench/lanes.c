/* Bytes through lanes as xmig opens them: to a receiver's door in this very process, by whatever
 * way leads there. tests/bench/tls starts it.
 *
 *     bench-lanes DEST RUNTIME_DIR LANES MIB [RSH REMOTE_PATH]
 *
 * DEST "none" joins the ends directly. Prints the seconds from the first lane's opening until all
 * bytes of all lanes have come, and those until the first byte after the transport was asked for;
 * then it waits for the end of standard input, so that somebody can look at the processes.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "xmig/cleanup.h"
#include "xmig/lanes.h"

#define ID "0123456789abcdef"
#define TICKET "00112233445566778899aabbccddeeff"

enum {
    BLOCK = 1024 * 1024 /* a mirror's requests */
};

static size_t bytes; /* a lane's */
static atomic_int arrived;
static atomic_llong first_ns;

static long long now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void *write_all(void *arg)
{
    int fd = (int)(intptr_t)arg;
    AUTO_FREE char *block = must(calloc(1, BLOCK));

    for (size_t done = 0; done < bytes;) {
        ssize_t put = write(fd, block, bytes - done < BLOCK ? bytes - done : BLOCK);

        if (put <= 0)
            abort();
        done += (size_t)put;
    }
    shutdown(fd, SHUT_WR);
    return NULL;
}

static void *read_all(void *arg)
{
    int fd = (int)(intptr_t)arg;
    AUTO_FREE char *block = must(malloc(BLOCK));
    size_t done = 0;
    long long none = 0;
    ssize_t got;

    while ((got = read(fd, block, BLOCK)) > 0) {
        if (done == 0)
            atomic_compare_exchange_strong(&first_ns, &none, now_ns());
        done += (size_t)got;
    }
    if (done != bytes) {
        fprintf(stderr, "bench-lanes: %zu of %zu bytes came\n", done, bytes);
        exit(1);
    }
    close(fd);
    atomic_fetch_add(&arrived, 1);
    return NULL;
}

static void start(void *(*what)(void *arg), int fd)
{
    pthread_t thread;

    if (fd < 0 || pthread_create(&thread, NULL, what, (void *)(intptr_t)fd))
        abort();
    pthread_detach(thread);
}

static int give_lane(void *arg, const char *name, struct error *err)
{
    int both[2];
    (void)arg;
    (void)name;
    (void)err;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both))
        abort();
    start(read_all, both[0]);
    return both[1];
}

static bool fail(const struct error *err)
{
    fprintf(stderr, "bench-lanes: %s\n", err->text);
    exit(1);
}

static void open_lanes(struct transport *transport, int lanes)
{
    struct error err = { 0 };
    int both[2];

    for (int i = 0; i < lanes; i++) {
        AUTO_FREE char *name = NULL;

        if (asprintf(&name, "disk/%d", i) < 0 ||
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both))
            abort();
        start(write_all, both[0]);
        if (!transport)
            start(read_all, both[1]);
        else if (!transport_lane(transport, name, both[1], &err))
            fail(&err);
    }
}

int main(int argc, char **argv)
{
    struct loop *loop = loop_new();
    struct error err = { 0 };
    AUTO_FREE char *own = NULL;
    struct receiver_door *door;
    struct transport *transport = NULL;
    long long asked, opened;
    int lanes;

    if (argc < 5)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    lanes = atoi(argv[3]);
    bytes = (size_t)atoi(argv[4]) * 1024 * 1024;
    door = receiver_door_new(loop, argv[2], ID, TICKET,
                             (struct receiver_door_ops){ .lane = give_lane }, &err);
    if (!door || asprintf(&own, "%s/sender", argv[2]) < 0)
        fail(&err);
    mkdir(own, 0700);
    asked = now_ns();
    if (strcmp(argv[1], "none") != 0) {
        const char *way = argc > 5 ? argv[5] : NULL; /* over TLS: what --cacert and its like give */
        AUTO_JSON cJSON *tls = way && *way == '{' ? cJSON_Parse(way) : NULL;
        const struct transport_options options = { .rsh = tls ? NULL : way,
                                                   .tls = tls,
                                                   .remote_path = argc > 6 ? argv[6] : NULL,
                                                   .runtime_dir = own };

        transport = transport_new(loop, argv[1], &options, &err);
        if (!transport || !transport_open(transport, &err))
            fail(&err);
        transport_set_ticket(transport, ID, TICKET, NULL);
    }
    opened = now_ns();
    open_lanes(transport, lanes);
    while (atomic_load(&arrived) < lanes)
        (void)loop_pause(loop, 5, NULL);
    printf("{\"seconds\": %.6f, \"first\": %.6f}\n", (double)(now_ns() - opened) / 1e9,
           (double)(atomic_load(&first_ns) - asked) / 1e9);
    fflush(stdout);
    (void)!read(STDIN_FILENO, &(char){ 0 }, 1);
    transport_free(transport);
    receiver_door_free(door);
    rmdir(own);
    loop_free(loop);
    return 0;
}
