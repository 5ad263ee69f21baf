/* A migration as its histories tell it, of both sides where there are both, on the source's clock.
 */
#ifndef XMIG_CMD_PAGE_STORY_H
#define XMIG_CMD_PAGE_STORY_H

#include "xmig/json.h"
#include "xmig/side.h"

/* What happened from one time to another. Texts are borrowed from the histories. */
struct span {
    const char *name;
    double begin_ms, end_ms;
    bool open;   /* not over yet, or never ended */
    bool undone; /* a stage, or the undoing of one */
};

struct spans {
    struct span *list;
    size_t count;
};

struct sample {
    double ms, done, total, rate, dirty_rate;
};

/* A disk's way, or RAM's. */
struct series {
    const char *subject;
    struct sample *list;
    size_t count;
    double sent; /* bytes on the way; 0: not known */
};

/* A line that people read: a warning, a note or a record. */
struct word {
    double ms;
    enum side side;
    const char *type, *text;
};

struct told {
    cJSON *lines; /* the history; taken */
    const char *host, *version;
    struct spans stages;
    double begin_ms, end_ms;
};

struct story {
    const char *id, *vm, *dest;
    struct told sides[2];
    double begin_ms, end_ms; /* of all lines */
    double unix_ms;          /* since 1970, at 0 on the story's clock */
    bool has_ended;          /* there is a result */
    char began[32];          /* the source's, or else the target's wall clock */
    const char *outcome, *text, *next, *error;
    double elapsed_ms, bytes;
    struct spans pause; /* its parts; empty: the guest was not paused */
    double paused_ms, resumed_ms;
    struct series *series;
    size_t series_count;
    struct word *words;
    size_t word_count;
    bool has_clock;                  /* the sides have compared their clocks */
    double offset_ms, round_trip_ms; /* the target's clock is ahead by so much */
};

/* The histories are an array of lines, or NULL, and taken. */
void story_read(struct story *story, cJSON *send, cJSON *recv);
void story_done(struct story *story);

/* The first record of this name, on either side; NULL: none. */
const struct word *story_record(const struct story *story, const char *name);

#endif
