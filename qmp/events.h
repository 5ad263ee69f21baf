/* The events that QEMU has told, the newest of them, numbered from 0. */
#ifndef XMIG_QMP_EVENTS_H
#define XMIG_QMP_EVENTS_H

#include "xmig/json.h"

/* A mirror whose target has died tells some twenty errors at once; a queue of
 * this length outlives several such at the same time.
 */
enum {
    QMP_EVENTS_KEPT = 256
};

struct qmp_event {
    char *name;
    cJSON *data;
    uint64_t at_ms; /* when it came in */
};

struct qmp_events {
    struct qmp_event kept[QMP_EVENTS_KEPT]; /* event n is at n % QMP_EVENTS_KEPT */
    size_t count;                           /* all that ever came */
    size_t run_count;                       /* … those that tell of the guest's run state */
};

/* Takes `data`; copies `name`. Pushes out the oldest when full. */
void qmp_events_add(struct qmp_events *events, const char *name, cJSON *data, uint64_t at_ms);

/* The first at or after `*mark` that is wanted, with `*mark` behind it; NULL: none, with
 * `*mark` behind all that were looked at.
 */
const cJSON *qmp_events_find(const struct qmp_events *events, size_t *mark, const char *name,
                             bool (*match)(const cJSON *data, const void *arg), const void *arg);

/* Does this event tell that the guest has begun to run, has stopped, ended or was reset? */
bool qmp_event_is_of_run_state(const char *name);

/* When the newest of that name came in; 0: none is kept. */
uint64_t qmp_events_last_ms(const struct qmp_events *events, const char *name);

void qmp_events_done(struct qmp_events *events);

#endif
