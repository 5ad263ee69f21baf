/* Events: the code below cmd/ reports what happens to a listener, and does not print. */
#include "xmig/event.h"

#include <stdarg.h>
#include <stdio.h>

#include "xmig/error.h"

void event_emit(const struct event_sink *sink, struct event event)
{
    if (sink->emit)
        sink->emit(sink->arg, &event);
}

void event_say(const struct event_sink *sink, enum event_kind kind, const char *stage,
               const char *format, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    event_emit(sink, (struct event){ .kind = kind, .stage = stage, .text = text });
}
