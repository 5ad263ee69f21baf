/* Hands the guest over: the target says PREPARED, the source writes COMMIT and says GO, the target
 * writes OWNED and runs the guest. verdict_commit() contains the point of no return.
 */
#include "stages.h"

#include "pipeline/commit/verdict.h"
#include "xmig/cleanup.h"
#include "xmig/facts.h"

static const struct message_rule messages[] = {
    { "ready", SIDE_RECV },
    { "go", SIDE_SEND },
    { "running", SIDE_RECV },
    { NULL, SIDE_SEND },
};

static void plan_send(struct migration *m, void *state, struct plan *out)
{
    (void)m;
    (void)state;
    plan_say(out,
             "when the target says ready: write COMMIT, say GO; when it runs there, destroy the "
             "paused copy here and keep its disks");
}

/* Notes what the drained disks are like, while the target seals its copy. If the guest here dies
 * now, `recover --forward` needs the note as proof that nobody has written to the disks since.
 */
static void note_disks(struct migration *m)
{
    AUTO_JSON cJSON *fact = fact_new(FACT_DRAINED);
    struct error err = { 0 };

    guest_mark(m->guest, fact);
    if (!journal_append(m->journal, RECORD_NOTE, fact, &err))
        event_say(&m->events, EVENT_DEBUG, m->at, "%s", err.text);
}

/* Has no deadline: the receiver says `alive` while it loads, and its loss ends the wait. */
static bool hand_over(struct migration *m, void *state, struct error *err)
{
    AUTO_JSON cJSON *ready = NULL;

    (void)state;
    note_disks(m);
    ready = session_expect(m->peer, "ready", LOOP_NO_DEADLINE, err);
    m->heard_ready = ready != NULL;
    return ready && verdict_commit(m, err);
}

/* The target has proven that the guest never ran there: remove the fence from the old copy. */
static bool take_back(struct migration *m, void *state, struct error *err)
{
    (void)state;
    return verdict_take_back(m, err);
}

static bool destroy_old_copy(struct migration *m, void *state, struct error *err)
{
    (void)state;
    /* Cut the lanes first, so that leftover mirror jobs of the old copy cannot reconnect. */
    transport_cut_lanes(m->transport);
    return guest_destroy(m->guest, err);
}

static void plan_recv(struct migration *m, void *state, struct plan *out)
{
    (void)state;
    plan_say(
        out,
        "load the device state, end the disk exports, make the disks durable; run the VM on GO; "
        "without GO keep it paused for %llu s",
        (unsigned long long)m->options->lease_ms / 1000);
}

static bool take_over(struct migration *m, void *state, struct error *err)
{
    (void)state;
    if (!copy_seal(m->copy, err))
        return false;
    m->prepared = true;
    return verdict_await(m, err);
}

static bool drop_machine(struct migration *m, void *state, struct error *err)
{
    (void)state;
    return copy_destroy(m->copy, err);
}

static bool settle_in(struct migration *m, void *state, struct error *err)
{
    (void)state;
    (void)err;
    copy_after_resume(m->copy);
    return true;
}

const struct stage incoming_resume = {
    .name = "incoming-resume",
    .summary = "load the device state and hand the guest over",
    .send_summary = "wait for ready, commit, say GO; destroy the old copy when the new one runs",
    .recv_summary = "load device state, say ready, wait for GO, own and resume the guest",
    .after = (const char *const[]){ "ram-stream", NULL },
    .messages = messages,
    .send = { .plan = plan_send, .run = hand_over, .undo = take_back, .finish = destroy_old_copy },
    .recv = { .plan = plan_recv, .run = take_over, .undo = drop_machine, .finish = settle_in },
};
