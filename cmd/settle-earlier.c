/* Settling a VM's earlier migrations before another one begins. */
#include "settle-earlier.h"

#include "recover.h"

#include "xmig/cleanup.h"
#include "xmig/text.h"

struct earlier {
    const struct directories *directories;
    const char *vm;
    bool look_only;
    struct report *report;
    struct identity identity;
    struct error *err;
    bool ok;
};

/* Without the host's name before ':'. */
static const char *rest_of(const char *vm)
{
    const char *colon = strchr(vm, ':');

    return colon ? colon + 1 : vm;
}

/* Compare with the VM as it was given then, and with the name and socket found for that. */
static bool is_same_vm(const cJSON *begin, const char *vm)
{
    static const char *const facts[] = { "name", "socket" };
    const char *word = rest_of(vm);

    /* Each simulated VM is a new one, even with an old name. */
    if (!strcmp(json_string_or(begin, "host", ""), "simulated"))
        return false;
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
        if (!strcmp(json_string_or(begin, facts[i], ""), word))
            return true;
    return !strcmp(rest_of(json_string_or(begin, "source_vm", "")), word);
}

static bool refuse(struct earlier *earlier, const char *id, const char *why, const char *command)
{
    earlier->ok = false;
    return error_set(earlier->err, ERROR_REFUSED,
                     "the earlier migration %s of this VM is not settled (%s): run '%s %s' first",
                     id, why, command, id);
}

/* *status is what the process at work says of itself; the caller frees it. */
static bool is_at_work(const struct earlier *earlier, const char *id, char **status)
{
    struct migration m = { .side = SIDE_SEND };
    bool at_work;

    m.own_runtime_dir = formatted("%s/%s", earlier->directories->runtime_dir, id);
    at_work = recover_owner_at_work(&m, status);
    free(m.own_runtime_dir);
    return at_work;
}

static bool refuse_while_at_work(struct earlier *earlier, const char *id)
{
    AUTO_FREE char *status = NULL;

    if (!is_at_work(earlier, id, &status))
        return false;
    earlier->ok = false;
    error_set(earlier->err, ERROR_REFUSED,
              "this VM is being moved already: %s, migration %s. Wait for its end; 'xmig list %s' "
              "tells how it stands",
              status, id, id);
    return true;
}

static bool settle(struct earlier *earlier, const char *id)
{
    struct result result;
    bool finished;

    report_say(earlier->report, "the earlier migration %s of this VM was broken off: settling it",
               id);
    recover_silently(earlier->directories, id, &result, &finished);
    if (result.outcome == OUTCOME_DONE || result.outcome == OUTCOME_CLEANUP) {
        earlier->ok = false;
        return error_set(earlier->err, ERROR_REFUSED,
                         "the earlier migration %s has moved this VM: it runs at the target", id);
    }
    if (finished || result.outcome == OUTCOME_ROLLED_BACK)
        return true;
    return refuse(earlier, id, result.error.text, "xmig recover");
}

static void on_journal(void *arg, const char *id, enum side side)
{
    struct earlier *earlier = arg;
    enum journal_health health;
    struct journal *journal;
    bool due;

    if (!earlier->ok || side != SIDE_SEND)
        return;
    journal =
        journal_open(earlier->directories->state_dir, id, side, &earlier->identity, &health, NULL);
    due = journal && journal_last(journal) != RECORD_CLOSED &&
          is_same_vm(journal_find(journal, RECORD_BEGIN), earlier->vm);
    journal_free(journal);
    if (due && refuse_while_at_work(earlier, id))
        return;
    if (due && earlier->look_only)
        report_say(
            earlier->report,
            "note: the earlier migration %s of this VM is not settled; a move does that first", id);
    else if (due)
        (void)settle(earlier, id);
}

bool settle_earlier(const struct directories *directories, const char *vm, bool look_only,
                    struct report *report, struct error *err)
{
    struct earlier earlier = { .directories = directories,
                               .vm = vm,
                               .look_only = look_only,
                               .report = report,
                               .err = err,
                               .ok = true };

    if (!identity_read(&earlier.identity, err))
        return false;
    return journal_list(directories->state_dir, on_journal, &earlier, err) && earlier.ok;
}
