/* Decide between two passes of RAM whether to pause the guest. RAM and disks share the network, so
 * both must fit the downtime that was asked for.
 */
#include "host/xen/guest/ram-send.h"

#include "xmig/text.h"

enum {
    WAIT_MS = 100 /* between passes that wait for the disks */
};

/* Why the guest cannot be paused yet: "the rest, …". The caller frees it. */
static char *tell_rest(const struct precopy *precopy)
{
    enum {
        KIB = 1024
    };

    return formatted(
        "the rest, %llu KiB, would take %llu ms at %llu KiB/s, and --max-downtime %llu "
        "ms needs %llu KiB/s",
        (unsigned long long)precopy->left / KIB, (unsigned long long)precopy->expected_ms,
        (unsigned long long)(precopy->rate * 1000) / KIB,
        (unsigned long long)precopy->max_downtime_ms,
        (unsigned long long)precopy_needed_rate(precopy) / KIB);
}

static void say_stalled(struct sending *sending)
{
    AUTO_FREE char *rest = tell_rest(&sending->precopy);

    event_say(&sending->vm->base.context.events, EVENT_WARNING, sending->hooks->stage,
              "the guest writes as fast as it can be sent: %s; trying on", rest);
}

static void give_up(struct sending *sending)
{
    AUTO_FREE char *rest = tell_rest(&sending->precopy);

    error_set(&sending->error, ERROR_TIMEOUT,
              "the guest writes faster than it can be sent: %s; allow more, or take --ram one-pass",
              rest);
}

static int follow(struct sending *sending, enum precopy_verdict verdict)
{
    switch (verdict) {
    case PRECOPY_PAUSE:
        return XGS_POLICY_STOP_AND_COPY;
    case PRECOPY_GO_ON:
        return XGS_POLICY_CONTINUE_PRECOPY;
    case PRECOPY_STALLED:
        say_stalled(sending);
        return XGS_POLICY_CONTINUE_PRECOPY;
    case PRECOPY_WAIT:
        return loop_pause(sending->vm->base.context.loop, WAIT_MS, &sending->error)
                   ? XGS_POLICY_CONTINUE_PRECOPY
                   : XGS_POLICY_ABORT;
    case PRECOPY_HOPELESS:
        break;
    }
    give_up(sending);
    return XGS_POLICY_ABORT;
}

static int decide(struct sending *sending)
{
    uint64_t debt;
    enum precopy_verdict verdict;

    if (sending->vm->base.context.options.ram == RAM_ONE_PASS)
        return XGS_POLICY_STOP_AND_COPY;
    if (sending->stats.iteration == 0)
        return XGS_POLICY_CONTINUE_PRECOPY;
    if (!xen_mirrors_debt(sending->vm, &debt, &sending->error))
        return XGS_POLICY_ABORT;
    verdict = precopy_decide(&sending->precopy, (uint64_t)sending->stats.dirty_count * XEN_PAGE,
                             debt, loop_now_ms());
    event_say(&sending->vm->base.context.events, EVENT_DEBUG, sending->hooks->stage,
              "pass %u: %ld pages and %llu bytes of disk are left, which takes %llu ms",
              sending->stats.iteration, sending->stats.dirty_count, (unsigned long long)debt,
              (unsigned long long)sending->precopy.expected_ms);
    return follow(sending, verdict);
}

/* libxc asks before a pass, with the pages to send, and after it, with a count below 0. */
static void policy_turn(void *arg)
{
    struct sending *sending = arg;
    struct loop *loop = sending->vm->base.context.loop;
    uint64_t bytes = (uint64_t)sending->stats.dirty_count * XEN_PAGE;
    uint64_t written = sending->hooks->written(sending->hooks->arg);

    sending->pass = sending->stats.iteration;
    if (library_thread_cancelled(sending->thread) || loop_interrupted(loop)) {
        sending->answer = XGS_POLICY_ABORT;
        return;
    }
    if (sending->stats.dirty_count < 0) {
        precopy_pass_ends(&sending->precopy, sending->pass_bytes,
                          written > sending->written ? written - sending->written
                                                     : sending->pass_bytes,
                          loop_now_ms());
        sending->answer = XGS_POLICY_CONTINUE_PRECOPY;
        return;
    }
    sending->answer = decide(sending);
    sending->pass_bytes = sending->stats.iteration ? bytes : sending->ram;
    sending->written = written;
    precopy_pass_begins(&sending->precopy, loop_now_ms());
}

int ram_policy(struct precopy_stats stats, void *arg)
{
    struct sending *sending = arg;

    sending->stats = stats;
    library_thread_call(sending->thread, policy_turn, sending);
    return sending->answer;
}

void ram_policy_explain(const struct sending *sending, struct error *err)
{
    AUTO_FREE char *rest = tell_rest(&sending->precopy);
    struct error said = *err;

    if ((said.kind == ERROR_CANCELLED || said.kind == ERROR_LIMIT) && sending->precopy.vain > 0 &&
        !sending->pausing)
        error_set(err, said.kind, "%s; %s", said.text, rest);
}
