/* The stages of both hosts on one clock, and where the VM ran. */
#include "html.h"

#include <math.h>

#include "xmig/stage.h"

enum {
    HEIGHT = 196,
    SOURCE_Y = 44, /* of its stages */
    TARGET_Y = 128,
    BAR = 28,
    COLOURS = 6,
    WIDE = 12,  /* percent: a stage's name fits on a wide screen */
    ALWAYS = 34 /* … on a narrow one, too */
};

/* The same colour for a stage wherever it is shown. */
static size_t colour_of(const char *name)
{
    size_t i = 0;

    while (stage_catalog[i] && strcmp(stage_catalog[i]->name, name))
        i++;
    return i % COLOURS;
}

static void draw_name(FILE *out, const char *name, double width)
{
    if (width < WIDE)
        return;
    fprintf(out, "<text class=\"name%s\" x=\"8\" y=\"18\">", width < ALWAYS ? " wide" : "");
    html_text(out, name);
    fputs("</text>", out);
}

static void draw_stage(FILE *out, const struct story *story, const struct scale *scale,
                       const struct span *stage, int y)
{
    double x = scale_percent(scale, stage->begin_ms);
    double width = fmax(scale_percent(scale, stage->end_ms) - x, 0.15);

    fprintf(out, "<svg x=\"%.3f%%\" y=\"%d\" width=\"%.3f%%\" height=\"%d\"><g><title>", x, y,
            width, BAR);
    html_text(out, stage->name);
    fputs(stage->undone ? ", undone: " : ": ", out);
    html_time(out, stage->end_ms - stage->begin_ms);
    fprintf(out, "</title><rect class=\"stage c%zu%s%s\" width=\"100%%\" height=\"%d\" rx=\"3\"/>",
            colour_of(stage->name), stage->undone ? " undone" : "",
            stage->open && !story->has_ended ? " open" : "", BAR);
    draw_name(out, stage->name, width);
    fputs("</g></svg>\n", out);
}

static void draw_run(FILE *out, const struct scale *scale, double from_ms, double to_ms, int y)
{
    double x = scale_percent(scale, from_ms);

    if (to_ms > from_ms)
        fprintf(out,
                "<rect class=\"runs\" x=\"%.3f%%\" y=\"%d\" width=\"%.3f%%\" height=\"6\" rx=\"3\">"
                "<title>the VM runs here</title></rect>\n",
                x, y, scale_percent(scale, to_ms) - x);
}

/* Where the VM runs, as far as the records say. */
static void draw_runs(FILE *out, const struct story *story, const struct scale *scale)
{
    const struct word *running = story_record(story, "RUNNING");
    const struct word *again = story_record(story, "ABORTED");
    double left_ms = story->pause.count ? story->paused_ms : running ? running->ms : story->end_ms;

    if (!again)
        again = story_record(story, "PROOF");
    if (!running)
        running = story_record(story, "DONE");
    draw_run(out, scale, story->begin_ms, left_ms, SOURCE_Y + BAR + 6);
    if (again && story->pause.count)
        draw_run(out, scale, again->ms, story->end_ms, SOURCE_Y + BAR + 6);
    else if (running)
        draw_run(out, scale, running->ms, story->end_ms, TARGET_Y + BAR + 6);
}

static void draw_pause(FILE *out, const struct story *story, const struct scale *scale)
{
    double x = scale_percent(scale, story->paused_ms);
    double width = fmax(scale_percent(scale, story->resumed_ms) - x, 0.25);

    if (!story->pause.count)
        return;
    fprintf(
        out,
        "<rect class=\"pause\" x=\"%.3f%%\" y=\"16\" width=\"%.3f%%\" height=\"%d\"><title>the VM "
        "stood still for %.0f ms</title></rect>\n"
        "<text class=\"pausing\" x=\"%.3f%%\" y=\"112\" dx=\"%d\" text-anchor=\"%s\">paused %.0f "
        "ms</text>\n",
        x, width, HEIGHT - 20, story->resumed_ms - story->paused_ms, x > 60 ? x : x + width,
        x > 60 ? -6 : 6, x > 60 ? "end" : "start", story->resumed_ms - story->paused_ms);
}

static bool is_told(const struct story *story, enum side side)
{
    const cJSON *lines = story->sides[side].lines;

    return lines && lines->child;
}

static void draw_side(FILE *out, const struct story *story, const struct scale *scale,
                      enum side side, int y)
{
    const struct told *told = &story->sides[side];

    fprintf(out, "<text class=\"host\" x=\"0\" y=\"%d\">%s", y - 8, html_side(side));
    if (is_told(story, side)) {
        fputs(" \302\267 ", out);
        html_text(out, told->host);
    } else {
        fputs(": its history is not here", out);
    }
    fputs("</text>\n", out);
    for (size_t i = 0; i < told->stages.count; i++)
        draw_stage(out, story, scale, &told->stages.list[i], y);
}

static void print_times(FILE *out, const struct spans *stages, const char *name)
{
    double ms = 0;
    bool found = false;

    for (size_t i = 0; i < stages->count; i++) {
        const struct span *stage = &stages->list[i];

        if (strcmp(stage->name, name))
            continue;
        ms += stage->end_ms - stage->begin_ms;
        found = true;
    }
    fputs("<td class=\"number\">", out);
    if (found)
        html_time(out, ms);
    else
        fputs("\342\200\223", out);
    fputs("</td>", out);
}

static void print_table(FILE *out, const struct story *story)
{
    fputs("<table class=\"legend\"><thead><tr><th scope=\"col\">Stage</th><th scope=\"col\" "
          "class=\"wide-cell\">"
          "What it does</th><th scope=\"col\" class=\"number\">Source</th>"
          "<th scope=\"col\" class=\"number\">Target</th></tr></thead><tbody>\n",
          out);
    for (const struct stage *const *stage = stage_catalog; *stage; stage++) {
        fprintf(
            out,
            "<tr><th scope=\"row\"><i class=\"swatch c%zu\"></i>%s</th><td class=\"wide-cell\">",
            colour_of((*stage)->name), (*stage)->name);
        html_text(out, (*stage)->summary);
        fputs("</td>", out);
        print_times(out, &story->sides[SIDE_SEND].stages, (*stage)->name);
        print_times(out, &story->sides[SIDE_RECV].stages, (*stage)->name);
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table>\n", out);
}

static void say_clock(FILE *out, const struct story *story)
{
    if (story->has_clock)
        fprintf(out,
                "<p class=\"aside\">Both hosts are shown on the source's clock; the two were "
                "compared during "
                "the move, and agree here to \302\261%.2f ms.</p>\n",
                story->round_trip_ms / 2);
    else if (is_told(story, SIDE_SEND) && is_told(story, SIDE_RECV))
        fputs("<p class=\"aside\">The hosts' clocks were not compared: the target's times are as "
              "its wall "
              "clock has them.</p>\n",
              out);
}

void page_timeline(FILE *out, const struct story *story)
{
    const struct scale scale = { story->begin_ms, story->end_ms };

    fputs("<section id=\"timeline\"><h2>Timeline</h2>\n", out);
    fprintf(out,
            "<svg class=\"chart\" role=\"img\" aria-labelledby=\"timeline-title timeline-desc\" "
            "width=\"100%%\" height=\"%d\"><title id=\"timeline-title\">The stages of both "
            "hosts</title>"
            "<desc id=\"timeline-desc\">Bars for each stage of the source and of the target, and "
            "where the "
            "VM ran; the table below has the times.</desc>\n",
            HEIGHT);
    scale_draw(out, &scale, story->begin_ms, HEIGHT - 4);
    draw_side(out, story, &scale, SIDE_SEND, SOURCE_Y);
    draw_side(out, story, &scale, SIDE_RECV, TARGET_Y);
    draw_runs(out, story, &scale);
    draw_pause(out, story, &scale);
    fputs("</svg>\n<p class=\"key\"><i class=\"line runs\"></i>the VM runs here", out);
    fputs(story->pause.count ? "<i class=\"line pause\"></i>the VM stands still</p>\n" : "</p>\n",
          out);
    print_table(out, story);
    say_clock(out, story);
    fputs("</section>\n", out);
}
