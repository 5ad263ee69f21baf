/* Writes a migration as a trace: as JSON for the viewers of Chrome and Perfetto, and as OTLP for a
 * collector of OpenTelemetry.
 */
#ifndef XMIG_CMD_TRACE_H
#define XMIG_CMD_TRACE_H

#include <stdio.h>

#include "cmd/page/story.h"
#include "xmig/error.h"

/* Print the file of --trace: an array of events in Chrome's format. */
void trace_print(FILE *out, const struct story *story);

/* The spans of both hosts as OTLP's JSON. They belong to the trace of `parent`, a TRACEPARENT, or
 * to a new one if `parent` is NULL or malformed. The caller frees the text.
 */
char *trace_otlp(const struct story *story, const char *parent);

/* Send the spans to the collector that the environment names (OTEL_EXPORTER_OTLP_ENDPOINT), if
 * there is one; this takes a few seconds at most. False: the collector did not accept them.
 */
bool trace_export(const struct story *story, struct error *err);

#endif
