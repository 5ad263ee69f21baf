/* Starts one mirror job a disk, into the target QEMU's NBD server. A mirror
 * connects to a socket of ours, its lane door; each connection becomes a lane
 * "disk/NAME", so that a hung one can be cut.
 */
#include "stages.h"

#include "disks.h"
#include "xmig/cleanup.h"
#include "xmig/text.h"
#include "xmig/units.h"

struct mirrors {
    struct lane_door **doors; /* one a disk */
    size_t started;
};

static void plan(struct migration *m, void *state, struct plan *out)
{
    char size[UNITS_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < disk_count(m); i++)
        plan_say(out, "mirror disk %s (%s) while the guest runs", disk_name(m, i),
                 print_size(size, disk_at(m, i).size));
}

static struct lane_door *open_door(struct migration *m, const char *lane, uint64_t size,
                                   struct error *err)
{
    if (guest_speaks_nbd(m->guest))
        return lane_door_new_nbd(m->transport, lane, size, m->options->compress, err);
    return lane_door_new(m->transport, lane, m->options->compress, err);
}

static bool start_mirror(struct migration *m, struct mirrors *mirrors, size_t i, struct error *err)
{
    const char *disk = disk_name(m, i);
    struct error cause = { 0 };
    AUTO_FREE char *lane = formatted("disk/%s", disk);

    mirrors->doors[i] = open_door(m, lane, disk_at(m, i).size, err);
    if (!mirrors->doors[i])
        return error_prefix(err, "%s", disk);
    mirrors->started = i + 1;
    if (guest_mirror_start(m->guest, disk, lane_door_path(mirrors->doors[i]), err))
        return true;
    /* The hypervisor saw its connection end; the lane knows why. */
    if (!lane_door_ok(mirrors->doors[i], &cause))
        error_set(err, cause.kind, "%s", cause.text);
    return error_prefix(err, "%s", disk);
}

static bool start_mirrors(struct migration *m, void *state, struct error *err)
{
    struct mirrors *mirrors = state;

    mirrors->doors = must(calloc(disk_count(m) + 1, sizeof(*mirrors->doors)));
    for (size_t i = 0; i < disk_count(m); i++)
        if (!start_mirror(m, mirrors, i, err))
            return false;
    /* Their lanes open at the same time: none is waited for before the next is asked for. */
    for (size_t i = 0; i < disk_count(m); i++)
        guest_mirror_guard(m->guest, disk_name(m, i));
    return true;
}

static void close_doors(struct migration *m, void *state)
{
    struct mirrors *mirrors = state;

    for (size_t i = 0; mirrors->doors && i < disk_count(m); i++)
        lane_door_free(mirrors->doors[i]);
    free(steal(mirrors->doors));
    transport_cut_lanes(m->transport);
}

/* The lanes are cut first: a job whose target does not answer ends only then. */
static bool stop_mirrors(struct migration *m, void *state, struct error *err)
{
    struct mirrors *mirrors = state;

    (void)err;
    transport_cut_lanes(m->transport);
    for (size_t i = 0; i < mirrors->started; i++)
        guest_mirror_stop(m->guest, disk_name(m, i));
    close_doors(m, state);
    return true;
}

static bool finish(struct migration *m, void *state, struct error *err)
{
    (void)err;
    close_doors(m, state);
    return true;
}

const struct stage drive_mirror = {
    .name = "drive-mirror",
    .summary = "mirror every disk while the guest runs",
    .send_summary = "one mirror job a disk, through a lane into the target's NBD server",
    .recv_summary = "join the lanes to the NBD server",
    .after = (const char *const[]){ "qemu-defer-start", NULL },
    .optional = true,
    .state_size = sizeof(struct mirrors),
    .send = { .plan = plan,
              .run = start_mirrors,
              .undo = stop_mirrors,
              .finish = finish,
              .leave = close_doors },
};
