/* The queue of QEMU's events. */
#include "qmp/events.h"

static void drop(struct qmp_event *event)
{
    free(event->name);
    cJSON_Delete(event->data);
    *event = (struct qmp_event){ 0 };
}

void qmp_events_add(struct qmp_events *events, const char *name, cJSON *data)
{
    struct qmp_event *event = &events->kept[events->count % QMP_EVENTS_KEPT];

    drop(event);
    event->name = must(strdup(name));
    event->data = data;
    events->count++;
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

void qmp_events_done(struct qmp_events *events)
{
    for (size_t i = 0; i < QMP_EVENTS_KEPT; i++)
        drop(&events->kept[i]);
}
