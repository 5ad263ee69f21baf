/* What the commands' options have in common. */
#include "option-syntax.h"

#include <getopt.h>

#include "option-pairs.h"
#include "xmig/cleanup.h"
#include "xmig/units.h"

/* ---- what rows do ---- */

bool take_flag(void *member, const struct option_row *row, const char *value, struct error *err)
{
    (void)row;
    (void)value;
    (void)err;
    *(bool *)member = true;
    return true;
}

bool take_text(void *member, const struct option_row *row, const char *value, struct error *err)
{
    (void)row;
    (void)err;
    *(const char **)member = value;
    return true;
}

bool take_time(void *member, const struct option_row *row, const char *value, struct error *err)
{
    return parse_time(value, member, err) || error_prefix(err, "--%s", row->name);
}

bool take_size(void *member, const struct option_row *row, const char *value, struct error *err)
{
    return parse_size(value, member, err) || error_prefix(err, "--%s", row->name);
}

bool take_names(void *member, const struct option_row *row, const char *value, struct error *err)
{
    (void)row;
    (void)err;
    return take_name(*(cJSON **)member, value);
}

/* ---- a command line ---- */

enum {
    FIRST_WORD = 256 /* getopt_long() tells a row by its number from here on, or by its letter */
};

static const struct option_row *row_of(const struct option_row *rows, int option)
{
    for (int i = 0; rows[i].name; i++)
        if (option == FIRST_WORD + i || (rows[i].letter && option == rows[i].letter))
            return &rows[i];
    return NULL;
}

static bool complain(int result, const struct option_row *rows, char *const argv[],
                     struct error *err)
{
    const char *word = argv[optind - 1];

    if (result == ':')
        return error_set(err, ERROR_REFUSED, "option '%s' needs a value", word);
    if (row_of(rows, optopt))
        return error_set(err, ERROR_REFUSED, "option '--%s' takes no value",
                         row_of(rows, optopt)->name);
    if (optopt)
        return error_set(err, ERROR_REFUSED, "there is no option '-%c'", optopt);
    return error_set(err, ERROR_REFUSED, "there is no option '%s'", word);
}

/* `letters` begins with ':', so that a missing value is told apart, and for getopt() with '+' to
 * end at the first operand; it has room for two more a row.
 */
static bool take(const struct option_row *rows, struct option *words, char *letters, void *options,
                 int argc, char *argv[], struct error *err)
{
    char *end = letters + strlen(letters);
    int option;

    for (int i = 0; rows[i].name; i++) {
        words[i] = (struct option){ .name = rows[i].name,
                                    .has_arg = rows[i].has_value ? required_argument : no_argument,
                                    .val = FIRST_WORD + i };
        if (rows[i].letter)
            end += sprintf(end, "%c%s", rows[i].letter, rows[i].has_value ? ":" : "");
    }
    opterr = 0;
    optind = 0; /* begin anew, also with what glibc remembers */
    while ((option = getopt_long(argc, argv, letters, words, NULL)) != -1) {
        const struct option_row *row = row_of(rows, option);

        if (!row)
            return complain(option, rows, argv, err);
        if (!row->take((char *)options + row->member, row, optarg, err))
            return false;
    }
    return true;
}

static bool take_with(const char *letters, const struct option_row *rows, void *options, int argc,
                      char *argv[], struct error *err)
{
    AUTO_FREE struct option *words = NULL;
    AUTO_FREE char *all = NULL;
    size_t count = 0;

    while (rows[count].name)
        count++;
    words = must(calloc(count + 1, sizeof(*words)));
    all = must(calloc(strlen(letters) + 2 * count + 1, 1));
    return take(rows, words, strcpy(all, letters), options, argc, argv, err);
}

bool take_all(const struct option_row *rows, void *options, int argc, char *argv[],
              struct error *err)
{
    return take_with(":", rows, options, argc, argv, err);
}

bool take_leading(const struct option_row *rows, void *options, int argc, char *argv[],
                  struct error *err)
{
    return take_with("+:", rows, options, argc, argv, err);
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

bool take_operand(int argc, char *argv[], const char *name, bool optional, const char **place,
                  struct error *err)
{
    return (optional && optind == argc) ||
           take_operands(argc, argv, (const char *const[]){ name, NULL },
                         (const char **const[]){ place }, err);
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

bool take_sender(void *member, const struct option_row *row, const char *value, struct error *err)
{
    enum {
        NAME_MAX_BYTES = 128
    };
    const char **names = member;
    size_t count = 0;

    (void)row;
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

bool asks_for_json(int argc, char *argv[])
{
    for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
        if (!strcmp(argv[i], "--json"))
            return true;
    return false;
}
