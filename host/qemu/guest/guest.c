/* The table of what a guest of QEMU's can do. */
#include "host/qemu/guest/guest.h"
#include "xmig/facts.h"

static void free_guest(struct guest *guest)
{
    struct qemu_guest *vm = qemu_guest_of(guest);

    qemu_disconnect(&vm->qemu);
    qemu_guest_done(vm);
    free(vm->qemu.socket);
    free(vm);
}

static bool reattach(struct guest *guest, const cJSON *records, struct error *err)
{
    const cJSON *record;

    cJSON_ArrayForEach (record, records)
        if (fact_of(record) == FACT_SOURCE)
            return qemu_guest_reattach(qemu_guest_of(guest), records, record, err);
    return true;
}

static const struct mirror_ops mirrors = {
    .speaks_nbd = true,
    .start = qemu_mirror_start,
    .guard = qemu_mirror_guard,
    .state = qemu_mirror_state,
    .wait = qemu_mirror_wait,
    .stop = qemu_mirror_stop,
};

static const struct guest_ops ops = {
    .free = free_guest,
    .attach = qemu_attach,
    .reattach = reattach,
    .describe = qemu_describe,
    .plan = qemu_plan_send,
    .remember = qemu_remember,
    .mirrors = &mirrors,
    .ram_send = qemu_ram_send,
    .mark = qemu_guest_mark,
    .is_unwritten = qemu_guest_is_unwritten,
    .paused_at = qemu_paused_at,
    .paused_for = qemu_paused_for,
    .state = qemu_guest_state,
    .unchanged = qemu_guest_unchanged,
    .resume = qemu_guest_resume,
    .fence = qemu_guest_fence,
    .unfence = qemu_guest_unfence,
    .nobody_else = qemu_nobody_else,
    .runs_again = qemu_guest_runs_again,
    .destroy = qemu_guest_destroy,
};

struct guest *qemu_guest_new(void)
{
    struct qemu_guest *vm = must(calloc(1, sizeof(*vm)));

    vm->base.ops = &ops;
    vm->qemu.context = &vm->base.context;
    return &vm->base;
}
