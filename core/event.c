/* Events: the code below cmd/ reports what happens to a listener, and does not print. */
#include "xmig/event.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/secrets.h"
#include "xmig/cleanup.h"
#include "xmig/text.h"

void event_emit(const struct event_sink *sink, struct event event)
{
    if (sink->emit)
        sink->emit(sink->arg, &event);
}

void event_say(const struct event_sink *sink, enum event_kind kind, const char *stage,
               const char *format, ...)
{
    AUTO_FREE char *text = NULL;
    AUTO_FREE char *blanked = NULL;
    va_list args;

    va_start(args, format);
    text = vformatted(format, args);
    va_end(args);
    blanked = secrets_blanked(text);
    event_emit(sink, (struct event){ .kind = kind, .stage = stage, .text = blanked });
}
