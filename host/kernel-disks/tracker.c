/* A volume, its origin, and the notes of what was written; the order of begin and end is what
 * counts.
 */
#include "host/kernel-disks/tracker.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "host/kernel-disks/device-mapper.h"
#include "host/kernel-disks/era-metadata.h"
#include "host/kernel-disks/exchange.h"
#include "host/kernel-disks/lvm-lock.h"
#include "host/kernel-disks/memory-device.h"
#include "host/kernel-disks/origin-name.h"
#include "host/kernel-disks/tables.h"
#include "xmig/bytes.h"
#include "xmig/cleanup.h"
#include "xmig/loop.h"
#include "xmig/text.h"

enum {
    BEGIN_LVM_MS = 10000
};

struct tracker {
    char *path;   /* the volume's */
    char *origin; /* its name in the device mapper */
    struct mapped_device volume;
    uint64_t size, block;
    uint64_t notes_size;
    dev_t pool;           /* a thin volume's; 0: it is none */
    char *ours;           /* the volume's table while it is tracked; NULL: it is not */
    char origin_path[32]; /* "": there is no origin */
    int origin_fd;        /* locked: the tracking is a living process's */
    struct memory_device notes;
    uint32_t since; /* writes of this era may not be on the origin as of the last round */
    int lvm;        /* the lock; -1: not held */
    uint64_t longest_ms;
};

/* ---- what can be tracked ---- */

/* A file of the volume's request queue as a number; 0 where there is none. */
static uint64_t queue_number(dev_t device, const char *name)
{
    AUTO_FREE char *path =
        formatted("/sys/dev/block/%u:%u/queue/%s", major(device), minor(device), name);
    char line[32];

    return strtoull(bytes_read_line(AT_FDCWD, path, line, sizeof(line)), NULL, 10);
}

/* A snapshot of a tracked thin volume breaks its pool for good. */
static bool check_thin(const struct mapped_device *volume, struct error *err)
{
    if (volume->is_lvm && lvm_lock_is_lvms("", err))
        return true;
    return error_set(err, ERROR_REFUSED,
                     "nobody can be kept from making a snapshot of this thin volume meanwhile, "
                     "which would break its pool%s%s: let QEMU serve the disk (backendtype=qdisk)",
                     volume->is_lvm ? ", since " : "", volume->is_lvm ? err->text : "");
}

static bool look(const char *path, struct mapped_device *volume, char **table, struct error *err)
{
    struct error why = { 0 };
    struct stat st;

    if (stat(path, &st) < 0)
        return error_set(err, ERROR_REFUSED, "cannot find '%s': %m", path);
    if (!S_ISBLK(st.st_mode) || !mapper_find(st.st_rdev, volume, &why))
        return error_set(
            err, ERROR_REFUSED,
            "'%s' is no device of the device mapper, so writes to it cannot be tracked: "
            "let QEMU serve the disk (backendtype=qdisk), or move it into a logical "
            "volume",
            path);
    *table = mapper_table(volume->name, err);
    return *table && ((table_can_be_shared(*table, err) &&
                       (!table_pool(*table) || check_thin(volume, err))) ||
                      error_prefix(err, "'%s'", path));
}

bool tracker_can(const char *path, struct error *err)
{
    struct mapped_device volume;
    AUTO_FREE char *table = NULL;

    return look(path, &volume, &table, err);
}

/* ---- begin ---- */

struct tracker *tracker_new(const char *id, const char *disk, const char *path)
{
    struct tracker *tracker = must(calloc(1, sizeof(*tracker)));

    tracker->path = must(strdup(path));
    tracker->origin = origin_name(id, disk);
    tracker->origin_fd = tracker->lvm = -1;
    tracker->notes.file = tracker->notes.device = -1;
    return tracker;
}

void tracker_limit_notes(struct tracker *tracker, uint64_t bytes)
{
    tracker->notes_size = bytes;
}

static void let_lvm_in(struct tracker *tracker)
{
    if (tracker->lvm >= 0)
        close(tracker->lvm);
    tracker->lvm = -1;
}

static bool make_origin(struct tracker *tracker, const char *table, dev_t *number,
                        struct error *err)
{
    struct mapped_device origin;

    if (!mapper_create(tracker->origin, table, err) || !mapper_look(tracker->origin, &origin, err))
        return false;
    *number = origin.number;
    snprintf(tracker->origin_path, sizeof(tracker->origin_path), "/dev/dm-%u",
             minor(origin.number));
    tracker->origin_fd = open(tracker->origin_path, O_RDONLY | O_CLOEXEC);
    return (tracker->origin_fd >= 0 && flock(tracker->origin_fd, LOCK_EX | LOCK_NB) == 0) ||
           error_set(err, ERROR_SYSTEM, "cannot have '%s' for ourselves: %m", tracker->origin_path);
}

/* era marks the first block of a discard only, however long that is. Cut to the length of a block,
 * each of its blocks is marked or follows one that is. Each new table has its own limit.
 */
static bool limit_discards(const struct tracker *tracker, struct error *err)
{
    dev_t number = tracker->volume.number;
    AUTO_FREE char *path =
        formatted("/sys/dev/block/%u:%u/queue/discard_max_bytes", major(number), minor(number));
    AUTO_FREE char *bytes = formatted("%" PRIu64, tracker->block);
    AUTO_CLOSE int fd = -1;

    if (queue_number(number, "discard_max_bytes") <= tracker->block)
        return true;
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && bytes_write(fd, bytes, strlen(bytes)) &&
        queue_number(number, "discard_max_bytes") <= tracker->block)
        return true;
    return error_set(err, ERROR_SYSTEM, "cannot limit the length of discards in %s: %m", path);
}

static bool read_state(const struct tracker *tracker, struct era_state *state, struct error *err)
{
    AUTO_FREE char *text = mapper_state(tracker->volume.name, err);

    return text && era_state_parse(text, state, err);
}

/* A resume would give the volume a table that somebody has loaded, or end what somebody does to it
 * while it is suspended.
 */
static bool is_left_alone(const struct mapped_device *volume, struct error *err)
{
    if (volume->has_loaded)
        return error_set(err, ERROR_SYSTEM,
                         "somebody is about to give it another table (dmsetup table --inactive %s)",
                         volume->name);
    return !volume->suspended ||
           error_set(err, ERROR_SYSTEM, "somebody has suspended it (dmsetup resume %s)",
                     volume->name);
}

/* Suspend the volume and resume it: all writes that were sent are on the origin then, and those
 * that follow belong to a new era, or to a later one. LVM is kept off. If the notes are full, the
 * volume goes on with the origin's table, which needs none.
 */
static bool drain(struct tracker *tracker, struct error *err)
{
    const char *name = tracker->volume.name;
    AUTO_FREE char *plain = mapper_table(tracker->origin, err);
    struct mapped_device volume;
    uint64_t before, took;

    if (!plain || !mapper_look(name, &volume, err) || !is_left_alone(&volume, err))
        return false;
    before = loop_now_ms();
    if (!mapper_suspend(name, err) || !mapper_resume(name, err)) {
        exchange_wake(name, plain, err);
        return false;
    }
    took = loop_now_ms() - before;
    if (took > tracker->longest_ms)
        tracker->longest_ms = took;
    return true;
}

/* From now on the volume's writes are noted. */
static bool exchange(struct tracker *tracker, const char *plain, dev_t origin, struct error *err)
{
    AUTO_FREE char *table =
        table_of_era(tracker->size, tracker->notes.number, origin, tracker->block);
    uint64_t before;

    if (!mapper_load(tracker->volume.name, table, err))
        return false;
    before = loop_now_ms();
    if (!exchange_loaded(tracker->volume.name, plain, err))
        return false;
    tracker->longest_ms = loop_now_ms() - before;
    tracker->ours = steal(table);
    memory_device_release(&tracker->notes);
    return true;
}

static bool begin(struct tracker *tracker, const char *plain, struct error *err)
{
    struct era_state state;
    dev_t origin;

    tracker->size = table_sectors(plain) * SECTOR;
    tracker->pool = table_pool(plain);
    tracker->block =
        era_block_size(tracker->size, queue_number(tracker->volume.number, "discard_granularity"));
    if (!tracker->notes_size)
        tracker->notes_size = era_metadata_size(tracker->size, tracker->block);
    if (!memory_device_open(&tracker->notes, tracker->origin, tracker->notes_size, err) ||
        !make_origin(tracker, plain, &origin, err) || !exchange(tracker, plain, origin, err) ||
        !limit_discards(tracker, err) || !drain(tracker, err) || !read_state(tracker, &state, err))
        return false;
    tracker->since = state.era;
    if (!tracker->pool)
        let_lvm_in(tracker);
    return tracker_check(tracker, err);
}

/* A command of LVM that was at work when the table was read may have changed it meanwhile. */
static bool is_as_it_was(const struct tracker *tracker, const char *plain, struct error *err)
{
    struct mapped_device volume;
    AUTO_FREE char *table = NULL;

    if (!look(tracker->path, &volume, &table, err) || !is_left_alone(&volume, err))
        return false;
    return (volume.number == tracker->volume.number && !strcmp(volume.name, tracker->volume.name) &&
            !strcmp(table, plain)) ||
           error_set(err, ERROR_SYSTEM, "it has been changed just now");
}

bool tracker_begin(struct tracker *tracker, struct error *err)
{
    AUTO_FREE char *plain = NULL;
    struct error why = { 0 };

    if (!look(tracker->path, &tracker->volume, &plain, err))
        return false;
    if (tracker_lock(tracker, BEGIN_LVM_MS, err) && is_as_it_was(tracker, plain, err) &&
        begin(tracker, plain, err))
        return true;
    if (!tracker_end(tracker, &why))
        error_append(err, "; %s", why.text);
    return error_prefix(err, "cannot track the writes to '%s'", tracker->path);
}

const char *tracker_origin(const struct tracker *tracker)
{
    return tracker->origin_path;
}

uint64_t tracker_size(const struct tracker *tracker)
{
    return tracker->size;
}

uint64_t tracker_block(const struct tracker *tracker)
{
    return tracker->block;
}

uint64_t tracker_longest_suspended_ms(const struct tracker *tracker)
{
    return tracker->longest_ms;
}

/* ---- while it is tracked ---- */

bool tracker_lock(struct tracker *tracker, uint64_t timeout_ms, struct error *err)
{
    AUTO_FREE char *group =
        tracker->volume.is_lvm ? mapper_volume_group(tracker->volume.name) : NULL;

    if (!group || tracker->lvm >= 0)
        return true;
    tracker->lvm = lvm_lock_hold(group, timeout_ms, err);
    return tracker->lvm >= 0;
}

/* Nothing is tracked any more. The origin stays for those who read it. */
static bool put_back(struct tracker *tracker, struct error *err)
{
    bool ok = !*tracker->origin_path || exchange_back(tracker->origin, err);

    free(tracker->ours);
    tracker->ours = NULL;
    memory_device_close(&tracker->notes);
    if (!ok && tracker->pool)
        return error_append(err, "; make no snapshot of it before, which would break its pool");
    let_lvm_in(tracker);
    return ok;
}

/* Always false. A guest whose volume has no room for notes gets errors: the plain table at once. */
static bool give_up(struct tracker *tracker, struct error *err)
{
    struct error why = { 0 };

    if (!put_back(tracker, &why))
        error_append(err, "; %s", why.text);
    return error_prefix(err, "the writes to '%s' are not tracked any more", tracker->path);
}

static bool is_ours(const struct tracker *tracker, struct error *err)
{
    AUTO_FREE char *table = mapper_table(tracker->volume.name, err);

    return table && (!strcmp(table, tracker->ours) ||
                     error_set(err, ERROR_SYSTEM,
                               "somebody has given the volume another table (a command of LVM, "
                               "such as lvresize or lvchange --refresh)"));
}

static bool has_room(const struct era_state *state, struct error *err)
{
    return (!state->failed && state->used * 4 < state->most * 3) ||
           error_set(err, ERROR_SYSTEM,
                     "there is no room for the notes (%" PRIu64 " of %" PRIu64 " blocks)",
                     state->used, state->most);
}

static bool check_pool(dev_t number, struct error *err)
{
    struct mapped_device pool;
    AUTO_FREE char *status = NULL;

    if (!mapper_find(number, &pool, err))
        return false;
    status = mapper_state(pool.name, err);
    return status && pool_has_room(status, err);
}

static bool check(const struct tracker *tracker, struct era_state *state, struct error *err)
{
    if (!tracker->ours)
        return error_set(err, ERROR_SYSTEM, "the tracking has ended");
    return is_ours(tracker, err) && read_state(tracker, state, err) && has_room(state, err) &&
           (!tracker->pool || check_pool(tracker->pool, err));
}

bool tracker_check(struct tracker *tracker, struct error *err)
{
    struct era_state state;

    return check(tracker, &state, err) || give_up(tracker, err);
}

/* The snapshot is taken as of its own new era: what it has is all up to then. */
static bool read_notes(const struct tracker *tracker, struct changed_blocks *changed,
                       struct error *err)
{
    const char *name = tracker->volume.name;
    struct era_state state;
    struct changed_blocks now;
    bool ok;

    if (!mapper_message(name, "take_metadata_snap", err))
        return false;
    changed_blocks_init(&now, tracker->size, tracker->block);
    ok = read_state(tracker, &state, err) && has_room(&state, err) &&
         era_metadata_read(tracker->notes.file, state.snapshot, tracker->since, &now, err) &&
         mapper_message(name, "drop_metadata_snap", err);
    if (ok) {
        changed_blocks_widen(&now);
        changed_blocks_add(changed, &now);
    }
    changed_blocks_done(&now);
    return ok;
}

/* A write is noted in the era in which it was sent, and may reach the origin in a later one. Only
 * the drain tells which have: the next round begins with the era that began here, or, while a
 * command of LVM allows none, once more where this one did.
 */
static bool next_round(struct tracker *tracker, struct changed_blocks *changed, struct error *err)
{
    struct era_state state;
    struct error busy = { 0 };
    bool was_held = tracker->lvm >= 0, drains;

    if (!tracker->ours)
        return error_set(err, ERROR_SYSTEM, "the tracking has ended");
    drains = tracker_lock(tracker, 0, &busy);
    if ((drains && !drain(tracker, err)) || !check(tracker, &state, err) ||
        !read_notes(tracker, changed, err))
        return false;
    if (drains)
        tracker->since = state.era;
    if (!was_held)
        let_lvm_in(tracker);
    return true;
}

bool tracker_round(struct tracker *tracker, struct changed_blocks *changed, struct error *err)
{
    return next_round(tracker, changed, err) || give_up(tracker, err);
}

/* ---- end ---- */

bool tracker_end(struct tracker *tracker, struct error *err)
{
    bool ok = put_back(tracker, err);

    if (tracker->origin_fd >= 0)
        close(tracker->origin_fd);
    tracker->origin_fd = -1;
    ok = ok && (!*tracker->origin_path || mapper_remove(tracker->origin, err));
    if (ok)
        *tracker->origin_path = '\0';
    return ok;
}

void tracker_free(struct tracker *tracker)
{
    struct error ignored = { 0 };

    if (!tracker)
        return;
    tracker_end(tracker, &ignored);
    let_lvm_in(tracker);
    free(tracker->path);
    free(tracker->origin);
    free(tracker);
}
