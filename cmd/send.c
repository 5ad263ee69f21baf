/* xmig send: move a running VM to another host. */
#include "command.h"

#include <signal.h>
#include <stdio.h>

#include "detach.h"
#include "settle-earlier.h"
#include "hooks.h"
#include "history.h"
#include "option-tls.h"
#include "options.h"
#include "peer-words.h"
#include "directories.h"
#include "report.h"
#include "signals.h"
#include "trace.h"
#include "pipeline/time-limits.h"
#include "xmig/cleanup.h"
#include "xmig/hypervisor-calls.h"
#include "xmig/run.h"
#include "xmig/text.h"
#include "xmig/vm-params.h"

static const char help_text[] =
    "usage: xmig send [OPTION...] VM DEST\n"
    "\n"
    "Moves the running VM, with its local disks, to the host DEST. VM is qemu:NAME,\n"
    "qemu:/path/to/qmp.sock, xen:NAME, or a name alone where only one of them is meant.\n"
    "DEST is HOST, USER@HOST, ssh://[USER@]HOST[:PORT], tls://HOST:PORT where 'xmig listen'\n"
    "listens, or local: for this machine itself.\n"
    "\n"
    "What to move, and how:\n"
    "      --name NEW            call it NEW at the target\n"
    "      --disk NAME=PATH      put disk NAME at PATH on the target (may be repeated)\n"
    "      --create-volumes VG   make a volume in VG on the target for each block device that\n"
    "                            --disk does not name\n"
    "      --overwrite NAME      the block device that --disk NAME=PATH names may hold data\n"
    "      --shared NAME         with --without drive-mirror: disk NAME is the same one on the\n"
    "                            target, though that cannot be proven\n"
    "      --trust PATH          the file PATH need not hold the same at the target\n"
    "      --lose DISK=WHAT      go on without the image's snapshots, or bitmaps\n"
    "      --eject NAME          leave the CD-ROM drive NAME empty at the target\n"
    "      --despite FAULT       move although this QEMU has FAULT; xmig names it when it refuses\n"
    "      --bridge OLD=NEW      the bridge OLD is called NEW at the target\n"
    "      --device-model PATH   the target's device model, if not the same as here\n"
    "      --unmanaged           move the VM although Proxmox, Incus, Ganeti or a service has it,\n"
    "                            which you settle yourself\n"
    "      --ram MODE            live, one-pass, stopped, or auto (default): when to copy RAM\n"
    "      --max-downtime TIME   let the VM stand still at most so long (default 100ms)\n"
    "      --max-pause TIME      undo everything when it has stood still for TIME before it is\n"
    "                            handed over (default --max-downtime and 10s; 0: never)\n"
    "      --bwlimit RATE        at most RATE bytes a second; K, M and G are understood\n"
    "      --compress            compress RAM and disks on the way; a Xen guest's RAM always is\n"
    "      --deadline TIME       give up and undo everything after TIME\n"
    "      --lease TIME          how long the target keeps a complete copy when this host falls\n"
    "                            silent (default 10min; 0: for ever)\n"
    "      --fence-command CMD   run CMD when the VM is handed over, so that nothing starts\n"
    "                            the old copy here, and when it comes back\n"
    "      --on-done CMD         run CMD when the move has ended, whatever has come of it: see\n"
    "                            xmig-hooks(5)\n"
    "      --no-guardian         start no process that settles the move when this one is killed\n"
    "      --guardian            start one also with --simulate\n"
    "      --detach              return once the move has begun: it goes on by itself, and 'xmig\n"
    "                            status --follow' shows it\n"
    "      --without STAGE       leave a stage out: without drive-mirror, for shared disks\n"
    "      --until STAGE         stop after STAGE and undo everything\n"
    "  -n, --dry-run             check both sides and say what would be done\n"
    "      --simulate            VM is made up: NAME[,disks=N][,disk-size=SIZE][,ram=SIZE]\n"
    "                            [,hang=drain|seal][,flush=MS]\n"
    "      --fault POINT         fail at STAGE:PHASE:SIDE[:HOW] or RECORD:PHASE:SIDE[:HOW]\n"
    "\n"
    "How to reach the target:\n"
    "  -e, --rsh COMMAND         instead of ssh\n"
    "      --remote-path COMMAND how the target's shell finds xmig (default xmig)\n"
    "\n"
    "How to reach it over TLS, as with curl:\n" TLS_OPTION_HELP "\n"
    "What to say:\n"
    "      --json                for programs, on standard output: see xmig-json(5)\n"
    "      --trace FILE          write the stages' times to FILE, for ui.perfetto.dev\n"
    "  -q, --quiet               only warnings and errors\n"
    "  -v, --verbose             every detail\n"
    "      --progress WHEN       auto (default), always or never\n"
    "  -h, --help                this text\n"
    "\n"
    "TIME is like 300ms, 30s, 10min or 2h. The exit status says where the VM runs:\n"
    "  0      at the target: done as asked\n"
    "  1      at the source: nothing was begun\n"
    "  2      at the source: the command line makes no sense\n"
    "  3      at the source: checks refused\n"
    "  4      at the source: failed and undone\n"
    "  5      paused at the source: it runs nowhere; xmig recover ID\n"
    "  6      undecided: start it nowhere; xmig recover ID\n"
    "  7      at the target: something of the old copy is left; xmig recover ID\n"
    "  8      nowhere: its copy died; xmig recover ID\n"
    "  128+N  at the source: undone on signal N\n";

struct sending {
    const struct send_options *options;
    struct directories directories;
    cJSON *way; /* option-tls.h */
    struct loop *loop;
    struct report *report;
    struct peer_words *words;
    FILE *trace; /* NULL: not wanted */
    struct migration m;
    bool attached;
    bool going_back; /* what was done is being undone: nothing may interrupt that */
    int signal;
    int detached; /* who waits until the move has begun; -1: nobody */
};

/* ---- what interrupts ---- */

static bool may_interrupt(const struct sending *sending)
{
    return sending->m.verdict == VERDICT_SOURCE && !sending->going_back;
}

static const char *what_happens(const struct sending *sending)
{
    if (sending->m.verdict == VERDICT_OPEN)
        return "the VM has been handed over; waiting for the target's word on it";
    if (sending->m.verdict == VERDICT_SOURCE)
        return "everything is being undone; the VM stays here";
    return "the VM runs at the target; cleaning up here";
}

/* The first one before COMMIT undoes; any other is answered, and changes nothing. */
static void stop_for(struct sending *sending, int number)
{
    struct error why = { 0 };

    if (!may_interrupt(sending)) {
        report_say(sending->report, "%s: %s", signal_name(number), what_happens(sending));
        return;
    }
    sending->going_back = true;
    sending->signal = number;
    sending->m.called_off = true;
    error_set(&why, ERROR_CANCELLED, "interrupted by %s", signal_name(number));
    report_say(sending->report, "%s: %s", signal_name(number), what_happens(sending));
    loop_interrupt(sending->loop, &why);
}

static void on_signal(void *arg, int number)
{
    struct sending *sending = arg;

    if (number == SIGHUP)
        report_say(sending->report,
                   "the terminal has gone; the migration goes on, and %s/send.log "
                   "tells of it",
                   sending->m.own_state_dir);
    else
        stop_for(sending, number);
}

/* From the first step back on, and while a verdict is written, no signal may interfere. */
static void on_event(void *arg, const struct event *event)
{
    struct sending *sending = arg;
    struct event_sink sink = report_sink(sending->report);
    struct vm_params params;

    if (event->kind == EVENT_UNDO ||
        (event->kind == EVENT_RECORD && !strcmp(event->text, record_name(RECORD_ABORTED))))
        sending->going_back = true;
    if (event->kind == EVENT_STAGE_BEGIN &&
        fields_read(vm_fields, sending->m.params, &params, NULL))
        report_expect_ram(sending->report, params.memory);
    event_emit(&sink, *event);
    if (sending->detached >= 0 && event->kind == EVENT_STAGE_BEGIN) { /* the journal is there */
        (void)detach_go(sending->detached, sending->m.id);
        sending->detached = -1;
    }
}

/* ---- the way there ---- */

static bool prepare(struct sending *sending, struct error *err)
{
    struct migration *m = &sending->m;
    char id[17];

    m->events = (struct event_sink){ on_event, sending };
    m->history = report_history(sending->report);
    m->vm = sending->options->vm;
    journal_new_id(id);
    journal_new_token(m->token);
    if (!identity_read(&m->identity, err) || !migration_set_id(m, id, err))
        return false;
    report_keep_in(sending->report, m->own_state_dir, SIDE_SEND);
    return true;
}

static bool find_way(struct sending *sending, struct error *err)
{
    struct migration *m = &sending->m;
    struct transport_options options = {
        .rsh = sending->options->rsh,
        .remote_path = sending->options->remote_path,
        .runtime_dir = m->own_runtime_dir,
        .bandwidth = sending->options->migration.bandwidth,
        .errors = peer_words_fd(sending->words),
    };

    if (!tls_way(sending->options->dest, sending->options->tls, sending->options->rsh,
                 &sending->way, err))
        return false;
    options.tls = sending->way;
    m->transport = transport_new(m->loop, sending->options->dest, &options, err);
    return m->transport != NULL;
}

static const struct hypervisor *find_hypervisor(const struct send_options *options, const char **vm,
                                                struct error *err)
{
    *vm = options->vm;
    return options->simulate ? hypervisor_find("simulated")
                             : hypervisor_for_vm(options->vm, vm, err);
}

static bool attach(struct sending *sending, struct error *err)
{
    struct migration *m = &sending->m;
    struct vm_context context;
    const char *vm;
    const struct hypervisor *hypervisor = find_hypervisor(sending->options, &vm, err);

    if (!hypervisor || !hypervisor_available(hypervisor, err) ||
        !(hypervisor->made_up || identity_check(&m->identity, err)))
        return false;
    migration_vm_context(m, &context);
    m->guest = hypervisor_guest(hypervisor, &context, err);
    err->refusals = m->refusals;
    sending->attached = guest_attach(m->guest, vm, err);
    return sending->attached;
}

/* The VM's name in messages: the hypervisor's name for it, once that is known. */
static const char *name_of(const struct sending *sending)
{
    const struct guest *guest = sending->m.guest;

    return guest && guest->called[0] ? guest->called : sending->options->vm;
}

static void announce(struct sending *sending)
{
    cJSON *body = must(cJSON_CreateObject());

    report_say(sending->report, "moving '%s' to %s; this is migration %s", name_of(sending),
               target_name(sending->options->dest), sending->m.id);
    cJSON_AddStringToObject(body, "id", sending->m.id);
    cJSON_AddStringToObject(body, "vm", sending->m.vm);
    cJSON_AddStringToObject(body, "dest", sending->options->dest);
    cJSON_AddBoolToObject(body, "dry_run", sending->options->migration.dry_run);
    json_add_uint(body, "max_downtime_ms", sending->options->migration.vm.max_downtime_ms);
    json_add_uint(body, "max_pause_ms", limits_longest_pause(&sending->m));
    report_json(sending->report, "begin", body);
}

/* Which host refuses. NULL: it is the way from one to the other that does not lead there. */
static const char *who_refuses(const struct sending *sending)
{
    const struct migration *m = &sending->m;

    if (!sending->attached)
        return side_name(SIDE_SEND);
    return m->peer && session_refusals(m->peer) ? side_name(SIDE_RECV) : NULL;
}

/* Before there is a peer to ask, or while it is asked: nothing was touched. */
static void fail_before(const struct sending *sending, struct result *result)
{
    cJSON *refusal;

    result->outcome = OUTCOME_LOCAL_ERROR;
    if (result->error.kind != ERROR_REFUSED)
        return;
    result->outcome = OUTCOME_REFUSED;
    refusal = json_new("text", result->error.text);
    if (who_refuses(sending))
        cJSON_AddStringToObject(refusal, "side", who_refuses(sending));
    cJSON_AddStringToObject(refusal, "stage", "");
    cJSON_AddItemToArray(sending->m.refusals, refusal);
    result->error.refusals = sending->m.refusals;
    error_join(&result->error);
}

static bool may_begin(struct sending *sending, struct error *err)
{
    const struct send_options *options = sending->options;

    return options->simulate || settle_earlier(&sending->directories, options->vm,
                                               options->migration.dry_run, sending->report, err);
}

static void move(struct sending *sending, struct result *result)
{
    struct migration *m = &sending->m;

    if (!may_begin(sending, &result->error) || !attach(sending, &result->error)) {
        fail_before(sending, result);
        return;
    }
    announce(sending);
    report_doing(sending->report, "reaching %s ...", target_name(sending->options->dest));
    if (migration_connect(m, &result->error)) {
        report_doing(sending->report, "checking this host and %s ...",
                     strcmp(sending->options->dest, "local:") ? sending->options->dest
                                                              : "the target");
        pipeline_run(m, result);
    } else {
        fail_before(sending, result);
    }
    if (m->plans && m->options->dry_run && result->outcome == OUTCOME_DONE)
        report_plans(sending->report, m->plans);
    if (result->state == RUN_UNKNOWN && m->verdict == VERDICT_SOURCE)
        result->state = guest_state(m->guest);
}

static void send_vm(struct sending *sending, struct result *result)
{
    struct signals *signals;

    *result = (struct result){ .outcome = OUTCOME_LOCAL_ERROR };
    if (!prepare(sending, &result->error))
        return;
    if (!find_way(sending, &result->error)) {
        result->outcome = OUTCOME_USAGE;
        return;
    }
    signals = signals_new(sending->loop, on_signal, sending);
    move(sending, result);
    signals_free(signals);
}

static int end(struct sending *sending, const struct result *result)
{
    const struct send_options *options = sending->options;
    struct sent sent = {
        .vm = options->vm,
        .name = name_of(sending),
        .target = target_name(options->dest),
        .id = sending->m.id[0] ? sending->m.id : NULL,
        .until = options->migration.until,
        .dry_run = options->migration.dry_run,
        .attached = sending->attached,
        .has_journal = sending->m.journal != NULL,
        .signal = sending->signal,
        .refusals = result->outcome == OUTCOME_REFUSED ? sending->m.refusals : NULL,
    };
    struct ending ending;

    peer_words_print(sending->words);
    ending_of_send(&ending, result, &sent);
    return report_end(sending->report, &ending);
}

/* ---- afterwards ---- */

static bool open_trace(struct sending *sending, struct error *err)
{
    const char *path = sending->options->trace;

    sending->trace = path ? fopen(path, "we") : NULL;
    return !path || sending->trace ||
           error_set(err, ERROR_SYSTEM, "cannot write the trace to '%s': %m", path);
}

/* After the result: what becomes of a trace is nothing to wait for. */
static void tell_trace(struct sending *sending)
{
    const char *directory = sending->m.own_state_dir;
    struct error err = { 0 };
    struct story story;

    story_read(&story, report_lines(sending->report),
               directory ? history_read(directory, SIDE_RECV) : NULL);
    if (sending->trace)
        trace_print(sending->trace, &story);
    if (sending->trace && fclose(sending->trace))
        report_say(sending->report, "the trace is not whole: %m");
    if (!trace_export(&story, &err))
        report_say(sending->report, "%s", err.text);
    story_done(&story);
}

static int run(const struct send_options *options, int detached, int argc, char *argv[])
{
    struct sending sending = { .options = options, .loop = loop_new(), .detached = detached };
    struct result result = { .outcome = OUTCOME_LOCAL_ERROR };
    bool placed;
    int status;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGTTOU, SIG_IGN); /* a terminal set to `tostop` must not stop it half-way */
    sending.report = report_new("xmig", &options->output, stdout, stderr);
    sending.words = peer_words_new(sending.loop, sending.report, target_name(options->dest));
    placed = open_trace(&sending, &result.error) &&
             directories_make(&sending.directories, &result.error);
    migration_init(&sending.m, SIDE_SEND, sending.loop, &options->migration,
                   sending.directories.state_dir, sending.directories.runtime_dir);
    if (placed)
        send_vm(&sending, &result);
    status = result.outcome == OUTCOME_USAGE ? end_with_usage(argc, argv, &result.error)
                                             : end(&sending, &result);
    if (sending.m.id[0])
        hooks_run(&sending.directories, sending.m.id, SIDE_SEND, sending.report);
    tell_trace(&sending);
    migration_done(&sending.m);
    peer_words_free(sending.words);
    loop_free(sending.loop);
    report_free(sending.report);
    directories_done(&sending.directories);
    cJSON_Delete(sending.way);
    return status;
}

static void tell_detached(const struct send_options *options, const char *id)
{
    struct report *report = report_new("xmig", &options->output, stdout, stderr);
    cJSON *body = must(cJSON_CreateObject());

    report_say(
        report,
        "migration %s goes on by itself: 'xmig status --follow %s' shows it, and 'xmig cancel "
        "%s' calls it off",
        id, id, id);
    cJSON_AddStringToObject(body, "id", id);
    report_json(report, "detached", body);
    report_free(report);
}

static int tell_failure(const struct send_options *options, const struct error *err)
{
    struct report *report = report_new("xmig", &options->output, stdout, stderr);
    struct ending ending;
    int status;

    ending_of_failure(&ending, OUTCOME_LOCAL_ERROR, err);
    ending.where = PLACE_SOURCE;
    status = report_end(report, &ending);
    report_free(report);
    return status;
}

/* Also by two processes, of which one returns when the move has begun. */
static int run_detached(const struct send_options *options, int argc, char *argv[])
{
    char id[17] = "";
    int status, fd;
    struct error err = { 0 };

    if (detach_begin(&fd, id, &status, &err))
        return run(options, fd, argc, argv);
    if (err.kind != ERROR_NONE)
        return tell_failure(options, &err);
    if (id[0])
        tell_detached(options, id);
    return status;
}

int command_send(int argc, char *argv[])
{
    struct send_options options;
    struct error err = { 0 };
    int status;

    if (!parse_send(&options, argc, argv, &err))
        status = end_with_usage(argc, argv, &err);
    else if (options.help)
        status = print_help(help_text);
    else
        status =
            options.detach ? run_detached(&options, argc, argv) : run(&options, -1, argc, argv);
    send_options_done(&options);
    return status;
}
