/* xmig vms: the VMs of this host, and whether they can be moved. */
#include "command.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "settle-earlier.h"
#include "option-syntax.h"
#include "directories.h"
#include "report.h"
#include "wrap.h"
#include "xmig/cleanup.h"
#include "xmig/hypervisor-calls.h"
#include "xmig/run.h"
#include "xmig/text.h"
#include "xmig/units.h"
#include "xmig/vm-params.h"

static const char help_text[] =
    "usage: xmig vms [--json]\n"
    "\n"
    "Shows the VMs that run on this host, and whether they can be moved from here, or why not.\n"
    "Only this host is looked at: what the target says is told by 'xmig send --dry-run'.\n"
    "Nothing is changed.\n"
    "\n"
    "      --json  for programs: see xmig-json(5)\n"
    "  -h, --help  this text\n";

enum {
    INDENT = 6
};

struct vms_options {
    bool help;
    bool json;
};

struct looking {
    const struct vms_options *options;
    struct directories directories;
    struct report *report;
    struct migration_options migration;
    size_t count;
};

/* ---- one VM ---- */

static void tell(struct looking *looking, const char *vm, const struct vm_params *params,
                 const struct error *err)
{
    cJSON *body = json_new("vm", vm);

    cJSON_AddBoolToObject(body, "movable", params != NULL);
    if (params) {
        json_add_uint(body, "memory", params->memory);
        json_add_uint(body, "disks", (uint64_t)cJSON_GetArraySize(params->disks));
    } else {
        cJSON_AddStringToObject(body, "text", err->text);
    }
    report_json(looking->report, "vm", body);
}

static void say(const char *vm, const struct vm_params *params, const struct error *err)
{
    char memory[UNITS_TEXT_MAX];
    int disks;

    if (!params) {
        wrap_say(stdout, INDENT, "%s  cannot be moved: %s", vm, err->text);
        return;
    }
    disks = cJSON_GetArraySize(params->disks);
    wrap_say(stdout, INDENT, "%s  can be moved: %d disk%s, %s of RAM", vm, disks,
             disks == 1 ? "" : "s", print_size(memory, params->memory));
}

static void show(struct looking *looking, const char *vm, const struct vm_params *params,
                 const struct error *err)
{
    looking->count++;
    if (looking->options->json)
        tell(looking, vm, params, err);
    else
        say(vm, params, err);
}

/* The source's checks, as a move begins with them. */
static bool check(struct migration *m, const struct hypervisor *hypervisor, const char *name,
                  struct error *err)
{
    struct vm_context context;
    char id[17];

    journal_new_id(id);
    if (!identity_read(&m->identity, err) || !migration_set_id(m, id, err))
        return false;
    migration_vm_context(m, &context);
    m->guest = hypervisor_guest(hypervisor, &context, err);
    err->refusals = m->refusals;
    m->params = must(cJSON_CreateObject());
    if (m->guest && guest_attach(m->guest, name, err) && guest_describe(m->guest, m->params, err) &&
        !error_aside(err))
        return true;
    (void)error_goes_on(err, false); /* the last one is not among them yet */
    return err->kind == ERROR_NONE ? error_join(err) : false;
}

static void look(struct looking *looking, const struct hypervisor *hypervisor, const char *name)
{
    AUTO_FREE char *vm = formatted("%s:%s", hypervisor->name, name);
    struct migration m;
    struct vm_params params;
    struct error err = { 0 };
    struct loop *loop = loop_new();
    bool movable;

    migration_init(&m, SIDE_SEND, loop, &looking->migration, looking->directories.state_dir,
                   looking->directories.runtime_dir);
    movable = settle_earlier(&looking->directories, vm, true, looking->report, &err) &&
              check(&m, hypervisor, name, &err) && fields_read(vm_fields, m.params, &params, &err);
    show(looking, vm, movable ? &params : NULL, &err);
    migration_done(&m);
    loop_free(loop);
}

/* ---- all ---- */

static void look_at_all(struct looking *looking)
{
    for (const struct hypervisor *const *each = hypervisor_table; *each; each++) {
        AUTO_JSON cJSON *names = must(cJSON_CreateArray());
        const cJSON *name;

        if (!(*each)->vms || !hypervisor_available(*each, NULL))
            continue;
        (*each)->vms(names);
        cJSON_ArrayForEach (name, names)
            look(looking, *each, name->valuestring);
    }
    if (!looking->count && !looking->options->json)
        wrap_say(stderr, WRAP_INDENT, "xmig vms: no VM with a name runs here that you may see");
}

static int vms(const struct vms_options *options)
{
    struct output_options output = { .json = options->json, .quiet = true };
    struct looking looking = { .options = options, .migration = migration_default_options };
    struct ending ending = { .status = OUTCOME_DONE, .no_vm = true };
    struct error err = { 0 };
    int status;

    signal(SIGPIPE, SIG_IGN); /* a QEMU may end, or hang up, while it is asked */
    looking.report = report_new("xmig vms", &output, stdout, stderr);
    if (directories_make(&looking.directories, &err)) {
        look_at_all(&looking);
    } else {
        ending_of_failure(&ending, OUTCOME_LOCAL_ERROR, &err);
        ending.no_vm = true;
    }
    status = report_end(looking.report, &ending);
    report_free(looking.report);
    directories_done(&looking.directories);
    return status;
}

#define OPTIONS_OF struct vms_options

static bool parse(struct vms_options *options, int argc, char *argv[], struct error *err)
{
    static const struct option_row rows[] = {
        FLAG_OPTION("json", 0, json),
        FLAG_OPTION("help", 'h', help),
        { 0 },
    };

    *options = (struct vms_options){ 0 };
    return take_all(rows, options, argc, argv, err) &&
           (options->help || take_no_operands(argc, argv, err));
}

int command_vms(int argc, char *argv[])
{
    struct vms_options options;
    struct error err = { 0 };

    if (!parse(&options, argc, argv, &err))
        return end_with_usage(argc, argv, &err);
    return options.help ? print_help(help_text) : vms(&options);
}
