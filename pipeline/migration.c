/* One migration: its names, its directories, its life. */
#include "xmig/move.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "status-socket.h"
#include "xmig/cleanup.h"
#include "xmig/text.h"

enum {
    LEASE_MS = 600000,
    LOST_MS = 20000,
    /* For the last question to be asked and answered, on a busy machine. */
    MARGIN_MS = 40000,
};

const struct migration_options migration_default_options = {
    .vm = { .max_downtime_ms = 100, .mirrors_disks = true },
    .lease_ms = LEASE_MS,
    .patience_ms = LEASE_MS + LOST_MS + MARGIN_MS,
    .max_pause_ms = MAX_PAUSE_DEFAULT,
    .stall_ms = 60000,
    .poll_ms = 200,
    .retry_ms = 1000,
    /* As often as an idle lane says something: a server's ChannelTimeout ends what is silent. */
    .timing = { .alive_ms = 2000, .lost_ms = LOST_MS },
};

static const struct {
    enum outcome outcome;
    const char *name;
} outcome_names[] = {
    { OUTCOME_DONE, "done" },
    { OUTCOME_LOCAL_ERROR, "local-error" },
    { OUTCOME_USAGE, "usage" },
    { OUTCOME_REFUSED, "refused" },
    { OUTCOME_ROLLED_BACK, "rolled-back" },
    { OUTCOME_PAUSED, "paused-at-source" },
    { OUTCOME_UNDECIDED, "undecided" },
    { OUTCOME_CLEANUP, "cleanup-incomplete" },
    { OUTCOME_NOWHERE, "runs-nowhere" },
};

const char *outcome_name(enum outcome outcome)
{
    for (size_t i = 0; i < sizeof(outcome_names) / sizeof(outcome_names[0]); i++)
        if (outcome_names[i].outcome == outcome)
            return outcome_names[i].name;
    return "rolled-back-by-signal";
}

void migration_fit_patience(struct migration_options *options)
{
    if (options->lease_ms)
        options->patience_ms = options->lease_ms + options->timing.lost_ms + MARGIN_MS;
}

void migration_init(struct migration *m, enum side side, struct loop *loop,
                    const struct migration_options *options, const char *state_dir,
                    const char *runtime_dir)
{
    *m = (struct migration){
        .side = side,
        .loop = loop,
        .options = options,
        .state_dir = state_dir,
        .runtime_dir = runtime_dir,
        .peer_name = side == SIDE_SEND ? "the target" : "the source",
        .pending_control = { -1, -1 },
        .verdict = VERDICT_SOURCE,
        .started_ms = loop_now_ms(),
        .refusals = must(cJSON_CreateArray()),
    };
}

static bool make_private_dir(const char *path, struct error *err)
{
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return error_set(err, ERROR_SYSTEM, "cannot make the directory '%s': %m", path);
    return true;
}

bool migration_set_id(struct migration *m, const char *id, struct error *err)
{
    snprintf(m->id, sizeof(m->id), "%s", id);
    free(m->own_state_dir);
    free(m->own_runtime_dir);
    m->own_state_dir = formatted("%s/%s", m->state_dir, id);
    m->own_runtime_dir = formatted("%s/%s", m->runtime_dir, id);
    return make_private_dir(m->runtime_dir, err) && make_private_dir(m->own_runtime_dir, err);
}

/* The hypervisor's code removes its own sockets, and in a `local:` move both sides share one
 * directory.
 */
static bool is_our_socket(const struct migration *m, const char *name)
{
    return transport_makes_socket(m->side, name) || status_is_socket(m->side, name);
}

void migration_sweep(const struct migration *m)
{
    DIR *dir = opendir(m->own_runtime_dir);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        if (is_our_socket(m, entry->d_name))
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
}

static bool note(void *arg, const cJSON *fact, struct error *err)
{
    struct migration *m = arg;

    if (!m->journal)
        return error_set(err, ERROR_SYSTEM, "there is no journal yet to note a fact in");
    return journal_append(m->journal, RECORD_NOTE, fact, err);
}

void migration_vm_context(struct migration *m, struct vm_context *context)
{
    *context = (struct vm_context){
        .loop = m->loop,
        .events = m->events,
        .id = m->id,
        .state_dir = m->own_state_dir,
        .runtime_dir = m->own_runtime_dir,
        .options = m->options->vm,
        .policy = m->policy,
        .note = note,
        .note_arg = m,
    };
}

void migration_done(struct migration *m)
{
    for (int i = 0; i < 2; i++)
        if (m->pending_control[i] >= 0)
            close(m->pending_control[i]);
    receiver_door_free(m->door);
    listener_free(m->status);
    session_free(m->peer);
    link_leave(m->control);
    guest_free(m->guest);
    copy_free(m->copy);
    transport_free(m->transport);
    journal_free(m->journal);
    cJSON_Delete(m->params);
    cJSON_Delete(m->plans);
    cJSON_Delete(m->refusals);
    for (size_t i = 0; i < m->stage_count; i++)
        free(m->states[i]);
    /* Kept while something of this migration's still uses it, such as a device model's socket. */
    if (m->own_runtime_dir)
        (void)rmdir(m->own_runtime_dir);
    free(m->own_state_dir);
    free(m->own_runtime_dir);
}
