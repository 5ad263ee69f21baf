/* What a QEMU would need of this host, for a policy to judge: by its command line and the other
 * parameters, as they arrived.
 */
#include <pwd.h>

#include "host/line-files.h"
#include "host/needs/disks.h"
#include "host/qemu/copy/copy.h"
#include "host/qemu/copy/needs-line.h"
#include "host/system/program.h"
#include "xmig/text.h"

/* ---- the process ---- */

static void add_program(const struct qemu_machine *qemu, const struct policy *policy,
                        struct needs *needs)
{
    AUTO_FREE char *found = line_program_find(qemu->program, qemu->program_chosen, policy);

    needs_add(needs, NEED_PROGRAM, found ? found : qemu->program, 0, "%s", "");
}

/* As check_user() and the start have it; -runas is one of the line's needs. */
static void add_user(const struct qemu_machine *qemu, struct needs *needs)
{
    const struct passwd *user = qemu->user ? getpwnam(qemu->user) : NULL;
    uid_t uid = user ? user->pw_uid : (uid_t)qemu->uid;
    AUTO_FREE char *number = NULL;

    if (qemu->drops_privileges && line_drops_privileges(qemu->words))
        return;
    if (qemu->drops_privileges)
        uid = geteuid();
    user = getpwuid(uid);
    number = formatted("%u", (unsigned)uid);
    needs_add(needs, NEED_USER, user ? user->pw_name : number, 0, "%s", "");
}

/* ---- files ---- */

static void add_media(const struct qemu_machine *qemu, struct needs *needs)
{
    struct qemu_medium medium;
    const cJSON *item;

    fields_each (item, qemu->media, qemu_medium_fields, &medium)
        medium_need(medium.name, medium.image, medium.format, needs);
}

static void add_files(const struct qemu_machine *qemu, struct needs *needs)
{
    struct needed_file file;
    const cJSON *item;

    paths_need(qemu->outputs, NEED_FILE, needs);
    paths_need(qemu->sockets, NEED_FILE, needs);
    paths_need(qemu->pidfiles, NEED_FILE, needs);
    fields_each (item, qemu->needs, needed_file_fields, &file)
        path_need(file.path, NEED_READ, needs);
    cJSON_ArrayForEach (item, qemu->searched) /* mere names lie in QEMU's own folders */
        if ((*item->valuestring == '/' || strstr(item->valuestring, "..")) &&
            !needs_have(needs, NEED_READ, item->valuestring))
            needs_add(needs, NEED_READ, item->valuestring, 0, "%s", "");
}

/* ---- networks ---- */

static void add_bridges(const struct qemu_machine *qemu, struct needs *needs)
{
    struct qemu_tap tap;
    const cJSON *item;

    fields_each (item, qemu->taps, qemu_tap_fields, &tap)
        needs_add(needs, NEED_BRIDGE, *tap.bridge ? tap.bridge : tap.tap, 0, "tap '%s'", tap.tap);
    cJSON_ArrayForEach (item, qemu->bridges)
        if (!needs_have(needs, NEED_BRIDGE, item->valuestring))
            needs_add(needs, NEED_BRIDGE, item->valuestring, 0, "%s", "");
}

bool machine_needs(const struct qemu_params *params, const struct policy *policy, bool mirrored,
                   struct needs *needs, struct error *err)
{
    size_t count;
    AUTO_FREE struct disk_params *disks = disk_params_all(params->disks, &count, err);

    if (!disks)
        return false;
    add_program(&params->qemu, policy, needs);
    add_user(&params->qemu, needs);
    disks_need(disks, mirrored, needs);
    tpm_needs(params->qemu.tpms, policy, needs);
    add_media(&params->qemu, needs);
    add_bridges(&params->qemu, needs);
    if (!line_needs(&params->qemu, disks, mirrored, needs, err))
        return false;
    add_files(&params->qemu, needs);
    return true;
}

bool qemu_needs(const struct copy *copy, const cJSON *json, struct needs *needs, struct error *err)
{
    struct qemu_params params;

    return qemu_params_read(json, &params, err) &&
           machine_needs(&params, copy->context.policy, copy->context.options.mirrors_disks, needs,
                         err);
}
