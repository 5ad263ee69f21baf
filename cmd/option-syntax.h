/* What the commands' options have in common: getopt_long(), and words chosen from a few. */
#ifndef XMIG_CMD_OPTION_SYNTAX_H
#define XMIG_CMD_OPTION_SYNTAX_H

#include <getopt.h>

#include "options.h"

/* What an option is in a switch: its letter, or one of these. */
enum {
    OPTION_JSON = 256,
    OPTION_PROGRESS,
    OPTION_SIMULATE,
    OPTION_NAME,
    OPTION_DISK,
    OPTION_OVERWRITE,
    OPTION_SHARED,
    OPTION_EJECT,
    OPTION_LOSE,
    OPTION_TRUST,
    OPTION_BRIDGE,
    OPTION_DEVICE_MODEL,
    OPTION_RAM,
    OPTION_MAX_DOWNTIME,
    OPTION_MAX_PAUSE,
    OPTION_FENCE_COMMAND,
    OPTION_BWLIMIT,
    OPTION_COMPRESS,
    OPTION_DEADLINE,
    OPTION_LEASE,
    OPTION_WITHOUT,
    OPTION_UNTIL,
    OPTION_FAULT,
    OPTION_REMOTE_PATH,
    OPTION_ALL,
    OPTION_PEER_IS_DEAD,
    OPTION_DISCARD,
    OPTION_CLOSE,
    OPTION_FORWARD,
    OPTION_BACK,
    OPTION_SIDE,
    OPTION_VIA,
    OPTION_AS,
    OPTION_GUARDIAN,
    OPTION_NO_GUARDIAN,
    OPTION_UMASK,
    OPTION_MAY_GAIN_RIGHTS,
    OPTION_CACERT,
    OPTION_KEY,
    OPTION_CRLFILE,
    OPTION_PINNEDPUBKEY,
    OPTION_NOPROXY,
    OPTION_RESOLVE,
    OPTION_INTERFACE,
    OPTION_CONNECT_TIMEOUT,
    OPTION_PEER,
    OPTION_MAX_MIGRATIONS,
    OPTION_MAX_PER_PEER,
};

struct syntax {
    const char *letters; /* begins with ':': a missing value is told apart */
    const struct option *words;
    bool (*take)(void *options, int option, const char *value, struct error *err);
};

/* argv[0] is the command's name. Afterwards argv[optind] is the first operand. */
bool take_all(const struct syntax *syntax, void *options, int argc, char *argv[],
              struct error *err);

/* Exactly as many operands as there are names for them (NULL-terminated). */
bool take_operands(int argc, char *argv[], const char *const names[], const char **const places[],
                   struct error *err);
bool take_no_operands(int argc, char *argv[], struct error *err);

/* Which of `names` (NULL-terminated) is `value`? */
bool choose(const char *option, const char *value, const char *const names[], int *chosen,
            struct error *err);
bool choose_side(const char *option, const char *value, enum side *side, struct error *err);

/* --as NAME: add a name of the sender to `names`, which has room for SENDER_NAMES_MAX and a NULL.
 */
bool take_sender(const char *names[], const char *value, struct error *err);

/* One of --json, --quiet, --verbose and --progress. */
bool take_output(struct output_options *output, int option, const char *value, struct error *err);

#endif
