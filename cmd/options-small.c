/* Reads the command lines of the commands with few options into structs. */
#include "option-syntax.h"

#include <getopt.h>
#include "option-tls.h"

#include "xmig/cleanup.h"

#define OPTIONS_OF struct recv_options
bool parse_recv(struct recv_options *options, int argc, char *argv[], struct error *err)
{
    static const struct option_row rows[] = {
        VALUE_OPTION("as", 0, names, take_sender),
        TEXT_OPTION("peer", 0, peer),
        FLAG_OPTION("verbose", 'v', verbose),
        FLAG_OPTION("help", 'h', help),
        { 0 },
    };

    *options = (struct recv_options){ 0 };
    return take_all(rows, options, argc, argv, err) &&
           (options->help || take_no_operands(argc, argv, err));
}

#undef OPTIONS_OF
#define OPTIONS_OF struct lane_options
bool parse_lane(struct lane_options *options, int argc, char *argv[], struct error *err)
{
    static const struct option_row rows[] = {
        TEXT_OPTION("via", 0, via),
        FLAG_OPTION("framed", 0, framed),
        FLAG_OPTION("help", 'h', help),
        { 0 },
    };
    static const char *const names[] = { "ID", "TICKET", "NAME", NULL };

    *options = (struct lane_options){ 0 };
    if (!take_all(rows, options, argc, argv, err))
        return false;
    return options->help ||
           take_operands(argc, argv, names,
                         (const char **const[]){ &options->id, &options->ticket, &options->name },
                         err);
}

#undef OPTIONS_OF
#define OPTIONS_OF struct guard_options
bool parse_guard(struct guard_options *options, int argc, char *argv[], struct error *err)
{
    static const struct option_row rows[] = { FLAG_OPTION("help", 'h', help), { 0 } };
    static const char *const names[] = { "ID", "SIDE", NULL };
    const char *side;

    *options = (struct guard_options){ 0 };
    if (!take_all(rows, options, argc, argv, err))
        return false;
    return options->help ||
           (take_operands(argc, argv, names, (const char **const[]){ &options->id, &side }, err) &&
            choose_side("SIDE", side, &options->side, err));
}

#undef OPTIONS_OF
#define OPTIONS_OF struct stages_options
bool parse_stages(struct stages_options *options, int argc, char *argv[], struct error *err)
{
    static const struct option_row rows[] = {
        FLAG_OPTION("json", 0, json),
        FLAG_OPTION("help", 'h', help),
        { 0 },
    };

    *options = (struct stages_options){ 0 };
    return take_all(rows, options, argc, argv, err) &&
           (options->help || take_no_operands(argc, argv, err));
}

#undef OPTIONS_OF
#define OPTIONS_OF struct unit_options
bool parse_unit(struct unit_options *options, int argc, char *argv[], struct error *err)
{
    static const struct option_row rows[] = {
        FLAG_OPTION("line", 0, line),
        FLAG_OPTION("help", 'h', help),
        { 0 },
    };

    *options = (struct unit_options){ 0 };
    return take_all(rows, options, argc, argv, err) &&
           (options->help || take_operand(argc, argv, "ID or VM", false, &options->which, err));
}

#undef OPTIONS_OF
#define OPTIONS_OF struct list_options
bool parse_list(struct list_options *options, int argc, char *argv[], struct error *err)
{
    static const struct option_row rows[] = {
        FLAG_OPTION("all", 0, all),
        FLAG_OPTION("json", 0, json),
        FLAG_OPTION("help", 'h', help),
        { 0 },
    };

    *options = (struct list_options){ 0 };
    return take_all(rows, options, argc, argv, err) &&
           (options->help || take_operand(argc, argv, "ID or VM", true, &options->which, err));
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

static bool take_side(void *member, const struct option_row *row, const char *value,
                      struct error *err)
{
    struct recover_command_options *options = member;

    (void)row;
    options->has_side = choose_side("--side", value, &options->side, err);
    return options->has_side;
}

#undef OPTIONS_OF
#define OPTIONS_OF struct recover_command_options
bool parse_recover(struct recover_command_options *options, int argc, char *argv[],
                   struct error *err)
{
    static const struct option_row rows[] = {
        FLAG_OPTION("all", 0, all),
        FLAG_OPTION("peer-is-dead", 0, recover.peer_is_dead),
        FLAG_OPTION("close", 0, recover.close),
        FLAG_OPTION("forward", 0, recover.forward),
        FLAG_OPTION("back", 0, recover.back),
        FLAG_OPTION("discard", 0, recover.discard),
        OTHER_OPTION("side", true, take_side),
        FLAG_OPTION("yes", 'y', yes),
        TLS_OPTION_ROWS,
        FLAG_OPTION("json", 0, output.json),
        FLAG_OPTION("quiet", 'q', output.quiet),
        FLAG_OPTION("verbose", 'v', output.verbose),
        FLAG_OPTION("help", 'h', help),
        { 0 },
    };

    *options = (struct recover_command_options){ .output.progress = PROGRESS_NEVER };
    if (!take_all(rows, options, argc, argv, err))
        return false;
    if (options->help)
        return true;
    return (options->all ? take_no_operands(argc, argv, err)
                         : take_operand(argc, argv, "ID", false, &options->id, err)) &&
           check_choice(&options->recover, options->all, err);
}

static bool take_count(void *member, const struct option_row *row, const char *value,
                       struct error *err)
{
    enum {
        MOST = 1000
    };
    uint64_t *count = member;

    *count = strtoul(value, NULL, 10);
    return (strspn(value, "0123456789") == strlen(value) && *count >= 1 && *count <= MOST) ||
           error_set(err, ERROR_REFUSED, "--%s '%s' is not a number from 1 to %d", row->name, value,
                     MOST);
}

#undef OPTIONS_OF
#define OPTIONS_OF struct listen_command_options
bool parse_listen(struct listen_command_options *options, int argc, char *argv[], struct error *err)
{
    static const struct option_row rows[] = {
        TEXT_OPTION("cacert", 0, cacert),
        TEXT_OPTION("cert", 'E', cert),
        TEXT_OPTION("key", 0, key),
        TEXT_OPTION("crlfile", 0, crlfile),
        VALUE_OPTION("max-migrations", 0, max_migrations, take_count),
        VALUE_OPTION("max-per-peer", 0, max_per_peer, take_count),
        FLAG_OPTION("help", 'h', help),
        { 0 },
    };

    *options = (struct listen_command_options){ 0 };
    return take_all(rows, options, argc, argv, err) &&
           (options->help || take_operand(argc, argv, "[ADDR]:PORT", true, &options->address, err));
}
