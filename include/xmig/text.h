/* Text made by a format. */
#ifndef XMIG_TEXT_H
#define XMIG_TEXT_H

#include <stdarg.h>

/* What printf would print. The caller frees it. */
char *formatted(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *vformatted(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

#endif
