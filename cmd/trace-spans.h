/* The spans of a trace. The first span is the whole move; every other is a part of another span. */
#ifndef XMIG_CMD_TRACE_SPANS_H
#define XMIG_CMD_TRACE_SPANS_H

#include "cmd/page/story.h"

struct trace_span {
    const char *name, *kind; /* "move", "stage", "between", "pause", "part" */
    enum side side;
    double begin_ms, end_ms;
    size_t parent; /* the index of the span that this one is part of; the first span has its own */
};

struct trace_spans {
    struct trace_span *list;
    size_t count;
};

/* The spans of a story. On each side the stages and the gaps between them fill the whole time of
 * that side's history.
 */
struct trace_spans trace_spans_of(const struct story *story);

#endif
