/* QEMU's description of its own commands: which of them this QEMU has. */
#ifndef XMIG_QMP_SCHEMA_H
#define XMIG_QMP_SCHEMA_H

#include "xmig/json.h"

struct qmp_schema;

/* `answer` (taken) is what query-qmp-schema returned, whatever that is. */
struct qmp_schema *qmp_schema_new(cJSON *answer);
void qmp_schema_free(struct qmp_schema *schema);

/* `argument` may be NULL. */
bool qmp_schema_knows(const struct qmp_schema *schema, const char *command, const char *argument);

#endif
