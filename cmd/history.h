/* A migration's history: a file beside the journal that says what happened when, for `xmig report`
 * and `xmig status`. Each side has its own, with the lines that --json prints and the host's
 * CLOCK_BOOTTIME in each; docs/man/xmig-history.5 describes it. A history that cannot be written
 * fails nothing.
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

/* Write the history of `side` in `directory` as soon as that directory exists. A dry run makes
 * none.
 */
void history_place(struct history *history, const char *directory, enum side side);

/* `transfers` are up to date with the event; `transfer` is the event's own, or NULL. */
void history_event(struct history *history, const struct event *event,
                   const struct transfers *transfers, const struct transfer *transfer);

/* Write a line of `type` with the members of `body` (taken; NULL: none). Before history_place()
 * nothing is written.
 */
void history_line(struct history *history, const char *type, cJSON *body);

/* The functions by which a session sends this history to the peer, and keeps the peer's beside it.
 */
struct session_history history_shared(struct history *history);

/* Writes the lines that are still kept in memory. */
void history_done(struct history *history);

/* Read the history of `side`: an array with an object for each line, empty if there is no file.
 * Text that is no line is left out. The caller frees the array.
 */
cJSON *history_read(const char *directory, enum side side);
/* The same for the history that this process writes, which may have no directory yet. */
cJSON *history_lines(struct history *history);
cJSON *history_read_file(const char *path);

#endif
