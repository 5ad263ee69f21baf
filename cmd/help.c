/* xmig help: what each command is, and what somebody may have meant. */
#include "command.h"

#include <stdio.h>
#include <string.h>

#include "wrap.h"
#include "xmig/outcome.h"

int print_overview(const struct command *commands)
{
    puts("usage: xmig COMMAND [OPTION...]\n"
         "\n"
         "Moves a running VM, with its local disks, from this host to another, over ssh or TLS.\n"
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

static const struct command *most_similar(const struct command *commands, const char *name)
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

int complain_about_command(const struct command *commands, const char *name)
{
    const struct command *similar = most_similar(commands, name);

    if (similar)
        wrap_say(stderr, WRAP_INDENT,
                 "xmig: there is no command '%s'; did you mean '%s'? See 'xmig --help'", name,
                 similar->name);
    else
        wrap_say(stderr, WRAP_INDENT, "xmig: there is no command '%s'; see 'xmig --help'", name);
    return OUTCOME_USAGE;
}
