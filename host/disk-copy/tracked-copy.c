/* Joins the tracker and the rounds. */
#include "host/disk-copy/tracked-copy.h"

#include <fcntl.h>
#include <unistd.h>

#include "host/disk-copy/copy-rounds.h"
#include "host/kernel-disks/tracker.h"
#include "xmig/cleanup.h"

enum {
    CONNECT_MS = 60000, /* a lane may have to dial first */
    LOCK_MS = 10000,
    LOOK_MS = 50 /* from one try to the next */
};

struct tracked_copy {
    struct loop *loop;
    struct tracker *tracker;
    struct copy_rounds *rounds; /* NULL: not begun yet, or finished */
    struct tracked_state finished;
};

static bool since_last(void *tracker, struct changed_blocks *changed, struct error *err)
{
    return tracker_round(tracker, changed, err);
}

/* Takes the writer. Every write is noted before the first block is read. */
static bool begin(struct tracked_copy *copy, struct loop *loop, struct nbd_writer *writer,
                  bool target_is_zero, struct error *err)
{
    struct writes writes = { since_last, copy->tracker };
    int fd = -1;

    if (tracker_begin(copy->tracker, err)) {
        fd = open(tracker_origin(copy->tracker), O_RDONLY | O_DIRECT | O_CLOEXEC);
        if (fd < 0)
            error_set(err, ERROR_SYSTEM, "cannot open '%s': %m", tracker_origin(copy->tracker));
    }
    if (fd < 0) {
        nbd_writer_free(writer);
        return false;
    }
    copy->rounds =
        copy_rounds_new(loop, block_copier_new(loop, fd, writer), writes,
                        tracker_size(copy->tracker), tracker_block(copy->tracker), target_is_zero);
    return true;
}

/* The writer connects first: that may take seconds, in which nothing need be tracked. */
struct tracked_copy *tracked_copy_start(struct loop *loop, const struct tracked_disk *disk,
                                        struct error *err)
{
    struct tracked_copy *copy = must(calloc(1, sizeof(*copy)));
    struct nbd_writer *writer =
        nbd_writer_new(loop, disk->socket, disk->name, disk->size, CONNECT_MS, err);
    struct error why = { 0 };

    copy->loop = loop;
    copy->tracker = tracker_new(disk->id, disk->name, disk->path);
    if (writer && begin(copy, loop, writer, disk->target_is_zero, err))
        return copy;
    if (!tracked_copy_free(copy, &why))
        error_append(err, "; and %s", why.text);
    return NULL;
}

bool tracked_copy_go_on(struct tracked_copy *copy, struct error *err)
{
    if (!copy->rounds)
        return true;
    return tracker_check(copy->tracker, err) && copy_rounds_go_on(copy->rounds, err);
}

struct tracked_state tracked_copy_state(const struct tracked_copy *copy)
{
    if (!copy->rounds)
        return copy->finished;
    return (struct tracked_state){ .ready = copy_rounds_are_ready(copy->rounds),
                                   .done = copy_rounds_done(copy->rounds),
                                   .total = copy_rounds_total(copy->rounds),
                                   .debt = copy_rounds_debt(copy->rounds) };
}

bool tracked_copy_lock(struct tracked_copy *copy, struct error *err)
{
    uint64_t end = loop_now_ms() + LOCK_MS;

    while (!tracker_lock(copy->tracker, 0, err))
        if (loop_now_ms() >= end || !loop_pause(copy->loop, LOOK_MS, err))
            return false;
    return true;
}

bool tracked_copy_begin_last(struct tracked_copy *copy, uint64_t stall_ms, struct error *err)
{
    return tracker_lock(copy->tracker, LOCK_MS, err) &&
           copy_rounds_begin_last(copy->rounds, stall_ms, err);
}

/* What reads the origin keeps it from being removed: end that first. */
bool tracked_copy_finish(struct tracked_copy *copy, uint64_t stall_ms, struct error *err)
{
    if (!copy_rounds_finish(copy->rounds, stall_ms, err) || !tracker_check(copy->tracker, err))
        return false;
    copy->finished = tracked_copy_state(copy);
    copy->finished.debt = 0;
    copy_rounds_free(steal(copy->rounds));
    return tracker_end(copy->tracker, err);
}

bool tracked_copy_free(struct tracked_copy *copy, struct error *err)
{
    bool ok;

    if (!copy)
        return true;
    copy_rounds_free(copy->rounds);
    ok = tracker_end(copy->tracker, err);
    tracker_free(copy->tracker);
    free(copy);
    return ok;
}
