/* xmig recv: the target's side of a migration, on standard input and output. It outlives the
 * ssh that started it, for as long as it has a promise to keep.
 */
#include "command.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>

#include "hooks.h"
#include "options.h"
#include "leftovers.h"
#include "directories.h"
#include "report.h"
#include "signals.h"
#include "wrap.h"
#include "xmig/cleanup.h"
#include "xmig/run.h"
#include "xmig/text.h"

static const char help_text[] =
    "usage: xmig recv [-v] [--as NAME] [--peer ADDRESS]\n"
    "\n"
    "Receives a VM, or answers what became of one. It speaks xmig's protocol on standard\n"
    "input and output: 'xmig send' starts it on the target, through ssh, or 'xmig listen'\n"
    "does; there is no need to type it.\n"
    "\n"
    "      --as NAME       permit only what this host's policy says of the sender NAME: see\n"
    "                      xmig-recv.conf(5)\n"
    "      --peer ADDRESS  where the connection comes from, as 'xmig listen' knows it\n"
    "  -v, --verbose       tell on standard error what happens\n"
    "  -h, --help          this text\n";

struct receiving {
    struct loop *loop;
    struct report *report;
    struct directories directories;
    const char *peer; /* --peer, the sender's address; NULL: not given */
    char id[17];      /* of the migration, once it is named */
};

/* Put /dev/null in the place of `fd`, so that only the session can use the stream. */
static int take_descriptor(int fd, int flags, struct error *err)
{
    int taken = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    int null = open("/dev/null", flags | O_CLOEXEC);

    if (taken < 0 || null < 0 || dup2(null, fd) < 0)
        error_set(err, ERROR_SYSTEM, "cannot take over descriptor %d: %m", fd);
    cleanup_close(&null);
    return taken;
}

/* Past PREPARED the commit protocol clears the interruption: a signal alone decides nothing. */
static void on_signal(void *arg, int number)
{
    struct receiving *receiving = arg;
    struct error why = { 0 };

    error_set(&why, ERROR_CANCELLED, "xmig recv was ended by %s", signal_name(number));
    report_say(receiving->report, "%s", why.text);
    loop_interrupt(receiving->loop, &why);
}

/* For the listener's log, in which several migrations speak. */
static void note(const struct receiving *receiving, const char *what)
{
    if (receiving->peer && *receiving->id)
        wrap_say(stderr, WRAP_INDENT, "xmig recv: %s, migration %s: %s", receiving->peer,
                 receiving->id, what);
}

/* How long the VM may stand still, for `xmig status` here. An older sender does not tell. */
static void keep_budget(const struct receiving *receiving, const cJSON *hello)
{
    static const char *const names[] = { "max_downtime_ms", "max_pause_ms" };
    cJSON *body;

    if (!json_uint_or(hello, names[0], 0))
        return;
    body = must(cJSON_CreateObject());
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        json_add_uint(body, names[i], json_uint_or(hello, names[i], 0));
    report_json(receiving->report, "budget", body);
}

/* The migration's name is known: from here on there is a place for a log. */
static void on_named(void *arg, const char *id, const cJSON *hello)
{
    struct receiving *receiving = arg;
    AUTO_FREE char *directory = formatted("%s/%s", receiving->directories.state_dir, id);

    report_keep_in(receiving->report, directory, SIDE_RECV);
    snprintf(receiving->id, sizeof(receiving->id), "%s", id);
    keep_budget(receiving, hello);
    note(receiving, "begins");
}

static int end(struct receiving *receiving, const struct result *result, struct error *err)
{
    if (result->outcome == OUTCOME_LOCAL_ERROR)
        *err = result->error; /* there was nobody to tell it to */
    else if (result->error.kind != ERROR_NONE)
        report_say(receiving->report, "%s", result->error.text);
    report_say(receiving->report, "ends: %s", outcome_name(result->outcome));
    note(receiving, result->error.kind == ERROR_NONE ? "ends" : result->error.text);
    return (int)result->outcome;
}

/* The address of the peer, from our caller or from sshd; the caller frees it. NULL: not known. */
static char *peer_address(const struct receiving *receiving)
{
    const char *connection = getenv("SSH_CONNECTION");

    if (receiving->peer)
        return must(strdup(receiving->peer));
    return connection ? must(strndup(connection, strcspn(connection, " "))) : NULL;
}

static void note_pruned(void *arg, const char *text)
{
    const struct receiving *receiving = arg;

    report_say(receiving->report, "%s", text);
    if (receiving->peer)
        wrap_say(stderr, WRAP_INDENT, "xmig recv: %s", text);
}

static int serve(struct receiving *receiving, const char *const names[], struct error *err)
{
    AUTO_FREE char *address = peer_address(receiving);
    struct serve_options options = {
        .events = report_sink(receiving->report),
        .history = report_history(receiving->report),
        .peer_address = address,
        .named = on_named,
        .named_arg = receiving,
    };
    struct result result;
    struct signals *signals;
    int in_fd = take_descriptor(STDIN_FILENO, O_RDONLY, err);
    int out_fd = take_descriptor(STDOUT_FILENO, O_WRONLY, err);

    if (err->kind != ERROR_NONE || !directories_make(&receiving->directories, err))
        return OUTCOME_LOCAL_ERROR;
    options.policy = names[0] ? policy_load(receiving->directories.config_dir, names) : NULL;
    leftovers_prune(&receiving->directories, policy_keep_ms(receiving->directories.config_dir),
                    note_pruned, receiving);
    options.state_dir = receiving->directories.state_dir;
    options.runtime_dir = receiving->directories.runtime_dir;
    signals = signals_new(receiving->loop, on_signal, receiving);
    serve_run(receiving->loop, in_fd, out_fd, &options, &result);
    signals_free(signals);
    policy_free(options.policy);
    return end(receiving, &result, err);
}

/* A hang-up, or a Ctrl-C at the terminal of a local: move, is not for us. */
static void leave_terminal(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    (void)setsid(); /* fails for a session leader, which we want to be */
}

static int receive(const struct recv_options *options)
{
    /* Warnings go to standard error, too, which the sender shows: the log here is far from it. */
    const struct output_options output = { .quiet = !options->verbose,
                                           .verbose = options->verbose,
                                           .progress = PROGRESS_NEVER };
    struct receiving receiving = { .loop = loop_new(),
                                   .report = report_new("xmig recv", &output, stdout, stderr),
                                   .peer = options->peer };
    struct error err = { 0 };
    int status;

    leave_terminal();
    status = serve(&receiving, options->names, &err);
    if (err.kind != ERROR_NONE)
        wrap_say(stderr, WRAP_INDENT, "xmig recv: %s", err.text);
    if (receiving.id[0])
        hooks_run(&receiving.directories, receiving.id, SIDE_RECV, receiving.report);
    loop_free(receiving.loop);
    report_free(receiving.report);
    directories_done(&receiving.directories);
    return status;
}

int command_recv(int argc, char *argv[])
{
    struct recv_options options;
    struct error err = { 0 };

    if (!parse_recv(&options, argc, argv, &err))
        return end_with_usage(argc, argv, &err);
    if (options.help)
        return print_help(help_text);
    if (isatty(STDIN_FILENO) || isatty(STDOUT_FILENO)) {
        error_set(
            &err, ERROR_REFUSED,
            "it speaks to 'xmig send', not to a terminal: run 'xmig send VM THIS-HOST' on the "
            "host where the VM runs");
        return end_with_usage(argc, argv, &err);
    }
    return receive(&options);
}
