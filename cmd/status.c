/* xmig status: how far a move is, from its journal, its history and the process that does it. */
#include "command.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "drawing.h"
#include "history.h"
#include "migration-view.h"
#include "option-syntax.h"
#include "report-json.h"
#include "report.h"
#include "transfers.h"
#include "wrap.h"
#include "pipeline/commit/guardian.h"
#include "xmig/cleanup.h"
#include "xmig/stage.h"
#include "xmig/text.h"
#include "xmig/units.h"

static const char help_text[] =
    "usage: xmig status [--follow] [--json] [ID|VM]\n"
    "\n"
    "Shows how far a move is, on either host: its stage, how much of each disk and of RAM has\n"
    "been sent and how fast, how long the rest takes, and how long the VM may stand still.\n"
    "Without ID or VM: all moves of this host that are not finished.\n"
    "\n"
    "      --follow  go on until the move has ended; the exit status is 0 when the VM was moved,\n"
    "                4 when it stayed at the source, 6 when that is undecided, 8 when it runs\n"
    "                nowhere\n"
    "      --json    for programs: see xmig-json(5)\n"
    "  -h, --help    this text\n";

enum {
    INDENT = 6,
    STEP_MS = 1000, /* a process writes its history about this often */
    LINE_STEPS = 5  /* without a terminal, one look in so many gets a line */
};

struct status_options {
    bool help;
    bool json;
    bool follow;
    const char *which;
};

struct watching {
    const struct status_options *options;
    struct report *report;
    struct drawing drawing;
    bool draws;
    size_t count;
    size_t steps;
    char *shown; /* what was shown last */
    char id[17]; /* the one to follow */
};

/* ---- what its history tells ---- */

struct progress {
    char stage[32]; /* "": no stage has begun */
    struct transfers transfers;
    uint64_t max_downtime_ms, max_pause_ms; /* 0: no limit, or this host does not know it */
};

static void take_transfer(struct transfers *transfers, const cJSON *line)
{
    const char *subject = json_string_or(line, "subject", "");
    struct transfer *transfer = transfers->list;

    while (transfer < transfers->list + transfers->count && strcmp(transfer->subject, subject))
        transfer++;
    if (transfer == transfers->list + TRANSFERS_MAX)
        return;
    *transfer = (struct transfer){ .done = json_uint_or(line, "done", 0),
                                   .total = json_uint_or(line, "total", 0),
                                   .rate = json_uint_or(line, "rate", 0),
                                   .sent = json_uint_or(line, "sent", 0) };
    snprintf(transfer->subject, sizeof(transfer->subject), "%s", subject);
    transfer_set_left(transfer, json_uint_or(line, "left_ms", 0));
    transfers->count += transfer == transfers->list + transfers->count;
}

static void read_progress(const struct migration_view *view, struct progress *progress)
{
    AUTO_JSON cJSON *lines = history_read(view->m.own_state_dir, view->m.side);
    const cJSON *line;

    *progress = (struct progress){ 0 };
    cJSON_ArrayForEach (line, lines) {
        const char *type = json_string_or(line, "type", "");

        if (!strcmp(type, "progress"))
            take_transfer(&progress->transfers, line);
        else if (!strcmp(type, "stage-begin"))
            snprintf(progress->stage, sizeof(progress->stage), "%s",
                     json_string_or(line, "stage", ""));
        progress->max_downtime_ms =
            json_uint_or(line, "max_downtime_ms", progress->max_downtime_ms);
        progress->max_pause_ms = json_uint_or(line, "max_pause_ms", progress->max_pause_ms);
    }
}

/* The stage's number in the catalog, from 1; 0: no such stage. */
static size_t stage_number(const char *name)
{
    for (size_t i = 0; stage_catalog[i]; i++)
        if (!strcmp(stage_catalog[i]->name, name))
            return i + 1;
    return 0;
}

static size_t stage_count(void)
{
    size_t count = 0;

    while (stage_catalog[count])
        count++;
    return count;
}

/* ---- telling it ---- */

static void say_stage(FILE *out, const struct migration_view *view, const struct progress *progress)
{
    const struct stage *stage = stage_find(progress->stage);

    if (stage && view->worker == WORKER_AT_WORK)
        fprintf(out, "    %s (%zu of %zu): %s\n", stage->name, stage_number(stage->name),
                stage_count(), stage->summary);
    fprintf(out, "    %s\n", journal_meaning(view->m.journal));
    if (view->worker == WORKER_AT_WORK)
        fprintf(out, "    %s\n", view->status);
    else if (view->worker == WORKER_SILENT)
        fprintf(out, "    process %d holds it and does not answer\n", worker_pid(&view->m));
    else if (!journal_is_finished(view->m.journal))
        fprintf(out, "    no process is at work on it; 'xmig list %s' says what to do\n",
                view->m.id);
}

static void say_transfers(FILE *out, const struct progress *progress)
{
    char aim[UNITS_TEXT_MAX], most[UNITS_TEXT_MAX];

    for (size_t i = 0; i < progress->transfers.count; i++) {
        AUTO_FREE char *text = transfer_text(&progress->transfers.list[i]);

        fprintf(out, "    %-10s %s\n", progress->transfers.list[i].subject, text);
    }
    if (!progress->max_downtime_ms)
        return;
    fprintf(out, "    pause      aim %s", print_time(aim, progress->max_downtime_ms));
    if (progress->max_pause_ms)
        fprintf(out, ", undone after %s", print_time(most, progress->max_pause_ms));
    fprintf(out, "\n");
}

/* The status as lines for a person. The caller frees the text. */
static char *words_of(const struct migration_view *view, const struct progress *progress)
{
    const enum side side = view->m.side;
    char *text = NULL;
    size_t size;
    FILE *out = must(open_memstream(&text, &size));

    fprintf(out, "%s  %s  '%s' %s %s: %s\n", view->m.id, side_name(side), view_vm(view),
            side == SIDE_SEND ? "to" : "from", view_peer(view),
            record_name(journal_last(view->m.journal)));
    say_stage(out, view, progress);
    if (!journal_is_finished(view->m.journal))
        say_transfers(out, progress);
    if (fclose(out))
        abort();
    return text;
}

static void show_words(struct watching *watching, char *text)
{
    char *line;

    if (watching->draws)
        drawing_erase(&watching->drawing);
    while ((line = strsep(&text, "\n")))
        if (*line && watching->draws)
            drawing_line(&watching->drawing, line);
        else if (*line)
            wrap_say(stdout, INDENT, "%s", line);
    fflush(stdout);
}

static cJSON *json_of(const struct migration_view *view, const struct progress *progress)
{
    static const char *const workers[] = {
        [WORKER_NONE] = "none", [WORKER_AT_WORK] = "at-work", [WORKER_SILENT] = "silent"
    };
    cJSON *body = must(cJSON_CreateObject());
    cJSON *transfers = must(cJSON_AddArrayToObject(body, "transfers"));

    cJSON_AddStringToObject(body, "id", view->m.id);
    cJSON_AddStringToObject(body, "side", side_name(view->m.side));
    cJSON_AddStringToObject(body, "vm", view_vm(view));
    cJSON_AddStringToObject(body, "record", record_name(journal_last(view->m.journal)));
    cJSON_AddStringToObject(body, "meaning", journal_meaning(view->m.journal));
    cJSON_AddStringToObject(body, "process", workers[view->worker]);
    if (progress->stage[0])
        cJSON_AddStringToObject(body, "stage", progress->stage);
    for (size_t i = 0; i < progress->transfers.count; i++) {
        cJSON *transfer = json_new("subject", progress->transfers.list[i].subject);

        json_add_progress(transfer, &progress->transfers.list[i]);
        cJSON_AddItemToArray(transfers, transfer);
    }
    if (progress->max_downtime_ms)
        json_add_uint(body, "max_downtime_ms", progress->max_downtime_ms);
    if (progress->max_pause_ms)
        json_add_uint(body, "max_pause_ms", progress->max_pause_ms);
    return body;
}

/* Is `text` worth printing? A status that has not changed is printed once, and progress only now
 * and then.
 */
static bool is_news(struct watching *watching, const char *text)
{
    bool is_due = watching->draws || watching->options->json || watching->steps++ % LINE_STEPS == 0;

    if (!watching->options->follow)
        return true;
    if (watching->shown && (!is_due || !strcmp(watching->shown, text)))
        return false;
    free(watching->shown);
    watching->shown = must(strdup(text));
    return true;
}

static void show(struct watching *watching, const struct migration_view *view)
{
    struct progress progress;
    AUTO_FREE char *text = NULL;

    read_progress(view, &progress);
    text = words_of(view, &progress);
    watching->count++;
    if (!is_news(watching, text))
        return;
    if (watching->options->json)
        report_json(watching->report, "status", json_of(view, &progress));
    else
        show_words(watching, text);
}

/* ---- following one ---- */

static bool has_ended(const struct migration_view *view)
{
    return journal_is_finished(view->m.journal) ||
           (view->worker == WORKER_NONE &&
            !guardian_pid(view->m.state_dir, view->m.id, view->m.side));
}

static void end_of(const struct migration_view *view, struct ending *ending)
{
    enum outcome outcome = journal_outcome(view->m.journal);

    ending->status = (int)outcome;
    ending->where = place_of(outcome);
    ending->no_vm = false;
    snprintf(ending->text, sizeof(ending->text), "migration %s of '%s': %s", view->m.id,
             view_vm(view), journal_meaning(view->m.journal));
    if (!journal_is_finished(view->m.journal))
        snprintf(ending->next, sizeof(ending->next), "xmig recover %s", view->m.id);
}

static bool follow(struct watching *watching, struct ending *ending, struct error *err)
{
    bool ended = false;

    while (!ended) {
        struct migration_view view;
        bool ok = view_open(&view, watching->id, err);

        if (ok)
            show(watching, &view);
        ended = !ok || has_ended(&view);
        if (ok && ended)
            end_of(&view, ending);
        view_done(&view);
        if (!ok)
            return false;
        if (!ended)
            (void)poll(NULL, 0, STEP_MS);
    }
    return true;
}

/* ---- which ---- */

static void on_journal(void *arg, const char *id, enum side side)
{
    struct watching *watching = arg;
    struct migration_view view;

    if (view_open_side(&view, id, side, NULL) && !journal_is_finished(view.m.journal)) {
        if (!watching->options->follow)
            show(watching, &view);
        else if (strcmp(watching->id, id) != 0)
            watching->count++;
        snprintf(watching->id, sizeof(watching->id), "%s", id);
    }
    view_done(&view);
}

static bool find_one(struct watching *watching, struct error *err)
{
    struct migration_view view;
    bool ok = view_open(&view, watching->options->which, err);

    if (ok) {
        snprintf(watching->id, sizeof(watching->id), "%s", view.m.id);
        if (!watching->options->follow)
            show(watching, &view);
    }
    view_done(&view);
    return ok;
}

static bool find_all(struct watching *watching, struct error *err)
{
    struct directories directories;
    bool ok;

    directories_find(&directories);
    ok = journal_list(directories.state_dir, on_journal, watching, err);
    if (ok && !watching->count)
        ok = !watching->options->follow ||
             error_set(err, ERROR_REFUSED, "no move is under way here (%s)", directories.state_dir);
    else if (ok && watching->options->follow && watching->count > 1)
        ok = error_set(err, ERROR_REFUSED, "%zu moves are under way here: name one to follow",
                       watching->count);
    if (ok && !watching->count && !watching->options->json)
        wrap_say(stderr, WRAP_INDENT, "xmig status: no move is under way here (%s)",
                 directories.state_dir);
    directories_done(&directories);
    return ok;
}

static bool watch(struct watching *watching, struct ending *ending, struct error *err)
{
    if (!(watching->options->which ? find_one(watching, err) : find_all(watching, err)))
        return false;
    return !watching->options->follow || follow(watching, ending, err);
}

static int status(const struct status_options *options)
{
    struct output_options output = { .json = options->json, .quiet = !options->follow };
    struct watching watching = { .options = options,
                                 .drawing.out = stdout,
                                 .draws =
                                     options->follow && isatty(STDOUT_FILENO) && !options->json };
    struct ending ending = { .status = OUTCOME_DONE, .no_vm = true };
    struct error err = { 0 };
    int exit_status;

    watching.report = report_new("xmig status", &output, stdout, stderr);
    if (!watch(&watching, &ending, &err)) {
        ending_of_failure(&ending,
                          err.kind == ERROR_REFUSED ? OUTCOME_REFUSED : OUTCOME_LOCAL_ERROR, &err);
        ending.no_vm = true;
    }
    exit_status = report_end(watching.report, &ending);
    report_free(watching.report);
    free(watching.shown);
    return exit_status;
}

#define OPTIONS_OF struct status_options

static bool parse(struct status_options *options, int argc, char *argv[], struct error *err)
{
    static const struct option_row rows[] = {
        FLAG_OPTION("follow", 0, follow),
        FLAG_OPTION("json", 0, json),
        FLAG_OPTION("help", 'h', help),
        { 0 },
    };

    *options = (struct status_options){ 0 };
    return take_all(rows, options, argc, argv, err) &&
           (options->help || take_operand(argc, argv, "ID or VM", true, &options->which, err));
}

int command_status(int argc, char *argv[])
{
    struct status_options options;
    struct error err = { 0 };

    if (!parse(&options, argc, argv, &err))
        return end_with_usage(argc, argv, &err);
    return options.help ? print_help(help_text) : status(&options);
}
