/* What is happening, told to everybody who wants to know: to people on standard error, to
 * programs on standard output (--json), and to the migration's log.
 */
#ifndef XMIG_CMD_REPORT_H
#define XMIG_CMD_REPORT_H

#include "outcome-words.h"
#include "options.h"
#include "xmig/session.h"

struct report;

/* `name` stands before what is said to people; `out` and `errors` are where programs and
 * people listen. All borrowed.
 */
struct report *report_new(const char *name, const struct output_options *output, FILE *out,
                          FILE *errors);
void report_free(struct report *report);

/* Keep a log and the history of `side` in `directory`, once that exists. */
void report_keep_in(struct report *report, const char *directory, enum side side);

struct event_sink report_sink(struct report *report);
struct session_history report_history(struct report *report);

/* The history of this side so far, an array of lines; the caller frees it. */
cJSON *report_lines(struct report *report);

/* A line for people that --quiet silences. */
void report_say(struct report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What is waited for before the first stage, for somebody at a terminal. The line stays: ssh, which
 * asks and complains there by itself, writes below it.
 */
void report_doing(struct report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* So much RAM follows the disks: for how long all of it will take. */
void report_expect_ram(struct report *report, uint64_t bytes);

/* What programs that reach the target say by themselves, printable and as it comes: a part of a
 * line, or some. `from` stands before each line.
 */
void report_pass_on(struct report *report, const char *from, const char *text);

/* A line for programs, with the members of `body` (taken). */
void report_json(struct report *report, const char *type, cJSON *body);

/* What --dry-run found: an array of {"side", "stage", "text"}. */
void report_plans(struct report *report, const cJSON *plans);

/* Exactly once, as the last. Returns the exit status. */
int report_end(struct report *report, const struct ending *ending);

/* Where results for people go that are not a report of what is happening. */
FILE *report_words(const struct report *report);

#endif
