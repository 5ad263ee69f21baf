/* argv → a struct, for xmig send. */
#include "options.h"

#include "option-pairs.h"
#include "option-syntax.h"
#include "option-tls.h"
#include "xmig/units.h"
#include "xmig/cleanup.h"
#include "xmig/stage.h"

static bool take_ram(struct send_options *options, const char *value, struct error *err)
{
    static const char *const names[] = {
        [RAM_AUTO] = "auto",       [RAM_LIVE] = "live",      [RAM_ONE_PASS] = "one-pass",
        [RAM_STOPPED] = "stopped", [RAM_STOPPED + 1] = NULL,
    };
    int mode;

    if (!choose("--ram", value, names, &mode, err))
        return false;
    options->migration.vm.ram = (enum ram_mode)mode;
    return true;
}

static bool is_left_out(const struct send_options *options, const char *stage)
{
    for (const char *const *name = options->without; *name; name++)
        if (!strcmp(*name, stage))
            return true;
    return false;
}

static void leave_out(struct send_options *options, const char *stage)
{
    size_t count = 0;

    if (is_left_out(options, stage))
        return;
    while (options->without[count])
        count++;
    options->without[count] = stage;
}

static bool comes_after(const struct stage *stage, const char *earlier)
{
    for (const char *const *name = stage->after; *name; name++)
        if (!strcmp(*name, earlier))
            return true;
    return false;
}

/* Leave out the stage, and each optional stage that only waits for it. */
static bool take_without(struct send_options *options, const char *value, struct error *err)
{
    const struct stage *left_out = stage_find(value);

    if (!left_out)
        return error_set(err, ERROR_REFUSED, "--without: there is no stage '%s'", value);
    if (!left_out->optional)
        return error_set(err, ERROR_REFUSED, "--without: the stage %s cannot be left out", value);
    leave_out(options, left_out->name);
    for (const struct stage *const *stage = stage_catalog; *stage; stage++)
        if ((*stage)->optional && comes_after(*stage, left_out->name))
            leave_out(options, (*stage)->name);
    return true;
}

static bool take_until(struct send_options *options, const char *value, struct error *err)
{
    if (!stage_find(value))
        return error_set(err, ERROR_REFUSED, "--until: there is no stage '%s'", value);
    options->migration.until = value;
    return true;
}

static bool check_value(bool ok, const char *option, struct error *err)
{
    return ok || error_prefix(err, "%s", option);
}

static bool take_limit(struct migration_options *migration, int option, const char *value,
                       struct error *err)
{
    switch (option) {
    case OPTION_MAX_DOWNTIME:
        return check_value(parse_time(value, &migration->vm.max_downtime_ms, err), "--max-downtime",
                           err);
    case OPTION_MAX_PAUSE:
        return check_value(parse_time(value, &migration->max_pause_ms, err), "--max-pause", err);
    case OPTION_BWLIMIT:
        return check_value(parse_size(value, &migration->bandwidth, err), "--bwlimit", err);
    case OPTION_DEADLINE:
        migration->vm.has_deadline = true;
        return check_value(parse_time(value, &migration->deadline_ms, err), "--deadline", err);
    default: /* OPTION_LEASE */
        return check_value(parse_time(value, &migration->lease_ms, err), "--lease", err);
    }
}

/* Where an option's word is kept as it is; NULL: it is no such option. */
static const char **text_of(struct send_options *options, int option)
{
    switch (option) {
    case 'e':
        return &options->rsh;
    case OPTION_REMOTE_PATH:
        return &options->remote_path;
    case OPTION_FENCE_COMMAND:
        return &options->migration.fence_command;
    case OPTION_NAME:
        return &options->migration.vm.new_name;
    case OPTION_DEVICE_MODEL:
        return &options->migration.vm.device_model;
    default:
        return NULL;
    }
}

/* Where an option's names are collected; NULL: it is no such option. */
static cJSON *names_of(const struct send_options *options, int option)
{
    switch (option) {
    case OPTION_SHARED:
        return options->shared;
    case OPTION_OVERWRITE:
        return options->overwrite;
    case OPTION_TRUST:
        return options->trust;
    case OPTION_EJECT:
        return options->eject;
    default:
        return NULL;
    }
}

/* What is neither a text nor a name. */
static bool take_choice(struct send_options *options, int option, const char *value,
                        struct error *err)
{
    switch (option) {
    case 'h':
        options->help = true;
        return true;
    case 'n':
        options->migration.dry_run = true;
        return true;
    case OPTION_SIMULATE:
        options->simulate = true;
        return true;
    case OPTION_COMPRESS:
        options->migration.compress = true;
        return true;
    case OPTION_GUARDIAN:
    case OPTION_NO_GUARDIAN:
        options->has_guardian_choice = true;
        options->migration.guardian = option == OPTION_GUARDIAN;
        return true;
    case OPTION_DISK:
        return take_pair(options->disk_targets, "--disk", "NAME=PATH", value, err);
    case OPTION_BRIDGE:
        return take_pair(options->bridges, "--bridge", "OLD=NEW", value, err);
    case OPTION_LOSE:
        return take_lose(options->lose, value, err);
    case OPTION_RAM:
        return take_ram(options, value, err);
    case OPTION_WITHOUT:
        return take_without(options, value, err);
    case OPTION_UNTIL:
        return take_until(options, value, err);
    case OPTION_FAULT:
        return check_value(fault_parse(value, &options->migration.fault, err), "--fault", err);
    case OPTION_MAX_DOWNTIME:
    case OPTION_MAX_PAUSE:
    case OPTION_BWLIMIT:
    case OPTION_DEADLINE:
    case OPTION_LEASE:
        return take_limit(&options->migration, option, value, err);
    default:
        return take_output(&options->output, option, value, err);
    }
}

static bool take_send(void *arg, int option, const char *value, struct error *err)
{
    struct send_options *options = arg;
    const char **text = text_of(options, option);

    if (text) {
        *text = value;
        return true;
    }
    if (option_is_tls(option))
        return take_tls(&options->tls, option, value, err);
    if (names_of(options, option))
        return take_name(names_of(options, option), value);
    return take_choice(options, option, value, err);
}

static const struct stage *last_stage(void)
{
    const struct stage *const *stage = stage_catalog;

    while (stage[1])
        stage++;
    return *stage;
}

/* Refuse stage options that contradict each other. */
static bool check_stages(struct send_options *options, struct error *err)
{
    const char *until = options->migration.until;

    options->migration.vm.mirrors_disks = !is_left_out(options, "drive-mirror");
    if (options->without[0] && options->migration.vm.mirrors_disks)
        return error_set(err, ERROR_REFUSED, "--without %s: only together with drive-mirror",
                         options->without[0]);
    if (until && is_left_out(options, until))
        return error_set(err, ERROR_REFUSED, "--until %s: that stage is left out", until);
    if (until && !strcmp(until, last_stage()->name))
        return error_set(err, ERROR_REFUSED,
                         "--until %s: after that stage nothing can be undone; leave --until away",
                         until);
    return true;
}

static const struct option send_words[] = {
    { "simulate", no_argument, NULL, OPTION_SIMULATE },
    { "name", required_argument, NULL, OPTION_NAME },
    { "disk", required_argument, NULL, OPTION_DISK },
    { "overwrite", required_argument, NULL, OPTION_OVERWRITE },
    { "shared", required_argument, NULL, OPTION_SHARED },
    { "trust", required_argument, NULL, OPTION_TRUST },
    { "lose", required_argument, NULL, OPTION_LOSE },
    { "eject", required_argument, NULL, OPTION_EJECT },
    { "bridge", required_argument, NULL, OPTION_BRIDGE },
    { "device-model", required_argument, NULL, OPTION_DEVICE_MODEL },
    { "ram", required_argument, NULL, OPTION_RAM },
    { "max-downtime", required_argument, NULL, OPTION_MAX_DOWNTIME },
    { "max-pause", required_argument, NULL, OPTION_MAX_PAUSE },
    { "bwlimit", required_argument, NULL, OPTION_BWLIMIT },
    { "compress", no_argument, NULL, OPTION_COMPRESS },
    { "deadline", required_argument, NULL, OPTION_DEADLINE },
    { "lease", required_argument, NULL, OPTION_LEASE },
    { "fence-command", required_argument, NULL, OPTION_FENCE_COMMAND },
    { "without", required_argument, NULL, OPTION_WITHOUT },
    { "until", required_argument, NULL, OPTION_UNTIL },
    { "guardian", no_argument, NULL, OPTION_GUARDIAN },
    { "no-guardian", no_argument, NULL, OPTION_NO_GUARDIAN },
    { "dry-run", no_argument, NULL, 'n' },
    { "fault", required_argument, NULL, OPTION_FAULT },
    { "rsh", required_argument, NULL, 'e' },
    { "remote-path", required_argument, NULL, OPTION_REMOTE_PATH },
    TLS_OPTION_WORDS,
    { "json", no_argument, NULL, OPTION_JSON },
    { "quiet", no_argument, NULL, 'q' },
    { "verbose", no_argument, NULL, 'v' },
    { "progress", required_argument, NULL, OPTION_PROGRESS },
    { "help", no_argument, NULL, 'h' },
    { 0 },
};

bool parse_send(struct send_options *options, int argc, char *argv[], struct error *err)
{
    static const struct syntax syntax = { ":ne:E:x:46qvh", send_words, take_send };
    static const char *const names[] = { "VM", "DEST", NULL };

    *options = (struct send_options){ .migration = migration_default_options,
                                      .disk_targets = must(cJSON_CreateObject()),
                                      .overwrite = must(cJSON_CreateObject()),
                                      .shared = must(cJSON_CreateObject()),
                                      .eject = must(cJSON_CreateObject()),
                                      .lose = must(cJSON_CreateObject()),
                                      .trust = must(cJSON_CreateObject()),
                                      .bridges = must(cJSON_CreateObject()) };
    options->migration.without = options->without;
    options->migration.vm.disk_targets = options->disk_targets;
    options->migration.vm.overwrite = options->overwrite;
    options->migration.vm.shared = options->shared;
    options->migration.vm.eject = options->eject;
    options->migration.vm.lose = options->lose;
    options->migration.vm.trust = options->trust;
    options->migration.vm.bridges = options->bridges;
    if (!take_all(&syntax, options, argc, argv, err))
        return false;
    migration_fit_patience(&options->migration);
    if (!options->has_guardian_choice) /* a VM that does not exist needs none */
        options->migration.guardian = !options->simulate;
    return options->help ||
           (take_operands(argc, argv, names, (const char **const[]){ &options->vm, &options->dest },
                          err) &&
            check_stages(options, err));
}

void send_options_done(struct send_options *options)
{
    cJSON_Delete(options->disk_targets);
    cJSON_Delete(options->overwrite);
    cJSON_Delete(options->shared);
    cJSON_Delete(options->eject);
    cJSON_Delete(options->lose);
    cJSON_Delete(options->trust);
    cJSON_Delete(options->bridges);
    cJSON_Delete(options->tls);
}
