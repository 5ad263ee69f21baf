/* What would be done, in words. */
#include "xmig/plan.h"

#include <stdarg.h>
#include <stdio.h>

#include "xmig/cleanup.h"

void plan_say(struct plan *plan, const char *format, ...)
{
    cJSON *step = must(cJSON_CreateObject());
    AUTO_FREE char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    cJSON_AddStringToObject(step, "stage", plan->stage);
    cJSON_AddStringToObject(step, "text", text);
    cJSON_AddItemToArray(plan->steps, step);
}
