/* Sizes and times, as people write and read them. */
#include "xmig/units.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* JSON's own limit: what is larger could not be told to the peer. */
#define VALUE_MAX (UINT64_C(1) << 53)

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit size_units[] = {
    { "", 1 },
    { "K", UINT64_C(1) << 10 },
    { "M", UINT64_C(1) << 20 },
    { "G", UINT64_C(1) << 30 },
    { "T", UINT64_C(1) << 40 },
    { NULL, 0 },
};

static const struct unit time_units[] = {
    { "ms", 1 }, { "s", 1000 }, { "min", 60000 }, { "h", 3600000 }, { "d", 86400000 }, { NULL, 0 },
};

/* A whole number, perhaps with a fraction: what stands behind it is `*unit`. */
static bool read_number(const char *text, long double *number, const char **unit)
{
    long double scale = 1;

    *number = 0;
    if (!isdigit((unsigned char)*text))
        return false;
    for (; isdigit((unsigned char)*text); text++)
        *number = *number * 10 + (*text - '0');
    if (*text == '.' && isdigit((unsigned char)text[1]))
        for (text++; isdigit((unsigned char)*text); text++)
            *number += (*text - '0') * (scale /= 10);
    *unit = text;
    return true;
}

static bool parse(const char *text, const struct unit *units, const char *like, uint64_t *value,
                  struct error *err)
{
    long double number;
    const char *name;

    if (!read_number(text, &number, &name))
        return error_set(err, ERROR_REFUSED, "'%s' is not a number like %s", text, like);
    while (units->name && strcmp(units->name, name))
        units++;
    if (!units->name && !*name)
        return error_set(err, ERROR_REFUSED, "'%s' needs a unit: write %s", text, like);
    if (!units->name)
        return error_set(err, ERROR_REFUSED, "'%s' has an unknown unit: write %s", text, like);
    if (number * units->factor > VALUE_MAX)
        return error_set(err, ERROR_REFUSED, "'%s' is too large", text);
    *value = (uint64_t)(number * units->factor + 0.5L);
    return true;
}

bool parse_size(const char *text, uint64_t *bytes, struct error *err)
{
    return parse(text, size_units, "4096, 512K, 200M or 1.5G", bytes, err);
}

bool parse_time(const char *text, uint64_t *ms, struct error *err)
{
    if (!strcmp(text, "0")) {
        *ms = 0;
        return true;
    }
    return parse(text, time_units, "300ms, 30s, 10min or 2h", ms, err);
}

const char *print_size(char text[UNITS_TEXT_MAX], uint64_t bytes)
{
    static const char *const names[] = { "KiB", "MiB", "GiB", "TiB", "PiB" };
    double value = (double)bytes / 1024;
    size_t i = 0;

    if (bytes < 1024) {
        snprintf(text, UNITS_TEXT_MAX, "%" PRIu64 " bytes", bytes);
        return text;
    }
    for (; value >= 1023.95 && i + 1 < sizeof(names) / sizeof(names[0]); i++)
        value /= 1024;
    snprintf(text, UNITS_TEXT_MAX, "%.1f %s", value, names[i]);
    return text;
}

const char *print_unequal(char text[UNITS_TEXT_MAX], uint64_t bytes, uint64_t other)
{
    char other_text[UNITS_TEXT_MAX];

    if (!strcmp(print_size(text, bytes), print_size(other_text, other)))
        snprintf(text, UNITS_TEXT_MAX, "%" PRIu64 " bytes", bytes);
    return text;
}

const char *print_time(char text[UNITS_TEXT_MAX], uint64_t ms)
{
    uint64_t s = ms / 1000;

    if (ms < 1000)
        snprintf(text, UNITS_TEXT_MAX, "%" PRIu64 " ms", ms);
    else if (s < 120)
        snprintf(text, UNITS_TEXT_MAX, "%" PRIu64 ".%" PRIu64 " s", s, ms % 1000 / 100);
    else if (s < 7200)
        snprintf(text, UNITS_TEXT_MAX, "%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
    else
        snprintf(text, UNITS_TEXT_MAX, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s / 60 % 60);
    return text;
}

const char *print_age(char text[UNITS_TEXT_MAX], uint64_t ms)
{
    char age[UNITS_TEXT_MAX];

    if (ms < 2000)
        snprintf(text, UNITS_TEXT_MAX, "just now");
    else if (ms < 120000)
        snprintf(text, UNITS_TEXT_MAX, "%" PRIu64 " s ago", ms / 1000);
    else
        snprintf(text, UNITS_TEXT_MAX, "%.27s ago", print_time(age, ms));
    return text;
}
