/* What a journal means, in words. */
#include "journal-words.h"

#include <stdio.h>
#include <time.h>

#include "pipeline/commit/reopen.h"
#include "xmig/cleanup.h"

static const char *sender_meaning(const struct journal *journal)
{
    switch (journal_last(journal)) {
    case RECORD_BEGIN:
        return "begun; the VM belongs here";
    case RECORD_PAUSING:
        return "the VM belongs here, and may be paused";
    case RECORD_COMMIT:
        return "handed over; whether the target runs it is not known here";
    case RECORD_ABORTED:
        return "called off; the VM belongs here";
    case RECORD_DONE:
        return "the VM runs at the target; the old copy here is to be removed";
    case RECORD_PROOF:
        return "the target gave it back; the VM belongs here";
    case RECORD_WORD:
        return "the target was declared dead; the VM belongs here";
    case RECORD_CLOSED:
        return journal_has(journal, RECORD_DONE) ? "done: the VM was moved to the target"
                                                 : "undone: the VM stayed here";
    default:
        return "not known";
    }
}

static const char *receiver_end(const struct journal *journal)
{
    if (journal_has(journal, RECORD_RUNNING))
        return "done: the VM was moved here";
    if (journal_has(journal, RECORD_LOST))
        return "the VM belonged here and its copy died";
    return "undone: the VM stayed at the source";
}

static const char *receiver_meaning(const struct journal *journal)
{
    switch (journal_last(journal)) {
    case RECORD_BEGIN:
        return "a copy is being received; the VM belongs to the source";
    case RECORD_PREPARED:
        return "a complete, paused copy is here; whose the VM is, the source knows";
    case RECORD_OWNED:
        return "the VM belongs here and does not run yet";
    case RECORD_RESUMING:
        return "the VM belongs here and may run";
    case RECORD_RUNNING:
        return "the VM runs here";
    case RECORD_REFUSED:
    case RECORD_RELINQUISHED:
        return "given back to the source; the copy here is to be removed";
    case RECORD_DESTROYED:
        return "given back to the source; complete disks may be kept here";
    case RECORD_LOST:
        return "the VM belongs here, and its copy died: it runs nowhere";
    case RECORD_WORD:
        return "the source was declared dead; the VM belongs here";
    case RECORD_CLOSED:
        return receiver_end(journal);
    default:
        return "not known";
    }
}

const char *journal_meaning(const struct journal *journal)
{
    return journal_side(journal) == SIDE_SEND ? sender_meaning(journal) : receiver_meaning(journal);
}

bool journal_is_finished(const struct journal *journal)
{
    return journal_last(journal) == RECORD_CLOSED;
}

enum outcome journal_outcome(const struct journal *journal)
{
    if (journal_has(journal, RECORD_LOST))
        return OUTCOME_NOWHERE;
    if (!journal_is_finished(journal))
        return OUTCOME_UNDECIDED;
    return journal_has(journal, RECORD_DONE) || journal_has(journal, RECORD_RUNNING)
               ? OUTCOME_DONE
               : OUTCOME_ROLLED_BACK;
}

int worker_pid(const struct migration *m)
{
    uint64_t start_time;

    return (int)reopen_living_owner(m, &start_time);
}

enum worker find_worker(struct migration *m, char **status)
{
    *status = NULL;
    if (recover_owner_at_work(m, status))
        return WORKER_AT_WORK;
    return reopen_owner_lives(m) ? WORKER_SILENT : WORKER_NONE;
}

const cJSON *newest_record(const struct journal *journal)
{
    const cJSON *records = journal_records(journal);

    return cJSON_GetArrayItem(records, cJSON_GetArraySize(records) - 1);
}

uint64_t record_age_ms(const cJSON *record)
{
    struct tm utc = { 0 };
    time_t then, now = time(NULL);

    if (!strptime(json_string_or(record, "time", ""), "%Y-%m-%dT%H:%M:%S", &utc))
        return 0;
    then = timegm(&utc);
    return then < now ? (uint64_t)(now - then) * 1000 : 0;
}
