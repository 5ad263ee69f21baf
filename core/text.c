/* Text made by a format. */
#include "xmig/text.h"

#include <stdio.h>
#include <stdlib.h>

char *vformatted(const char *format, va_list args)
{
    char *text;

    if (vasprintf(&text, format, args) < 0)
        abort();
    return text;
}

char *formatted(const char *format, ...)
{
    char *text;
    va_list args;

    va_start(args, format);
    text = vformatted(format, args);
    va_end(args);
    return text;
}
