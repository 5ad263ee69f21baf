/* xmig recover: settle a migration whose process has died, and say in words where the VM is. */
#include "command.h"
#include "recover.h"

#include <signal.h>
#include <stdio.h>

#include "earlier.h"
#include "find-id.h"
#include "next.h"
#include "options.h"
#include "places.h"
#include "recover-all.h"
#include "report-json.h"
#include "report.h"
#include "wrap.h"
#include "xmig/units.h"
#include "xmig/cleanup.h"

static const char help_text[] =
    "usage: xmig recover [OPTION...] ID|VM\n"
    "       xmig recover --all [--side SIDE] [--json] [-q]\n"
    "\n"
    "Settles migration ID, which was broken off, as far as that can be done without a guess,\n"
    "and says where the VM is. Run it at the source first: it asks the target. While a process\n"
    "is at work on the migration nothing is touched. 'xmig list' knows the IDs; the beginning of\n"
    "one will do, or the VM's name.\n"
    "\n"
    "      --forward       at the source, whose copy of the VM is dead: the target's complete "
    "copy\n"
    "                      goes on; or, if somebody let that run already, it is to stay\n"
    "      --back          at the source: give the target's copy up; the VM is here, or its disks\n"
    "      --close         you have seen to a VM that died at the target: nothing is left to do;\n"
    "                      its disks stay on both hosts\n"
    "      --peer-is-dead  you know that the other host is dead and that its copy of the VM can\n"
    "                      never run again: only asked for when nothing else settles it\n"
    "      --yes, -y       do not ask for a confirmation\n"
    "      --all           every migration of this host that is not finished, as its guardian "
    "would:\n"
    "                      a line for each; the exit status is the worst\n"
    "      --discard       at the target: delete the complete disks of a copy that was given back\n"
    "      --side SIDE     send or recv, when both sides of the migration are on this host\n"
    "      --json          for programs, on standard output: see xmig-json(5)\n"
    "  -q, --quiet         only warnings and errors\n"
    "  -v, --verbose       every detail, and the journal\n"
    "  -h, --help          this text\n"
    "\n"
    "The exit status says where the VM runs:\n"
    "  0 at the target                  5 at the source, paused\n"
    "  1 the migration is not known     6 still undecided\n"
    "  2 the command makes no sense     7 at the target; something is left to clean up\n"
    "  4 at the source                  8 nowhere\n";

enum {
    PATIENCE_MS = 30000 /* for a target that cannot be reached, or is still at it */
};

/* One attempt; with the operator's word there may be a second one. */
struct recovering {
    const struct recover_command_options *options;
    const struct places *places;
    struct report *report;
    struct loop *loop;
    struct migration m;
    struct migration_options migration_options;
    char id[17];                         /* that options->id means */
    struct next next;                    /* while somebody else is at work */
    bool at_work;                        /* somebody else is */
    char *vm, *dest, *rsh, *remote_path; /* the journal may be read again meanwhile */
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
    m->journal = journal_open(recovering->places->state_dir, recovering->id, m->side, &m->identity,
                              health, err);
    if (m->journal || options->has_side || *health != JOURNAL_MISSING)
        return m->journal != NULL;
    m->side = SIDE_RECV;
    m->journal = journal_open(recovering->places->state_dir, recovering->id, m->side, &m->identity,
                              health, err);
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

static void print_log_path(struct recovering *recovering)
{
    const struct migration *m = &recovering->m;
    AUTO_FREE char *path = NULL;

    if (asprintf(&path, "%s/%s.log", m->own_state_dir, side_name(m->side)) < 0)
        abort();
    report_log_at(recovering->report, path);
}

/* False: *outcome says why not. */
static bool open_migration(struct recovering *recovering, enum outcome *outcome, struct error *err)
{
    struct migration *m = &recovering->m;
    enum journal_health health = JOURNAL_MISSING;

    *outcome = OUTCOME_LOCAL_ERROR;
    if (!identity_read(&m->identity, err) || !find_id(recovering->places->state_dir, &m->identity,
                                                      recovering->options->id, recovering->id, err))
        return false;
    if (!open_journal(recovering, &health, err)) {
        if (health == JOURNAL_MISSING)
            return error_set(err, ERROR_REFUSED, "no migration %s is known in '%s'", recovering->id,
                             recovering->places->state_dir);
        *outcome = OUTCOME_UNDECIDED;
        return error_prefix(err, "the journal cannot be read, which proves nothing");
    }
    take_facts(recovering);
    if (!migration_set_id(m, recovering->id, err))
        return false;
    print_log_path(recovering);
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
                   recovering->places->state_dir, recovering->places->runtime_dir);
    m->events = report_sink(recovering->report);
    m->unattended = recovering->options->unattended;
}

static void end_attempt(struct recovering *recovering)
{
    migration_done(&recovering->m);
    loop_free(recovering->loop);
    free(recovering->vm);
    free(recovering->dest);
    free(recovering->rsh);
    free(recovering->remote_path);
}

/* ---- telling ---- */

static void print_record(struct recovering *recovering, const cJSON *record)
{
    AUTO_FREE char *line = NULL;
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
    wrap_say(report_words(recovering->report), WRAP_INDENT, "%s", line);
}

static void tell_record(struct recovering *recovering, const cJSON *record)
{
    cJSON *body = must(cJSON_CreateObject());
    cJSON *copy = cJSON_Duplicate(record, true);

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

/* Somebody is at it: whoever it is will settle it. */
static bool is_at_work(struct recovering *recovering, struct result *result)
{
    AUTO_FREE char *status = NULL;

    if (find_worker(&recovering->m, &status) != WORKER_AT_WORK)
        return false;
    next_find(recovering->m.journal, WORKER_AT_WORK, status, &recovering->next);
    result->outcome = OUTCOME_UNDECIDED;
    error_set(&result->error, ERROR_REFUSED, "%s: nothing was touched", status);
    return true;
}

static void say_at_work(const struct recovering *recovering, struct ending *ending)
{
    const struct migration *m = &recovering->m;

    snprintf(ending->text, sizeof(ending->text), "it is still under way");
    next_print(&recovering->next, journal_peer(m->journal), m->side, ending->next,
               sizeof(ending->next));
}

static bool is_open(const struct result *result)
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

/* What a person types to be believed; a program says --yes. */
struct word {
    const char *option, *typed, *when;
};

static const struct word word_for_forward = { "--forward", "forward", "it has not run here since" };
static const struct word word_for_close = { "--close", "close", "you have seen to the VM" };
static const struct word word_for_dead = { "--peer-is-dead", "dead",
                                           "the other host can never run it again" };

static const struct word *word_needed(const struct recovering *recovering)
{
    return recovering->options->recover.forward ? &word_for_forward
           : recovering->options->recover.close ? &word_for_close
                                                : &word_for_dead;
}

static void say_what_follows(const struct recovering *recovering, const struct word *word)
{
    const char *vm = recovering->vm ? recovering->vm : "?";
    const char *other = recovering->m.side == SIDE_SEND ? "target" : "source";

    if (word == &word_for_forward)
        wrap_say(stderr, 0,
                 "Nothing here can prove that. What '%s' has done on this host since it was paused "
                 "for the move, if it has run here since, is not in the target's copy and is lost.",
                 vm);
    else if (word == &word_for_close)
        wrap_say(stderr, 0,
                 "'%s' died at the target, and does not run there. If you go on, this migration is "
                 "closed on this host; a paused old copy at the source is ended. All disks stay.",
                 vm);
    else
        wrap_say(stderr, 0,
                 "Nothing else settles this migration. If you go on, '%s' will run on this host, "
                 "whatever has become of it on the %s%s%s. If it runs there too, or ever runs "
                 "there again, two copies write to what is no longer one VM, and one of them is "
                 "lost.",
                 vm, other, recovering->dest ? " " : "", recovering->dest ? recovering->dest : "");
}

static bool is_confirmed(const struct recovering *recovering)
{
    const struct word *word = word_needed(recovering);
    char answer[16] = "";

    if (recovering->options->yes)
        return true;
    say_what_follows(recovering, word);
    fprintf(stderr, "Type '%s' if %s: ", word->typed, word->when);
    return fgets(answer, sizeof(answer), stdin) &&
           !strncmp(answer, word->typed, strlen(word->typed)) &&
           !strcmp(answer + strlen(word->typed), "\n");
}

static void not_confirmed(const struct recovering *recovering, struct ending *ending)
{
    error_set(&ending->result.error, ERROR_CANCELLED,
              "%s was not confirmed: nothing was done on its account",
              word_needed(recovering)->option);
}

/* Does only a person's word lead further? */
static bool needs_a_word(const struct recovering *recovering, const struct result *result)
{
    return recovering->options->recover.peer_is_dead ? is_open(result) : result->unproven;
}

/* First without the operator's word: where the machines can settle it, it is not needed. */
static bool attempt(struct recovering *recovering, bool confirmed, struct ending *ending)
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

static int finish(struct recovering *recovering, struct ending *ending)
{
    int status;

    show_journal_if_due(recovering, ending);
    status = report_end(recovering->report, ending); /* it borrows from the attempt */
    end_attempt(recovering);
    return status;
}

static int run(struct recovering *recovering)
{
    struct recovering again = *recovering;
    struct ending ending;

    if (!attempt(recovering, false, &ending))
        return finish(recovering, &ending);
    report_say(recovering->report, "%s", ending.result.error.text);
    if (!is_confirmed(recovering)) {
        not_confirmed(recovering, &ending);
        return finish(recovering, &ending);
    }
    end_attempt(recovering);
    attempt(&again, true, &ending);
    return finish(&again, &ending);
}

static int recover(const struct recover_command_options *options)
{
    struct places places;
    struct report *report = report_new("xmig recover", &options->output, stdout, stderr);
    struct recovering recovering = { .options = options, .places = &places, .report = report };
    struct ending ending;
    struct error err = { 0 };
    int status;

    signal(SIGPIPE, SIG_IGN);
    if (places_make(&places, &err)) {
        status = run(&recovering);
    } else {
        ending_of_failure(&ending, OUTCOME_LOCAL_ERROR, &err);
        status = report_end(report, &ending);
    }
    report_free(report);
    places_done(&places);
    return status;
}

void recover_silently(const struct places *places, const char *id, struct result *result,
                      bool *finished)
{
    const struct recover_command_options options = {
        .output = { .quiet = true, .progress = PROGRESS_NEVER },
        .id = id,
        .has_side = true,
        .side = SIDE_SEND,
    };
    struct report *report = report_new("xmig", &options.output, stdout, stderr);
    struct recovering recovering = { .options = &options, .places = places, .report = report };
    struct ending ending;

    (void)attempt(&recovering, false, &ending);
    *result = ending.result;
    *finished = recovering.m.journal && journal_is_finished(recovering.m.journal);
    end_attempt(&recovering);
    report_free(report);
}

/* It was heard what the target knows, and that settles nothing. */
static bool needs_a_person(const struct recovering *recovering, const struct result *result)
{
    return (is_open(result) && recovering->m.answered) || result->choice ||
           result->outcome == OUTCOME_NOWHERE;
}

/* What it is like is in the migration's log, besides `told`, and `see` gets it. */
static void run_unattended(const struct places *places,
                           const struct recover_command_options *options, FILE *told,
                           void (*see)(void *arg, const struct recovering *recovering,
                                       const struct ending *ending),
                           void *arg)
{
    struct report *report = report_new("xmig guard", &options->output, told, told);
    struct recovering recovering = { .options = options, .places = places, .report = report };
    struct ending ending;

    (void)attempt(&recovering, false, &ending);
    see(arg, &recovering, &ending);
    (void)finish(&recovering, &ending);
    report_free(report);
}

static void see_need(void *arg, const struct recovering *recovering, const struct ending *ending)
{
    *(bool *)arg = needs_a_person(recovering, &ending->result);
}

enum unattended recover_unattended(const struct places *places, const char *id, enum side side,
                                   bool lease_is_over)
{
    const struct recover_command_options options = {
        .output = { .quiet = true, .progress = PROGRESS_NEVER },
        .id = id,
        .has_side = true,
        .side = side,
        .unattended = true,
        .who = "the guardian: ",
        .recover.lease_is_over = lease_is_over,
    };
    bool needs;

    run_unattended(places, &options, stderr, see_need, &needs);
    return needs ? UNATTENDED_NEEDS_A_PERSON : UNATTENDED_GOES_ON;
}

static void see_ending(void *arg, const struct recovering *recovering, const struct ending *ending)
{
    (void)recovering;
    *(cJSON **)arg = json_of_ending(ending, 0);
}

cJSON *recover_one_of_all(const struct places *places, const char *id, enum side side)
{
    const struct recover_command_options options = {
        .output = { .quiet = true, .progress = PROGRESS_NEVER },
        .id = id,
        .has_side = true,
        .side = side,
        .unattended = true,
        .who = "recover --all: ",
    };
    FILE *nowhere = must(fopen("/dev/null", "we"));
    cJSON *body = NULL;

    run_unattended(places, &options, nowhere, see_ending, &body);
    fclose(nowhere);
    return body;
}

int command_recover(int argc, char *argv[])
{
    struct recover_command_options options;
    struct error err = { 0 };

    if (!parse_recover(&options, argc, argv, &err))
        return end_with_usage(argc, argv, &err);
    if (options.help)
        return print_help(help_text);
    if (options.all)
        return recover_all(&options);
    if (options.recover.peer_is_dead && !options.yes && !isatty(STDIN_FILENO)) {
        error_set(&err, ERROR_REFUSED,
                  "--peer-is-dead needs a terminal to confirm it at, or --yes");
        return end_with_usage(argc, argv, &err);
    }
    return recover(&options);
}
