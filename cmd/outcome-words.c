/* The last lines of `send` and `recover`: where the VM is, and what to do next. Keep the words in
 * step with docs/man/xmig-recovery.7.
 */
#include "outcome-words.h"

#include <stdio.h>

#include "xmig/cleanup.h"

const char *place_name(enum place place)
{
    switch (place) {
    case PLACE_UNKNOWN:
        return "unknown";
    case PLACE_SOURCE:
        return "source";
    case PLACE_TARGET:
        return "target";
    case PLACE_NOWHERE:
        return "nowhere";
    }
    return "unknown";
}

const char *target_name(const char *dest)
{
    return strcmp(dest, "local:") ? dest : "this host";
}

enum place place_of(enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_DONE:
    case OUTCOME_CLEANUP:
        return PLACE_TARGET;
    case OUTCOME_UNDECIDED:
    case OUTCOME_USAGE:
        return PLACE_UNKNOWN;
    case OUTCOME_NOWHERE:
        return PLACE_NOWHERE;
    case OUTCOME_LOCAL_ERROR:
    case OUTCOME_REFUSED:
    case OUTCOME_ROLLED_BACK:
    case OUTCOME_PAUSED:
    case OUTCOME_SIGNAL:
        break;
    }
    return PLACE_SOURCE;
}

#define SAY(member, ...) snprintf(member, sizeof(member), __VA_ARGS__)

/* ---- send ---- */

static void say_done(struct ending *ending, const struct sent *sent)
{
    if (sent->dry_run)
        SAY(ending->text, "nothing was touched; all checks passed on both sides");
    else if (sent->until)
        SAY(ending->text, "stopped after %s as asked and undone; '%s' runs here", sent->until,
            sent->name);
    else
        SAY(ending->text, "'%s' runs on %s now", sent->name, sent->target);
    if (sent->dry_run || sent->until)
        ending->where = PLACE_SOURCE;
}

static void say_untouched(struct ending *ending, const struct sent *sent)
{
    if (sent->attached) {
        SAY(ending->text, "nothing was touched; '%s' is here as before", sent->name);
        return;
    }
    ending->where = PLACE_UNKNOWN;
    SAY(ending->text, "nothing was touched");
}

/* The guest ended by itself, or another program stopped it: `xmig recover` has nothing to do. */
static bool say_stopped(struct ending *ending, const char *vm)
{
    const struct result *result = &ending->result;

    if (!*result->stopped)
        return false;
    if (result->outcome == OUTCOME_NOWHERE) {
        SAY(ending->text, "'%s' runs nowhere: %s", vm, result->stopped);
        SAY(ending->next, "start it here as usual when you want it to run");
    } else {
        SAY(ending->text, "'%s' is here and does not run: %s", vm, result->stopped);
        SAY(ending->next, "when it runs here again, move it again");
    }
    return true;
}

static void say_paused(struct ending *ending, const struct sent *sent)
{
    if (say_stopped(ending, sent->name))
        return;
    SAY(ending->text, "'%s' is paused here; it runs nowhere else", sent->name);
    if (sent->has_journal)
        SAY(ending->next, "run 'xmig recover %s' here", sent->id);
    else
        SAY(ending->next, "look at it here; nothing was begun");
}

/* A VM that was started again has lost its RAM: say so, though it is safe. */
static void say_here(struct ending *ending, const char *vm, const char *what_next)
{
    const struct result *result = &ending->result;

    if (*result->again)
        SAY(ending->text,
            "'%s' was started again here, from its disks, and runs as %s; it is safe to %s", vm,
            result->again, what_next);
    else
        SAY(ending->text, "'%s' runs here; it is safe to %s", vm, what_next);
}

/* A second process here has the VM, and the error above names it: no advice about the peer. */
static bool say_contested(struct ending *ending, const char *vm, const char *id)
{
    if (!ending->result.contested)
        return false;
    SAY(ending->text, "somebody else here has '%s', so nothing was decided and nothing touched",
        vm);
    SAY(ending->next,
        "make sure that only one of those named above is left, and run 'xmig recover %s' here", id);
    return true;
}

static void say_where_sent(struct ending *ending, const struct sent *sent)
{
    switch (ending->result.outcome) {
    case OUTCOME_DONE:
        say_done(ending, sent);
        break;
    case OUTCOME_LOCAL_ERROR:
    case OUTCOME_USAGE:
    case OUTCOME_REFUSED:
        say_untouched(ending, sent);
        break;
    case OUTCOME_ROLLED_BACK:
        say_here(ending, sent->name, "try again");
        break;
    case OUTCOME_PAUSED:
        say_paused(ending, sent);
        break;
    case OUTCOME_UNDECIDED:
        if (say_contested(ending, sent->name, sent->id))
            break;
        SAY(ending->text, "it is not decided whether '%s' belongs here or to %s", sent->name,
            sent->target);
        if (ending->result.choice)
            SAY(ending->next, "start it nowhere; 'xmig recover %s' here says what you can choose",
                sent->id);
        else
            SAY(ending->next, "start it nowhere; run 'xmig recover %s' here", sent->id);
        break;
    case OUTCOME_CLEANUP:
        SAY(ending->text, "'%s' runs on %s now, but something of the old copy is left here",
            sent->name, sent->target);
        SAY(ending->next, "run 'xmig recover %s' here", sent->id);
        break;
    case OUTCOME_NOWHERE:
        if (say_stopped(ending, sent->name))
            break;
        SAY(ending->text, "'%s' runs nowhere; its last owner is named above", sent->name);
        SAY(ending->next, "run 'xmig recover %s' on both hosts: it says where to start it",
            sent->id);
        break;
    case OUTCOME_SIGNAL:
        break;
    }
}

/* Did the signal end the move? One that failed for another reason keeps that failure's status. */
static bool ended_by_signal(const struct result *result, const struct sent *sent)
{
    return sent->signal && result->error.kind == ERROR_CANCELLED &&
           (result->outcome == OUTCOME_ROLLED_BACK || result->outcome == OUTCOME_LOCAL_ERROR);
}

void ending_of_send(struct ending *ending, const struct result *result, const struct sent *sent)
{
    struct sent named = *sent;

    *ending = (struct ending){ .vm = sent->vm,
                               .id = sent->id,
                               .refusals = sent->refusals,
                               .target = sent->target,
                               .result = *result,
                               .status = (int)result->outcome,
                               .where = place_of(result->outcome) };
    if (!named.name)
        named.name = sent->vm;
    say_where_sent(ending, &named);
    ending->moved = ending->where == PLACE_TARGET;
    if (result->outcome == OUTCOME_DONE) { /* --until's error, or one too late to matter */
        error_clear(&ending->result.error);
        ending->result.stage[0] = '\0';
    }
    if (ended_by_signal(result, sent))
        ending->status = OUTCOME_SIGNAL + sent->signal;
}

/* ---- recover ---- */

static void say_sender(struct ending *ending, const struct recovered *r)
{
    switch (ending->result.outcome) {
    case OUTCOME_DONE:
        SAY(ending->text, "'%s' runs on %s; nothing is left to do here", r->vm, r->target);
        break;
    case OUTCOME_ROLLED_BACK:
        say_here(ending, r->vm, "move it again");
        break;
    case OUTCOME_PAUSED:
        if (say_stopped(ending, r->vm))
            break;
        SAY(ending->text, "'%s' belongs here and does not run", r->vm);
        SAY(ending->next, "remove the cause and run 'xmig recover %s' again", r->id);
        break;
    case OUTCOME_CLEANUP:
        SAY(ending->text, "'%s' runs on %s, but something of the old copy is left here", r->vm,
            r->target);
        SAY(ending->next, "remove the cause and run 'xmig recover %s' again", r->id);
        break;
    case OUTCOME_NOWHERE:
        if (say_stopped(ending, r->vm))
            break;
        SAY(ending->text, "'%s' runs nowhere", r->vm);
        SAY(ending->next,
            "if %s owns it, start it there from its disks there, then run 'xmig recover %s' again; "
            "else start it here from its disks here. 'xmig list --all' on both hosts names the "
            "owner. If you have dealt with it in another way: 'xmig recover --close %s'",
            r->target, r->id, r->id);
        break;
    default:
        if (say_contested(ending, r->vm, r->id))
            break;
        SAY(ending->text, "it is not decided whether '%s' belongs here or to %s", r->vm, r->target);
        if (ending->result.choice)
            SAY(ending->next,
                "start it nowhere. 'xmig recover --forward %s' here lets the copy on %s go on; "
                "'xmig recover --back %s' here gives that copy up; what is left of the VM is on "
                "its disks here",
                r->id, r->target, r->id);
        else
            SAY(ending->next,
                "start it nowhere. When %s can be reached, run 'xmig recover %s' here again. Only "
                "if it is dead for good: 'xmig recover --peer-is-dead %s'",
                r->target, r->id, r->id);
        break;
    }
}

static void say_receiver(struct ending *ending, const struct recovered *r)
{
    switch (ending->result.outcome) {
    case OUTCOME_DONE:
        SAY(ending->text, "'%s' runs here", r->vm);
        break;
    case OUTCOME_ROLLED_BACK:
    case OUTCOME_PAUSED:
        SAY(ending->text, "'%s' belongs to the source; nothing of it runs here", r->vm);
        if (r->disks_kept)
            SAY(ending->next,
                "its complete disks were kept here; when it runs at the source, 'xmig recover "
                "--discard %s' deletes them",
                r->id);
        break;
    case OUTCOME_CLEANUP:
        SAY(ending->text, "'%s' %s, but something of the migration is left here", r->vm,
            r->given_back ? "belongs to the source" : "runs here");
        SAY(ending->next, "remove the cause and run 'xmig recover %s' here again", r->id);
        break;
    case OUTCOME_NOWHERE:
        SAY(ending->text, "'%s' belongs here and runs nowhere: its copy died", r->vm);
        SAY(ending->next,
            "start it here from its disks here, then run 'xmig recover %s' again. If you have "
            "dealt with it in another way: 'xmig recover --close %s'",
            r->id, r->id);
        break;
    default:
        SAY(ending->text, "it is not decided whether '%s' belongs here or to the source", r->vm);
        SAY(ending->next,
            "start it nowhere. Run 'xmig recover %s' on %s, the source, which settles it on both "
            "hosts. Only if that host is dead for good: 'xmig recover --peer-is-dead %s' here",
            r->id, r->source ? r->source : "the host it came from", r->id);
        break;
    }
}

void ending_of_recover(struct ending *ending, const struct result *result,
                       const struct recovered *recovered)
{
    *ending = (struct ending){ .vm = recovered->vm,
                               .id = recovered->id,
                               .result = *result,
                               .status = (int)result->outcome,
                               .where = place_of(result->outcome) };
    if (result->closed) {
        ending->where = PLACE_UNKNOWN;
        SAY(ending->text, "this migration of '%s' is closed here, as you asked; its disks stay",
            recovered->vm);
        return;
    }
    if (recovered->side == SIDE_SEND)
        say_sender(ending, recovered);
    else
        say_receiver(ending, recovered);
    /* Status 7 would say that the VM runs here; a copy that was given back never will. */
    if (recovered->given_back && result->outcome == OUTCOME_CLEANUP) {
        ending->status = OUTCOME_ROLLED_BACK;
        ending->where = PLACE_SOURCE;
    }
}

/* ---- both ---- */

void ending_of_failure(struct ending *ending, enum outcome outcome, const struct error *err)
{
    *ending = (struct ending){ .result = { .outcome = outcome, .error = *err },
                               .status = (int)outcome,
                               .where = PLACE_UNKNOWN,
                               .text = "nothing was touched" };
}

void ending_of_usage(struct ending *ending, const char *command, const struct error *err)
{
    ending_of_failure(ending, OUTCOME_USAGE, err);
    ending->result.error.kind = ERROR_USAGE;
    if (!strcmp(command, "send")) /* no VM has been moved */
        ending->where = PLACE_SOURCE;
    SAY(ending->next, "see 'xmig %s --help'", command);
}
