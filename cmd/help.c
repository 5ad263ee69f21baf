/* xmig help: what each command is, and what somebody may have meant. */
#include "command.h"

#include <stdio.h>
#include <string.h>

#include "ending.h"
#include "options.h"
#include "report-json.h"
#include "wrap.h"

static const char help_text[] = "usage: xmig help [COMMAND]\n"
                                "\n"
                                "Explains a command, as 'xmig COMMAND --help' does; without one,\n"
                                "lists them all.\n"
                                "\n"
                                "  -h, --help  this text\n";

int print_help(const char *text)
{
    fputs(text, stdout);
    return 0;
}

int print_overview(void)
{
    puts("usage: xmig COMMAND [OPTION...]\n"
         "\n"
         "Moves a running VM, with its local disks, from this host to another over ssh.\n"
         "\n"
         "Commands:");
    for (const struct command *command = commands; command->name; command++)
        printf("  %-9s %s\n", command->name, command->summary);
    puts("\n"
         "'xmig help COMMAND' and xmig-COMMAND(1) explain a command. 'xmig --version' prints the\n"
         "version. The exit status says where the VM runs: see xmig(1), and xmig-recovery(7) for\n"
         "what to do when something went wrong.");
    return 0;
}

enum {
    WORD_MAX = 32
};

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

/* How many letters must be changed, added or dropped to make one word the other? */
static size_t distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1];
    size_t len = strlen(b);

    if (len > WORD_MAX || strlen(a) > WORD_MAX)
        return WORD_MAX;
    for (size_t j = 0; j <= len; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= len; j++) {
            size_t cost = smallest(row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));

            diagonal = row[j];
            row[j] = cost;
        }
    }
    return row[len];
}

static const struct command *most_similar(const char *name)
{
    const struct command *best = NULL;
    size_t least = strlen(name) / 2 + 1; /* more than half of it wrong is another word */

    for (const struct command *command = commands; command->name; command++) {
        size_t changes = distance(name, command->name);

        if (changes < least) {
            least = changes;
            best = command;
        }
    }
    return best;
}

int complain_about_command(const char *name)
{
    const struct command *similar = most_similar(name);

    if (similar)
        wrap_say(stderr, WRAP_INDENT,
                 "xmig: there is no command '%s'; did you mean '%s'? See 'xmig --help'", name,
                 similar->name);
    else
        wrap_say(stderr, WRAP_INDENT, "xmig: there is no command '%s'; see 'xmig --help'", name);
    return OUTCOME_USAGE;
}

int end_with_usage(int argc, char *argv[], const struct error *err)
{
    struct json_report json = { .out = stdout };
    struct ending ending;

    wrap_say(stderr, WRAP_INDENT, "xmig %s: %s; see 'xmig %s --help'", argv[0], err->text, argv[0]);
    ending_of_usage(&ending, argv[0], err);
    if (asks_for_json(argc, argv))
        json_report_result(&json, &ending, 0);
    return ending.status;
}

int command_help(int argc, char *argv[])
{
    const struct command *command;

    if (argc < 2)
        return print_overview();
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
        return print_help(help_text);
    command = command_find(argv[1]);
    if (!command)
        return complain_about_command(argv[1]);
    return command->run(2, (char *[]){ argv[1], "--help", NULL });
}
