/* What the parts of the page share: text from outside, and the scale of a chart. */
#ifndef XMIG_CMD_PAGE_HTML_H
#define XMIG_CMD_PAGE_HTML_H

#include <stdio.h>

#include "story.h"

/* `text` as HTML shows it, also between quotes: nothing in it is markup. */
void html_text(FILE *out, const char *text);

/* A time on the page's clock, which begins with the migration: "12.34 s", "3:05 min". */
void html_time(FILE *out, double ms);
void html_size(FILE *out, double bytes);

/* A chart from one time to another. */
struct scale {
    double begin_ms, end_ms;
};

double scale_percent(const struct scale *scale, double ms);

/* Lines and labels of the time axis, for a chart of this height with labels at its top. */
void scale_draw(FILE *out, const struct scale *scale, double zero_ms, int height);

/* "source" or "target". */
const char *html_side(enum side side);

/* ---- the page's sections ---- */

void page_timeline(FILE *out, const struct story *story);
void page_pause(FILE *out, const struct story *story);
void page_curves(FILE *out, const struct story *story);
/* `records` are this host's journal's. */
void page_words(FILE *out, const struct story *story, const cJSON *records, enum side side);

extern const char page_style[];

#endif
