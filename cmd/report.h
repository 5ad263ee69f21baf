/* Reports what is happening: to people on standard error, to programs on standard output (--json),
 * and to the migration's log.
 */
#ifndef XMIG_CMD_REPORT_H
#define XMIG_CMD_REPORT_H

#include "outcome-words.h"
#include "options.h"
#include "xmig/session.h"

struct report;

/* `name` is printed before each line for people; `out` is the stream for programs, `errors` the one
 * for people. All are borrowed.
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

/* Print, on a terminal, what the command waits for before the first stage. The line is not drawn
 * over, for ssh may ask for a password below it.
 */
void report_doing(struct report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* How much RAM will be moved after the disks; the estimate of the time left includes it. */
void report_expect_ram(struct report *report, uint64_t bytes);

/* Pass on what another program, such as ssh, prints: a part of a line, or several lines, made
 * printable. `from` is printed before each line.
 */
void report_pass_on(struct report *report, const char *from, const char *text);

/* A line for programs, with the members of `body` (taken). */
void report_json(struct report *report, const char *type, cJSON *body);

/* Print the plans of --dry-run: an array of {"side", "stage", "text"}. */
void report_plans(struct report *report, const cJSON *plans);

/* Print how the command ended. Call this exactly once, as the last function. Returns the exit
 * status.
 */
int report_end(struct report *report, const struct ending *ending);

/* The stream for a command's results for people, such as a plan. */
FILE *report_words(const struct report *report);

#endif
