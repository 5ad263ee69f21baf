/* The queue of QEMU's events. */
#include "qmp/events.h"

static void drop(struct qmp_event *event)
{
    free(event->name);
    cJSON_Delete(event->data);
    *event = (struct qmp_event){ 0 };
}

bool qmp_event_is_of_run_state(const char *name)
{
    static const char *const names[] = { "STOP",   "RESUME",         "SHUTDOWN", "RESET",
                                         "WAKEUP", "GUEST_PANICKED", "SUSPEND",  NULL };

    for (const char *const *one = names; *one; one++)
        if (!strcmp(name, *one))
            return true;
    return false;
}

void qmp_events_add(struct qmp_events *events, const char *name, cJSON *data, uint64_t at_ms)
{
    struct qmp_event *event = &events->kept[events->count % QMP_EVENTS_KEPT];

    drop(event);
    event->name = must(strdup(name));
    event->data = data;
    event->at_ms = at_ms;
    events->count++;
    events->run_count += qmp_event_is_of_run_state(name);
}

static size_t oldest(const struct qmp_events *events)
{
    return events->count > QMP_EVENTS_KEPT ? events->count - QMP_EVENTS_KEPT : 0;
}

const cJSON *qmp_events_find(const struct qmp_events *events, size_t *mark, const char *name,
                             bool (*match)(const cJSON *data, const void *arg), const void *arg)
{
    if (*mark < oldest(events))
        *mark = oldest(events);
    while (*mark < events->count) {
        const struct qmp_event *event = &events->kept[(*mark)++ % QMP_EVENTS_KEPT];

        if (!strcmp(event->name, name) && (!match || match(event->data, arg)))
            return event->data;
    }
    return NULL;
}

uint64_t qmp_events_last_ms(const struct qmp_events *events, const char *name)
{
    for (size_t i = events->count; i-- > oldest(events);) {
        const struct qmp_event *event = &events->kept[i % QMP_EVENTS_KEPT];

        if (!strcmp(event->name, name))
            return event->at_ms;
    }
    return 0;
}

void qmp_events_done(struct qmp_events *events)
{
    for (size_t i = 0; i < QMP_EVENTS_KEPT; i++)
        drop(&events->kept[i]);
}
