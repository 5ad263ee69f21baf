/* Turns events into lines for people, JSON for programs, the log and the history. */
#include "report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "drawing.h"
#include "history.h"
#include "log.h"
#include "report-json.h"
#include "transfers.h"
#include "wrap.h"
#include "xmig/units.h"
#include "xmig/cleanup.h"
#include "xmig/stage.h"
#include "xmig/text.h"

enum {
    DRAW_MS = 200, /* a terminal is drawn anew at most so often */
    PLAN_INDENT = 20,
    LINE_MS = 5000,    /* elsewhere a line of progress comes at most so often */
    LOG_MS = 30000,    /* and in the log */
    DOWNTIME_PARTS = 8 /* pause, drain, ram, handshake, resume; a host may know more */
};

struct report {
    const char *name;
    const struct output_options *output;
    FILE *errors;
    FILE *out;
    bool draws;
    struct drawing drawing;
    struct json_report json;
    struct log log;
    struct history history;
    struct transfers transfers;
    struct transfer all; /* of them, for the drawing */
    uint64_t ram;        /* that will be moved at the end; 0: not known */
    char stage[32];      /* now running; "" */
    char warned[ERROR_TEXT_MAX];
    uint64_t drawn_ms, told_ms, logged_ms;
    struct downtime {
        char subject[16];
        uint64_t ms;
    } downtime[DOWNTIME_PARTS];
    size_t downtime_count;
    bool within_line; /* of what another program says */
};

/* ---- people ---- */

/* Remove what is drawn. When another program has begun a line, end that line first, so that ours
 * begins on its own.
 */
static void erase(struct report *report)
{
    if (report->within_line)
        fputc('\n', report->errors);
    else if (report->draws)
        drawing_erase(&report->drawing);
    report->within_line = false;
}

static void draw_transfer(struct report *report, const struct transfer *transfer)
{
    AUTO_FREE char *text = transfer_text(transfer);
    char line[256];

    snprintf(line, sizeof(line), "  %-10s %s", transfer->subject, text);
    drawing_line(&report->drawing, line);
}

static void draw(struct report *report)
{
    const struct stage *stage = stage_find(report->stage);
    char line[256];

    if (!report->draws || report->output->quiet || report->within_line)
        return;
    drawing_erase(&report->drawing);
    if (stage) {
        snprintf(line, sizeof(line), "%s: %s ...", stage->name, stage->summary);
        drawing_line(&report->drawing, line);
    }
    for (size_t i = 0; stage && i < report->transfers.count; i++)
        draw_transfer(report, &report->transfers.list[i]);
    if (stage && report->transfers.count) {
        transfers_add_up(&report->transfers, report->ram, &report->all, loop_now_ms());
        draw_transfer(report, &report->all);
    }
    fflush(report->errors);
}

/* Print a line for people, broken between words on a terminal. */
static void say(struct report *report, const char *text)
{
    wrap_say(report->errors, WRAP_INDENT, "%s: %s", report->name, text);
}

/* Print a line that stays, above what is drawn over. */
static void print_line(struct report *report, const char *text)
{
    erase(report);
    say(report, text);
    draw(report);
    fflush(report->errors);
}

static char *progress_line(const struct report *report)
{
    char *line = NULL;
    size_t size;
    FILE *out = must(open_memstream(&line, &size));

    for (size_t i = 0; i < report->transfers.count; i++) {
        AUTO_FREE char *text = transfer_text(&report->transfers.list[i]);

        fprintf(out, "%s%s: %s", i ? "; " : "", report->transfers.list[i].subject, text);
    }
    if (fclose(out))
        abort();
    return line;
}

static bool is_due(uint64_t *told_ms, uint64_t interval_ms, uint64_t now_ms)
{
    if (*told_ms && now_ms - *told_ms < interval_ms)
        return false;
    *told_ms = now_ms;
    return true;
}

static void tell_progress(struct report *report, uint64_t now_ms)
{
    AUTO_FREE char *line = NULL;

    if (is_due(&report->logged_ms, LOG_MS, now_ms)) {
        line = progress_line(report);
        log_line(&report->log, line);
    }
    if (report->draws && is_due(&report->drawn_ms, DRAW_MS, now_ms))
        draw(report);
    if (report->draws || report->output->quiet || report->output->progress == PROGRESS_NEVER ||
        !is_due(&report->told_ms, LINE_MS, now_ms))
        return;
    free(line);
    line = progress_line(report);
    print_line(report, line);
}

/* The event as a line for people; NULL: the drawing shows the event. The caller frees the line. */
static char *event_line(const struct event *event)
{
    const struct stage *stage = event->stage ? stage_find(event->stage) : NULL;
    char elapsed[UNITS_TEXT_MAX];

    switch (event->kind) {
    case EVENT_STAGE_BEGIN:
        return formatted("%s: %s", event->stage, stage ? stage->summary : "begun");
    case EVENT_STAGE_END:
        return formatted("%s: done in %s", event->stage, print_time(elapsed, event->elapsed_ms));
    case EVENT_UNDO:
        return formatted("undoing %s", event->stage);
    case EVENT_RECORD:
        return formatted("the journal says %s", event->text);
    case EVENT_WARNING:
        return formatted("warning: %s", event->text);
    case EVENT_NOTE:
    case EVENT_DEBUG:
        return must(strdup(event->text));
    case EVENT_DOWNTIME:
        return formatted("downtime: %s took %s", event->subject,
                         print_time(elapsed, event->elapsed_ms));
    case EVENT_PROGRESS:
        break;
    }
    return NULL;
}

static bool is_for_people(const struct report *report, const struct event *event)
{
    if (report->output->quiet)
        return event->kind == EVENT_WARNING;
    switch (event->kind) {
    case EVENT_STAGE_BEGIN:
        return !report->draws; /* the drawing names it */
    case EVENT_RECORD:
    case EVENT_DEBUG:
    case EVENT_DOWNTIME:
        return report->output->verbose;
    default:
        return true;
    }
}

/* Report a warning once in a row: retries to reach a dead host repeat it. */
static bool is_repetition(struct report *report, const struct event *event)
{
    if (event->kind != EVENT_WARNING)
        return false;
    if (!strcmp(report->warned, event->text))
        return true;
    snprintf(report->warned, sizeof(report->warned), "%s", event->text);
    return false;
}

static void tell_line(struct report *report, const struct event *event)
{
    AUTO_FREE char *line = event_line(event);

    if (is_repetition(report, event))
        return;
    log_line(&report->log, line);
    history_event(&report->history, event, &report->transfers, NULL);
    if (is_for_people(report, event))
        print_line(report, line);
}

/* ---- events ---- */

static void remember_stage(struct report *report, const struct event *event)
{
    if (event->kind == EVENT_STAGE_BEGIN)
        snprintf(report->stage, sizeof(report->stage), "%s", event->stage);
    else if (event->kind == EVENT_STAGE_END || event->kind == EVENT_UNDO)
        report->stage[0] = '\0';
}

static void remember_downtime(struct report *report, const struct event *event)
{
    struct downtime *part = &report->downtime[report->downtime_count];

    if (event->kind != EVENT_DOWNTIME || report->downtime_count == DOWNTIME_PARTS)
        return;
    snprintf(part->subject, sizeof(part->subject), "%s", event->subject);
    part->ms = event->elapsed_ms;
    report->downtime_count++;
}

/* Take a sample of progress. `told` is what the source has measured, when this is the target; else
 * NULL.
 */
static void take_progress(struct report *report, const struct event *event, const cJSON *told)
{
    uint64_t now_ms = loop_now_ms();
    struct transfer *transfer = transfers_update(&report->transfers, event, now_ms);

    if (transfer && json_uint_or(told, "rate", 0)) {
        transfer->rate = json_uint_or(told, "rate", 0);
        transfer_set_left(transfer, json_uint_or(told, "left_ms", 0));
    }
    if (report->output->json)
        json_report_event(&report->json, event, &report->transfers, transfer, now_ms);
    history_event(&report->history, event, &report->transfers, transfer);
    tell_progress(report, now_ms);
}

static void on_event(void *arg, const struct event *event)
{
    struct report *report = arg;

    if (event->kind == EVENT_PROGRESS) {
        take_progress(report, event, NULL);
        return;
    }
    remember_stage(report, event);
    remember_downtime(report, event);
    if (report->output->json)
        json_report_event(&report->json, event, &report->transfers, NULL, loop_now_ms());
    tell_line(report, event);
    if (event->kind == EVENT_STAGE_BEGIN)
        draw(report);
}

/* ---- the peer's progress ---- */

/* Only the source knows how far a move is, and only the target how much has arrived: each tells the
 * other.
 */
static cJSON *tell_progress_there(void *arg)
{
    const struct report *report = arg;
    cJSON *transfers = report->transfers.count ? must(cJSON_CreateArray()) : NULL;

    for (size_t i = 0; i < report->transfers.count; i++) {
        cJSON *transfer = json_new("subject", report->transfers.list[i].subject);

        json_add_progress(transfer, &report->transfers.list[i]);
        cJSON_AddItemToArray(transfers, transfer);
    }
    return transfers;
}

static void hear_one(struct report *report, const cJSON *told)
{
    const struct event event = { .kind = EVENT_PROGRESS,
                                 .subject = json_string_or(told, "subject", ""),
                                 .done = json_uint_or(told, "done", 0),
                                 .total = json_uint_or(told, "total", 0),
                                 .sent = json_uint_or(told, "sent", 0),
                                 .dirty_rate = json_uint_or(told, "dirty_rate", 0) };

    if (cJSON_HasObjectItem(told, "done"))
        take_progress(report, &event, told);
    else
        transfers_note_sent(&report->transfers, event.subject, event.sent);
}

static void hear_progress_there(void *arg, const cJSON *transfers)
{
    const cJSON *told;

    cJSON_ArrayForEach (told, transfers)
        hear_one(arg, told);
}

/* ---- the end ---- */

static void add_downtime(FILE *out, const struct report *report, const struct result *result)
{
    char text[UNITS_TEXT_MAX];

    if (!result->downtime_ms)
        return;
    fprintf(out, ", with %s of downtime", print_time(text, result->downtime_ms));
    for (size_t i = 0; i < report->downtime_count; i++)
        fprintf(out, "%s%s %s", i ? ", " : " (", report->downtime[i].subject,
                print_time(text, report->downtime[i].ms));
    if (report->downtime_count)
        fputc(')', out);
}

/* "It took 12.3 s, with 84 ms of downtime (pause 1 ms, ...); 24.0 GiB were moved." */
static char *account(const struct report *report, const struct result *result)
{
    uint64_t bytes = transfers_sum(&report->transfers);
    char elapsed[UNITS_TEXT_MAX], size[UNITS_TEXT_MAX];
    char *text = NULL;
    size_t len;
    FILE *out = must(open_memstream(&text, &len));

    fprintf(out, "it took %s", print_time(elapsed, result->elapsed_ms));
    add_downtime(out, report, result);
    if (bytes)
        fprintf(out, "; %s were moved", print_size(size, bytes));
    if (fclose(out))
        abort();
    return text;
}

/* Print a failure even with --quiet. */
static void end_line(struct report *report, bool is_error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void end_line(struct report *report, bool is_error, const char *format, ...)
{
    AUTO_FREE char *line = NULL;
    va_list args;

    va_start(args, format);
    line = vformatted(format, args);
    va_end(args);
    log_line(&report->log, line);
    if (is_error || !report->output->quiet)
        say(report, line);
}

/* Print each refusal with the host that it is about. A refusal about the way between the hosts
 * names none.
 */
static void end_refusals(struct report *report, const struct ending *ending)
{
    const cJSON *refusal;

    cJSON_ArrayForEach (refusal, ending->refusals) {
        const char *side = json_string_or(refusal, "side", "");
        bool is_there = !strcmp(side, side_name(SIDE_RECV));

        end_line(report, true, "%s%s%s%s", is_there ? "on " : "",
                 is_there ? ending->target
                 : *side  ? "here"
                          : "",
                 *side ? ": " : "", json_string_or(refusal, "text", "?"));
    }
}

static void end_for_people(struct report *report, const struct ending *ending)
{
    const struct result *result = &ending->result;
    bool failed = ending->status != 0;

    report->stage[0] = '\0';
    erase(report);
    if (ending->refusals)
        end_refusals(report, ending);
    else if (result->error.kind != ERROR_NONE)
        end_line(report, failed, "%s", result->error.text);
    end_line(report, failed, "%s", ending->text);
    if (ending->moved) {
        AUTO_FREE char *text = account(report, result);

        end_line(report, false, "%s", text);
    }
    if (ending->next[0])
        end_line(report, failed, "next: %s", ending->next);
    fflush(report->errors);
}

int report_end(struct report *report, const struct ending *ending)
{
    end_for_people(report, ending);
    history_line(&report->history, "result", json_of_ending(ending, &report->transfers));
    if (report->output->json)
        json_report_result(&report->json, ending, &report->transfers);
    return ending->status;
}

/* ---- plans ---- */

static void print_plan(FILE *out, const cJSON *plans, enum side side)
{
    const char *at = "";
    const cJSON *step;

    fprintf(out, "%s:\n", side == SIDE_SEND ? "The source" : "The target");
    cJSON_ArrayForEach (step, plans) {
        const char *stage = json_string_or(step, "stage", "");

        if (strcmp(json_string_or(step, "side", ""), side_name(side)))
            continue;
        wrap_say(out, PLAN_INDENT, "  %-18s%s", strcmp(stage, at) ? stage : "",
                 json_string_or(step, "text", ""));
        at = stage;
    }
}

void report_plans(struct report *report, const cJSON *plans)
{
    const cJSON *step;

    erase(report);
    if (!report->output->json || !report->output->quiet) {
        print_plan(report_words(report), plans, SIDE_SEND);
        print_plan(report_words(report), plans, SIDE_RECV);
        fflush(report_words(report));
    }
    cJSON_ArrayForEach (step, plans)
        report_json(report, "plan", cJSON_Duplicate(step, true));
}

/* ---- what the commands say themselves ---- */

void report_say(struct report *report, const char *format, ...)
{
    AUTO_FREE char *line = NULL;
    va_list args;

    va_start(args, format);
    line = vformatted(format, args);
    va_end(args);
    log_line(&report->log, line);
    if (!report->output->quiet)
        print_line(report, line);
}

void report_doing(struct report *report, const char *format, ...)
{
    AUTO_FREE char *line = NULL;
    va_list args;

    if (!report->draws || report->output->quiet)
        return;
    va_start(args, format);
    line = vformatted(format, args);
    va_end(args);
    say(report, line);
    fflush(report->errors);
}

void report_pass_on(struct report *report, const char *from, const char *text)
{
    if (*text && !report->within_line)
        erase(report);
    while (*text) {
        size_t len = strcspn(text, "\n");

        if (!report->within_line)
            fprintf(report->errors, "%s: ", from);
        fwrite(text, 1, len, report->errors);
        report->within_line = text[len] == '\0';
        if (!report->within_line)
            fputc('\n', report->errors);
        text += len + !report->within_line;
    }
    draw(report);
    fflush(report->errors);
}

void report_expect_ram(struct report *report, uint64_t bytes)
{
    report->ram = bytes;
}

void report_json(struct report *report, const char *type, cJSON *body)
{
    history_line(&report->history, type, cJSON_Duplicate(body, true));
    if (report->output->json)
        json_report_line(&report->json, type, body);
    else
        cJSON_Delete(body);
}

FILE *report_words(const struct report *report)
{
    return report->output->json ? report->errors : report->out;
}

static bool can_draw(const struct output_options *output, FILE *errors)
{
    const char *terminal = getenv("TERM");

    if (output->progress == PROGRESS_AUTO)
        return isatty(fileno(errors)) && terminal && strcmp(terminal, "dumb");
    return output->progress == PROGRESS_ALWAYS;
}

struct report *report_new(const char *name, const struct output_options *output, FILE *out,
                          FILE *errors)
{
    struct report *report = must(calloc(1, sizeof(*report)));

    report->name = name;
    report->output = output;
    report->out = out;
    report->errors = errors;
    report->draws = can_draw(output, errors);
    report->drawing.out = errors;
    report->json.out = out;
    log_init(&report->log);
    history_init(&report->history);
    return report;
}

void report_free(struct report *report)
{
    if (!report)
        return;
    log_done(&report->log);
    history_done(&report->history);
    free(report);
}

void report_keep_in(struct report *report, const char *directory, enum side side)
{
    AUTO_FREE char *path = formatted("%s/%s.log", directory, side_name(side));

    log_place(&report->log, path);
    history_place(&report->history, directory, side);
}

struct event_sink report_sink(struct report *report)
{
    return (struct event_sink){ on_event, report };
}

struct session_history report_history(struct report *report)
{
    struct session_history history = history_shared(&report->history);

    history.tell_progress = tell_progress_there;
    history.hear_progress = hear_progress_there;
    history.report = report;
    return history;
}

cJSON *report_lines(struct report *report)
{
    return history_lines(&report->history);
}
