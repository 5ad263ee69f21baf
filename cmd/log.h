/* A migration's log: what happened, with times, beside its journal. Standard error may be a
 * terminal that is closed, or an ssh that breaks; this stays.
 */
#ifndef XMIG_CMD_LOG_H
#define XMIG_CMD_LOG_H

#include <stdbool.h>
#include <stdio.h>

struct log {
    FILE *out;
    char *early; /* lines from before there was a place for them */
    size_t early_size;
    char *path; /* NULL: not known yet */
    bool is_file;
    bool is_full;
};

void log_init(struct log *log);

/* The log will be at `path`, from when its directory exists: a dry run leaves nothing. */
void log_place(struct log *log, const char *path);

void log_line(struct log *log, const char *text);

void log_done(struct log *log);

#endif
