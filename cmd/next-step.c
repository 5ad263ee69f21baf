/* What a person does next about a migration, and on which host: the same in `list` and `recover`,
 * and the same words stand in docs/recovery.md.
 */
#include "next-step.h"

#include <stdio.h>

#include "outcome-words.h"
#include "xmig/cleanup.h"

#define SAY(member, ...) snprintf(member, sizeof(member), __VA_ARGS__)

const char *journal_peer(const struct journal *journal)
{
    const cJSON *begin = journal_find(journal, RECORD_BEGIN);
    const char *dest = json_string_or(begin, "dest", NULL);

    if (journal_side(journal) == SIDE_RECV)
        return json_string_or(begin, "source_host", NULL);
    return dest ? target_name(dest) : NULL;
}

static void recover(const struct journal *journal, bool elsewhere, struct next_step *next)
{
    next->elsewhere = elsewhere;
    SAY(next->command, "xmig recover %s", journal_id(journal));
}

static void next_of_sender(const struct journal *journal, struct next_step *next)
{
    if (journal_last(journal) == RECORD_CLOSED)
        return;
    recover(journal, false, next);
    if (journal_last(journal) == RECORD_COMMIT)
        SAY(next->text, "until that has said where the VM is, start it nowhere");
}

static void next_of_receiver(const struct journal *journal, struct next_step *next)
{
    const char *id = journal_id(journal);

    switch (journal_last(journal)) {
    case RECORD_CLOSED:
        break;
    case RECORD_BEGIN:
        recover(journal, true, next);
        SAY(next->text, "it settles both hosts; here it would only remove what was made here");
        break;
    case RECORD_PREPARED:
        recover(journal, true, next);
        SAY(next->text,
            "it settles both hosts. Only if that host is dead for good, here: xmig recover "
            "--peer-is-dead %s",
            id);
        break;
    case RECORD_DESTROYED:
        recover(journal, true, next);
        SAY(next->text,
            "when the VM runs there, that deletes the disks kept here; else, here: xmig recover "
            "--discard %s",
            id);
        break;
    case RECORD_LOST:
        recover(journal, false, next);
        SAY(next->text,
            "first start the VM here, from its disks here; or, if you have dealt with it in "
            "another "
            "way: xmig recover --close %s",
            id);
        break;
    default:
        recover(journal, false, next);
        break;
    }
}

/* A receiver that has lost its sender keeps its promise, and the sender's journal knows more. */
static void next_while_at_work(const struct journal *journal, const char *status,
                               struct next_step *next)
{
    if (!recover_status_is_alone(status)) {
        SAY(next->text, "wait for its end");
        return;
    }
    if (journal_side(journal) == SIDE_SEND) {
        SAY(next->text, "it asks the target again and again: bring that back, or wait");
        return;
    }
    recover(journal, true, next);
    SAY(next->text, "it settles both hosts");
}

void next_step_find(const struct journal *journal, enum worker worker, const char *status,
                    struct next_step *next)
{
    *next = (struct next_step){ 0 };
    if (worker == WORKER_AT_WORK)
        next_while_at_work(journal, status, next);
    else if (journal_side(journal) == SIDE_SEND)
        next_of_sender(journal, next);
    else
        next_of_receiver(journal, next);
}

void next_step_print(const struct next_step *next, const char *peer, enum side side, char *out,
                     size_t size)
{
    const char *there = side == SIDE_SEND ? "the target" : "the source";

    if (!next->command[0])
        snprintf(out, size, "%s", next->text);
    else
        snprintf(out, size, "%s%s: %s%s%s", next->elsewhere ? "on " : "",
                 !next->elsewhere ? "here"
                 : peer           ? peer
                                  : there,
                 next->command, next->text[0] ? "; " : "", next->text);
}
