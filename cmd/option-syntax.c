/* What the commands' options have in common. */
#include "option-syntax.h"

#include <string.h>

static bool complain(int result, const struct syntax *syntax, char *const argv[], struct error *err)
{
    const char *word = argv[optind - 1];

    if (result == ':')
        return error_set(err, ERROR_REFUSED, "option '%s' needs a value", word);
    for (const struct option *option = syntax->words; option->name; option++)
        if (optopt && option->val == optopt)
            return error_set(err, ERROR_REFUSED, "option '--%s' takes no value", option->name);
    if (optopt)
        return error_set(err, ERROR_REFUSED, "there is no option '-%c'", optopt);
    return error_set(err, ERROR_REFUSED, "there is no option '%s'", word);
}

bool take_all(const struct syntax *syntax, void *options, int argc, char *argv[], struct error *err)
{
    int option;

    opterr = 0;
    optind = 0; /* begin anew, also with what glibc remembers */
    while ((option = getopt_long(argc, argv, syntax->letters, syntax->words, NULL)) != -1) {
        if (option == '?' || option == ':')
            return complain(option, syntax, argv, err);
        if (!syntax->take(options, option, optarg, err))
            return false;
    }
    return true;
}

bool take_operands(int argc, char *argv[], const char *const names[], const char **const places[],
                   struct error *err)
{
    int given = argc - optind;
    int wanted = 0;

    for (; names[wanted]; wanted++) {
        if (wanted >= given)
            return error_set(err, ERROR_REFUSED, "%s is missing", names[wanted]);
        *places[wanted] = argv[optind + wanted];
    }
    if (given > wanted)
        return error_set(err, ERROR_REFUSED, "'%s' is one word too many", argv[optind + wanted]);
    return true;
}

bool take_no_operands(int argc, char *argv[], struct error *err)
{
    return take_operands(argc, argv, (const char *const[]){ NULL }, NULL, err);
}

bool choose(const char *option, const char *value, const char *const names[], int *chosen,
            struct error *err)
{
    char list[128] = "";

    for (int i = 0; names[i]; i++) {
        if (!strcmp(names[i], value)) {
            *chosen = i;
            return true;
        }
        strcat(strcat(list, i ? ", " : ""), names[i]);
    }
    return error_set(err, ERROR_REFUSED, "%s '%s' is none of %s", option, value, list);
}

bool choose_side(const char *option, const char *value, enum side *side, struct error *err)
{
    static const char *const names[] = { [SIDE_SEND] = "send", [SIDE_RECV] = "recv", NULL };
    int chosen = SIDE_SEND;
    bool ok = choose(option, value, names, &chosen, err);

    *side = (enum side)chosen;
    return ok;
}

bool take_sender(const char *names[], const char *value, struct error *err)
{
    enum {
        NAME_MAX_BYTES = 128
    };
    size_t count = 0;

    for (const char *c = value; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127 || strchr("/[]", *c))
            return error_set(err, ERROR_REFUSED, "--as: a name has no /, [ or ] in it");
    while (names[count])
        count++;
    if (!*value || strlen(value) > NAME_MAX_BYTES || count == SENDER_NAMES_MAX)
        return error_set(err, ERROR_REFUSED, "--as: at most %d names of 1 to %d bytes",
                         SENDER_NAMES_MAX, NAME_MAX_BYTES);
    names[count] = value;
    return true;
}

bool take_output(struct output_options *output, int option, const char *value, struct error *err)
{
    static const char *const names[] = { "auto", "always", "never", NULL };
    int when;

    switch (option) {
    case OPTION_JSON:
        output->json = true;
        return true;
    case 'q':
        output->quiet = true;
        return true;
    case 'v':
        output->verbose = true;
        return true;
    default: /* OPTION_PROGRESS */
        if (!choose("--progress", value, names, &when, err))
            return false;
        output->progress = (enum progress_when)when;
        return true;
    }
}

bool asks_for_json(int argc, char *argv[])
{
    for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
        if (!strcmp(argv[i], "--json"))
            return true;
    return false;
}
