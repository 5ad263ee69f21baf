/* One line of QMP. It may come from anything that listens at a socket. */
#ifndef XMIG_QMP_MESSAGE_H
#define XMIG_QMP_MESSAGE_H

#include "xmig/json.h"

enum qmp_kind {
    QMP_NOTHING,  /* an empty line */
    QMP_GREETING, /* text: nothing; body: its members */
    QMP_EVENT,    /* text: its name; body: its data, or NULL */
    QMP_RETURN,   /* body: what the command returned */
    QMP_ERROR,    /* text: QEMU's words */
};

struct qmp_message {
    enum qmp_kind kind;
    uint64_t id;       /* of a reply; 0: it has none of ours */
    const char *text;  /* borrowed from json */
    const cJSON *body; /* borrowed from json */
    size_t size;       /* of the line */
    cJSON *json;
};

/* False with ERROR_PROTOCOL. Otherwise qmp_message_done() frees what it holds. */
bool qmp_message_parse(const char *line, size_t len, struct qmp_message *message,
                       struct error *err);
void qmp_message_done(struct qmp_message *message);

/* The body, which the caller frees; an empty object if there is none. */
cJSON *qmp_message_take_body(struct qmp_message *message);

#endif
