/* What is not wrong, but worth a line in the plan: an array of strings. */
#ifndef XMIG_CORE_PLAN_NOTES_H
#define XMIG_CORE_PLAN_NOTES_H

#include "xmig/json.h"

void plan_notes_add(cJSON *notes, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
