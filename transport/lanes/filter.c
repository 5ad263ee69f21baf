/* The threads between a hypervisor's socket and its lane. */
#include "transport/lanes/filter.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include "transport/lanes/compression.h"
#include "xmig/cleanup.h"

struct filter {
    struct filter *next;
    void (*pass)(struct filter *filter);
    int from, to;                  /* as the bytes go that are filtered */
    bool incoming;                 /* they go to the hypervisor */
    struct rate *rate;             /* of a limit */
    atomic_uint_fast64_t *written; /* of a compressing one */
    char *lane;                    /* of a decompressing filter, for the error */
    struct error damage;           /* set before `damaged` */
    atomic_bool damaged;
    pthread_t threads[2];
    atomic_uint running; /* threads */
};

static void limit(struct filter *filter)
{
    pass_plain(filter->from, filter->to, filter->rate);
}

static void compress(struct filter *filter)
{
    pass_compressed(filter->from, filter->to, filter->written);
}

/* The damage is known before the hypervisor sees the end, and ends both directions. */
static void decompress(struct filter *filter)
{
    if (pass_decompressed(filter->from, filter->to, &filter->damage))
        return;
    error_prefix(&filter->damage, "lane %s", filter->lane);
    atomic_store(&filter->damaged, true);
    shutdown(filter->from, SHUT_RDWR);
}

/* Whoever writes to `from` must hear of it rather than wait for ever. */
static void *end_direction(struct filter *filter, int from, int to)
{
    shutdown(to, SHUT_WR);
    shutdown(from, SHUT_RD);
    atomic_fetch_sub(&filter->running, 1);
    return NULL;
}

static void *run(void *arg)
{
    struct filter *filter = arg;

    filter->pass(filter);
    return end_direction(filter, filter->from, filter->to);
}

static void *run_back(void *arg)
{
    struct filter *filter = arg;

    pass_plain(filter->to, filter->from, NULL);
    return end_direction(filter, filter->to, filter->from);
}

/* Signals are the loop's thread's: one that a filter took as it ends could be lost. */
static void start(struct filter *filter)
{
    sigset_t all, before;

    filter->running = 2;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&filter->threads[0], NULL, run, filter) ||
        pthread_create(&filter->threads[1], NULL, run_back, filter))
        abort();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static bool add(struct filter **filters, int *fd, struct filter kind, struct error *err)
{
    struct filter *filter;
    int both[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot create a socket: %m");
    fcntl(*fd, F_SETFL, fcntl(*fd, F_GETFL) & ~O_NONBLOCK);
    filter = must(malloc(sizeof(*filter)));
    *filter = kind;
    filter->from = kind.incoming ? both[0] : *fd;
    filter->to = kind.incoming ? *fd : both[0];
    filter->next = *filters;
    *filters = filter;
    *fd = both[1];
    start(filter);
    return true;
}

bool filter_limit(struct filter **filters, int *fd, bool incoming, struct rate *rate,
                  struct error *err)
{
    return add(filters, fd, (struct filter){ .pass = limit, .incoming = incoming, .rate = rate },
               err);
}

bool filter_compress(struct filter **filters, int *fd, atomic_uint_fast64_t *written,
                     struct error *err)
{
    return add(filters, fd, (struct filter){ .pass = compress, .written = written }, err);
}

bool filter_decompress(struct filter **filters, int *fd, const char *lane, struct error *err)
{
    AUTO_FREE char *name = must(strdup(lane));

    return add(filters, fd, (struct filter){ .pass = decompress, .incoming = true, .lane = name },
               err) &&
           steal(name);
}

bool filters_ok(const struct filter *filters, struct error *err)
{
    for (; filters; filters = filters->next)
        if (atomic_load(&filters->damaged)) {
            if (err)
                *err = filters->damage;
            return false;
        }
    return true;
}

static void filter_free(struct filter *filter)
{
    shutdown(filter->from, SHUT_RDWR);
    shutdown(filter->to, SHUT_RDWR);
    for (int i = 0; i < 2; i++)
        pthread_join(filter->threads[i], NULL);
    close(filter->from);
    close(filter->to);
    free(filter->lane);
    free(filter);
}

/* Those that have passed everything on; with `all` the others, too. */
static void free_filters(struct filter **filters, bool all)
{
    while (*filters) {
        struct filter *filter = *filters;

        if (!all && (atomic_load(&filter->running) || atomic_load(&filter->damaged))) {
            filters = &filter->next;
            continue;
        }
        *filters = filter->next;
        filter_free(filter);
    }
}

void filters_free(struct filter **filters)
{
    free_filters(filters, true);
}

void filters_leave(struct filter **filters, struct filter **heap)
{
    free_filters(heap, false);
    while (*heap)
        heap = &(*heap)->next;
    *heap = steal(*filters);
}
