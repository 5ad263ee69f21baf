/* Lines of two hosts → one story. A time is the source's CLOCK_BOOTTIME, in ms. */
#include "story.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

#include "xmig/cleanup.h"

/* A value becomes the last of a list that grows. */
#define append(list, count, ...)                                                                   \
    ((list) = must(reallocarray((list), (count) + 1, sizeof(*(list)))),                            \
     (list)[(count)++] = __VA_ARGS__)

/* ---- one clock ---- */

/* In ms since 1970; 0: the text is no time. */
static double wall_ms(const cJSON *line)
{
    const char *text = json_string_or(line, "time", "");
    struct tm utc = { 0 };
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);

    return rest ? (double)timegm(&utc) * 1000 + strtod(rest, NULL) * 1000 : 0;
}

static double number(const cJSON *line, const char *name)
{
    return (double)json_uint_or(line, name, 0);
}

static bool is_type(const cJSON *line, const char *type)
{
    return !strcmp(json_string_or(line, "type", ""), type);
}

/* By how much the target's clock is ahead, by the comparison nearest to `ms` on the clock of
 * `side`. False: that side has none.
 */
static bool offset_at(struct story *story, enum side side, double ms, double *offset_ms)
{
    double nearest = INFINITY;
    const cJSON *line;

    cJSON_ArrayForEach (line, story->sides[side].lines) {
        double here_ms = number(line, "here_us") / 1000;

        if (!is_type(line, "clock") || fabs(here_ms - ms) >= nearest)
            continue;
        nearest = fabs(here_ms - ms);
        *offset_ms = number(line, "there_us") / 1000 - here_ms;
        if (side == SIDE_RECV)
            *offset_ms = -*offset_ms;
        story->round_trip_ms = number(line, "round_trip_us") / 1000;
    }
    return nearest < INFINITY;
}

/* Without a comparison the wall clocks must do. */
static void compare_walls(struct story *story)
{
    const cJSON *here = story->sides[SIDE_SEND].lines ? story->sides[SIDE_SEND].lines->child : NULL;
    const cJSON *there =
        story->sides[SIDE_RECV].lines ? story->sides[SIDE_RECV].lines->child : NULL;

    if (here && there)
        story->offset_ms =
            number(there, "ms") - number(here, "ms") - wall_ms(there) + wall_ms(here);
}

static double common_ms(struct story *story, enum side side, double ms)
{
    double offset_ms = story->offset_ms;

    if (side == SIDE_SEND)
        return ms;
    story->has_clock = offset_at(story, SIDE_RECV, ms, &offset_ms) ||
                       offset_at(story, SIDE_SEND, ms - offset_ms, &offset_ms);
    if (story->has_clock)
        story->offset_ms = offset_ms;
    return ms - offset_ms;
}

/* A reboot sets the clock back: then the wall clock says how much time has passed. */
static void join_boots(cJSON *lines)
{
    double shift = 0, last_ms = 0, last_wall = 0;
    cJSON *line;

    cJSON_ArrayForEach (line, lines) {
        cJSON *ms = cJSON_GetObjectItemCaseSensitive(line, "ms");

        if (!cJSON_IsNumber(ms))
            continue;
        if (ms->valuedouble + shift + 1000 < last_ms)
            shift = last_ms + fmax(wall_ms(line) - last_wall, 0) - ms->valuedouble;
        ms->valuedouble += shift;
        last_ms = ms->valuedouble;
        last_wall = wall_ms(line);
    }
}

/* ---- lines ---- */

struct reading {
    struct story *story;
    enum side side;
    double ms;
};

static void end_stage(struct spans *stages, double ms, bool undone)
{
    struct span *last = stages->count ? &stages->list[stages->count - 1] : NULL;

    if (!last || !last->open)
        return;
    last->end_ms = ms;
    last->open = false;
    last->undone = undone;
}

static void begin_stage(const struct reading *reading, const cJSON *line, bool undone)
{
    struct spans *stages = &reading->story->sides[reading->side].stages;

    end_stage(stages, reading->ms, true);
    append(stages->list, stages->count,
           (struct span){ json_string_or(line, "stage", "?"), reading->ms, reading->ms, true,
                          undone });
}

static void take_part(struct story *story, const cJSON *line, double ms)
{
    double begin_ms = ms - number(line, "elapsed_ms");

    append(story->pause.list, story->pause.count,
           (struct span){ json_string_or(line, "subject", "?"), begin_ms, ms, false, false });
    if (story->pause.count == 1 || begin_ms < story->paused_ms)
        story->paused_ms = begin_ms;
    story->resumed_ms = fmax(story->resumed_ms, ms);
}

static struct series *series_of(struct story *story, const char *subject)
{
    for (size_t i = 0; i < story->series_count; i++)
        if (!strcmp(story->series[i].subject, subject))
            return &story->series[i];
    append(story->series, story->series_count, (struct series){ .subject = subject });
    return &story->series[story->series_count - 1];
}

/* The first rates are not known when they are written, but from what follows. */
static void take_sample(struct story *story, const cJSON *line, double ms)
{
    struct series *series = series_of(story, json_string_or(line, "subject", "?"));
    struct sample now = { ms, number(line, "done"), number(line, "total"), number(line, "rate"),
                          number(line, "dirty_rate") };
    struct sample *last = series->count ? &series->list[series->count - 1] : NULL;

    if (last && !(now.rate > 0) && ms > last->ms)
        now.rate = fmax(now.done - last->done, 0) * 1000 / (ms - last->ms);
    if (last && series->count == 1 && !(last->rate > 0))
        last->rate = now.rate;
    append(series->list, series->count, now);
    series->sent = fmax(series->sent, number(line, "sent"));
}

static void take_word(const struct reading *reading, const cJSON *line)
{
    struct story *story = reading->story;

    append(story->words, story->word_count,
           (struct word){ reading->ms, reading->side, json_string_or(line, "type", ""),
                          json_string_or(line, is_type(line, "record") ? "record" : "text", "") });
}

/* More may have gone out after the last sample. */
static void take_last_numbers(struct story *story, const cJSON *line)
{
    const cJSON *transfer;

    cJSON_ArrayForEach (transfer, cJSON_GetObjectItemCaseSensitive(line, "transfers")) {
        const char *subject = json_string_or(transfer, "subject", "");

        for (size_t i = 0; i < story->series_count; i++)
            if (!strcmp(story->series[i].subject, subject))
                story->series[i].sent = fmax(story->series[i].sent, number(transfer, "sent"));
    }
}

static void take_result(struct story *story, const cJSON *line)
{
    take_last_numbers(story, line);
    story->has_ended = true;
    story->outcome = json_string_or(line, "outcome", "?");
    story->text = json_string_or(line, "text", "");
    story->next = json_string_or(line, "next", "");
    story->error = json_string_or(cJSON_GetObjectItemCaseSensitive(line, "error"), "text", "");
    story->elapsed_ms = number(line, "elapsed_ms");
    story->bytes = number(line, "bytes");
}

static void take_head(const struct reading *reading, const cJSON *line)
{
    struct told *told = &reading->story->sides[reading->side];

    told->host = json_string_or(line, "host", "?");
    told->version = json_string_or(line, "version", "?");
}

static void take_begin(struct story *story, const cJSON *line)
{
    story->id = json_string_or(line, "id", "");
    story->vm = json_string_or(line, "vm", "");
    story->dest = json_string_or(line, "dest", "");
}

/* Both sides may count the same bytes: then the source's numbers are shown. */
static bool is_counted(const struct reading *reading)
{
    const cJSON *source = reading->story->sides[SIDE_SEND].lines;

    return reading->side == SIDE_SEND || !source || !source->child;
}

static void take(const struct reading *reading, const cJSON *line)
{
    struct story *story = reading->story;

    if (is_type(line, "history"))
        take_head(reading, line);
    else if (is_type(line, "begin"))
        take_begin(story, line);
    else if (is_type(line, "stage-begin") || is_type(line, "undo"))
        begin_stage(reading, line, is_type(line, "undo"));
    else if (is_type(line, "stage-end"))
        end_stage(&story->sides[reading->side].stages, reading->ms, false);
    else if (is_type(line, "downtime"))
        take_part(story, line, reading->ms);
    else if (is_type(line, "progress") && is_counted(reading))
        take_sample(story, line, reading->ms);
    else if (is_type(line, "record") || is_type(line, "warning") || is_type(line, "note"))
        take_word(reading, line);
    else if (is_type(line, "carried"))
        take_last_numbers(story, line);
    else if (is_type(line, "result"))
        take_result(story, line);
}

static void take_side(struct story *story, enum side side)
{
    struct reading reading = { .story = story, .side = side };
    struct spans *stages = &story->sides[side].stages;
    const cJSON *line;

    join_boots(story->sides[side].lines);
    cJSON_ArrayForEach (line, story->sides[side].lines) {
        reading.ms = common_ms(story, side, number(line, "ms"));
        if (!*story->began) {
            snprintf(story->began, sizeof(story->began), "%.19s", json_string_or(line, "time", ""));
            story->begin_ms = reading.ms;
            story->unix_ms = wall_ms(line) - reading.ms;
        }
        if (line == story->sides[side].lines->child)
            story->sides[side].begin_ms = reading.ms;
        story->sides[side].end_ms = reading.ms;
        story->begin_ms = fmin(story->begin_ms, reading.ms);
        story->end_ms = fmax(story->end_ms, reading.ms);
        take(&reading, line);
    }
    if (stages->count && stages->list[stages->count - 1].open)
        stages->list[stages->count - 1].end_ms = reading.ms;
}

static int by_time(const void *one, const void *other)
{
    double a = ((const struct word *)one)->ms, b = ((const struct word *)other)->ms;

    return (a > b) - (a < b);
}

void story_read(struct story *story, cJSON *send, cJSON *recv)
{
    *story = (struct story){
        .id = "", .vm = "", .dest = "", .outcome = "", .text = "", .next = "", .error = ""
    };
    story->sides[SIDE_SEND] = (struct told){ .lines = send, .host = "the source", .version = "" };
    story->sides[SIDE_RECV] = (struct told){ .lines = recv, .host = "the target", .version = "" };
    compare_walls(story);
    take_side(story, SIDE_SEND);
    take_side(story, SIDE_RECV);
    if (story->word_count)
        qsort(story->words, story->word_count, sizeof(*story->words), by_time);
}

void story_done(struct story *story)
{
    for (enum side side = SIDE_SEND; side <= SIDE_RECV; side++) {
        cJSON_Delete(story->sides[side].lines);
        free(story->sides[side].stages.list);
    }
    for (size_t i = 0; i < story->series_count; i++)
        free(story->series[i].list);
    free(story->series);
    free(story->pause.list);
    free(story->words);
}

const struct word *story_record(const struct story *story, const char *name)
{
    for (size_t i = 0; i < story->word_count; i++)
        if (!strcmp(story->words[i].type, "record") && !strcmp(story->words[i].text, name))
            return &story->words[i];
    return NULL;
}
