/* What is not wrong, but worth a line in the plan: an array of strings. */
#ifndef XMIG_CORE_NOTES_H
#define XMIG_CORE_NOTES_H

#include "xmig/json.h"

void notes_add(cJSON *notes, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
