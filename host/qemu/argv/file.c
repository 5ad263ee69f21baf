/* Options that name files: those that QEMU reads, those that it writes. */
#include <sys/stat.h>

#include "host/qemu/argv/rewriters.h"
#include "xmig/paths.h"
#include "xmig/text.h"

static char *absolute_path(const struct rewriting *r, const char *path)
{
    return path_absolute(r->cwd, path);
}

static bool exists(const struct rewriting *r, const char *path)
{
    AUTO_FREE char *absolute = absolute_path(r, path);

    return access(absolute, F_OK) == 0;
}

char *rewriting_memory(struct rewriting *r, const char *path)
{
    AUTO_FREE char *absolute = absolute_path(r, path);
    struct stat st;
    bool is_directory = stat(absolute, &st) == 0 && S_ISDIR(st.st_mode);

    return is_directory ? rewriting_need(r, path) : rewriting_write(r, path);
}

void rewriting_searched_key(struct rewriting *r, struct keyvals *kv, const char *key)
{
    const char *name = keyvals_get(kv, key);

    if (!*name)
        return; /* "romfile=": none at all */
    if (exists(r, name))
        rewriting_path_key(r, kv, key, rewriting_need);
    else
        rewriting_list(r->result->searched, name);
}

/* ---- the rewriters ---- */

bool rewrite_input(struct rewriting *r, const char *value, struct error *err)
{
    AUTO_FREE char *path = exists(r, value) ? rewriting_need(r, value) : must(strdup(value));

    if (!strcmp(r->option, "bios") && *path != '/')
        rewriting_list(r->result->searched, path);
    return rewriting_keep(r, path, err);
}

bool rewrite_option_rom(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    const char *file = keyvals_get_implied(kv, "romfile");

    (void)err;
    if (file && exists(r, file)) {
        AUTO_FREE char *path = rewriting_need(r, file);

        keyvals_set_implied(kv, "romfile", path);
    } else if (file) {
        rewriting_list(r->result->searched, file);
    }
    return true;
}

bool rewrite_inputs_within(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    (void)err;
    rewriting_path_key(r, kv, "file", rewriting_need);
    rewriting_path_key(r, kv, "path", rewriting_need);
    return true;
}

bool rewrite_boot(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    (void)err;
    if (keyvals_get(kv, "splash"))
        rewriting_searched_key(r, kv, "splash");
    return true;
}

/* A folder that the guest can mount by 9p. QEMU itself says whether the guest has mounted it, which
 * cannot be moved; the target's has to be there.
 */
bool rewrite_shared_folder(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    const char *driver = keyvals_get_implied(kv, "fsdriver");

    if (!driver || strcmp(driver, "local") != 0)
        return error_set(
            err, ERROR_REFUSED,
            "the VM's '-%s %s' is served by another process of this host, or by a test: "
            "only a folder (local) can be moved, which the guest has not mounted",
            r->option, r->value);
    rewriting_path_key(r, kv, "path", rewriting_need);
    return true;
}

/* Several files, separated by colons: -acpitable file=A:B. */
static char *need_each(struct rewriting *r, const char *value)
{
    AUTO_FREE char *copy = must(strdup(value));
    char *paths = NULL;
    char *rest = copy;
    const char *part;

    while ((part = strsep(&rest, ":"))) {
        AUTO_FREE char *absolute = rewriting_need(r, part);
        AUTO_FREE char *before = paths;

        paths = formatted("%s%s%s", before ? before : "", before ? ":" : "", absolute);
    }
    return paths;
}

bool rewrite_acpitable(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    (void)err;
    rewriting_path_key(r, kv, "file", need_each);
    rewriting_path_key(r, kv, "data", need_each);
    return true;
}

bool rewrite_trace(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    (void)err;
    rewriting_path_key(r, kv, "events", rewriting_need);
    rewriting_path_key(r, kv, "file", rewriting_write);
    return true;
}

/* A directory of huge pages, or a file that holds the memory. */
bool rewrite_mem_path(struct rewriting *r, const char *value, struct error *err)
{
    AUTO_FREE char *path = rewriting_memory(r, value);

    return rewriting_keep(r, path, err);
}

bool rewrite_pidfile(struct rewriting *r, const char *value, struct error *err)
{
    AUTO_FREE char *path = rewriting_write(r, value);

    rewriting_list(r->result->pidfiles, path);
    return rewriting_keep(r, path, err);
}

/* QEMU would empty a log file of an earlier run at the target. */
bool rewrite_log(struct rewriting *r, const char *value, struct error *err)
{
    (void)err;
    rewriting_note(r, "what QEMU logs (-D %s) goes into the log that xmig keeps of it", value);
    return true;
}
