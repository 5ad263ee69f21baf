/* The lines of --json. docs/man/xmig-json.5 promises what is in them: change both together. */
#include "report-json.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "printable.h"
#include "xmig/cleanup.h"

enum {
    SCHEMA = 1,
    PROGRESS_MS = 1000
};

static const char *const types[] = {
    [EVENT_STAGE_BEGIN] = "stage-begin",
    [EVENT_STAGE_END] = "stage-end",
    [EVENT_UNDO] = "undo",
    [EVENT_PROGRESS] = "progress",
    [EVENT_RECORD] = "record",
    [EVENT_NOTE] = "note",
    [EVENT_WARNING] = "warning",
    [EVENT_DEBUG] = "debug",
    [EVENT_DOWNTIME] = "downtime",
};

void print_timestamp(char text[32])
{
    struct timespec now;
    struct tm utc;
    size_t len;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    len = strftime(text, 32, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + len, 32 - len, ".%03dZ", (int)(now.tv_nsec / 1000000));
}

char *json_line(cJSON *line, const char *type, cJSON *body)
{
    AUTO_JSON cJSON *members = body;
    AUTO_FREE char *raw = NULL;
    char now[32];

    print_timestamp(now);
    cJSON_AddStringToObject(line, "time", now);
    cJSON_AddStringToObject(line, "type", type);
    while (members && members->child) {
        cJSON *member = cJSON_DetachItemViaPointer(members, members->child);

        cJSON_AddItemToObject(line, member->string, member);
    }
    raw = json_print(line);
    return printable_json(raw);
}

void json_report_line(struct json_report *json, const char *type, cJSON *body)
{
    AUTO_JSON cJSON *line = must(cJSON_CreateObject());
    AUTO_FREE char *text = NULL;

    json_add_uint(line, "schema", SCHEMA);
    json_add_uint(line, "seq", json->seq++);
    text = json_line(line, type, body);
    fprintf(json->out, "%s\n", text);
    fflush(json->out); /* a reader that has gone is no reason to stop */
}

static void add_text(cJSON *body, const char *name, const char *text)
{
    if (text)
        cJSON_AddStringToObject(body, name, text);
}

void json_add_progress(cJSON *body, const struct transfer *transfer)
{
    uint64_t left_ms = transfer_left_ms(transfer);

    json_add_uint(body, "done", transfer->done);
    json_add_uint(body, "total", transfer->total);
    json_add_uint(body, "rate", transfer->rate);
    if (left_ms)
        json_add_uint(body, "left_ms", left_ms);
    if (transfer->sent)
        json_add_uint(body, "sent", transfer->sent);
    if (transfer->dirty_rate)
        json_add_uint(body, "dirty_rate", transfer->dirty_rate);
}

/* Is a line of progress due? Mirrors are asked several times a second, too often for lines; the
 * first and the last sample of a subject always get one.
 */
static bool is_due(struct json_report *json, size_t i, const struct transfer *transfer,
                   uint64_t now_ms)
{
    bool complete = transfer->grew && transfer->done >= transfer->total;

    if (json->told_ms[i] && !complete && now_ms - json->told_ms[i] < PROGRESS_MS)
        return false;
    json->told_ms[i] = now_ms;
    return true;
}

const char *json_event_type(const struct event *event)
{
    return types[event->kind];
}

cJSON *json_of_event(const struct event *event)
{
    cJSON *body = must(cJSON_CreateObject());

    add_text(body, "stage", event->stage);
    add_text(body, "subject", event->subject);
    add_text(body, event->kind == EVENT_RECORD ? "record" : "text", event->text);
    if (event->kind == EVENT_STAGE_END || event->kind == EVENT_DOWNTIME)
        json_add_uint(body, "elapsed_ms", event->elapsed_ms);
    return body;
}

void json_report_event(struct json_report *json, const struct event *event,
                       const struct transfers *transfers, const struct transfer *transfer,
                       uint64_t now_ms)
{
    cJSON *body;

    if (event->kind == EVENT_PROGRESS &&
        (!transfer || !is_due(json, (size_t)(transfer - transfers->list), transfer, now_ms)))
        return;
    body = json_of_event(event);
    if (event->kind == EVENT_PROGRESS)
        json_add_progress(body, transfer);
    json_report_line(json, types[event->kind], body);
}

static void add_or_null(cJSON *body, const char *name, const char *text)
{
    if (text && *text)
        cJSON_AddStringToObject(body, name, text);
    else
        cJSON_AddNullToObject(body, name);
}

static void add_error(cJSON *body, const struct error *error)
{
    cJSON *object;

    if (error->kind == ERROR_NONE) {
        cJSON_AddNullToObject(body, "error");
        return;
    }
    object = cJSON_AddObjectToObject(body, "error");
    cJSON_AddStringToObject(object, "kind", error_kind_name(error->kind));
    cJSON_AddStringToObject(object, "text", error->text);
}

static void add_transfers(cJSON *body, const struct transfers *transfers)
{
    cJSON *list = must(cJSON_AddArrayToObject(body, "transfers"));

    for (size_t i = 0; i < transfers->count; i++) {
        const struct transfer *transfer = &transfers->list[i];
        cJSON *object = json_new("subject", transfer->subject);

        json_add_uint(object, "done", transfer->done);
        json_add_uint(object, "total", transfer->total);
        if (transfer->sent)
            json_add_uint(object, "sent", transfer->sent);
        cJSON_AddItemToArray(list, object);
    }
}

static void add_what_became_of_the_vm(cJSON *body, const struct ending *ending,
                                      const struct transfers *transfers)
{
    static const struct transfers none;
    const struct result *result = &ending->result;

    transfers = transfers ? transfers : &none;
    add_or_null(body, "id", ending->id);
    add_or_null(body, "vm", ending->vm);
    cJSON_AddStringToObject(body, "where", place_name(ending->where));
    cJSON_AddStringToObject(body, "state", run_state_name(result->state));
    add_or_null(body, "stage", result->stage);
    if (ending->refusals)
        cJSON_AddItemToObject(body, "refusals", cJSON_Duplicate(ending->refusals, true));
    json_add_uint(body, "elapsed_ms", result->elapsed_ms);
    json_add_uint(body, "downtime_ms", result->downtime_ms);
    json_add_uint(body, "bytes", transfers_sum(transfers));
    add_transfers(body, transfers);
    add_or_null(body, "text", ending->text);
    add_or_null(body, "next", ending->next);
}

cJSON *json_of_ending(const struct ending *ending, const struct transfers *transfers)
{
    cJSON *body = json_new("outcome", outcome_name((enum outcome)ending->status));

    json_add_uint(body, "status", (uint64_t)ending->status);
    add_error(body, &ending->result.error);
    if (!ending->no_vm) {
        add_what_became_of_the_vm(body, ending, transfers);
        return body;
    }
    add_text(body, "text", ending->text[0] ? ending->text : NULL);
    add_text(body, "next", ending->next[0] ? ending->next : NULL);
    return body;
}

void json_report_result(struct json_report *json, const struct ending *ending,
                        const struct transfers *transfers)
{
    json_report_line(json, "result", json_of_ending(ending, transfers));
}
