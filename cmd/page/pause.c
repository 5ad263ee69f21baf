/* The guest's pause, to the millisecond. */
#include "html.h"

#include <math.h>

static const struct {
    const char *name, *meaning;
} parts[] = {
    { "pause", "the guest is stopped" },
    { "devices", "the devices' state is saved" },
    { "drain", "the disks' last writes arrive" },
    { "ram", "the last of RAM arrives" },
    { "handshake", "the target has all; COMMIT is written; the old copy is fenced" },
    { "resume", "the target lets the guest run" },
};

static const char *meaning_of(const char *name)
{
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (!strcmp(parts[i].name, name))
            return parts[i].meaning;
    return "";
}

static void print_bar(FILE *out, const struct scale *scale, const struct span *part, size_t i)
{
    double x = scale_percent(scale, part->begin_ms);

    fprintf(out,
            "<td class=\"bar\"><svg width=\"100%%\" height=\"18\" aria-hidden=\"true\"><rect "
            "class=\"c%zu\" "
            "x=\"%.2f%%\" y=\"2\" width=\"%.2f%%\" height=\"14\" rx=\"3\"/></svg></td></tr>\n",
            i % 6, x, fmax(scale_percent(scale, part->end_ms) - x, 0.6));
}

static void print_part(FILE *out, const struct story *story, const struct scale *scale, size_t i)
{
    const struct span *part = &story->pause.list[i];

    fputs("<tr><th scope=\"row\">", out);
    html_text(out, part->name);
    fputs("<small>", out);
    html_text(out, meaning_of(part->name));
    fprintf(
        out,
        "</small></th><td class=\"number\">%+.0f ms</td><td class=\"number\"><b>%.0f ms</b></td>",
        part->begin_ms - story->paused_ms, part->end_ms - part->begin_ms);
    print_bar(out, scale, part, i);
}

/* A record within the pause. */
static void print_record(FILE *out, const struct story *story, const struct scale *scale,
                         const struct word *word)
{
    fprintf(out, "<tr class=\"record\"><th scope=\"row\">");
    html_text(out, word->text);
    fprintf(out,
            "<small>the %s's journal</small></th><td class=\"number\">%+.0f ms</td><td></td>"
            "<td class=\"bar\"><svg width=\"100%%\" height=\"18\" aria-hidden=\"true\"><circle "
            "class=\"mark\" cx=\"%.2f%%\" cy=\"9\" r=\"4\"/></svg></td></tr>\n",
            html_side(word->side), word->ms - story->paused_ms, scale_percent(scale, word->ms));
}

/* Parts and records in the order of their times. */
static void print_rows(FILE *out, const struct story *story, const struct scale *scale)
{
    size_t part = 0;

    for (size_t i = 0; i < story->word_count; i++) {
        const struct word *word = &story->words[i];

        if (strcmp(word->type, "record") || word->ms < story->paused_ms - 1 ||
            word->ms > story->resumed_ms + 1)
            continue;
        while (part < story->pause.count && story->pause.list[part].begin_ms <= word->ms)
            print_part(out, story, scale, part++);
        print_record(out, story, scale, word);
    }
    while (part < story->pause.count)
        print_part(out, story, scale, part++);
}

void page_pause(FILE *out, const struct story *story)
{
    const struct scale scale = { story->paused_ms, story->resumed_ms };

    if (!story->pause.count)
        return;
    fprintf(out,
            "<section id=\"pause\"><h2>The pause</h2><p class=\"lead\"><b "
            "class=\"big\">%.0f&#8239;ms</b> the "
            "VM stood still, as the source saw it.</p>\n<table class=\"waterfall\"><thead><tr>"
            "<th scope=\"col\">Part</th><th scope=\"col\" class=\"number\">From</th>"
            "<th scope=\"col\" class=\"number\">Took</th><th scope=\"col\" class=\"bar\">0 "
            "\342\200\223 %.0f ms"
            "</th></tr></thead><tbody>\n",
            story->resumed_ms - story->paused_ms, story->resumed_ms - story->paused_ms);
    print_rows(out, story, &scale);
    fputs("</tbody></table></section>\n", out);
}
