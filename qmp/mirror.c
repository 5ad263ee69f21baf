/* Mirrors: start, watch, drain, stop. */
#include "qmp/mirror.h"

#include <inttypes.h>
#include <stdio.h>

#include "qmp/block-image.h"
#include "qmp/commands.h"
#include "qmp/mirror-guard.h"

enum {
    GRANULARITY_MIN = 4096,  /* a guest's block: random writes are not blown up */
    GRANULARITY_MAX = 65536, /* QEMU's own default */
    BITMAP_BUDGET_BYTES = 32 * 1024 * 1024,
    /* A broken lane ends its job at once: while a job waits to reconnect, a drain of the node
     * would block QEMU's main loop, and with it the guest.
     */
    RECONNECT_DELAY_S = 0,
    STOP_DEADLINE_MS = 5000,
    RETRY_MS = 100,
    EVENT_GRACE_MS = 1000,
    LOOK_MS = 1000,
};

unsigned qmp_mirror_granularity(uint64_t size)
{
    unsigned granularity = GRANULARITY_MIN;

    while (granularity < GRANULARITY_MAX && size / granularity / 8 > BITMAP_BUDGET_BYTES)
        granularity *= 2;
    return granularity;
}

/* ---- start ---- */

static cJSON *nbd_node(const struct qmp_mirror *mirror)
{
    cJSON *node = must(cJSON_CreateObject());
    cJSON *server;

    cJSON_AddStringToObject(node, "driver", "nbd");
    server = cJSON_AddObjectToObject(node, "server");
    cJSON_AddStringToObject(server, "type", "unix");
    cJSON_AddStringToObject(server, "path", mirror->socket);
    cJSON_AddStringToObject(node, "export", mirror->disk);
    json_add_uint(node, "reconnect-delay", RECONNECT_DELAY_S);
    cJSON_AddStringToObject(node, "discard", mirror->full ? "ignore" : "unmap");
    return node;
}

/* A job asks for zeroes to be unmapped, always. QEMU before 9.1 heeds a node's discard=ignore only
 * where it lies beneath another node.
 */
static cJSON *without_unmap(cJSON *nbd)
{
    cJSON *node = json_new("driver", "raw");

    cJSON_AddItemToObject(node, "file", nbd);
    return node;
}

/* Zeroes are found at this side, so that they do not even cross the network. A QEMU that knows its
 * target to be zero leaves them out altogether, unless they are to be unmapped, which in a raw
 * image of QEMU 9.1 or later allocates them.
 */
static cJSON *node_arguments(const struct qmp_mirror *mirror, const char *name, bool knows_zero)
{
    cJSON *nbd = nbd_node(mirror);
    cJSON *node = mirror->full ? without_unmap(nbd) : nbd;

    cJSON_AddStringToObject(node, "node-name", name);
    cJSON_AddStringToObject(node, "detect-zeroes", knows_zero || mirror->full ? "on" : "unmap");
    return node;
}

static const cJSON *find_inserted(const cJSON *blocks, const char *device)
{
    const cJSON *block;

    cJSON_ArrayForEach (block, blocks) {
        const cJSON *inserted = cJSON_GetObjectItemCaseSensitive(block, "inserted");

        if (!strcmp(json_string_or(block, "device", ""), device) ||
            !strcmp(json_string_or(inserted, "node-name", ""), device))
            return inserted;
    }
    return NULL;
}

/* How many filters lie above the image: QEMU counts each as an image. */
static uint64_t filters_above(const cJSON *inserted)
{
    const cJSON *image = json_get(inserted, "image");
    const cJSON *beneath = block_image_beneath(image);
    uint64_t count = 0;

    for (; image && image != beneath; image = json_get(image, "backing-image"))
        count++;
    return count;
}

/* Is there nothing beneath the image? What QEMU does not say is not so. */
static bool stands_alone(struct qmp *q, const char *device)
{
    AUTO_JSON cJSON *blocks = NULL;
    const cJSON *inserted;

    if (!qmp_call(q, "query-block", NULL, &blocks, NULL))
        return false;
    inserted = find_inserted(blocks, device);
    return json_uint_or(inserted, "backing_file_depth", UINT64_MAX) == filters_above(inserted) &&
           !cJSON_GetObjectItemCaseSensitive(inserted, "backing_file");
}

/* An error ends the job, and a job that has ended stays to be asked why. */
static cJSON *job_arguments(const struct qmp_mirror *mirror, const char *name, const char *sync)
{
    cJSON *arguments = json_new("job-id", name);

    cJSON_AddStringToObject(arguments, "device", mirror->device);
    cJSON_AddStringToObject(arguments, "target", name);
    cJSON_AddStringToObject(arguments, "sync", sync);
    json_add_uint(arguments, "granularity", qmp_mirror_granularity(mirror->size));
    cJSON_AddStringToObject(arguments, "on-source-error", "report");
    cJSON_AddStringToObject(arguments, "on-target-error", "report");
    cJSON_AddBoolToObject(arguments, "auto-finalize", true);
    cJSON_AddBoolToObject(arguments, "auto-dismiss", false);
    return arguments;
}

/* By its version: to ask QEMU for its schema keeps its main loop, and the guest, for long. */
static bool has_word_for_zero(struct qmp *q)
{
    return qmp_is_at_least(q, 10, 1);
}

/* QEMU would zero the target first, which takes long, and fills a qcow2 image with tables. For a
 * target that is zero already, QEMU 10.1 has an argument that skips this. An earlier QEMU skips it
 * when only the top of a chain is copied; for an image without a backing file that is everything.
 */
static bool start_job(struct qmp *q, const struct qmp_mirror *mirror, const char *name,
                      struct error *err)
{
    bool has_word = has_word_for_zero(q);
    bool as_top = mirror->target_is_zero && !has_word && stands_alone(q, mirror->device);
    cJSON *arguments = job_arguments(mirror, name, as_top ? "top" : "full");

    if (mirror->target_is_zero && has_word)
        cJSON_AddBoolToObject(arguments, "target-is-zero", true);
    if (!qmp_call(q, "blockdev-mirror", arguments, NULL, err))
        return false;
    /* From here on nobody can put another image beneath it. */
    if (!as_top || stands_alone(q, mirror->device))
        return true;
    (void)qmp_mirror_stop(q, mirror->id, mirror->disk, NULL);
    return error_set(err, ERROR_SYSTEM, "somebody has just made a snapshot of it");
}

bool qmp_mirror_start(struct qmp *q, const struct qmp_mirror *mirror, struct error *err)
{
    bool knows_zero = mirror->target_is_zero && has_word_for_zero(q);
    char name[QMP_NODE_NAME_SIZE];

    qmp_mirror_name(mirror->id, mirror->disk, name);
    if (!qmp_call(q, "blockdev-add", node_arguments(mirror, name, knows_zero), NULL, err))
        return error_prefix(err, "%s: cannot reach the target's disk", mirror->disk);
    if (start_job(q, mirror, name, err))
        return true;
    (void)qmp_blockdev_del(q, name, NULL);
    return error_prefix(err, "%s: cannot start its mirror", mirror->disk);
}

/* ---- state ---- */

static const cJSON *find_job(const cJSON *jobs, const char *name)
{
    const cJSON *job;

    cJSON_ArrayForEach (job, jobs)
        if (!strcmp(json_string_or(job, "device", ""), name))
            return job;
    return NULL;
}

static bool has_concluded(const cJSON *job)
{
    return !strcmp(json_string_or(job, "status", ""), "concluded");
}

/* Only xmig completes a mirror, so a job that has ended by itself has failed. */
static bool check_alive(const cJSON *job, const char *disk, struct error *err)
{
    if (!job)
        return error_set(err, ERROR_SYSTEM, "%s: its mirror is gone", disk);
    if (!has_concluded(job))
        return true;
    return error_set(err, ERROR_SYSTEM, "%s: its mirror has failed: %s", disk,
                     json_string_or(job, "error", "it was ended by somebody else"));
}

static bool read_state(const cJSON *jobs, const char *id, const char *disk,
                       struct qmp_mirror_state *state, struct error *err)
{
    char name[QMP_NODE_NAME_SIZE];
    const cJSON *job;

    qmp_mirror_name(id, disk, name);
    job = find_job(jobs, name);
    if (!check_alive(job, disk, err))
        return false;
    state->ready = json_true(job, "ready");
    state->done = json_uint_or(job, "offset", 0);
    state->total = json_uint_or(job, "len", 0);
    state->zeroed = 0;
    return true;
}

/* Before a job has copied anything, its own numbers stand still; those of its target do not. */
static bool read_zeroed(struct qmp *q, const char *id, const char *disk, uint64_t *zeroed,
                        struct error *err)
{
    AUTO_JSON cJSON *all = NULL;
    cJSON *arguments = must(cJSON_CreateObject());
    char name[QMP_NODE_NAME_SIZE];
    const cJSON *node;

    qmp_mirror_name(id, disk, name);
    cJSON_AddBoolToObject(arguments, "query-nodes", true);
    if (!qmp_call(q, "query-blockstats", arguments, &all, err))
        return false;
    cJSON_ArrayForEach (node, all)
        if (!strcmp(json_string_or(node, "node-name", ""), name))
            *zeroed = json_uint_or(cJSON_GetObjectItemCaseSensitive(node, "stats"),
                                   "wr_highest_offset", 0);
    return true;
}

bool qmp_mirror_state(struct qmp *q, const char *id, const char *disk,
                      struct qmp_mirror_state *state, struct error *err)
{
    AUTO_JSON cJSON *jobs = qmp_query_block_jobs(q, err);

    return jobs && read_state(jobs, id, disk, state, err) &&
           (state->ready || state->done > 0 || read_zeroed(q, id, disk, &state->zeroed, err));
}

static bool ask_all(struct qmp *q, const char *id, const char *const disks[], size_t count,
                    uint64_t *bytes, bool *ready, struct error *err)
{
    AUTO_JSON cJSON *jobs = qmp_query_block_jobs(q, err);

    if (!jobs)
        return false;
    *bytes = 0;
    *ready = true;
    for (size_t i = 0; i < count; i++) {
        struct qmp_mirror_state state;

        if (!read_state(jobs, id, disks[i], &state, err))
            return false;
        *bytes += state.total > state.done ? state.total - state.done : 0;
        *ready = *ready && state.ready;
    }
    return true;
}

bool qmp_mirrors_debt(struct qmp *q, const char *id, const char *const disks[], size_t count,
                      uint64_t *bytes, struct error *err)
{
    bool ready;

    return ask_all(q, id, disks, count, bytes, &ready, err);
}

bool qmp_mirror_wait(struct qmp *q, size_t *mark, uint64_t timeout_ms, struct error *err)
{
    struct error why = { 0 };

    if (qmp_wait_event(q, mark, "BLOCK_JOB_READY", NULL, NULL, timeout_ms, &why) ||
        why.kind == ERROR_TIMEOUT)
        return true;
    *err = why;
    return false;
}

/* ---- drain ---- */

static bool is_conclusion(const cJSON *data, const void *name)
{
    return !strcmp(json_string_or(data, "id", ""), name) &&
           !strcmp(json_string_or(data, "status", ""), "concluded");
}

static bool is_of_job(const cJSON *data, const void *name)
{
    return !strcmp(json_string_or(data, "device", ""), name);
}

static bool stalled(uint64_t moved_ms, uint64_t stall_ms)
{
    return loop_now_ms() - moved_ms >= stall_ms;
}

/* Asked to end without force, a mirror that is not ready is cancelled as if by force, and one that
 * has failed is not there to be asked. QEMU calls a mirror ready when nothing at all is left or
 * under way: with the guest paused that comes as soon as the rest is copied.
 */
static bool await_ready(struct qmp *q, const char *id, const char *const disks[], size_t count,
                        uint64_t stall_ms, struct error *err)
{
    size_t heard = qmp_mark(q);
    uint64_t least = UINT64_MAX, moved_ms = loop_now_ms(), left;
    bool ready;

    for (;;) {
        if (!ask_all(q, id, disks, count, &left, &ready, err))
            return false;
        if (ready)
            return true;
        if (left < least)
            moved_ms = loop_now_ms();
        least = left < least ? left : least;
        if (stalled(moved_ms, stall_ms))
            return error_set(err, ERROR_TIMEOUT,
                             "the mirrors have not caught up: of the last %" PRIu64
                             " bytes nothing was copied for %" PRIu64 " s",
                             left, stall_ms / 1000);
        if (!qmp_mirror_wait(q, &heard, stall_ms < LOOK_MS ? stall_ms : LOOK_MS, err))
            return false;
    }
}

/* QEMU tells failure under the same name as success: only the absence of an error counts. */
static bool check_completed(struct qmp *q, size_t mark, const char *name, const char *disk,
                            struct error *err)
{
    struct error why = { 0 };
    const cJSON *completed =
        qmp_wait_event(q, &mark, "BLOCK_JOB_COMPLETED", is_of_job, name, EVENT_GRACE_MS, &why);

    if (completed && !cJSON_GetObjectItemCaseSensitive(completed, "error"))
        return true;
    if (completed)
        return error_set(err, ERROR_SYSTEM, "%s: its mirror failed at the end: %s", disk,
                         json_string_or(completed, "error", "no reason given"));
    if (why.kind == ERROR_TIMEOUT)
        return error_set(err, ERROR_SYSTEM, "%s: its mirror ended, but did not complete", disk);
    if (err)
        *err = why;
    return false;
}

static bool check_concluded(const cJSON *jobs, const char *name, const char *disk,
                            struct error *err)
{
    const cJSON *job = find_job(jobs, name);

    if (!job || !has_concluded(job))
        return error_set(err, ERROR_SYSTEM, "%s: its mirror cannot be asked how it ended", disk);
    if (cJSON_GetObjectItemCaseSensitive(job, "error"))
        return error_set(err, ERROR_SYSTEM, "%s: its mirror failed at the end: %s", disk,
                         json_string_or(job, "error", "no reason given"));
    return true;
}

struct drain {
    const char *name; /* of the job */
    const char *disk;
    uint64_t stall_ms;
    uint64_t done;     /* bytes, when last looked */
    uint64_t moved_ms; /* when that last changed */
};

static bool check_moves(struct qmp *q, struct drain *drain, struct error *err)
{
    AUTO_JSON cJSON *jobs = qmp_query_block_jobs(q, err);
    uint64_t done = json_uint_or(find_job(jobs, drain->name), "offset", 0);

    if (!jobs)
        return false;
    if (done != drain->done)
        drain->moved_ms = loop_now_ms();
    drain->done = done;
    if (!stalled(drain->moved_ms, drain->stall_ms))
        return true;
    return error_set(err, ERROR_TIMEOUT, "%s: its mirror has not moved for %" PRIu64 " s",
                     drain->disk, drain->stall_ms / 1000);
}

static bool await_conclusion(struct qmp *q, size_t mark, struct drain *drain, struct error *err)
{
    for (;;) {
        struct error why = { 0 };
        uint64_t patience_ms = drain->stall_ms < LOOK_MS ? drain->stall_ms : LOOK_MS;

        if (qmp_wait_event(q, &mark, "JOB_STATUS_CHANGE", is_conclusion, drain->name, patience_ms,
                           &why))
            return true;
        if (why.kind != ERROR_TIMEOUT) {
            if (err)
                *err = why;
            return false;
        }
        if (!check_moves(q, drain, err))
            return false;
    }
}

static bool await_end(struct qmp *q, size_t mark, const char *name, const char *disk,
                      uint64_t stall_ms, struct error *err)
{
    struct drain drain = { name, disk, stall_ms, 0, loop_now_ms() };

    return await_conclusion(q, mark, &drain, err) && check_completed(q, mark, name, disk, err);
}

/* ---- removal ---- */

/* QEMU may use a node for a moment longer than its job. */
static bool delete_node(struct qmp *q, const char *name, uint64_t deadline, struct error *err)
{
    struct error why = { 0 };

    while (!qmp_blockdev_del(q, name, &why)) {
        if (why.kind != ERROR_SYSTEM || loop_now_ms() >= deadline) {
            if (err)
                *err = why;
            return false;
        }
        if (!loop_pause(qmp_loop(q), RETRY_MS, err))
            return false;
    }
    return true;
}

static bool has_node(const cJSON *nodes, const char *name)
{
    const cJSON *node;

    cJSON_ArrayForEach (node, nodes)
        if (!strcmp(json_string_or(node, "node-name", ""), name))
            return true;
    return false;
}

/* The mirror's, and those that guard it. Not asked by the words QEMU refuses to delete one with. */
static bool delete_nodes(struct qmp *q, const char *name, uint64_t deadline, struct error *err)
{
    char guards[MIRROR_GUARDS][QMP_NODE_NAME_SIZE];
    cJSON *arguments = must(cJSON_CreateObject());
    AUTO_JSON cJSON *nodes = NULL;

    cJSON_AddBoolToObject(arguments, "flat", true);
    if (!qmp_call(q, "query-named-block-nodes", arguments, &nodes, err))
        return false;
    mirror_guard_names(name, guards);
    for (size_t i = 0; i < MIRROR_GUARDS; i++)
        if (has_node(nodes, guards[i]) && !delete_node(q, guards[i], deadline, err))
            return false;
    return !has_node(nodes, name) || delete_node(q, name, deadline, err);
}

static bool end_job(struct qmp *q, const char *name, uint64_t deadline, struct error *err)
{
    for (;;) {
        AUTO_JSON cJSON *jobs = qmp_query_block_jobs(q, err);
        const cJSON *job = find_job(jobs, name);

        if (!jobs)
            return false;
        if (!job)
            return true;
        if (has_concluded(job))
            return qmp_job_dismiss(q, name, err);
        if (loop_now_ms() >= deadline)
            return error_set(err, ERROR_TIMEOUT, "QEMU does not end the block job '%s'", name);
        /* Asked again: what had just been waiting for a reconnection was not cancelled. */
        (void)qmp_block_job_cancel(q, name, true, NULL);
        if (!loop_pause(qmp_loop(q), RETRY_MS, err))
            return false;
    }
}

/* ---- the public face ---- */

bool qmp_mirrors_drain(struct qmp *q, const char *id, const char *const disks[], size_t count,
                       uint64_t stall_ms, struct error *err)
{
    AUTO_JSON cJSON *jobs = NULL;
    size_t mark = qmp_mark(q);
    char name[QMP_NODE_NAME_SIZE];

    if (!await_ready(q, id, disks, count, stall_ms, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        qmp_mirror_name(id, disks[i], name);
        if (!qmp_block_job_cancel(q, name, false, err))
            return error_prefix(err, "%s", disks[i]);
    }
    for (size_t i = 0; i < count; i++) {
        qmp_mirror_name(id, disks[i], name);
        if (!await_end(q, mark, name, disks[i], stall_ms, err))
            return false;
    }
    jobs = qmp_query_block_jobs(q, err);
    for (size_t i = 0; jobs && i < count; i++) {
        qmp_mirror_name(id, disks[i], name);
        if (!check_concluded(jobs, name, disks[i], err))
            return false;
    }
    return jobs != NULL;
}

bool qmp_mirror_stop(struct qmp *q, const char *id, const char *disk, struct error *err)
{
    uint64_t deadline = loop_now_ms() + STOP_DEADLINE_MS;
    char name[QMP_NODE_NAME_SIZE];

    qmp_mirror_name(id, disk, name);
    if (end_job(q, name, deadline, err) && delete_nodes(q, name, deadline, err))
        return true;
    return error_prefix(err, "%s: cannot end its mirror", disk);
}
