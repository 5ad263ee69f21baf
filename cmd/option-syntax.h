/* What the commands' options have in common: a row of a table for each, and words chosen from a
 * few.
 *
 *     #define OPTIONS_OF struct list_options
 *     static const struct option_row rows[] = {
 *         FLAG_OPTION("all", 0, all),
 *         FLAG_OPTION("help", 'h', help),
 *         { 0 },
 *     };
 */
#ifndef XMIG_CMD_OPTION_SYNTAX_H
#define XMIG_CMD_OPTION_SYNTAX_H

#include <stddef.h>

#include "options.h"

struct option_row;

/* Put an option's value, NULL if the option has none, into the member that the row names. */
typedef bool option_taker(void *member, const struct option_row *row, const char *value,
                          struct error *err);

struct option_row {
    const char *name;
    char letter; /* 0: none */
    bool has_value;
    size_t member; /* offset in the command's options */
    option_taker *take;
};

option_taker take_flag;  /* bool: true */
option_taker take_text;  /* const char *: the value, borrowed */
option_taker take_time;  /* uint64_t: milliseconds */
option_taker take_size;  /* uint64_t: bytes */
option_taker take_names; /* cJSON *, an object: NAME → true; may be repeated */

#define OPTION_ROW_(NAME, LETTER, HAS_VALUE, TYPE, MEMBER, TAKE)                                   \
    {                                                                                              \
        NAME, LETTER, HAS_VALUE,                                                                   \
            offsetof(OPTIONS_OF, MEMBER) +                                                         \
                0 * sizeof(char[__builtin_types_compatible_p(                                      \
                                    TYPE, __typeof__(((OPTIONS_OF *)0)->MEMBER))                   \
                                    ? 1                                                            \
                                    : -1]),                                                        \
            TAKE                                                                                   \
    }
#define FLAG_OPTION(NAME, LETTER, MEMBER) OPTION_ROW_(NAME, LETTER, false, bool, MEMBER, take_flag)
#define TEXT_OPTION(NAME, LETTER, MEMBER)                                                          \
    OPTION_ROW_(NAME, LETTER, true, const char *, MEMBER, take_text)
#define TIME_OPTION(NAME, MEMBER) OPTION_ROW_(NAME, 0, true, uint64_t, MEMBER, take_time)
#define SIZE_OPTION(NAME, MEMBER) OPTION_ROW_(NAME, 0, true, uint64_t, MEMBER, take_size)
#define NAMES_OPTION(NAME, MEMBER) OPTION_ROW_(NAME, 0, true, cJSON *, MEMBER, take_names)
/* Taken by a function of the command's own. */
#define VALUE_OPTION(NAME, LETTER, MEMBER, TAKE)                                                   \
    {                                                                                              \
        NAME, LETTER, true, offsetof(OPTIONS_OF, MEMBER), TAKE                                     \
    }
/* … which gets all the options, for it sets several members. */
#define OTHER_OPTION(NAME, HAS_VALUE, TAKE)                                                        \
    {                                                                                              \
        NAME, 0, HAS_VALUE, 0, TAKE                                                                \
    }

/* argv[0] is the command's name. Afterwards argv[optind] is the first operand. */
bool take_all(const struct option_row *rows, void *options, int argc, char *argv[],
              struct error *err);

/* Only what comes before the first operand. */
bool take_leading(const struct option_row *rows, void *options, int argc, char *argv[],
                  struct error *err);

/* Exactly as many operands as there are names for them (NULL-terminated). */
bool take_operands(int argc, char *argv[], const char *const names[], const char **const places[],
                   struct error *err);
bool take_no_operands(int argc, char *argv[], struct error *err);
/* One, called `name` in messages, which may be left out where it is `optional`. */
bool take_operand(int argc, char *argv[], const char *name, bool optional, const char **place,
                  struct error *err);

/* Which of `names` (NULL-terminated) is `value`? */
bool choose(const char *option, const char *value, const char *const names[], int *chosen,
            struct error *err);
bool choose_side(const char *option, const char *value, enum side *side, struct error *err);

/* --as NAME: add a name of the sender to an array of const char *, which has room for
 * SENDER_NAMES_MAX and a NULL.
 */
option_taker take_sender;

#endif
