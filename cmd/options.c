/* Reads the command line of xmig send into a struct. */
#include "options.h"

#include "option-pairs.h"
#include "option-syntax.h"
#include "option-tls.h"
#include "qmp/known-faults.h"
#include "xmig/units.h"
#include "xmig/cleanup.h"
#include "xmig/stage.h"

static bool take_ram(void *member, const struct option_row *row, const char *value,
                     struct error *err)
{
    static const char *const names[] = {
        [RAM_AUTO] = "auto",       [RAM_LIVE] = "live",      [RAM_ONE_PASS] = "one-pass",
        [RAM_STOPPED] = "stopped", [RAM_STOPPED + 1] = NULL,
    };
    int mode;

    (void)row;
    if (!choose("--ram", value, names, &mode, err))
        return false;
    *(enum ram_mode *)member = (enum ram_mode)mode;
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
static bool take_without(void *options, const struct option_row *row, const char *value,
                         struct error *err)
{
    const struct stage *left_out = stage_find(value);

    (void)row;
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

static bool take_until(void *member, const struct option_row *row, const char *value,
                       struct error *err)
{
    if (!stage_find(value))
        return error_set(err, ERROR_REFUSED, "--until: there is no stage '%s'", value);
    return take_text(member, row, value, err);
}

static bool take_deadline(void *options, const struct option_row *row, const char *value,
                          struct error *err)
{
    struct migration_options *migration = &((struct send_options *)options)->migration;

    migration->vm.has_deadline = true;
    return take_time(&migration->deadline_ms, row, value, err);
}

static bool take_guardian(void *member, const struct option_row *row, const char *value,
                          struct error *err)
{
    struct send_options *options = member;

    (void)value;
    (void)err;
    options->has_guardian_choice = true;
    options->migration.guardian = !strcmp(row->name, "guardian");
    return true;
}

static bool take_fault(void *member, const struct option_row *row, const char *value,
                       struct error *err)
{
    return fault_parse(value, member, err) || error_prefix(err, "--%s", row->name);
}

static bool take_disk(void *member, const struct option_row *row, const char *value,
                      struct error *err)
{
    (void)row;
    return take_pair(*(cJSON **)member, "--disk", "NAME=PATH", value, err);
}

static bool take_bridge(void *member, const struct option_row *row, const char *value,
                        struct error *err)
{
    (void)row;
    return take_pair(*(cJSON **)member, "--bridge", "OLD=NEW", value, err);
}

static bool take_fault_name(void *member, const struct option_row *row, const char *value,
                            struct error *err)
{
    (void)row;
    if (!known_fault_exists(value))
        return error_set(err, ERROR_REFUSED, "--despite: xmig knows no fault of QEMU called '%s'",
                         value);
    cJSON_AddTrueToObject(*(cJSON **)member, value);
    return true;
}

static bool take_losses(void *member, const struct option_row *row, const char *value,
                        struct error *err)
{
    (void)row;
    return take_lose(*(cJSON **)member, value, err);
}

static bool take_progress(void *member, const struct option_row *row, const char *value,
                          struct error *err)
{
    static const char *const names[] = { "auto", "always", "never", NULL };
    int when;

    (void)row;
    if (!choose("--progress", value, names, &when, err))
        return false;
    *(enum progress_when *)member = (enum progress_when)when;
    return true;
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

#define OPTIONS_OF struct send_options
static const struct option_row rows[] = {
    FLAG_OPTION("simulate", 0, simulate),
    FLAG_OPTION("detach", 0, detach),
    TEXT_OPTION("name", 0, migration.vm.new_name),
    VALUE_OPTION("disk", 0, disk_targets, take_disk),
    TEXT_OPTION("create-volumes", 0, migration.vm.volume_group),
    NAMES_OPTION("overwrite", overwrite),
    NAMES_OPTION("shared", shared),
    NAMES_OPTION("trust", trust),
    VALUE_OPTION("lose", 0, lose, take_losses),
    NAMES_OPTION("eject", eject),
    VALUE_OPTION("despite", 0, despite, take_fault_name),
    VALUE_OPTION("bridge", 0, bridges, take_bridge),
    TEXT_OPTION("device-model", 0, migration.vm.device_model),
    VALUE_OPTION("ram", 0, migration.vm.ram, take_ram),
    TIME_OPTION("max-downtime", migration.vm.max_downtime_ms),
    TIME_OPTION("max-pause", migration.max_pause_ms),
    SIZE_OPTION("bwlimit", migration.bandwidth),
    FLAG_OPTION("compress", 0, migration.compress),
    FLAG_OPTION("unmanaged", 0, migration.vm.unmanaged),
    OTHER_OPTION("deadline", true, take_deadline),
    TIME_OPTION("lease", migration.lease_ms),
    TEXT_OPTION("fence-command", 0, migration.fence_command),
    TEXT_OPTION("on-done", 0, migration.on_done),
    TEXT_OPTION("trace", 0, trace),
    OTHER_OPTION("without", true, take_without),
    VALUE_OPTION("until", 0, migration.until, take_until),
    OTHER_OPTION("guardian", false, take_guardian),
    OTHER_OPTION("no-guardian", false, take_guardian),
    FLAG_OPTION("dry-run", 'n', migration.dry_run),
    VALUE_OPTION("fault", 0, migration.fault, take_fault),
    TEXT_OPTION("rsh", 'e', rsh),
    TEXT_OPTION("remote-path", 0, remote_path),
    TLS_OPTION_ROWS,
    FLAG_OPTION("json", 0, output.json),
    FLAG_OPTION("quiet", 'q', output.quiet),
    FLAG_OPTION("verbose", 'v', output.verbose),
    VALUE_OPTION("progress", 0, output.progress, take_progress),
    FLAG_OPTION("help", 'h', help),
    { 0 },
};

bool parse_send(struct send_options *options, int argc, char *argv[], struct error *err)
{
    static const char *const names[] = { "VM", "DEST", NULL };

    *options = (struct send_options){ .migration = migration_default_options,
                                      .disk_targets = must(cJSON_CreateObject()),
                                      .overwrite = must(cJSON_CreateObject()),
                                      .shared = must(cJSON_CreateObject()),
                                      .eject = must(cJSON_CreateObject()),
                                      .despite = must(cJSON_CreateObject()),
                                      .lose = must(cJSON_CreateObject()),
                                      .trust = must(cJSON_CreateObject()),
                                      .bridges = must(cJSON_CreateObject()) };
    options->migration.without = options->without;
    options->migration.vm.disk_targets = options->disk_targets;
    options->migration.vm.overwrite = options->overwrite;
    options->migration.vm.shared = options->shared;
    options->migration.vm.eject = options->eject;
    options->migration.vm.despite = options->despite;
    options->migration.vm.lose = options->lose;
    options->migration.vm.trust = options->trust;
    options->migration.vm.bridges = options->bridges;
    if (!take_all(rows, options, argc, argv, err))
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
    cJSON_Delete(options->despite);
    cJSON_Delete(options->lose);
    cJSON_Delete(options->trust);
    cJSON_Delete(options->bridges);
    cJSON_Delete(options->tls);
}
