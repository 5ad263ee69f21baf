/* Opening a migration again whose process has died. */
#include "reopen.h"

#include "guardian.h"
#include "xmig/cleanup.h"
#include "xmig/hypervisor-calls.h"
#include "xmig/facts.h"

/* The record of the process that last took the migration on: BEGIN's, or a later NOTE's. */
static const cJSON *owner(const struct migration *m)
{
    const cJSON *record, *last = NULL;

    cJSON_ArrayForEach (record, journal_records(m->journal)) {
        if (cJSON_GetObjectItemCaseSensitive(record, "process_started"))
            last = record;
    }
    return last;
}

/* Our own pid is in the journal when one process lives both lives, as tests do. */
static pid_t owner_pid(const struct migration *m)
{
    pid_t pid = (pid_t)json_uint_or(owner(m), "pid", 0);

    return pid == getpid() ? 0 : pid;
}

static uint64_t owner_start(const struct migration *m)
{
    return json_uint_or(owner(m), "process_started", 0);
}

bool reopen_is_first_owner(const struct migration *m)
{
    return owner(m) == journal_find(m->journal, RECORD_BEGIN);
}

bool reopen_owner_lives(const struct migration *m)
{
    return !journal_rebooted_since(m->journal, owner(m)) &&
           process_lives(owner_pid(m), owner_start(m));
}

pid_t reopen_living_owner(const struct migration *m, uint64_t *start_time)
{
    *start_time = owner_start(m);
    return reopen_owner_lives(m) ? owner_pid(m) : 0;
}

/* An owner that has closed the migration works on it no more: its hooks may run, or it exits. */
static bool owner_has_closed(const struct migration *m)
{
    const cJSON *closed = journal_find(m->journal, RECORD_CLOSED);

    return json_uint_or(closed, "seq", 0) > json_uint_or(owner(m), "seq", 0);
}

bool reopen_owner_works(const struct migration *m)
{
    return reopen_owner_lives(m) && !owner_has_closed(m);
}

bool reopen_await_owner(const struct migration *m, uint64_t timeout_ms)
{
    return process_await(owner_pid(m), owner_start(m), timeout_ms);
}

/* Who waited for the same process to end has been woken at the same moment. */
static bool is_free(const struct migration *m, struct error *err)
{
    return !reopen_owner_works(m) ||
           error_set(err, ERROR_REFUSED, "process %d has this migration", (int)owner_pid(m));
}

/* In this order: pipeline/commit/guardian.h says why. */
bool reopen_as_owner(struct migration *m, struct error *err)
{
    AUTO_JSON cJSON *fact = fact_new(FACT_OWNER);
    bool ok;

    if (m->unattended)
        return true;
    json_add_uint(fact, "process_started", process_start_time(getpid()));
    if (!journal_lock(m->journal, err))
        return false;
    ok = is_free(m, err) && journal_append(m->journal, RECORD_NOTE, fact, err);
    journal_unlock(m->journal);
    return ok && guardian_end_attempt(m, err) && journal_refresh(m->journal, err);
}

/* Begin the guardian's attempt, which ends no other process. */
static bool begin_attempt(struct migration *m, struct error *err)
{
    if (!guardian_begin_attempt(m, err) || !journal_refresh(m->journal, err))
        return false;
    return !reopen_owner_lives(m) ||
           error_set(err, ERROR_REFUSED, "process %d has this migration", (int)owner_pid(m));
}

/* NULL: this xmig, or this machine, cannot handle such VMs. */
static const struct hypervisor *hypervisor_of(const struct migration *m, struct error *err)
{
    const char *name = json_string(journal_find(m->journal, RECORD_BEGIN), "host", err);
    const struct hypervisor *hypervisor = name ? hypervisor_find(name) : NULL;

    if (name && !hypervisor)
        error_set(err, ERROR_REFUSED,
                  "this xmig cannot handle a '%s' VM: it was built without; nothing was touched",
                  name);
    return hypervisor && hypervisor_available(hypervisor, err) ? hypervisor : NULL;
}

bool reopen_end_owner(struct migration *m, struct error *err)
{
    enum {
        ENDING_MS = 3000, /* for one that does not answer because it is about to end */
        DEATH_MS = 10000
    };

    if (!hypervisor_of(m, err))
        return false;
    if (m->unattended)
        return begin_attempt(m, err);
    if (!journal_refresh(m->journal, err))
        return false;
    if (!reopen_owner_works(m) || reopen_await_owner(m, ENDING_MS))
        return true;
    event_say(&m->events, EVENT_WARNING, NULL,
              "process %d holds this migration and does not answer: ending it", (int)owner_pid(m));
    return process_kill(owner_pid(m), owner_start(m), DEATH_MS, err);
}

bool reopen_host(struct migration *m, struct error *err)
{
    const struct hypervisor *hypervisor = hypervisor_of(m, err);
    struct vm_context context;

    if (!hypervisor)
        return false;
    migration_vm_context(m, &context);
    context.options.mirrors_disks =
        json_true(journal_find(m->journal, RECORD_BEGIN), "mirrors_disks");
    if (m->side == SIDE_SEND) {
        m->guest = hypervisor_guest(hypervisor, &context, err);
        return m->guest && guest_reattach(m->guest, journal_records(m->journal), err);
    }
    m->copy = hypervisor_copy(hypervisor, &context, err);
    return m->copy && copy_reattach(m->copy, journal_records(m->journal), err);
}
