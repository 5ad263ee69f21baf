/* The page: its head, and its sections in order. */
#include "page.h"

#include <math.h>

#include "html.h"

/* "done" is good; where nothing runs, or nobody knows, is bad. */
static const char *look_of(const struct story *story)
{
    if (!story->has_ended)
        return "";
    if (!strcmp(story->outcome, "done"))
        return " good";
    return !strcmp(story->outcome, "undecided") || !strncmp(story->outcome, "runs-no", 7) ||
                   !strncmp(story->outcome, "paused", 6)
               ? " bad"
               : "";
}

static const char *name_of(const struct story *story, const cJSON *records)
{
    const cJSON *begin = records ? records->child : NULL;

    return json_string_or(begin, "vm", *story->vm ? story->vm : "?");
}

static const char *dest_of(const struct story *story)
{
    if (*story->dest && strcmp(story->dest, "local:"))
        return story->dest;
    return story->sides[SIDE_RECV].host;
}

static void print_card(FILE *out, const char *class, const char *title)
{
    fprintf(out, "<div class=\"%s\"><dt>%s</dt><dd>", class, title);
}

static void print_cards(FILE *out, const struct story *story)
{
    double ms = story->elapsed_ms > 0 ? story->elapsed_ms : story->end_ms - story->begin_ms;
    double bytes = story->bytes;

    for (size_t i = 0; i < story->series_count && !story->has_ended; i++)
        bytes += story->series[i].list[story->series[i].count - 1].done;
    fputs("<dl class=\"cards\">", out);
    print_card(out, "took", story->has_ended || !*story->outcome ? "Took" : "So far");
    html_time(out, ms);
    fputs("</dd></div>", out);
    if (story->pause.count) {
        print_card(out, "pause", "The VM stood still");
        fprintf(out, "%.0f ms</dd></div>", story->resumed_ms - story->paused_ms);
    }
    print_card(out, "bytes", "Moved");
    html_size(out, bytes);
    fputs("</dd></div>", out);
    print_card(out, "rate", "On average");
    html_size(out, bytes * 1000 / fmax(ms, 1));
    fputs("/s</dd></div></dl>\n", out);
}

static void print_sentence(FILE *out, const char *class, const char *text)
{
    if (!*text)
        return;
    fprintf(out, "<p class=\"%s\">", class);
    html_text(out, text);
    fputs("</p>\n", out);
}

static void print_title(FILE *out, const struct story *story, const cJSON *records)
{
    fputs("<h1>", out);
    html_text(out, name_of(story, records));
    fputs(" <span class=\"to\">\342\206\222</span> ", out);
    html_text(out, dest_of(story));
    fprintf(out, "</h1>\n<p><span class=\"badge%s\">", look_of(story));
    html_text(out, story->has_ended ? story->outcome : "no result yet");
    fputs("</span><span class=\"id\">", out);
    html_text(out, story->id);
    fputs("</span></p>\n", out);
    print_sentence(out, "verdict error", story->error);
    print_sentence(out, "verdict", story->text);
    print_sentence(out, "verdict", story->next);
}

static void print_footer(FILE *out, const struct story *story)
{
    fputs("<footer>Began at ", out);
    html_text(out, story->began);
    fputs(" UTC", out);
    for (enum side side = SIDE_SEND; side <= SIDE_RECV; side++) {
        if (!*story->sides[side].version)
            continue;
        fprintf(out, " \302\267 %s ", html_side(side));
        html_text(out, story->sides[side].host);
        fputs(": xmig ", out);
        html_text(out, story->sides[side].version);
    }
    fputs("</footer>\n", out);
}

void page_print(FILE *out, const struct story *story, const cJSON *records, enum side side)
{
    fputs(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
        "content=\"width=device-width,initial-scale=1\"><meta name=\"color-scheme\" "
        "content=\"light dark\">"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
        "'unsafe-inline'; img-src data:\"><link rel=\"icon\" href=\"data:,\">\n<title>",
        out);
    html_text(out, name_of(story, records));
    fputs(" \342\206\222 ", out);
    html_text(out, dest_of(story));
    fprintf(out, "</title>\n<style>%s</style></head>\n<body><main>\n<header>\n", page_style);
    print_title(out, story, records);
    print_cards(out, story);
    fputs("</header>\n", out);
    page_timeline(out, story);
    page_pause(out, story);
    page_curves(out, story);
    page_words(out, story, records, side);
    print_footer(out, story);
    fputs("</main></body></html>\n", out);
}
