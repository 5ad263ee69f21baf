/* -object: which kinds of object may move, and what their files are. */
#include "host/qemu/argv/rewriters.h"

/* A kind that is not here is not moved: many are a piece of this host, or start something on it. */
static const char *const movable[] = {
    "memory-backend-ram",
    "memory-backend-file",
    "memory-backend-memfd",
    "memory-backend-shm",
    "rng-random",
    "rng-builtin",
    "rng-egd",
    "iothread",
    "main-loop",
    "thread-context",
    "throttle-group",
    "secret",
    "tls-creds-anon",
    "tls-creds-psk",
    "tls-creds-x509",
    "tls-cipher-suites",
    "authz-list",
    "authz-list-file",
    "authz-simple",
    "can-bus",
    "cryptodev-backend",
    "cryptodev-backend-builtin",
    "filter-buffer",
    "filter-dump",
    "filter-mirror",
    "filter-redirector",
    "filter-replay",
    "filter-rewriter",
    "colo-compare",
    "monitor-hmp",
    "monitor-qmp",
    NULL,
};

static bool is(const char *type, const char *wanted)
{
    return !strcmp(type, wanted);
}

bool rewrite_object(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    const char *type = keyvals_get_implied(kv, "qom-type");

    if (!word_is_among(type, movable))
        return error_set(err, ERROR_REFUSED,
                         "the VM's object '%s' belongs to this host, or is one that xmig does not "
                         "know: it cannot be moved",
                         type ? type : "?");
    rewriting_path_key(r, kv, "mem-path", rewriting_memory);
    rewriting_path_key(r, kv, "filename", rewriting_need);
    rewriting_path_key(r, kv, "dir", rewriting_need);
    if (is(type, "secret"))
        rewriting_path_key(r, kv, "file", rewriting_need);
    if (is(type, "filter-dump"))
        rewriting_path_key(r, kv, "file", rewriting_write);
    return true;
}
