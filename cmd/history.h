/* A migration's history: what happened when, beside its journal, for `xmig report` and
 * `xmig status`. Each side has a file of its own, of the lines that --json prints, with the host's
 * CLOCK_BOOTTIME in each; docs/man/xmig-history.5 describes it. Best effort: nothing waits for it.
 */
#ifndef XMIG_CMD_HISTORY_H
#define XMIG_CMD_HISTORY_H

#include "transfers.h"
#include "xmig/session.h"

enum {
    HISTORY_MAX = 512 * 1024, /* bytes; as a session's message it must fit in 1 MiB */
    HISTORY_SAMPLE_MS = 1000  /* at first, between two samples of one disk */
};

struct history {
    char *directory; /* NULL: not known yet */
    enum side side;
    char *path;       /* the same */
    char *held;       /* lines that wait for a place, or for the pause's end */
    size_t held_size; /* bytes */
    bool guest_waits; /* between its pause and its resume */
    bool is_full;
    uint64_t interval_ms;            /* between samples of one subject */
    uint64_t told_ms[TRANSFERS_MAX]; /* when each subject last had a line */
    bool untold[TRANSFERS_MAX];      /* has it moved since? */
};

void history_init(struct history *history);

/* Keep the history of `side` in `directory`, from when that exists: a dry run leaves nothing. */
void history_place(struct history *history, const char *directory, enum side side);

/* `transfers` are up to date with the event; `transfer` is the event's own, or NULL. */
void history_event(struct history *history, const struct event *event,
                   const struct transfers *transfers, const struct transfer *transfer);

/* A line of `type` with the members of `body` (taken; NULL: none). Nothing without a place. */
void history_line(struct history *history, const char *type, cJSON *body);

/* To share it with the peer, whose history is kept beside this one. */
struct session_history history_shared(struct history *history);

/* Writes what waits. */
void history_done(struct history *history);

/* All lines, an array of objects; empty where there is none. Whatever is no line is left out. The
 * caller frees it.
 */
cJSON *history_read(const char *directory, enum side side);
/* The same of a history that is being written, which may have no directory. */
cJSON *history_lines(struct history *history);
cJSON *history_read_file(const char *path);

#endif
