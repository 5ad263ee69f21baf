/* Streams the guest's RAM through a lane. When it ends the guest is paused, its
 * disks drained and its device state sent; all of that stays reversible until
 * COMMIT in incoming-resume.
 */
#include "stages.h"

#include "disks.h"
#include "pipeline/time-limits.h"
#include "pipeline/commit/verdict.h"
#include "xmig/cleanup.h"
#include "xmig/hypervisor.h"

struct stream {
    struct lane_door *door;
};

enum {
    FLUSHES = 5,          /* of the target's disks before RAM is sent */
    QUICK_FLUSH_MS = 50,  /* nothing is gained by another */
    SLOW_FLUSH_MS = 1000, /* beyond --max-downtime: worth a warning */
    PEER_TELLS_MS = 500
};

static const struct message_rule messages[] = { { "listening", SIDE_RECV }, { NULL, SIDE_SEND } };

/* All lanes are open at the same time: the mirrors' until the end, RAM's beside them. */
static bool check_lanes(struct migration *m, void *state, struct error *err)
{
    size_t disks = m->options->vm.mirrors_disks ? disk_count(m) : 0;

    (void)state;
    if (m->options->compress && !m->transport->peer_decompresses)
        event_say(&m->events, EVENT_WARNING, m->at,
                  "%s has another xmig, which cannot decompress: nothing is compressed",
                  m->peer_name);
    return transport_make_room(m->transport, disks + 1, err);
}

static void plan_send(struct migration *m, void *state, struct plan *out)
{
    (void)state;
    plan_say(out,
             "stream RAM while the guest runs; pause it for the rest (at most %llu ms if it can be "
             "helped), drain the disks, send the device state",
             (unsigned long long)m->options->vm.max_downtime_ms);
}

/* R2: once PAUSING is written, the guest may run here again only after ABORTED. */
static bool about_to_pause(void *arg, struct error *err)
{
    struct migration *m = arg;

    return promise_record(m, RECORD_PAUSING, NULL, err);
}

static void paused(void *arg)
{
    struct migration *m = arg;

    if (transport_lift_limit(m->transport))
        session_limit(m->peer, 0);
}

static uint64_t written(void *arg)
{
    struct migration *m = arg;

    return atomic_load(&m->transport->written);
}

/* Refuses to pause when flushing would take too long. During the pause the target flushes twice for
 * all disks together, and once more for each mirror that can ask for it, each time at most about as
 * long as `flush_ms`.
 */
static bool can_flush(struct migration *m, uint64_t flush_ms, struct error *err)
{
    uint64_t longest_ms = limits_longest_pause(m);
    bool mirrors_flush = !m->transport->peer_greets || !guest_speaks_nbd(m->guest);
    size_t flushes = (mirrors_flush ? disk_count(m) : 0) + 2;

    if (longest_ms && flushes * flush_ms > longest_ms)
        return error_set(
            err, ERROR_SYSTEM,
            "the VM was not paused, for the target needs %llu.%llu s to bring its "
            "disks' last writes to the disk, up to %zu times in the pause, and "
            "--max-pause permits %llu.%llu s: try again when its disks have less to "
            "do, or with a longer --max-pause",
            (unsigned long long)flush_ms / 1000, (unsigned long long)flush_ms % 1000 / 100, flushes,
            (unsigned long long)longest_ms / 1000, (unsigned long long)longest_ms % 1000 / 100);
    if (flush_ms > m->options->vm.max_downtime_ms + SLOW_FLUSH_MS)
        event_say(&m->events, EVENT_WARNING, m->at,
                  "the target needs %llu.%llu s to bring its disks' last writes to the disk, which "
                  "makes the pause longer",
                  (unsigned long long)flush_ms / 1000, (unsigned long long)flush_ms % 1000 / 100);
    return true;
}

/* Why the lane ended the target has seen, and its words are on their way. */
static bool why_failed(struct migration *m, struct error *err)
{
    struct error theirs = { 0 };

    if (err->kind == ERROR_LOST && !loop_pause(m->loop, PEER_TELLS_MS, &theirs) &&
        theirs.kind == ERROR_PEER)
        *err = theirs;
    return false;
}

static bool send_ram(struct migration *m, void *state, struct error *err)
{
    struct stream *stream = state;
    const struct ram_hooks hooks = { .pausing = about_to_pause,
                                     .paused = paused,
                                     .written = written,
                                     .arg = m,
                                     .stage = "ram-stream" };
    bool compressed = m->options->compress || m->guest->hypervisor->sends_every_page;
    /* The receiver says `alive` while it flushes its disks; its loss ends this wait. */
    AUTO_JSON cJSON *listening = session_expect(m->peer, "listening", LOOP_NO_DEADLINE, err);

    if (!listening || !can_flush(m, json_uint_or(listening, "flush_ms", 0), err))
        return false;
    stream->door = lane_door_new(m->transport, "ram", compressed, err);
    if (!stream->door)
        return false;
    if (!guest_ram_send(m->guest, lane_door_path(stream->door), &hooks, err))
        return why_failed(m, err);
    m->paused_ms = guest_paused_at(m->guest);
    m->sent_ms = loop_now_ms();
    return true;
}

static void close_door(struct migration *m, void *state)
{
    struct stream *stream = state;

    (void)m;
    lane_door_free(steal(stream->door));
}

static bool let_guest_run(struct migration *m, void *state, struct error *err)
{
    transport_cut_lanes(m->transport);
    close_door(m, state);
    return verdict_let_run(m, err);
}

static bool finish(struct migration *m, void *state, struct error *err)
{
    (void)err;
    close_door(m, state);
    return true;
}

/* Flushes repeatedly, as long as each flush is quicker than the one before; `*flush_ms` is the time
 * that the last one took.
 */
static bool flush_disks(struct migration *m, uint64_t *flush_ms, struct error *err)
{
    *flush_ms = UINT64_MAX;
    for (int i = 0; i < FLUSHES; i++) {
        uint64_t begun_ms = loop_now_ms();
        uint64_t before_ms = *flush_ms;

        if (!copy_flush_disks(m->copy, err))
            return false;
        *flush_ms = loop_now_ms() - begun_ms;
        if (*flush_ms <= QUICK_FLUSH_MS || *flush_ms >= before_ms)
            return true;
    }
    return true;
}

static bool say_listening(struct migration *m, uint64_t flush_ms, struct error *err)
{
    cJSON *body = must(cJSON_CreateObject());

    json_add_uint(body, "flush_ms", flush_ms);
    return session_send(m->peer, "listening", body, err);
}

static bool receive_ram(struct migration *m, void *state, struct error *err)
{
    uint64_t flush_ms;
    bool received;

    (void)state;
    if (!copy_ram_listen(m->copy, err) || !flush_disks(m, &flush_ms, err) ||
        !say_listening(m, flush_ms, err))
        return false;
    received = copy_ram_recv(m->copy, err);
    /* Of a lane that was damaged the hypervisor knows only that something is missing. */
    return receiver_door_ok(m->door, err) && received;
}

static bool drop_machine(struct migration *m, void *state, struct error *err)
{
    (void)state;
    return copy_destroy(m->copy, err);
}

const struct stage ram_stream = {
    .name = "ram-stream",
    .summary = "stream the guest's RAM, pause it, drain the disks",
    .send_summary =
        "send RAM through a lane; pause the guest, drain the mirrors, send device state",
    .recv_summary = "feed what comes to the hypervisor",
    .after = (const char *const[]){ "params-copy", "qemu-defer-start", NULL },
    .messages = messages,
    .state_size = sizeof(struct stream),
    .send = { .check = check_lanes,
              .plan = plan_send,
              .run = send_ram,
              .undo = let_guest_run,
              .finish = finish,
              .leave = close_door },
    .recv = { .run = receive_ram, .undo = drop_machine },
};
