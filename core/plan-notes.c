/* Lines for the plan. */
#include "core/plan-notes.h"

#include <stdarg.h>

#include "xmig/cleanup.h"
#include "xmig/text.h"

void plan_notes_add(cJSON *notes, const char *format, ...)
{
    AUTO_FREE char *text = NULL;
    va_list args;

    va_start(args, format);
    text = vformatted(format, args);
    va_end(args);
    cJSON_AddItemToArray(notes, must(cJSON_CreateString(text)));
}
