/* Escapes text from outside (VM names, the peer's messages) before it reaches a terminal. */
#include "printable.h"

#include <stdint.h>
#include <stdio.h>

#include "xmig/cleanup.h"
#include "xmig/text.h"

/* Would a terminal act on the character? Control characters, and Unicode's direction marks. */
static bool is_obeyed(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character < 0xa0) || character == 0x61c ||
           (character >= 0x200e && character <= 0x200f) ||
           (character >= 0x2028 && character <= 0x202e) ||
           (character >= 0x2066 && character <= 0x2069);
}

static void print_bytes(FILE *out, const unsigned char *bytes, size_t len)
{
    if (*bytes == '\n')
        fputs("\\n", out);
    else if (*bytes == '\t')
        fputs("\\t", out);
    else
        for (size_t i = 0; i < len; i++)
            fprintf(out, "\\x%02x", bytes[i]);
}

char *printable(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    char *shown = NULL;
    size_t size, len;
    FILE *out = must(open_memstream(&shown, &size));

    for (; *at; at += len) {
        uint32_t character = 0;

        len = utf8_decode(at, &character);
        if (len && !is_obeyed(character)) {
            fwrite(at, 1, len, out);
            continue;
        }
        len = len ? len : 1;
        print_bytes(out, at, len);
    }
    if (fclose(out))
        abort();
    return shown;
}

/* May `text` go on as a character, or as the end of a line, behind its `len` bytes? */
static bool is_beginning(const unsigned char *text, size_t len)
{
    size_t whole = *text == '\r' || *text >= 0xc0 ? 2 : 1;

    if (*text >= 0xe0)
        whole = *text >= 0xf0 ? 4 : 3;
    for (size_t i = 1; i < len; i++)
        if ((text[i] & 0xc0) != 0x80)
            return false;
    return len < whole;
}

char *printable_lines(const char *bytes, size_t len, bool is_end, size_t *used)
{
    AUTO_FREE unsigned char *text = must(calloc(1, len + 1)); /* ended by a NUL for utf8_decode() */
    char *shown = NULL;
    size_t size, count;
    FILE *out = must(open_memstream(&shown, &size));

    memcpy(text, bytes, len);
    for (*used = 0; *used < len; *used += count) {
        const unsigned char *at = text + *used;
        uint32_t character = 0;

        if (!is_end && is_beginning(at, len - *used))
            break;
        count = utf8_decode(at, &character);
        if (*at == '\n' || (at[0] == '\r' && at[1] == '\n')) {
            count = *at == '\n' ? 1 : 2;
            fputc('\n', out);
        } else if (count && !is_obeyed(character)) {
            fwrite(at, 1, count, out);
        } else {
            count = count ? count : 1;
            print_bytes(out, at, count);
        }
    }
    if (fclose(out))
        abort();
    return shown;
}

/* Only texts have other characters than ASCII, and none that is obeyed is beyond 16 bits. */
char *printable_json(const char *json)
{
    const unsigned char *at = (const unsigned char *)json;
    char *shown = NULL;
    size_t size, len;
    FILE *out = must(open_memstream(&shown, &size));

    for (; *at; at += len ? len : 1) {
        uint32_t character = 0xfffd;

        len = utf8_decode(at, &character);
        if (len && (*at < 0x7f || !is_obeyed(character)))
            fwrite(at, 1, len, out);
        else
            fprintf(out, "\\u%04x", len ? (unsigned)character : 0xfffdu);
    }
    if (fclose(out))
        abort();
    return shown;
}
