/* The spans of a trace: each a part of another, the whole move the first. */
#ifndef XMIG_CMD_TRACE_SPANS_H
#define XMIG_CMD_TRACE_SPANS_H

#include "cmd/page/story.h"

struct trace_span {
    const char *name, *kind; /* "move", "stage", "between", "pause", "part" */
    enum side side;
    double begin_ms, end_ms;
    size_t parent; /* its index; of the first its own */
};

struct trace_spans {
    struct trace_span *list;
    size_t count;
};

/* On each side the stages, and what is between them, fill the whole time of its history. */
struct trace_spans trace_spans_of(const struct story *story);

#endif
