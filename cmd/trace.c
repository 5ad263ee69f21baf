/* --trace: the events of a trace as chrome://tracing and ui.perfetto.dev read them. */
#include "trace.h"

#include <math.h>

#include "trace-spans.h"
#include "xmig/cleanup.h"

enum {
    STAGES = 1, /* the rows that each host has in the viewer */
    PAUSE,
    WORDS
};

static cJSON *event(const char *phase, const char *name, enum side side, int track)
{
    cJSON *json = json_new("name", name);

    cJSON_AddStringToObject(json, "ph", phase);
    cJSON_AddNumberToObject(json, "pid", side + 1);
    cJSON_AddNumberToObject(json, "tid", track);
    return json;
}

/* Add a time: `ms` of the story as µs since the migration began. */
static void add_time(cJSON *json, const char *name, double ms)
{
    cJSON_AddNumberToObject(json, name, round(ms * 1000));
}

static void name_track(cJSON *events, const char *what, enum side side, int track, const char *name)
{
    cJSON *json = event("M", what, side, track);

    cJSON_AddStringToObject(cJSON_AddObjectToObject(json, "args"), "name", name);
    cJSON_AddItemToArray(events, json);
}

static void add_span(cJSON *events, const struct story *story, const struct trace_span *span)
{
    bool is_pause = !strcmp(span->kind, "pause") || !strcmp(span->kind, "part");
    cJSON *json = event("X", span->name, span->side, is_pause ? PAUSE : STAGES);

    cJSON_AddStringToObject(json, "cat", span->kind);
    add_time(json, "ts", span->begin_ms - story->begin_ms);
    add_time(json, "dur", span->end_ms - span->begin_ms);
    cJSON_AddItemToArray(events, json);
}

static void add_word(cJSON *events, const struct story *story, const struct word *word)
{
    cJSON *json = event("i", word->text, word->side, WORDS);

    cJSON_AddStringToObject(json, "cat", word->type);
    cJSON_AddStringToObject(json, "s", "p");
    add_time(json, "ts", word->ms - story->begin_ms);
    cJSON_AddItemToArray(events, json);
}

/* Add a point of two curves: how much has moved, and at what rate. */
static void add_sample(cJSON *events, const struct story *story, const char *subject,
                       const struct sample *sample)
{
    cJSON *json = event("C", subject, SIDE_SEND, STAGES);
    cJSON *values = cJSON_AddObjectToObject(json, "args");

    add_time(json, "ts", sample->ms - story->begin_ms);
    cJSON_AddNumberToObject(values, "bytes a second", sample->rate);
    cJSON_AddItemToArray(events, json);
}

static void add_all(cJSON *events, const struct story *story)
{
    struct trace_spans spans = trace_spans_of(story);

    for (enum side side = SIDE_SEND; side <= SIDE_RECV; side++) {
        name_track(events, "process_name", side, 0, story->sides[side].host);
        name_track(events, "thread_name", side, STAGES, "stages");
        name_track(events, "thread_name", side, WORDS, "records and warnings");
    }
    name_track(events, "thread_name", SIDE_SEND, PAUSE, "the pause");
    for (size_t i = 0; i < spans.count; i++)
        add_span(events, story, &spans.list[i]);
    for (size_t i = 0; i < story->word_count; i++)
        add_word(events, story, &story->words[i]);
    for (size_t i = 0; i < story->series_count; i++)
        for (size_t j = 0; j < story->series[i].count; j++)
            add_sample(events, story, story->series[i].subject, &story->series[i].list[j]);
    free(spans.list);
}

void trace_print(FILE *out, const struct story *story)
{
    AUTO_JSON cJSON *trace = must(cJSON_CreateObject());
    AUTO_FREE char *text = NULL;

    cJSON_AddStringToObject(trace, "displayTimeUnit", "ms");
    add_all(cJSON_AddArrayToObject(trace, "traceEvents"), story);
    text = json_print(trace);
    fprintf(out, "%s\n", text);
}
