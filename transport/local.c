/* The peer is this very machine: its xmig is this very program, or what --remote-path says,
 * as a shell would find it (with another state directory, for instance).
 */
#include "transport/internal.h"

#include "xmig/cleanup.h"

static bool local_accepts(const char *rest, struct error *err)
{
    if (!*rest)
        return true;
    return error_set(err, ERROR_REFUSED, "'local:' is this machine; nothing may follow");
}

static struct link *local_dial(struct transport *transport, const char *const words[], int fd,
                               struct error *err)
{
    AUTO_FREE char *command = NULL;
    AUTO_ARGV struct argv argv = { 0 };

    if (transport->options.remote_path) {
        command = remote_command(transport->options.remote_path, words);
        argv_add_all(&argv, (const char *const[]){ "/bin/sh", "-c", command, NULL });
    } else {
        /* Also after its file has been replaced by a newer one. */
        argv_add(&argv, "/proc/self/exe");
        argv_add_all(&argv, words);
    }
    return start_link(transport, &argv, fd, false, err);
}

static void local_explain(struct transport *transport, int status, struct error *err)
{
    explain_status(transport, "this machine", status, err);
}

const struct transport_ops transport_local = {
    .scheme = "local",
    .is_here = true,
    .summary = "this machine, for tests and for moves between its disks",
    .accepts = local_accepts,
    .dial = local_dial,
    .explain = local_explain,
};
