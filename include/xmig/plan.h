/* What would be done, in words: `--dry-run` prints both sides' plans. */
#ifndef XMIG_PLAN_H
#define XMIG_PLAN_H

#include "xmig/json.h"

struct plan {
    cJSON *steps; /* array of {"stage", "text"} */
    const char *stage;
};

/* Add one sentence to the present stage's plan. */
void plan_say(struct plan *plan, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
