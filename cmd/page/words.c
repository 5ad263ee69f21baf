/* What was said: warnings, notes, and the journal's records. */
#include "html.h"

#include "xmig/facts.h"

static void print_when(FILE *out, const struct story *story, double ms)
{
    fputs("<td class=\"number\">", out);
    html_time(out, ms - story->begin_ms);
    fputs("</td>", out);
}

static size_t count_of(const struct story *story, const char *type)
{
    size_t count = 0;

    for (size_t i = 0; i < story->word_count; i++)
        count += !strcmp(story->words[i].type, type);
    return count;
}

static void print_words(FILE *out, const struct story *story, const char *type, const char *title)
{
    if (!count_of(story, type))
        return;
    fprintf(out,
            "<section class=\"words %s\"><h2>%s</h2><table><thead><tr><th scope=\"col\" "
            "class=\"number\">At</th>"
            "<th scope=\"col\">Host</th><th scope=\"col\">%s</th></tr></thead><tbody>\n",
            type, title, *type == 'r' ? "Record" : "Text");
    for (size_t i = 0; i < story->word_count; i++) {
        const struct word *word = &story->words[i];

        if (strcmp(word->type, type))
            continue;
        fputs("<tr>", out);
        print_when(out, story, word->ms);
        fprintf(out, "<td>%s</td><td>", html_side(word->side));
        html_text(out, word->text);
        fputs("</td></tr>\n", out);
    }
    fputs("</tbody></table></section>\n", out);
}

/* What a record tells besides its name. */
static void print_facts(FILE *out, const cJSON *record)
{
    const char *const members[] = { "why", "proof", "text" };
    const char *fact = json_string_or(record, "fact", "");

    html_text(out, fact);
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        const char *text = json_string_or(record, members[i], "");

        fputs(*text ? " " : "", out);
        html_text(out, text);
    }
}

static void print_journal(FILE *out, const cJSON *records, enum side side)
{
    const cJSON *record;

    fprintf(
        out,
        "<section class=\"words journal\"><h2>The %s's journal</h2><table><thead><tr><th "
        "scope=\"col\">Time "
        "(UTC)</th><th scope=\"col\">Record</th><th scope=\"col\">Says</th></tr></thead><tbody>\n",
        html_side(side));
    cJSON_ArrayForEach (record, records) {
        const char *time = json_string_or(record, "time", "");

        fputs("<tr><td class=\"number\">", out);
        html_text(out, strlen(time) > 11 ? time + 11 : time);
        fputs("</td><td>", out);
        html_text(out, json_string_or(record, "record", "?"));
        fputs("</td><td>", out);
        print_facts(out, record);
        fputs("</td></tr>\n", out);
    }
    fputs("</tbody></table></section>\n", out);
}

void page_words(FILE *out, const struct story *story, const cJSON *records, enum side side)
{
    print_words(out, story, "warning", "Warnings");
    print_words(out, story, "note", "Notes");
    print_words(out, story, "record", "Promises of both hosts");
    print_journal(out, records, side);
}
