/* A mirror that nobody completes. Somebody's block-job-complete would have the guest go on with the
 * target's disk, through our lane. QEMU refuses that while one user of the guest's node wants to
 * read it, and one of the target's node does not let others read: the job fails, and the guest does
 * not notice. The first user alone does no harm; the second alone would have QEMU abort.
 *
 * As a mirror ends, for a moment nobody may write to the guest's node. QEMU then opens a raw image
 * for reading only, and for writing again, each time by its name: if that leads elsewhere by now,
 * the guest goes on with a stranger's file. A third user, who may write as long as the node is
 * active, keeps the file open.
 */
#include "qmp/mirror-guard.h"

#include <stdio.h>

#include "qmp/mirror.h"

/* The mirror's name, with another word before it. */
static void with_word(const char *word, const char *name, char guard[QMP_NODE_NAME_SIZE])
{
    snprintf(guard, QMP_NODE_NAME_SIZE, "%s%s", word, name + strlen("xmig"));
}

enum {
    CALM_MS = 60000 /* for 16 MiB, which is what a mirror has on its way, at 280 KiB a second */
};

enum {
    REFUSER,
    READER,
    WRITER,
};

void mirror_guard_names(const char *name, char guards[MIRROR_GUARDS][QMP_NODE_NAME_SIZE])
{
    with_word("keep", name, guards[REFUSER]);
    with_word("here", name, guards[READER]);
    with_word("open", name, guards[WRITER]);
}

/* The name of the node beneath the mirror of a drive, or of a node; the caller frees it. *idle: no
 * device uses the drive, so that it is open for reading only.
 */
static char *node_of(struct qmp *q, const char *device, bool *idle)
{
    AUTO_JSON cJSON *blocks = NULL;
    const cJSON *block;

    *idle = false;
    (void)qmp_call(q, "query-block", NULL, &blocks, NULL);
    cJSON_ArrayForEach (block, blocks) {
        const cJSON *inserted = cJSON_GetObjectItemCaseSensitive(block, "inserted");

        if (strcmp(json_string_or(block, "device", ""), device) != 0)
            continue;
        *idle = !cJSON_HasObjectItem(block, "qdev");
        return must(strdup(json_string_or(inserted, "node-name", device)));
    }
    return must(strdup(device));
}

static bool add(struct qmp *q, const char *guard, const char *image, const char *permission,
                struct error *err)
{
    const char *const permissions[] = { "consistent-read" };
    cJSON *arguments = json_new("driver", "blkdebug");

    cJSON_AddStringToObject(arguments, "node-name", guard);
    cJSON_AddStringToObject(arguments, "image", image);
    cJSON_AddItemToObject(arguments, permission, cJSON_CreateStringArray(permissions, 1));
    return qmp_call(q, "blockdev-add", arguments, NULL, err);
}

static bool add_writer(struct qmp *q, const char *guard, const char *node, struct error *err)
{
    cJSON *arguments = json_new("driver", "copy-on-read");

    cJSON_AddStringToObject(arguments, "node-name", guard);
    cJSON_AddStringToObject(arguments, "file", node);
    return qmp_call(q, "blockdev-add", arguments, NULL, err);
}

static bool call_job(struct qmp *q, const char *command, const char *name, struct error *err)
{
    cJSON *arguments = json_new("id", name);

    return qmp_call(q, command, arguments, NULL, err);
}

/* Paused, before it was ready or after, or ended: it copies nothing any more. */
static bool is_calm(const cJSON *data, const void *arg)
{
    const char *status = json_string_or(data, "status", "");

    return !strcmp(json_string_or(data, "id", ""), arg) &&
           (!strcmp(status, "paused") || !strcmp(status, "standby") ||
            !strcmp(status, "concluded"));
}

/* To give the node another user QEMU first waits for all that is on its way to the target, and
 * nothing else happens in QEMU meanwhile, the guest's own disk accesses included: over a slow link
 * for seconds. A job that is asked to pause is waited for by xmig alone.
 */
static bool add_writer_to_calm_job(struct qmp *q, const char *name, const char *guard,
                                   const char *node, struct error *err)
{
    size_t mark = qmp_mark(q);
    bool ok;

    if (!call_job(q, "job-pause", name, err))
        return false;
    ok = qmp_wait_event(q, &mark, "JOB_STATUS_CHANGE", is_calm, name, CALM_MS, err) &&
         add_writer(q, guard, node, err);
    return call_job(q, "job-resume", name, ok ? err : NULL) && ok;
}

/* Before 9.0 QEMU aborts when a node is put on one that an iothread uses: "qemu_mutex_unlock_impl:
 * Operation not permitted".
 */
static bool check_iothreads(struct qmp *q, struct error *err)
{
    AUTO_JSON cJSON *iothreads = NULL;

    if (qmp_is_at_least(q, 9, 0))
        return true;
    if (!qmp_call(q, "query-iothreads", NULL, &iothreads, err))
        return false;
    return !iothreads->child ||
           error_set(err, ERROR_REFUSED,
                     "this QEMU would abort if a node were put on one that an iothread uses");
}

bool mirror_guard(struct qmp *q, const char *id, const char *disk, const char *device,
                  struct error *err)
{
    AUTO_FREE char *node = NULL;
    char name[QMP_NODE_NAME_SIZE], guards[MIRROR_GUARDS][QMP_NODE_NAME_SIZE];
    bool idle, writes;

    if (!check_iothreads(q, err))
        return false;
    node = node_of(q, device, &idle);
    qmp_mirror_name(id, disk, name);
    mirror_guard_names(name, guards);
    /* To open an idle one for writing takes the file from under the mirror that reads it. */
    writes = idle || add_writer_to_calm_job(q, name, guards[WRITER], node, err);
    return add(q, guards[READER], node, "take-child-perms", err) &&
           add(q, guards[REFUSER], name, "unshare-child-perms", err) && writes;
}
