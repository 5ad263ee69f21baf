/* Streams the guest's RAM through a lane. When it ends the guest is paused, its
 * disks drained and its device state sent; all of that stays reversible until
 * COMMIT in incoming-resume.
 */
#include "stages.h"

#include "verdict.h"
#include "xmig/cleanup.h"

struct stream {
    struct lane_door *door;
};

enum {
    LISTEN_MS = 60000
};

static const struct message_rule messages[] = { { "listening", SIDE_RECV }, { NULL, SIDE_SEND } };

static void plan_send(struct migration *m, void *state, struct plan *out)
{
    (void)state;
    plan_say(out,
             "stream RAM while the guest runs; pause it for the rest (at most %llu ms if it can be "
             "helped), drain the disks, send the device state",
             (unsigned long long)m->options->host.max_downtime_ms);
}

/* R2: whatever happens to us from here on, the guest runs again only after ABORTED. */
static bool about_to_pause(void *arg, struct error *err)
{
    struct migration *m = arg;

    return verdict_record(m, RECORD_PAUSING, NULL, err);
}

static void paused(void *arg)
{
    struct migration *m = arg;

    transport_lift_limit(m->transport);
}

static bool send_ram(struct migration *m, void *state, struct error *err)
{
    struct stream *stream = state;
    struct ram_hooks hooks = { .pausing = about_to_pause, .paused = paused, .arg = m };
    AUTO_JSON cJSON *listening = session_expect(m->peer, "listening", LISTEN_MS, err);

    if (!listening)
        return false;
    stream->door = lane_door_new(m->transport, "ram", err);
    if (!stream->door)
        return false;
    if (!m->host->ops->ram_send(m->host, lane_door_path(stream->door), &hooks, err))
        return false;
    m->paused_ms = m->host->ops->paused_at(m->host);
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

static bool receive_ram(struct migration *m, void *state, struct error *err)
{
    (void)state;
    return m->host->ops->ram_listen(m->host, err) &&
           session_send(m->peer, "listening", NULL, err) && m->host->ops->ram_recv(m->host, err);
}

static bool drop_machine(struct migration *m, void *state, struct error *err)
{
    (void)state;
    return m->host->ops->target_destroy(m->host, err);
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
    .send = { .plan = plan_send,
              .run = send_ram,
              .undo = let_guest_run,
              .finish = finish,
              .leave = close_door },
    .recv = { .run = receive_ram, .undo = drop_machine },
};
