/* Draws, for each disk and for RAM, how much had moved over time, and at what rate; with a table of
 * the numbers.
 */
#include "html.h"

#include <math.h>

enum {
    HEIGHT = 132,
    TOP = 20,
    ROWS_MAX = 40 /* of a table */
};

struct curve {
    const char *class, *label;
    double (*value)(const struct sample *sample);
};

static double done_of(const struct sample *sample)
{
    return sample->done;
}

static double total_of(const struct sample *sample)
{
    return sample->total;
}

static double rate_of(const struct sample *sample)
{
    return sample->rate;
}

static double dirty_rate_of(const struct sample *sample)
{
    return sample->dirty_rate;
}

/* The top of a chart: a round number of bytes, KiB, MiB and so on, a little above the highest
 * `value`.
 */
static double ceiling_of(double value)
{
    double unit = value > 0 ? pow(1024, floor(log2(value) / 10)) : 1;
    double step = pow(10, floor(log10(fmax(value / unit, 1)))) / 2;

    return fmax(ceil(value * 1.15 / unit / step), 1) * step * unit;
}

static void draw_path(FILE *out, const struct series *series, const struct scale *scale,
                      double most, const struct curve *curve, bool is_area)
{
    fprintf(out, "<path class=\"%s\" vector-effect=\"non-scaling-stroke\" d=\"", curve->class);
    for (size_t i = 0; i < series->count; i++)
        fprintf(out, "%c%.2f %.2f", i ? 'L' : 'M', scale_percent(scale, series->list[i].ms) * 10,
                100 - curve->value(&series->list[i]) * 100 / most);
    if (is_area)
        fprintf(out, "L%.2f 100L%.2f 100Z",
                scale_percent(scale, series->list[series->count - 1].ms) * 10,
                scale_percent(scale, series->list[0].ms) * 10);
    fputs("\"/>", out);
}

/* Draw two curves into one chart. The area below `one` is filled; `other` is a line, and may be
 * NULL.
 */
static void draw_chart(FILE *out, const struct story *story, const struct series *series,
                       const char *what, const struct curve *one, const struct curve *other,
                       const char *unit)
{
    const struct scale scale = { series->list[0].ms,
                                 fmax(series->list[series->count - 1].ms, series->list[0].ms + 1) };
    const char *area = one->value == rate_of ? "area rate-area" : "area";
    double most = 0;

    for (size_t i = 0; i < series->count; i++) {
        most = fmax(most, one->value(&series->list[i]));
        most = fmax(most, other ? other->value(&series->list[i]) : 0);
    }
    most = ceiling_of(most);
    fprintf(out,
            "<figure><svg class=\"chart\" role=\"img\" width=\"100%%\" height=\"%d\"><title>%s of ",
            HEIGHT, what);
    html_text(out, series->subject);
    fputs("</title><desc>The table below has the numbers.</desc>\n", out);
    scale_draw(out, &scale, story->begin_ms, HEIGHT);
    fprintf(out,
            "<svg x=\"0\" y=\"%d\" width=\"100%%\" height=\"%d\" viewBox=\"0 0 1000 100\" "
            "preserveAspectRatio=\"none\">",
            TOP, HEIGHT - TOP - 1);
    draw_path(out, series, &scale, most, &(struct curve){ area, NULL, one->value }, true);
    draw_path(out, series, &scale, most, one, false);
    if (other)
        draw_path(out, series, &scale, most, other, false);
    fprintf(out,
            "</svg><line class=\"base\" x1=\"0\" x2=\"100%%\" y1=\"%d\" y2=\"%d\"/>"
            "<text class=\"most\" x=\"4\" y=\"%d\">",
            HEIGHT - 1, HEIGHT - 1, TOP + 12);
    html_size(out, most);
    fprintf(out, "%s</text></svg><figcaption><i class=\"line %s\"></i>%s", unit, one->class,
            one->label);
    if (other)
        fprintf(out, "<i class=\"line %s\"></i>%s", other->class, other->label);
    fputs("</figcaption></figure>\n", out);
}

static bool has_dirty_rate(const struct series *series)
{
    for (size_t i = 0; i < series->count; i++)
        if (series->list[i].dirty_rate > 0)
            return true;
    return false;
}

static void print_row(FILE *out, const struct story *story, const struct sample *sample, bool dirty)
{
    fputs("<tr><td class=\"number\">", out);
    html_time(out, sample->ms - story->begin_ms);
    fputs("</td><td class=\"number\">", out);
    html_size(out, sample->done);
    fputs("</td><td class=\"number\">", out);
    html_size(out, sample->total);
    fputs("</td><td class=\"number\">", out);
    html_size(out, sample->rate);
    fputs("/s</td>", out);
    if (dirty) {
        fputs("<td class=\"number\">", out);
        html_size(out, sample->dirty_rate);
        fputs("/s</td>", out);
    }
    fputs("</tr>\n", out);
}

static void print_table(FILE *out, const struct story *story, const struct series *series)
{
    size_t step = series->count / ROWS_MAX + 1;
    bool dirty = has_dirty_rate(series);

    fprintf(
        out,
        "<details><summary>Numbers</summary><div class=\"scroll\"><table><thead><tr><th "
        "scope=\"col\" "
        "class=\"number\">At</th><th scope=\"col\" class=\"number\">Moved</th><th scope=\"col\" "
        "class=\"number\">Of</th><th scope=\"col\" "
        "class=\"number\">Rate</th>%s</tr></thead><tbody>\n",
        dirty ? "<th scope=\"col\" class=\"number\">Written anew</th>" : "");
    for (size_t i = 0; i < series->count; i++)
        if (i % step == 0 || i + 1 == series->count)
            print_row(out, story, &series->list[i], dirty);
    fputs("</tbody></table></div></details>\n", out);
}

static void print_charts(FILE *out, const struct story *story, const struct series *series)
{
    static const struct curve moved = { "moved", "moved", done_of };
    static const struct curve total = { "total", "of", total_of };
    static const struct curve rate = { "rate", "rate", rate_of };
    static const struct curve dirty = { "dirty", "written anew by the guest", dirty_rate_of };

    fputs("<div class=\"pair\">", out);
    draw_chart(out, story, series, "Bytes", &moved, &total, "");
    draw_chart(out, story, series, "Rate", &rate, has_dirty_rate(series) ? &dirty : NULL, "/s");
    fputs("</div>\n", out);
    print_table(out, story, series);
}

/* One sample is no curve: a small disk had moved before the first look at it. */
static void print_series(FILE *out, const struct story *story, const struct series *series)
{
    const struct sample *last = &series->list[series->count - 1];

    fputs("<article class=\"series\"><h3>", out);
    html_text(out, series->subject);
    fputs("</h3><p class=\"aside\">", out);
    html_size(out, last->done);
    fputs(" of ", out);
    html_size(out, last->total);
    if (series->count > 1) {
        fputs(" in ", out);
        html_time(out, last->ms - series->list[0].ms);
    }
    if (series->sent > 0) {
        fputs("; ", out);
        html_size(out, series->sent);
        fputs(" on the wire", out);
    }
    fputs("</p>\n", out);
    if (series->count > 1)
        print_charts(out, story, series);
    fputs("</article>\n", out);
}

void page_curves(FILE *out, const struct story *story)
{
    if (!story->series_count)
        return;
    fputs("<section id=\"curves\"><h2>Disks and RAM</h2>\n", out);
    for (size_t i = 0; i < story->series_count; i++)
        print_series(out, story, &story->series[i]);
    fputs("</section>\n", out);
}
