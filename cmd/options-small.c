/* argv → a struct, for the commands that have few options. */
#include "option-syntax.h"
#include "option-tls.h"

#include "xmig/cleanup.h"

static bool take_recv(void *arg, int option, const char *value, struct error *err)
{
    struct recv_options *options = arg;

    if (option == OPTION_AS)
        return take_sender(options->names, value, err);
    if (option == OPTION_PEER)
        options->peer = value;
    else
        *(option == 'h' ? &options->help : &options->verbose) = true;
    return true;
}

bool parse_recv(struct recv_options *options, int argc, char *argv[], struct error *err)
{
    static const struct option words[] = {
        { "as", required_argument, NULL, OPTION_AS },
        { "peer", required_argument, NULL, OPTION_PEER },
        { "verbose", no_argument, NULL, 'v' },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    static const struct syntax syntax = { ":vh", words, take_recv };

    *options = (struct recv_options){ 0 };
    return take_all(&syntax, options, argc, argv, err) &&
           (options->help || take_no_operands(argc, argv, err));
}

static bool take_lane(void *arg, int option, const char *value, struct error *err)
{
    struct lane_options *options = arg;

    (void)err;
    if (option == OPTION_VIA)
        options->via = value;
    else
        options->help = true;
    return true;
}

bool parse_lane(struct lane_options *options, int argc, char *argv[], struct error *err)
{
    static const struct option words[] = {
        { "help", no_argument, NULL, 'h' },
        { "via", required_argument, NULL, OPTION_VIA },
        { 0 },
    };
    static const struct syntax syntax = { ":h", words, take_lane };
    static const char *const names[] = { "ID", "TICKET", "NAME", NULL };

    *options = (struct lane_options){ 0 };
    if (!take_all(&syntax, options, argc, argv, err))
        return false;
    return options->help ||
           take_operands(argc, argv, names,
                         (const char **const[]){ &options->id, &options->ticket, &options->name },
                         err);
}

static bool take_guard(void *arg, int option, const char *value, struct error *err)
{
    struct guard_options *options = arg;

    (void)option;
    (void)value;
    (void)err;
    options->help = true;
    return true;
}

bool parse_guard(struct guard_options *options, int argc, char *argv[], struct error *err)
{
    static const struct option words[] = { { "help", no_argument, NULL, 'h' }, { 0 } };
    static const struct syntax syntax = { ":h", words, take_guard };
    static const char *const names[] = { "ID", "SIDE", NULL };
    const char *side;

    *options = (struct guard_options){ 0 };
    if (!take_all(&syntax, options, argc, argv, err))
        return false;
    return options->help ||
           (take_operands(argc, argv, names, (const char **const[]){ &options->id, &side }, err) &&
            choose_side("SIDE", side, &options->side, err));
}

static bool take_stages(void *arg, int option, const char *value, struct error *err)
{
    struct stages_options *options = arg;

    (void)value;
    (void)err;
    *(option == 'h' ? &options->help : &options->json) = true;
    return true;
}

bool parse_stages(struct stages_options *options, int argc, char *argv[], struct error *err)
{
    static const struct option words[] = {
        { "json", no_argument, NULL, OPTION_JSON },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    static const struct syntax syntax = { ":h", words, take_stages };

    *options = (struct stages_options){ 0 };
    return take_all(&syntax, options, argc, argv, err) &&
           (options->help || take_no_operands(argc, argv, err));
}

static bool take_list(void *arg, int option, const char *value, struct error *err)
{
    struct list_options *options = arg;

    (void)value;
    (void)err;
    if (option == OPTION_ALL)
        options->all = true;
    else if (option == OPTION_JSON)
        options->json = true;
    else
        options->help = true;
    return true;
}

bool parse_list(struct list_options *options, int argc, char *argv[], struct error *err)
{
    static const struct option words[] = {
        { "all", no_argument, NULL, OPTION_ALL },
        { "json", no_argument, NULL, OPTION_JSON },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    static const struct syntax syntax = { ":h", words, take_list };
    static const char *const names[] = { "ID or VM", NULL };

    *options = (struct list_options){ 0 };
    if (!take_all(&syntax, options, argc, argv, err))
        return false;
    if (options->help || optind == argc)
        return true;
    return take_operands(argc, argv, names, (const char **const[]){ &options->which }, err);
}

static bool take_recover(void *arg, int option, const char *value, struct error *err)
{
    struct recover_command_options *options = arg;

    if (option_is_tls(option))
        return take_tls(&options->tls, option, value, err);
    switch (option) {
    case 'h':
        options->help = true;
        return true;
    case 'y':
        options->yes = true;
        return true;
    case OPTION_ALL:
        options->all = true;
        return true;
    case OPTION_PEER_IS_DEAD:
        options->recover.peer_is_dead = true;
        return true;
    case OPTION_DISCARD:
        options->recover.discard = true;
        return true;
    case OPTION_CLOSE:
        options->recover.close = true;
        return true;
    case OPTION_FORWARD:
        options->recover.forward = true;
        return true;
    case OPTION_BACK:
        options->recover.back = true;
        return true;
    case OPTION_SIDE:
        options->has_side = choose_side("--side", value, &options->side, err);
        return options->has_side;
    default:
        return take_output(&options->output, option, value, err);
    }
}

/* Each says that the VM goes on at another place, or that no host can be asked. */
static bool check_choice(const struct recover_options *recover, bool all, struct error *err)
{
    if (all && (recover->forward || recover->back || recover->close || recover->peer_is_dead ||
                recover->discard))
        return error_set(err, ERROR_REFUSED, "--all decides nothing: name one migration for that");
    if (recover->forward + recover->back + recover->close + recover->peer_is_dead <= 1)
        return true;
    return error_set(err, ERROR_REFUSED,
                     "only one of --forward, --back, --close and --peer-is-dead can be meant");
}

bool parse_recover(struct recover_command_options *options, int argc, char *argv[],
                   struct error *err)
{
    static const struct option words[] = {
        { "all", no_argument, NULL, OPTION_ALL },
        { "peer-is-dead", no_argument, NULL, OPTION_PEER_IS_DEAD },
        { "close", no_argument, NULL, OPTION_CLOSE },
        { "forward", no_argument, NULL, OPTION_FORWARD },
        { "back", no_argument, NULL, OPTION_BACK },
        { "discard", no_argument, NULL, OPTION_DISCARD },
        { "side", required_argument, NULL, OPTION_SIDE },
        { "yes", no_argument, NULL, 'y' },
        TLS_OPTION_WORDS,
        { "json", no_argument, NULL, OPTION_JSON },
        { "quiet", no_argument, NULL, 'q' },
        { "verbose", no_argument, NULL, 'v' },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    static const struct syntax syntax = { ":yE:x:46qvh", words, take_recover };
    static const char *const names[] = { "ID", NULL };

    *options = (struct recover_command_options){ .output.progress = PROGRESS_NEVER };
    if (!take_all(&syntax, options, argc, argv, err))
        return false;
    if (options->help)
        return true;
    if (options->all
            ? !take_no_operands(argc, argv, err)
            : !take_operands(argc, argv, names, (const char **const[]){ &options->id }, err))
        return false;
    return check_choice(&options->recover, options->all, err);
}

static bool take_count(const char *option, const char *value, uint64_t *count, struct error *err)
{
    enum {
        MOST = 1000
    };
    char *end = NULL;
    unsigned long number = strtoul(value, &end, 10);

    *count = number;
    return (strspn(value, "0123456789") == strlen(value) && number >= 1 && number <= MOST) ||
           error_set(err, ERROR_REFUSED, "%s '%s' is not a number from 1 to %d", option, value,
                     MOST);
}

static bool take_listen(void *arg, int option, const char *value, struct error *err)
{
    struct listen_command_options *options = arg;

    switch (option) {
    case OPTION_CACERT:
        options->cacert = value;
        return true;
    case 'E':
        options->cert = value;
        return true;
    case OPTION_KEY:
        options->key = value;
        return true;
    case OPTION_CRLFILE:
        options->crlfile = value;
        return true;
    case OPTION_MAX_MIGRATIONS:
        return take_count("--max-migrations", value, &options->max_migrations, err);
    case OPTION_MAX_PER_PEER:
        return take_count("--max-per-peer", value, &options->max_per_peer, err);
    default: /* 'h' */
        options->help = true;
        return true;
    }
}

bool parse_listen(struct listen_command_options *options, int argc, char *argv[], struct error *err)
{
    static const struct option words[] = {
        { "cacert", required_argument, NULL, OPTION_CACERT },
        { "cert", required_argument, NULL, 'E' },
        { "key", required_argument, NULL, OPTION_KEY },
        { "crlfile", required_argument, NULL, OPTION_CRLFILE },
        { "max-migrations", required_argument, NULL, OPTION_MAX_MIGRATIONS },
        { "max-per-peer", required_argument, NULL, OPTION_MAX_PER_PEER },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    static const struct syntax syntax = { ":E:h", words, take_listen };
    static const char *const names[] = { "[ADDR]:PORT", NULL };

    *options = (struct listen_command_options){ 0 };
    if (!take_all(&syntax, options, argc, argv, err))
        return false;
    if (options->help || optind == argc)
        return true;
    return take_operands(argc, argv, names, (const char **const[]){ &options->address }, err);
}
