/* Events: how the code below cmd/ tells what is happening, for it never prints. cmd/report.c turns
 * events into lines for people and JSON for programs.
 */
#ifndef XMIG_EVENT_H
#define XMIG_EVENT_H

#include <stdbool.h>
#include <stdint.h>

enum event_kind {
    EVENT_STAGE_BEGIN, /* a stage's run begins on this side */
    EVENT_STAGE_END,   /* a stage has ended on both sides, after elapsed_ms */
    EVENT_UNDO,        /* a stage is being undone */
    EVENT_PROGRESS,    /* subject has moved done of total bytes */
    EVENT_RECORD,      /* the journal now says: text is the record's name */
    EVENT_NOTE,        /* text: worth a line for a person */
    EVENT_WARNING,     /* text: worth a person's attention */
    EVENT_DEBUG,       /* text: for --verbose */
    EVENT_DOWNTIME,    /* subject (pause, drain, ram, handshake, resume) took elapsed_ms */
};

struct event {
    enum event_kind kind;
    const char *stage;   /* or NULL */
    const char *subject; /* "disk/hda", "ram", or NULL */
    const char *text;    /* or NULL */
    uint64_t done;       /* bytes */
    uint64_t total;      /* bytes; 0: not known */
    uint64_t elapsed_ms;
    uint64_t at_ms;      /* when it happened, by loop_now_ms(); 0: now */
    uint64_t sent;       /* bytes sent for it: compressed, fewer than `done`; 0: not known */
    uint64_t dirty_rate; /* bytes a second that the guest writes anew; 0: not known */
};

struct event_sink {
    void (*emit)(void *arg, const struct event *event);
    void *arg;
};

/* Tell an event. An empty sink ignores it. Strings are borrowed for the call. */
void event_emit(const struct event_sink *sink, struct event event);

/* A formatted EVENT_NOTE, EVENT_WARNING or EVENT_DEBUG. */
void event_say(const struct event_sink *sink, enum event_kind kind, const char *stage,
               const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
