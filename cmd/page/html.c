/* HTML, and scales. */
#include "html.h"

#include <math.h>

#include "cmd/printable.h"
#include "xmig/cleanup.h"
#include "xmig/units.h"

void html_text(FILE *out, const char *text)
{
    AUTO_FREE char *shown = printable(text);

    for (const char *at = shown; *at; at++)
        switch (*at) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\'':
            fputs("&#39;", out);
            break;
        default:
            fputc(*at, out);
        }
}

void html_time(FILE *out, double ms)
{
    char text[UNITS_TEXT_MAX];

    if (ms < 120000)
        fprintf(out, "%.*f s", ms < 10000 ? 3 : 2, ms / 1000);
    else
        fputs(print_time(text, (uint64_t)ms), out);
}

void html_size(FILE *out, double bytes)
{
    char text[UNITS_TEXT_MAX];

    fputs(print_size(text, (uint64_t)bytes), out);
}

const char *html_side(enum side side)
{
    return side == SIDE_SEND ? "source" : "target";
}

double scale_percent(const struct scale *scale, double ms)
{
    double percent = (ms - scale->begin_ms) * 100 / fmax(scale->end_ms - scale->begin_ms, 1);

    return fmin(fmax(percent, 0), 100);
}

/* 1, 2 or 5 times a power of ten, or whole minutes and hours; about five of them. */
static double step_of(double ms)
{
    static const double clock_steps[] = { 15e3, 30e3, 60e3, 120e3, 300e3, 600e3, 1800e3, 3600e3 };
    double least = ms / 5;
    double power = pow(10, floor(log10(fmax(least, 1))));

    for (size_t i = 0; least > 10e3 && i < sizeof(clock_steps) / sizeof(*clock_steps); i++)
        if (clock_steps[i] >= least)
            return clock_steps[i];
    return least <= power       ? power
           : least <= 2 * power ? 2 * power
           : least <= 5 * power ? 5 * power
                                : 10 * power;
}

static void label(FILE *out, double ms, double step_ms)
{
    if (step_ms >= 60e3)
        fprintf(out, "%.0f min", ms / 60e3);
    else if (step_ms >= 1000)
        fprintf(out, "%.0f s", ms / 1000);
    else
        fprintf(out, "%.*f s", step_ms >= 100 ? 1 : step_ms >= 10 ? 2 : 3, ms / 1000);
}

void scale_draw(FILE *out, const struct scale *scale, double zero_ms, int height)
{
    double step_ms = step_of(scale->end_ms - scale->begin_ms);
    double ms = ceil((scale->begin_ms - zero_ms) / step_ms) * step_ms;

    for (; zero_ms + ms <= scale->end_ms; ms += step_ms) {
        double percent = scale_percent(scale, zero_ms + ms);

        fprintf(out, "<line class=\"grid\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"16\" y2=\"%d\"/>",
                percent, percent, height);
        if (percent > 94)
            continue;
        fprintf(out, "<text class=\"tick\" x=\"%.2f%%\" y=\"11\" text-anchor=\"%s\">", percent,
                percent < 4 ? "start" : "middle");
        label(out, ms, step_ms);
        fputs("</text>", out);
    }
    fputc('\n', out);
}
