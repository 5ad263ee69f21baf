/* Makes the spans of a trace from a move's story. */
#include "trace-spans.h"

#include "xmig/cleanup.h"

static size_t add(struct trace_spans *spans, const char *name, const char *kind, enum side side,
                  double begin_ms, double end_ms, size_t parent)
{
    spans->list = must(reallocarray(spans->list, spans->count + 1, sizeof(*spans->list)));
    spans->list[spans->count] = (struct trace_span){ name, kind, side, begin_ms, end_ms, parent };
    return spans->count++;
}

/* Add a span for each stage, and one for each gap: before the first stage, between two, and after
 * the last.
 */
static void add_stages(struct trace_spans *spans, const struct story *story, enum side side)
{
    const struct told *told = &story->sides[side];
    double at_ms = told->begin_ms;

    for (size_t i = 0; i < told->stages.count; i++) {
        const struct span *stage = &told->stages.list[i];

        if (stage->begin_ms > at_ms)
            add(spans, i ? "between stages" : "reach and check", "between", side, at_ms,
                stage->begin_ms, 0);
        add(spans, stage->name, "stage", side, stage->begin_ms, stage->end_ms, 0);
        at_ms = stage->end_ms;
    }
    if (told->end_ms > at_ms)
        add(spans, told->stages.count ? "finish" : "reach and check", "between", side, at_ms,
            told->end_ms, 0);
}

static void add_pause(struct trace_spans *spans, const struct story *story)
{
    size_t pause;

    if (!story->pause.count)
        return;
    pause = add(spans, "the VM stands still", "pause", SIDE_SEND, story->paused_ms,
                story->resumed_ms, 0);
    for (size_t i = 0; i < story->pause.count; i++)
        add(spans, story->pause.list[i].name, "part", SIDE_SEND, story->pause.list[i].begin_ms,
            story->pause.list[i].end_ms, pause);
}

struct trace_spans trace_spans_of(const struct story *story)
{
    struct trace_spans spans = { 0 };

    add(&spans, "xmig send", "move", SIDE_SEND, story->sides[SIDE_SEND].begin_ms,
        story->sides[SIDE_SEND].end_ms, 0);
    add_stages(&spans, story, SIDE_SEND);
    add_pause(&spans, story);
    add_stages(&spans, story, SIDE_RECV);
    return spans;
}
