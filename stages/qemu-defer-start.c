/* Starts the target's QEMU with -incoming defer: it waits, paused, with the disks
 * open and exported by its NBD server, for what the later stages bring.
 */
#include "stages.h"

static void plan(struct migration *m, void *state, struct plan *out)
{
    (void)m;
    (void)state;
    plan_say(out, "start the device model, paused, waiting for the migration");
}

static bool start(struct migration *m, void *state, struct error *err)
{
    (void)state;
    return copy_start(m->copy, err);
}

static bool stop(struct migration *m, void *state, struct error *err)
{
    (void)state;
    return copy_destroy(m->copy, err);
}

const struct stage qemu_defer_start = {
    .name = "qemu-defer-start",
    .summary = "start the target's QEMU, waiting for the migration",
    .recv_summary = "start QEMU with -S -incoming defer and export the disks with its NBD server",
    .after = (const char *const[]){ "params-copy", NULL },
    .recv = { .plan = plan, .run = start, .undo = stop },
};
