/* --json: one JSON object a line on standard output; docs/man/xmig-json.5 describes it. */
#ifndef XMIG_CMD_REPORT_JSON_H
#define XMIG_CMD_REPORT_JSON_H

#include "outcome-words.h"
#include "transfers.h"

struct json_report {
    FILE *out;
    uint64_t seq;
    uint64_t told_ms[TRANSFERS_MAX]; /* when each subject last had a line */
};

/* `line` with the present time, `type` and the members of `body` (taken; NULL: none), without a
 * newline; the caller frees it.
 */
char *json_line(cJSON *line, const char *type, cJSON *body);

/* An event's line: its type, its members (the caller frees the object), and what a transfer adds to
 * them.
 */
const char *json_event_type(const struct event *event);
cJSON *json_of_event(const struct event *event);
void json_add_progress(cJSON *body, const struct transfer *transfer);

/* A line of `type` with the members of `body` (taken; NULL: none). */
void json_report_line(struct json_report *json, const char *type, cJSON *body);

/* Write an event's line, if it has one. `transfer` is the transfer that the event is about, or
 * NULL.
 */
void json_report_event(struct json_report *json, const struct event *event,
                       const struct transfers *transfers, const struct transfer *transfer,
                       uint64_t now_ms);

/* The members of the result's line; the caller frees the object. `transfers` is NULL when this
 * process has moved nothing.
 */
cJSON *json_of_ending(const struct ending *ending, const struct transfers *transfers);

/* Write the last line, the result. */
void json_report_result(struct json_report *json, const struct ending *ending,
                        const struct transfers *transfers);

/* The present time as in RFC 3339, in UTC, with milliseconds. */
void print_timestamp(char text[32]);

#endif
