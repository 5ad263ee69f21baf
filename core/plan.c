/* What would be done, in words. */
#include "xmig/plan.h"

#include <stdarg.h>

#include "core/secrets.h"
#include "xmig/cleanup.h"
#include "xmig/text.h"

void plan_say(struct plan *plan, const char *format, ...)
{
    cJSON *step = must(cJSON_CreateObject());
    AUTO_FREE char *text = NULL;
    AUTO_FREE char *blanked = NULL;
    va_list args;

    va_start(args, format);
    text = vformatted(format, args);
    va_end(args);
    blanked = secrets_blanked(text);
    cJSON_AddStringToObject(step, "stage", plan->stage);
    cJSON_AddStringToObject(step, "text", blanked);
    cJSON_AddItemToArray(plan->steps, step);
}
