/* Opening the migration that a person means. */
#include "meant.h"

#include <stdio.h>

#include "find-id.h"
#include "next.h"
#include "xmig/cleanup.h"
#include "xmig/text.h"

static bool begin(struct meant *meant, struct error *err)
{
    *meant = (struct meant){ 0 };
    places_find(&meant->places);
    meant->m.state_dir = meant->places.state_dir;
    return identity_read(&meant->identity, err);
}

static bool open_journal(struct meant *meant, enum side side, struct error *err)
{
    enum journal_health health;

    meant->m.side = side;
    meant->m.journal =
        journal_open(meant->places.state_dir, meant->m.id, side, &meant->identity, &health, err);
    if (!meant->m.journal)
        return error_prefix(err, "migration %s", meant->m.id);
    meant->m.own_runtime_dir = formatted("%s/%s", meant->places.runtime_dir, meant->m.id);
    meant->m.own_state_dir = formatted("%s/%s", meant->places.state_dir, meant->m.id);
    meant->worker = find_worker(&meant->m, &meant->status);
    return true;
}

bool meant_open_side(struct meant *meant, const char *id, enum side side, struct error *err)
{
    if (!begin(meant, err))
        return false;
    snprintf(meant->m.id, sizeof(meant->m.id), "%s", id);
    return open_journal(meant, side, err);
}

bool meant_open(struct meant *meant, const char *word, struct error *err)
{
    struct error first = { 0 };

    if (!begin(meant, err) ||
        !find_id(meant->places.state_dir, &meant->identity, word, meant->m.id, err))
        return false;
    if (open_journal(meant, SIDE_SEND, &first) || open_journal(meant, SIDE_RECV, NULL))
        return true;
    *err = first;
    return false;
}

void meant_done(struct meant *meant)
{
    journal_free(meant->m.journal);
    free(meant->m.own_runtime_dir);
    free(meant->m.own_state_dir);
    free(meant->status);
    places_done(&meant->places);
}

const char *meant_vm(const struct meant *meant)
{
    const cJSON *begin = journal_find(meant->m.journal, RECORD_BEGIN);

    return json_string_or(begin, "source_vm", json_string_or(begin, "vm", "?"));
}

const char *meant_peer(const struct meant *meant)
{
    const char *peer = journal_peer(meant->m.journal);

    return peer ? peer : "the other host";
}

bool meant_is_at_work(const struct meant *meant, struct error *err)
{
    const char *id = meant->m.id;

    if (journal_is_finished(meant->m.journal))
        return error_set(err, ERROR_REFUSED, "migration %s is finished: %s", id,
                         journal_meaning(meant->m.journal));
    if (meant->worker == WORKER_NONE)
        return error_set(err, ERROR_REFUSED,
                         "no process is at work on migration %s: 'xmig recover %s' settles it", id,
                         id);
    if (meant->worker == WORKER_SILENT)
        return error_set(err, ERROR_REFUSED,
                         "process %d, which has migration %s, does not answer: it is stopped or "
                         "stuck. 'xmig recover %s' ends it and settles the migration",
                         worker_pid(&meant->m), id, id);
    return true;
}
