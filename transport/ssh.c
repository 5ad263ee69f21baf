/* The peer is reached by ssh, with all that the user has configured for it.
 *
 * One ssh, the control master, asks whatever there is to ask at our terminal and goes into
 * the background; every connection is then a session of its own within that one. Another
 * program given with --rsh is run once a connection, as `PROGRAM HOST COMMAND`.
 */
#include "transport/internal.h"
#include "transport/lanes/ssh-lanes.h"
#include "transport/ssh-config.h"
#include "transport/ssh.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "xmig/cleanup.h"
#include "xmig/text.h"

enum {
    /* For a person to find the password. ssh and the server give up much earlier when
     * nobody needs to be asked.
     */
    OPEN_TIMEOUT_MS = 10 * 60 * 1000,
    LOCAL_TIMEOUT_MS = 5000, /* for an ssh that talks to nobody far away */
    CONFIG_MAX = 64 * 1024,
    /* ssh binds its control socket under a name that is longer by ".RANDOM" first. */
    SSH_SUFFIX_LEN = 17,
};

struct ssh {
    char *rsh;           /* what the words of `program` are in */
    struct argv program; /* "ssh", or the words of --rsh */
    bool is_openssh;     /* … and takes its options */
    struct ssh_dest dest;
    char *config;        /* what `ssh -G` says; NULL: not known */
    char *ciphers;       /* NULL: as ssh likes */
    char *control_path;  /* the master's socket */
    char *control_value; /* the same as ssh reads it */
    bool master_runs;
    bool has_warned; /* what a login makes ssh say, it has said */
    struct ssh_lanes lanes;
    bool went_past; /* the last connection was one of its own, past the master */
};

static bool is_port(const char *text)
{
    char *end;
    unsigned long port = strtoul(text, &end, 10);

    return isdigit((unsigned char)*text) && !*end && port >= 1 && port <= 65535;
}

/* Refuse, also for an older ssh, what OpenSSH 9.6 refuses: the user's ProxyCommand and
 * `Match exec` would hand it to a shell.
 */
static bool is_safe(const char *text, const char *unsafe, const char *what, struct error *err)
{
    if (!*text)
        return error_set(err, ERROR_REFUSED, "the %s is empty", what);
    if (*text == '-')
        return error_set(err, ERROR_REFUSED, "the %s begins with '-'", what);
    for (const char *c = text; *c; c++)
        if (isspace((unsigned char)*c) || iscntrl((unsigned char)*c) || strchr(unsafe, *c))
            return error_set(err, ERROR_REFUSED,
                             "the %s has a blank, a control character or one of %s", what, unsafe);
    return true;
}

static bool is_v6(const char *host)
{
    AUTO_FREE char *address = must(strdup(host));
    struct in6_addr unused;

    address[strcspn(address, "%")] = '\0'; /* fe80::1%eth0 */
    return inet_pton(AF_INET6, address, &unused) == 1;
}

/* "host" or "host:port", or a bare IPv6 address */
static bool split_port(char *host, const char **port, struct error *err)
{
    char *colon = strchr(host, ':');

    *port = NULL;
    if (!colon || is_v6(host))
        return true;
    if (!is_port(colon + 1))
        return error_set(err, ERROR_REFUSED, "':%s' is not a port from 1 to 65535", colon + 1);
    *colon = '\0';
    *port = colon + 1;
    return true;
}

/* "[v6address]" or "[v6address]:port" */
static bool split_brackets(char *host, const char **port, struct error *err)
{
    char *end = strchr(host, ']');

    *port = NULL;
    if (!end || (end[1] && end[1] != ':'))
        return error_set(err, ERROR_REFUSED, "after '[' comes an IPv6 address, ']' and ':PORT'");
    if (end[1] && !is_port(end + 2))
        return error_set(err, ERROR_REFUSED, "':%s' is not a port from 1 to 65535", end + 2);
    if (end[1])
        *port = end + 2;
    *end = '\0';
    if (!is_v6(host + 1))
        return error_set(err, ERROR_REFUSED, "'%s' is not an IPv6 address", host + 1);
    memmove(host, host + 1, strlen(host));
    return true;
}

bool ssh_parse_dest(const char *text, struct ssh_dest *dest, struct error *err)
{
    AUTO_FREE char *copy = must(strdup(text));
    char *at = strrchr(copy, '@');
    char *host = at ? at + 1 : copy;
    const char *port = NULL;
    bool ok;

    if (*host && host[strlen(host) - 1] == '/') /* as in ssh://host/ */
        host[strlen(host) - 1] = '\0';
    if (at)
        *at = '\0';
    if (at && !is_safe(copy, "'`\";&<>|(){}", "user", err))
        return false;
    ok = *host == '[' ? split_brackets(host, &port, err) : split_port(host, &port, err);
    if (!ok || !is_safe(host, "'`\"$\\;&<>|(){}/", "host", err))
        return false;
    *dest = (struct ssh_dest){ .port = port ? must(strdup(port)) : NULL };
    dest->host = formatted("%s%s%s", at ? copy : "", at ? "@" : "", host);
    return true;
}

void ssh_dest_done(struct ssh_dest *dest)
{
    free(dest->host);
    free(dest->port);
}

/* "flags : … aes …" on x86, "Features : … aes …" on ARM */
static bool cpu_has_aes(void)
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[8192];
    bool found = false;

    while (file && !found && fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\n")] = ' ';
        found =
            (!strncmp(line, "flags", 5) || !strncmp(line, "Features", 8)) && strstr(line, " aes ");
    }
    if (file)
        fclose(file);
    return found;
}

/* The output of a program that ends soon; NULL: it failed. The caller frees it. */
static char *output_of(struct loop *loop, const char *const words[])
{
    AUTO_CLOSE int fd = memfd_create("output", MFD_CLOEXEC);
    AUTO_FREE char *text = must(calloc(1, CONFIG_MAX));
    struct child *child = child_start(loop, words, -1, fd, -1, NULL);
    int status = -1;

    if (!child)
        return NULL;
    (void)child_wait(child, LOCAL_TIMEOUT_MS, &status, NULL);
    child_free(child);
    if (status || pread(fd, text, CONFIG_MAX - 1, 0) < 0)
        return NULL;
    return steal(text);
}

static void add_target(struct argv *argv, const struct ssh *ssh)
{
    argv_add(argv, "--");
    argv_add(argv, ssh->dest.host);
}

static void add_port(struct argv *argv, const struct ssh *ssh)
{
    if (!ssh->dest.port)
        return;
    argv_add(argv, "-p");
    argv_add(argv, ssh->dest.port);
}

/* What `ssh -G` says of the destination, in `ssh->config`; NULL: this ssh cannot tell. */
static bool read_config(struct loop *loop, struct ssh *ssh, struct error *err)
{
    AUTO_FREE char *built_in = NULL;
    AUTO_ARGV struct argv users = { 0 };
    AUTO_ARGV struct argv nobodys = { 0 };

    argv_add_all(&users, ssh->program.words);
    add_port(&users, ssh);
    argv_add(&users, "-G");
    add_target(&users, ssh);
    argv_add(&nobodys, ssh->program.words[0]);
    argv_add_all(&nobodys, (const char *const[]){ "-F", "none", "-G", "--", "localhost", NULL });
    free(ssh->config);
    ssh->config = output_of(loop, users.words);
    built_in = output_of(loop, nobodys.words);
    if (!ssh->config)
        return !built_in || ssh_check_user(ssh->dest.host, err);
    free(ssh->ciphers);
    ssh->ciphers = built_in ? ssh_choose_ciphers(ssh->config, built_in, cpu_has_aes()) : NULL;
    return true;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static void split_program(struct ssh *ssh, const char *rsh)
{
    char *rest = ssh->rsh = must(strdup(rsh ? rsh : "ssh"));
    char *word;

    while ((word = strtok_r(rest, " ", &rest)))
        argv_add(&ssh->program, word);
    if (ssh->program.count == 0)
        argv_add(&ssh->program, "ssh");
    ssh->is_openssh = !strcmp(base_name(ssh->program.words[0]), "ssh");
}

/* ssh expands what begins with '%' in it. */
static char *double_percents(const char *path)
{
    char *doubled = must(calloc(2, strlen(path) + 1));
    char *end = doubled;

    for (; *path; path++) {
        if (*path == '%')
            *end++ = '%';
        *end++ = *path;
    }
    return doubled;
}

static struct ssh *ssh_new(const struct transport *transport)
{
    struct ssh *ssh = must(calloc(1, sizeof(*ssh)));

    if (!ssh_parse_dest(transport->rest, &ssh->dest, NULL))
        abort(); /* ssh_accepts() has seen it */
    split_program(ssh, transport->options.rsh);
    ssh->control_path = formatted("%s/ssh-ctl", transport->options.runtime_dir);
    ssh->control_value = double_percents(ssh->control_path);
    return ssh;
}

static void ssh_free(struct ssh *ssh)
{
    ssh_dest_done(&ssh->dest);
    argv_done(&ssh->program);
    free(ssh->rsh);
    free(ssh->config);
    free(ssh->ciphers);
    free(ssh->control_path);
    free(ssh->control_value);
    ssh_lanes_done(&ssh->lanes);
    free(ssh);
}

static struct ssh *ssh_of(struct transport *transport)
{
    if (!transport->impl)
        transport->impl = ssh_new(transport);
    return transport->impl;
}

static bool check_program(const struct ssh *ssh, struct error *err)
{
    const size_t longest = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1 - SSH_SUFFIX_LEN;

    if (!ssh->is_openssh)
        return !ssh->dest.port ||
               error_set(err, ERROR_REFUSED, "a port cannot be told to '%s': give it with --rsh",
                         ssh->program.words[0]);
    if (strlen(ssh->control_path) > longest)
        return error_set(err, ERROR_REFUSED,
                         "'%s' is too long for ssh's control socket (at most %zu bytes): use a "
                         "shorter runtime directory",
                         ssh->control_path, longest);
    return true;
}

/* Of two -o for one option ssh takes the first, of two -S the last: what the user wrote
 * in --rsh beats our taste in everything but the control master.
 */
static void add_ssh(struct argv *argv, const struct ssh *ssh, const char *master,
                    const char *socket)
{
    argv_add(argv, ssh->program.words[0]);
    argv_add(argv, "-o");
    argv_add(argv, master);
    /* If we are killed, the master ends by itself: after 5 s, because at first nothing runs
     * through it yet.
     */
    argv_add_all(argv, (const char *const[]){ "-o", "ControlPersist=5", NULL });
    argv_add_all(argv, ssh->program.words + 1);
    /* Nothing but the connection, eight bits wide; one that has died is noticed. */
    argv_add_all(argv, (const char *const[]){ "-T", "-x", "-a", "-e", "none", "-o",
                                              "ClearAllForwardings=yes", "-o", "RemoteCommand=none",
                                              "-o", "ServerAliveInterval=5", "-o",
                                              "ServerAliveCountMax=4", NULL });
    if (ssh->ciphers) {
        argv_add(argv, "-c");
        argv_add(argv, ssh->ciphers);
    }
    /* A lane is idle as long as the guest does not write to its disk. */
    if (ssh_config_differs(ssh->config, "channeltimeout", "none"))
        argv_add_all(argv, (const char *const[]){ "-o", "ChannelTimeout=none", NULL });
    add_port(argv, ssh);
    argv_add(argv, "-S");
    argv_add(argv, socket);
}

static bool has_ended(void *child)
{
    return child_ended(child, NULL);
}

/* An ssh that is asking for a password has switched the terminal's echo off: it is asked
 * to end, so that it can switch it on again.
 */
static void end_gently(struct loop *loop, struct child *child)
{
    kill(child_pid(child), SIGTERM);
    (void)loop_wait_anyway(loop, has_ended, child, LOCAL_TIMEOUT_MS);
}

static bool await_master(struct loop *loop, const struct ssh *ssh, struct child *child,
                         struct error *err)
{
    int status = -1;

    if (!child_wait(child, OPEN_TIMEOUT_MS, &status, err)) {
        end_gently(loop, child);
        return error_prefix(err, "ssh to %s", ssh->dest.host);
    }
    if (status == 0)
        return true;
    if (status == 128 + SIGINT) /* it may hear of Ctrl-C sooner than we do */
        return error_set(err, ERROR_CANCELLED, "ssh to %s was interrupted", ssh->dest.host);
    /* ssh has printed the reason on our standard error. */
    return error_set(err, ERROR_LOST,
                     "ssh could not connect to %s (status %d); it says why by itself, and that "
                     "login has to work first",
                     ssh->dest.host, status);
}

/* -f with -N: back when all is authenticated, and no command is run, which a server that
 * permits only xmig would refuse.
 */
static bool start_master(struct loop *loop, struct ssh *ssh, struct error *err)
{
    AUTO_ARGV struct argv argv = { 0 };
    struct child *child;

    /* Where a socket of that name exists, ssh would run for ever without becoming a master. */
    (void)unlink(ssh->control_path);
    add_ssh(&argv, ssh, "ControlMaster=yes", ssh->control_value);
    argv_add_all(&argv, (const char *const[]){ "-N", "-f", NULL });
    add_target(&argv, ssh);
    child = child_start_foreground(loop, argv.words, -1, STDERR_FILENO, STDERR_FILENO, err);
    if (!child)
        return false;
    ssh->master_runs = await_master(loop, ssh, child, err);
    ssh->has_warned = ssh->has_warned || ssh->master_runs;
    child_free(child);
    return ssh->master_runs;
}

static void end_master(struct loop *loop, const struct ssh *ssh)
{
    AUTO_ARGV struct argv argv = { 0 };
    struct child *child;

    add_ssh(&argv, ssh, "ControlMaster=no", ssh->control_value);
    argv_add_all(&argv, (const char *const[]){ "-O", "exit", NULL });
    add_target(&argv, ssh);
    child = child_start(loop, argv.words, -1, -1, -1, NULL);
    if (child)
        (void)loop_wait_anyway(loop, has_ended, child, LOCAL_TIMEOUT_MS);
    child_free(child);
    (void)unlink(ssh->control_path);
}

static bool ssh_accepts(const char *rest, struct error *err)
{
    struct ssh_dest dest;

    if (!ssh_parse_dest(rest, &dest, err))
        return false;
    ssh_dest_done(&dest);
    return true;
}

static bool ssh_open(struct transport *transport, struct error *err)
{
    struct ssh *ssh = ssh_of(transport);

    if (!check_program(ssh, err))
        return false;
    if (!ssh->is_openssh || ssh->master_runs)
        return true;
    return read_config(transport->loop, ssh, err) && start_master(transport->loop, ssh, err);
}

/* A lane for which the master is refused a session becomes no login of its own: with passwords, or
 * where logins are counted, that would fail later and elsewhere. A control connection may become
 * one: the master may have ended by itself.
 */
static void stay_within_master(struct argv *argv)
{
    argv_add_all(argv, (const char *const[]){ "-o", "ProxyCommand=false", NULL });
}

/* A login past the master has no terminal to ask at, and a network that is gone shall not hold
 * it up for the minutes that TCP would try.
 */
static void add_connection(struct argv *argv, const struct ssh *ssh, bool is_lane)
{
    add_ssh(argv, ssh, "ControlMaster=no", ssh->went_past ? "none" : ssh->control_value);
    if (ssh->went_past)
        argv_add_all(
            argv, (const char *const[]){ "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", NULL });
    /* The master has said already that the key exchange is not of the newest kind. */
    if (ssh->went_past && ssh->has_warned &&
        ssh_config_differs(ssh->config, "warnweakcrypto", "no"))
        argv_add_all(argv, (const char *const[]){ "-o", "WarnWeakCrypto=no", NULL });
    if (is_lane && !ssh->went_past)
        stay_within_master(argv);
    add_target(argv, ssh);
}

static struct link *connect_to(struct transport *transport, bool past, const char *const words[],
                               int fd, struct error *err)
{
    struct ssh *ssh = ssh_of(transport);
    AUTO_FREE char *command = remote_command(transport->options.remote_path, words);
    AUTO_ARGV struct argv argv = { 0 };
    bool is_lane = !strcmp(words[0], "lane");

    ssh->went_past = past;
    if (ssh->lanes.forwarded && is_lane) {
        ssh_lanes_add_words(&argv, &ssh->lanes, words);
        return start_link(transport, &argv, fd, ssh->lanes.probing, err);
    }
    if (ssh->is_openssh) {
        add_connection(&argv, ssh, is_lane);
    } else {
        argv_add_all(&argv, ssh->program.words);
        argv_add(&argv, ssh->dest.host);
    }
    argv_add(&argv, command);
    return start_link(transport, &argv, fd, ssh->lanes.probing, err);
}

static struct link *ssh_dial(struct transport *transport, const char *const words[], int fd,
                             struct error *err)
{
    return connect_to(transport, !ssh_of(transport)->master_runs, words, fd, err);
}

static struct link *ssh_dial_anew(struct transport *transport, const char *const words[], int fd,
                                  struct error *err)
{
    return connect_to(transport, true, words, fd, err);
}

static bool ssh_make_room(struct transport *transport, size_t lanes, struct error *err)
{
    struct ssh *ssh = ssh_of(transport);

    if (!ssh->is_openssh || !ssh->master_runs)
        return true;
    ssh->lanes.program = ssh->program.words[0];
    ssh->lanes.control = ssh->control_value;
    ssh->lanes.host = ssh->dest.host;
    return ssh_lanes_make_room(transport, &ssh->lanes, lanes, err);
}

static void ssh_explain(struct transport *transport, int status, struct error *err)
{
    const struct ssh *ssh = ssh_of(transport);

    if (status != 255)
        explain_status(transport, ssh->dest.host, status, err);
    else if (!ssh->went_past)
        error_set(err, ERROR_LOST, "the connection of ssh to %s broke, or xmig was killed there",
                  ssh->dest.host);
    else
        error_set(err, ERROR_LOST, "ssh could not connect to %s", ssh->dest.host);
}

static void ssh_close(struct transport *transport)
{
    struct ssh *ssh = transport->impl;

    if (!ssh)
        return;
    if (ssh->master_runs)
        end_master(transport->loop, ssh);
    ssh_free(ssh);
}

const struct transport_ops transport_ssh = {
    .scheme = "ssh",
    .summary = "a machine that ssh reaches: [USER@]HOST, or ssh://[USER@]HOST[:PORT]",
    .accepts = ssh_accepts,
    .open = ssh_open,
    .dial = ssh_dial,
    .dial_anew = ssh_dial_anew,
    .make_room = ssh_make_room,
    .explain = ssh_explain,
    .close = ssh_close,
};
