/* Text made by a format, and text that is UTF-8. */
#ifndef XMIG_TEXT_H
#define XMIG_TEXT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* What printf would print. The caller frees it. */
char *formatted(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *vformatted(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

/* Decode one UTF-8 character, and return its length in bytes. 0: the bytes are not UTF-8. */
size_t utf8_decode(const unsigned char *text, uint32_t *character);

/* `text` with \xHH for bytes that are not UTF-8, as JSON must be. The caller frees it. */
char *utf8_only(const char *text);

#endif
