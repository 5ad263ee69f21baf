/* Text made by a format, and text that is UTF-8. */
#include "xmig/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "xmig/cleanup.h"

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

size_t utf8_decode(const unsigned char *text, uint32_t *character)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t least;
    } forms[] = {
        { 0x80, 0x00, 0 }, { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 }
    };
    size_t len = 0;

    while (len < 4 && (text[0] & forms[len].mask) != forms[len].lead)
        len++;
    if (len == 4)
        return 0;
    *character = text[0] & (unsigned char)~forms[len].mask;
    for (size_t i = 1; i <= len; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        *character = *character << 6 | (text[i] & 0x3f);
    }
    if (*character < forms[len].least || *character > 0x10ffff ||
        (*character >= 0xd800 && *character < 0xe000))
        return 0;
    return len + 1;
}

char *utf8_only(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    char *shown = NULL;
    size_t size, len;
    FILE *out = must(open_memstream(&shown, &size));

    for (; *at; at += len ? len : 1) {
        uint32_t character;

        len = utf8_decode(at, &character);
        if (len)
            fwrite(at, 1, len, out);
        else
            fprintf(out, "\\x%02x", *at);
    }
    if (fclose(out))
        abort();
    return shown;
}
