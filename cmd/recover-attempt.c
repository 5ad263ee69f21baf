/* Opening a migration, settling it as far as that goes, and telling of it. */
#include "recover-attempt.h"

#include "hooks.h"

#include <stdio.h>

#include "find-id.h"
#include "journal-words.h"
#include "option-tls.h"
#include "peer-words.h"
#include "wrap.h"
#include "core/secrets.h"
#include "xmig/cleanup.h"
#include "xmig/text.h"
#include "xmig/units.h"

enum {
    PATIENCE_MS = 30000 /* for a target that cannot be reached, or is still at it */
};

static char *copy_of(const cJSON *object, const char *name)
{
    const char *text = json_string_or(object, name, NULL);

    return text ? must(strdup(text)) : NULL;
}

/* ---- opening ---- */

/* The sender's journal first when both sides are on this machine: it can settle both. */
static bool open_journal(struct recovering *recovering, enum journal_health *health,
                         struct error *err)
{
    const struct recover_command_options *options = recovering->options;
    struct migration *m = &recovering->m;

    m->side = options->has_side ? options->side : SIDE_SEND;
    m->journal = journal_open(recovering->directories->state_dir, recovering->id, m->side,
                              &m->identity, health, err);
    if (m->journal || options->has_side || *health != JOURNAL_MISSING)
        return m->journal != NULL;
    m->side = SIDE_RECV;
    m->journal = journal_open(recovering->directories->state_dir, recovering->id, m->side,
                              &m->identity, health, err);
    return m->journal != NULL;
}

static bool make_transport(struct recovering *recovering, struct error *err)
{
    struct migration *m = &recovering->m;
    struct transport_options options = { .rsh = recovering->rsh,
                                         .remote_path = recovering->remote_path,
                                         .runtime_dir = m->own_runtime_dir };

    if (!recovering->dest)
        return error_set(err, ERROR_PROTOCOL, "the journal does not say where the VM went");
    if (!tls_way_again(recovering->dest, recovering->options->tls,
                       json_get(journal_find(m->journal, RECORD_BEGIN), "tls"), &recovering->tls,
                       err))
        return false;
    options.tls = recovering->tls;
    recovering->words = peer_words_new(m->loop, recovering->report, target_name(recovering->dest));
    options.errors = peer_words_fd(recovering->words);
    m->transport = transport_new(m->loop, recovering->dest, &options, err);
    return m->transport != NULL;
}

/* What the dead process knew from its command line and its peer's hello. */
static void take_facts(struct recovering *recovering)
{
    struct migration *m = &recovering->m;
    const cJSON *begin = journal_find(m->journal, RECORD_BEGIN);

    recovering->vm = copy_of(begin, m->side == SIDE_SEND ? "source_vm" : "vm");
    recovering->dest = copy_of(begin, "dest");
    recovering->rsh = copy_of(begin, "rsh");
    recovering->remote_path = copy_of(begin, "remote_path");
    recovering->migration_options.vm.mirrors_disks = json_true(begin, "mirrors_disks");
    m->vm = recovering->vm;
    snprintf(m->token, sizeof(m->token), "%s", json_string_or(begin, "token", ""));
    snprintf(m->peer_machine, sizeof(m->peer_machine), "%s",
             json_string_or(begin, "peer_machine", ""));
}

/* False: *outcome says why not. */
static bool open_migration(struct recovering *recovering, enum outcome *outcome, struct error *err)
{
    struct migration *m = &recovering->m;
    enum journal_health health = JOURNAL_MISSING;

    *outcome = OUTCOME_LOCAL_ERROR;
    if (!identity_read(&m->identity, err) ||
        !find_id(recovering->directories->state_dir, &m->identity, recovering->options->id,
                 recovering->id, err))
        return false;
    if (!open_journal(recovering, &health, err)) {
        if (health == JOURNAL_MISSING)
            return error_set(err, ERROR_REFUSED, "no migration %s is known in '%s'", recovering->id,
                             recovering->directories->state_dir);
        *outcome = OUTCOME_UNDECIDED;
        return error_prefix(err, "the journal cannot be read, which proves nothing");
    }
    recovering->was_open = !journal_is_finished(m->journal);
    take_facts(recovering);
    if (!migration_set_id(m, recovering->id, err))
        return false;
    report_keep_in(recovering->report, m->own_state_dir, m->side);
    *outcome = OUTCOME_UNDECIDED;
    return m->side == SIDE_RECV || make_transport(recovering, err);
}

static void begin_attempt(struct recovering *recovering)
{
    struct migration *m = &recovering->m;

    recovering->loop = loop_new();
    recovering->migration_options = migration_default_options;
    recovering->migration_options.patience_ms = recovering->options->unattended ? 0 : PATIENCE_MS;
    migration_init(m, SIDE_SEND, recovering->loop, &recovering->migration_options,
                   recovering->directories->state_dir, recovering->directories->runtime_dir);
    m->events = report_sink(recovering->report);
    m->history = report_history(recovering->report);
    m->unattended = recovering->options->unattended;
}

void attempt_end(struct recovering *recovering)
{
    if (recovering->was_open)
        hooks_run(recovering->directories, recovering->id, recovering->m.side, recovering->report);
    migration_done(&recovering->m);
    peer_words_free(steal(recovering->words));
    loop_free(recovering->loop);
    free(recovering->vm);
    free(recovering->dest);
    free(recovering->rsh);
    cJSON_Delete(recovering->tls);
    free(recovering->remote_path);
}

/* ---- telling ---- */

static void print_record(struct recovering *recovering, const cJSON *record)
{
    AUTO_FREE char *line = NULL;
    AUTO_FREE char *blanked = NULL;
    const cJSON *fact;
    size_t size;
    FILE *out = must(open_memstream(&line, &size));

    fprintf(out, "  %s  %-12s", json_string_or(record, "time", "?"),
            json_string_or(record, "record", "?"));
    cJSON_ArrayForEach (fact, record) {
        static const char usual[] = " seq record time machine boot pid token ";
        AUTO_FREE char *value = NULL;
        char name[64];

        snprintf(name, sizeof(name), " %s ", fact->string);
        if (strstr(usual, name))
            continue;
        value = json_print(fact);
        fprintf(out, " %s=%s", fact->string, value);
    }
    if (fclose(out))
        abort();
    blanked = secrets_blanked(line);
    wrap_say(report_words(recovering->report), WRAP_INDENT, "%s", blanked);
}

static void tell_record(struct recovering *recovering, const cJSON *record)
{
    cJSON *body = must(cJSON_CreateObject());
    AUTO_FREE char *text = json_print(record);
    AUTO_FREE char *blanked = secrets_blanked(text);
    cJSON *copy = must(json_parse_object(blanked, strlen(blanked), NULL));

    cJSON_DeleteItemFromObjectCaseSensitive(copy, "token"); /* it is a secret */
    cJSON_AddStringToObject(body, "side", side_name(recovering->m.side));
    cJSON_AddItemToObject(body, "journal", copy);
    report_json(recovering->report, "journal", body);
}

static void print_journal(struct recovering *recovering)
{
    const struct journal *journal = recovering->m.journal;
    const cJSON *record;

    if (!recovering->options->output.quiet)
        wrap_say(report_words(recovering->report), 0, "The journal %s:", journal_path(journal));
    cJSON_ArrayForEach (record, journal_records(journal)) {
        if (!recovering->options->output.quiet)
            print_record(recovering, record);
        tell_record(recovering, record);
    }
    fflush(report_words(recovering->report));
}

static void print_meaning(struct recovering *recovering)
{
    const struct journal *journal = recovering->m.journal;
    char age[UNITS_TEXT_MAX];

    report_say(recovering->report, "%s%s of '%s', last record %s, %s: %s",
               recovering->options->who ? recovering->options->who : "",
               recovering->m.side == SIDE_SEND ? "source" : "target",
               recovering->vm ? recovering->vm : "?", record_name(journal_last(journal)),
               print_age(age, record_age_ms(newest_record(journal))), journal_meaning(journal));
}

static void describe(struct recovering *recovering, const struct result *result,
                     struct ending *ending)
{
    struct migration *m = &recovering->m;
    struct recovered recovered = {
        .vm = recovering->vm ? recovering->vm : "?",
        .target = recovering->dest ? target_name(recovering->dest) : NULL,
        .id = recovering->id,
        .source = m->journal ? journal_peer(m->journal) : NULL,
        .side = m->side,
        .given_back = m->side == SIDE_RECV && m->verdict == VERDICT_SOURCE,
        .disks_kept = m->journal && journal_last(m->journal) == RECORD_DESTROYED,
    };

    ending_of_recover(ending, result, &recovered);
}

/* ---- settling ---- */

/* A living process has the migration, and will settle it. */
static bool is_at_work(struct recovering *recovering, struct result *result)
{
    AUTO_FREE char *status = NULL;

    if (find_worker(&recovering->m, &status) != WORKER_AT_WORK)
        return false;
    next_step_find(recovering->m.journal, WORKER_AT_WORK, status, &recovering->next);
    result->outcome = OUTCOME_UNDECIDED;
    error_set(&result->error, ERROR_REFUSED, "%s: nothing was touched", status);
    return true;
}

static void say_at_work(const struct recovering *recovering, struct ending *ending)
{
    const struct migration *m = &recovering->m;

    snprintf(ending->text, sizeof(ending->text), "it is still under way");
    next_step_print(&recovering->next, journal_peer(m->journal), m->side, ending->next,
                    sizeof(ending->next));
}

bool attempt_is_open(const struct result *result)
{
    return result->outcome == OUTCOME_UNDECIDED || result->outcome == OUTCOME_PAUSED;
}

static void settle(struct recovering *recovering, bool confirmed, struct result *result)
{
    struct migration *m = &recovering->m;
    struct recover_options options = recovering->options->recover;
    struct error err = { 0 };

    options.peer_is_dead &= confirmed;
    options.word = confirmed || recovering->options->yes;

    if (m->side == SIDE_SEND && !m->unattended && !journal_is_finished(m->journal) &&
        !transport_open(m->transport, &err))
        report_say(recovering->report, "warning: %s", err.text);
    recover_run(m, &options, result);
}

/* Does only a person's word lead further? */
static bool needs_a_word(const struct recovering *recovering, const struct result *result)
{
    return recovering->options->recover.peer_is_dead ? attempt_is_open(result) : result->unproven;
}

/* First without the operator's word: where the machines can settle it, it is not needed. */
bool attempt(struct recovering *recovering, bool confirmed, struct ending *ending)
{
    struct result result = { 0 };
    bool opened, undecided = false;

    begin_attempt(recovering);
    opened = open_migration(recovering, &result.outcome, &result.error);
    recovering->at_work = opened && is_at_work(recovering, &result);
    if (opened && !recovering->at_work) {
        if (!confirmed)
            print_meaning(recovering);
        if (recovering->options->recover.peer_is_dead)
            recovering->migration_options.patience_ms = 0;
        settle(recovering, confirmed, &result);
        undecided = needs_a_word(recovering, &result);
    }
    if (recovering->m.journal)
        describe(recovering, &result, ending);
    else
        ending_of_failure(ending, result.outcome, &result.error);
    if (recovering->at_work)
        say_at_work(recovering, ending);
    return undecided;
}

static void show_journal_if_due(struct recovering *recovering, const struct ending *ending)
{
    bool undecided_here =
        ending->result.outcome == OUTCOME_UNDECIDED && recovering->m.side == SIDE_RECV;

    if (recovering->m.journal && (undecided_here || recovering->options->output.verbose))
        print_journal(recovering);
}

int attempt_finish(struct recovering *recovering, struct ending *ending)
{
    int status;

    show_journal_if_due(recovering, ending);
    if (recovering->words)
        peer_words_print(recovering->words);
    status = report_end(recovering->report, ending); /* it borrows from the attempt */
    attempt_end(recovering);
    return status;
}
