/* A migration as spans of time, for programs that show traces: Chrome's and Perfetto's JSON, and
 * OpenTelemetry's, which is sent to a collector.
 */
#ifndef XMIG_CMD_TRACE_H
#define XMIG_CMD_TRACE_H

#include <stdio.h>

#include "cmd/page/story.h"
#include "xmig/error.h"

/* --trace: an array of events, as Chrome has them. */
void trace_print(FILE *out, const struct story *story);

/* Both hosts' spans in OTLP's JSON, in the trace of `parent` (a TRACEPARENT; NULL or no such: in a
 * new trace). The caller frees it.
 */
char *trace_otlp(const struct story *story, const char *parent);

/* Send that where the environment's OTEL_EXPORTER_OTLP_ENDPOINT says, if anywhere: takes seconds at
 * most. False: the collector did not take it.
 */
bool trace_export(const struct story *story, struct error *err);

#endif
