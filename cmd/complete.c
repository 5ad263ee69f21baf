/* xmig complete: what a shell may offer for the last word of a command line. The commands, their
 * options and operands are read from the help texts, so that these are the only list.
 */
#include "command.h"

#include <ctype.h>
#include <stdio.h>

#include "directories.h"
#include "xmig/cleanup.h"
#include "xmig/hypervisor.h"
#include "xmig/identity.h"
#include "xmig/journal.h"
#include "xmig/stage.h"
#include "xmig/text.h"

static const char help_text[] =
    "usage: xmig complete [WORD]...\n"
    "\n"
    "Lists what the last WORD of 'xmig WORD...' can become, for the completion of shells; there\n"
    "is no need to type it. A line is a word, and after a tab what it means; ':files' and\n"
    "':hosts' stand for names that the shell knows.\n"
    "\n"
    "  -h, --help  this text\n";

/* The words that stand for one of a few, by the option that takes them, or by their name. */
static const struct {
    const char *name;
    const char *values;
} choices[] = {
    { "--ram", "live one-pass stopped auto" },
    { "--progress", "auto always never" },
    { "SIDE", "send recv" },
};

struct completion {
    const struct command *commands;
    const char *begun; /* the word as far as it is typed */
};

static void offer(const struct completion *c, const char *word, const char *meaning)
{
    if (!strncmp(word, c->begun, strlen(c->begun)))
        printf("%s\t%s\n", word, meaning);
}

static void offer_words(const struct completion *c, const char *words)
{
    AUTO_FREE char *copy = must(strdup(words));
    char *rest = copy;

    for (const char *word; (word = strsep(&rest, " "));)
        offer(c, word, "");
}

/* ---- what is here ---- */

static void offer_vms(const struct completion *c)
{
    for (const struct hypervisor *const *row = hypervisor_table; *row; row++) {
        AUTO_JSON cJSON *names = must(cJSON_CreateArray());
        const cJSON *name;

        if ((*row)->vms)
            (*row)->vms(names);
        cJSON_ArrayForEach (name, names) {
            AUTO_FREE char *vm = formatted("%s:%s", (*row)->name, name->valuestring);

            offer(c, vm, "");
        }
    }
}

struct ids {
    const struct completion *completion;
    struct directories directories;
    struct identity identity;
};

static void offer_id(void *arg, const char *id, enum side side)
{
    struct ids *ids = arg;
    enum journal_health health;
    struct journal *journal =
        journal_open(ids->directories.state_dir, id, side, &ids->identity, &health, NULL);

    offer(ids->completion, id,
          journal ? json_string_or(journal_find(journal, RECORD_BEGIN), "vm", "") : "");
    journal_free(journal);
}

static void offer_ids(const struct completion *c)
{
    struct ids ids = { .completion = c };

    directories_find(&ids.directories);
    if (identity_read(&ids.identity, NULL))
        (void)journal_list(ids.directories.state_dir, offer_id, &ids, NULL);
    directories_done(&ids.directories);
}

static void offer_stages(const struct completion *c)
{
    for (const struct stage *const *stage = stage_catalog; *stage; stage++)
        offer(c, (*stage)->name, (*stage)->summary);
}

static void offer_commands(const struct completion *c)
{
    for (const struct command *command = c->commands; command->name; command++)
        offer(c, command->name, command->summary);
}

/* What a help text calls `kind`, as the value of `option` (NULL: of none). */
static void offer_kind(const struct completion *c, const char *kind, const char *option)
{
    for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++)
        if (!strcmp(choices[i].name, kind) || (option && !strcmp(choices[i].name, option)))
            return offer_words(c, choices[i].values);
    if (strstr(kind, "VM") && !strstr(kind, "ID"))
        offer_vms(c);
    if (strstr(kind, "ID"))
        offer_ids(c);
    if (!strcmp(kind, "STAGE"))
        offer_stages(c);
    if (!strcmp(kind, "COMMAND") && !option)
        offer_commands(c);
    if (!strcmp(kind, "DEST"))
        puts(":hosts");
    if (!strcmp(kind, "FILE") || !strcmp(kind, "PATH") || strstr(kind, "IMAGE"))
        puts(":files");
}

/* ---- what help texts say ---- */

/* The caller frees it. */
static char *help_of(const struct command *command)
{
    FILE *out = stdout;
    char *text = NULL;
    size_t size;

    stdout = must(open_memstream(&text, &size));
    (void)command->run(2, (char *[]){ (char *)command->name, "--help", NULL });
    if (fclose(stdout))
        abort();
    stdout = out;
    return text;
}

typedef void each_option_fn(void *arg, const char *option, const char *value, const char *meaning);

/* A line that explains options, like "  -E, --cert FILE   the certificate": calls `each` for each
 * of them, with the name of its value, or "".
 */
static void read_options(char *line, each_option_fn *each, void *arg)
{
    char *start = line + strspn(line, " "), *gap = strstr(start, "  ");
    const char *meaning = gap ? gap + strspn(gap, " ") : "", *options[4], *value = "";
    size_t count = 0;

    if (start == line || *start != '-')
        return;
    if (gap)
        *gap = '\0';
    for (char *word; (word = strsep(&start, " ,;"));) {
        if (*word == '-' && count < 4)
            options[count++] = word;
        else if (*word)
            value = word;
    }
    for (size_t i = 0; i < count; i++)
        each(arg, options[i], value, meaning);
}

static void offer_option(void *arg, const char *option, const char *value, const char *meaning)
{
    (void)value;
    if (option[1] == '-')
        offer(arg, option, meaning);
}

struct wanted {
    const char *option;
    char value[64];
};

static void find_value(void *arg, const char *option, const char *value, const char *meaning)
{
    struct wanted *wanted = arg;

    (void)meaning;
    if (!strcmp(wanted->option, option))
        snprintf(wanted->value, sizeof(wanted->value), "%s", value);
}

static void each_option(const char *help, each_option_fn *each, void *arg)
{
    AUTO_FREE char *copy = must(strdup(help));
    char *rest = copy;

    for (char *line; (line = strsep(&rest, "\n"));)
        read_options(line, each, arg);
}

/* What the value of `option` is called; "": it takes none. */
static void value_of(const char *help, const char *option, struct wanted *wanted)
{
    *wanted = (struct wanted){ .option = option };
    if (*option == '-')
        each_option(help, find_value, wanted);
}

/* ---- operands ---- */

enum {
    FORM_WORDS_MAX = 8
};

/* One way to write a command: "xmig fence off IMAGE|ID..." without its options. */
struct form {
    const char *words[FORM_WORDS_MAX]; /* small letters are literal, capitals a kind */
    size_t count;
    bool repeats; /* the last one */
};

/* Of a line like "usage: xmig policy check [--as NAME]", which is changed. */
static void read_form(char *line, struct form *form)
{
    bool in_option = false;

    *form = (struct form){ .count = 0 };
    for (char *word; (word = strsep(&line, " ")) && form->count < FORM_WORDS_MAX;) {
        bool value = in_option;

        in_option = word[strspn(word, "[")] == '-' && !strchr(word, ']');
        if (!*word || !strcmp(word, "usage:") || !strncmp(word, "[OPTION", 7) || value ||
            word[strspn(word, "[")] == '-')
            continue;
        form->repeats = strstr(word, "...") != NULL;
        word += strspn(word, "[");
        word[strcspn(word, "].")] = '\0';
        form->words[form->count++] = word;
    }
}

static bool fits(const struct form *form, char *const operands[], size_t count)
{
    for (size_t i = 0; i < count && i < form->count; i++)
        if (islower(form->words[i][0]) && strcmp(form->words[i], operands[i]) != 0)
            return false;
    return count < form->count || (form->repeats && form->count > 0);
}

/* `operands` are "xmig", the command, and what follows it already. */
static void offer_operand(const struct completion *c, const char *help, char *const operands[],
                          size_t count)
{
    AUTO_FREE char *copy = must(strdup(help));
    char *rest = copy;

    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        struct form form;
        const char *word;

        read_form(line, &form);
        if (!fits(&form, operands, count))
            continue;
        word = form.words[count < form.count ? count : form.count - 1];
        if (isupper(word[0]))
            offer_kind(c, word, NULL);
        else
            offer(c, word, "");
    }
}

/* ---- the command line ---- */

/* The last of `words` of a command; argv-like: words[0] is its name. */
static void offer_for(const struct completion *c, const struct command *command, int count,
                      char *words[])
{
    AUTO_FREE char *help = help_of(command);
    AUTO_FREE char **operands = must(calloc((size_t)count + 1, sizeof(*operands)));
    struct wanted wanted = { .option = "" };
    size_t kept = 2;

    operands[0] = "xmig";
    operands[1] = words[0];
    for (int i = 1; i < count - 1; i++) {
        bool is_value = wanted.value[0] != '\0';

        value_of(help, is_value ? "" : words[i], &wanted);
        if (!is_value && words[i][0] != '-')
            operands[kept++] = words[i];
    }
    if (wanted.value[0])
        offer_kind(c, wanted.value, wanted.option);
    else if (c->begun[0] == '-')
        each_option(help, offer_option, (void *)c);
    else
        offer_operand(c, help, operands, kept);
}

static const struct command *find(const struct command *commands, const char *name)
{
    while (commands->name && strcmp(commands->name, name) != 0)
        commands++;
    return commands->name ? commands : NULL;
}

static void complete(const struct command *commands, int count, char *words[])
{
    struct completion c = { .commands = commands, .begun = words[count - 1] };
    const struct command *command = find(commands, words[0]);

    if (count == 1 && words[0][0] == '-')
        offer_words(&c, "--help --version");
    else if (count == 1)
        offer_commands(&c);
    else if (command)
        offer_for(&c, command, count, words);
}

int print_completions(const struct command *commands, int argc, char *argv[])
{
    if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")))
        return print_help(help_text);
    if (argc > 1)
        complete(commands, argc - 1, argv + 1);
    return 0;
}
