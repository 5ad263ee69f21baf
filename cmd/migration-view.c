/* Opening the migration that a person means. */
#include "migration-view.h"

#include <stdio.h>

#include "find-id.h"
#include "next-step.h"
#include "xmig/cleanup.h"
#include "xmig/text.h"

static bool begin(struct migration_view *view, struct error *err)
{
    *view = (struct migration_view){ 0 };
    directories_find(&view->directories);
    view->m.state_dir = view->directories.state_dir;
    return identity_read(&view->identity, err);
}

static bool open_journal(struct migration_view *view, enum side side, struct error *err)
{
    enum journal_health health;

    view->m.side = side;
    view->m.journal =
        journal_open(view->directories.state_dir, view->m.id, side, &view->identity, &health, err);
    if (!view->m.journal)
        return error_prefix(err, "migration %s", view->m.id);
    view->m.own_runtime_dir = formatted("%s/%s", view->directories.runtime_dir, view->m.id);
    view->m.own_state_dir = formatted("%s/%s", view->directories.state_dir, view->m.id);
    view->worker = find_worker(&view->m, &view->status);
    return true;
}

bool view_open_side(struct migration_view *view, const char *id, enum side side, struct error *err)
{
    if (!begin(view, err))
        return false;
    snprintf(view->m.id, sizeof(view->m.id), "%s", id);
    return open_journal(view, side, err);
}

bool view_open(struct migration_view *view, const char *word, struct error *err)
{
    struct error first = { 0 };

    if (!begin(view, err) ||
        !find_id(view->directories.state_dir, &view->identity, word, view->m.id, err))
        return false;
    if (open_journal(view, SIDE_SEND, &first) || open_journal(view, SIDE_RECV, NULL))
        return true;
    *err = first;
    return false;
}

void view_done(struct migration_view *view)
{
    journal_free(view->m.journal);
    free(view->m.own_runtime_dir);
    free(view->m.own_state_dir);
    free(view->status);
    directories_done(&view->directories);
}

const char *view_vm(const struct migration_view *view)
{
    const cJSON *begin = journal_find(view->m.journal, RECORD_BEGIN);

    return json_string_or(begin, "source_vm", json_string_or(begin, "vm", "?"));
}

const char *view_peer(const struct migration_view *view)
{
    const char *peer = journal_peer(view->m.journal);

    return peer ? peer : "the other host";
}

bool view_is_at_work(const struct migration_view *view, struct error *err)
{
    const char *id = view->m.id;

    if (journal_is_finished(view->m.journal))
        return error_set(err, ERROR_REFUSED, "migration %s is finished: %s", id,
                         journal_meaning(view->m.journal));
    if (view->worker == WORKER_NONE)
        return error_set(err, ERROR_REFUSED,
                         "no process is at work on migration %s: 'xmig recover %s' settles it", id,
                         id);
    if (view->worker == WORKER_SILENT)
        return error_set(err, ERROR_REFUSED,
                         "process %d, which has migration %s, does not answer: it is stopped or "
                         "stuck. 'xmig recover %s' ends it and settles the migration",
                         worker_pid(&view->m), id, id);
    return true;
}
