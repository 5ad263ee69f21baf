/* Looking through /proc for QEMU processes. */
#include "host/qemu/find.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/qemu/argv/argv.h"
#include "host/qemu/start-dir.h"
#include "xmig/process.h"
#include "xmig/text.h"

static char *read_proc_link(pid_t pid, const char *name)
{
    static const char deleted[] = " (deleted)"; /* QEMU was upgraded while it ran */
    char path[64];
    char target[PATH_MAX];
    ssize_t len;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    len = readlink(path, target, sizeof(target) - 1);
    if (len < 0)
        return NULL;
    target[len] = '\0';
    if ((size_t)len > strlen(deleted) && !strcmp(target + len - strlen(deleted), deleted))
        target[(size_t)len - strlen(deleted)] = '\0';
    return must(strdup(target));
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* A package may have put a program around QEMU's, which is then called ".NAME-wrapped" (Nix) or
 * ".NAME-real" (Guix).
 */
char *qemu_program_unwrapped(const char *program)
{
    static const char *const ends[] = { "-wrapped", "-real" };
    const char *name = last_part(program);
    size_t dots = strspn(name, ".");

    for (size_t i = 0; dots && i < sizeof(ends) / sizeof(ends[0]); i++) {
        const char *end = strstr(name + dots, ends[i]);

        if (end)
            return formatted("%.*s%.*s", (int)(name - program), program,
                             (int)(end - name - (ptrdiff_t)dots), name + dots);
    }
    return must(strdup(program));
}

bool qemu_is_name(const char *program)
{
    AUTO_FREE char *unwrapped = qemu_program_unwrapped(program);
    const char *name = last_part(unwrapped);

    return !strncmp(name, "qemu-system-", 12) || !strcmp(name, "qemu-kvm") || !strcmp(name, "kvm");
}

static bool may_be_qemu(const char *exe)
{
    const char *name = last_part(exe);

    return strstr(name, "qemu") || !strncmp(name, "kvm", 3);
}

/* Whoever starts a program chooses what it calls itself. */
static bool is_qemu(const char *called, const char *exe)
{
    return exe ? qemu_is_name(exe) || (qemu_is_name(called) && may_be_qemu(exe))
               : qemu_is_name(called);
}

/* The second of the four numbers, the effective one. */
static bool read_id(const char *status, const char *key, unsigned *id)
{
    const char *line = strstr(status, key);

    return line && sscanf(line + strlen(key), "%*u %u", id) == 1;
}

static bool read_rights(struct qemu_process *process)
{
    size_t len;
    AUTO_FREE char *status = process_file(process->pid, "status", &len);

    return status && read_id(status, "\nUid:", &process->uid) &&
           read_id(status, "\nGid:", &process->gid);
}

static void expand(struct qemu_process *process)
{
    cJSON *words = process->words;

    process->configs = must(cJSON_CreateArray());
    process->words = argv_expand(words, process->start_dir, process->configs);
    cJSON_Delete(words);
}

static bool read_details(struct qemu_process *process)
{
    process->cwd = read_proc_link(process->pid, "cwd");
    if (!process->cwd)
        return false;
    start_dir_find(process);
    expand(process);
    process->name = argv_name(process->words);
    return process->exe && read_rights(process);
}

/* The line as it is said; NULL: that is no QEMU. */
static cJSON *plain_words(const char *line, size_t len, const char *exe)
{
    cJSON *words;

    if (len == 0 || !is_qemu(line, exe))
        return NULL;
    words = process_words(line, len);
    cJSON_DeleteItemFromArray(words, 0);
    return words;
}

cJSON *qemu_words(const char *line, size_t len, const char *exe)
{
    AUTO_JSON cJSON *words = plain_words(line, len, exe);

    return words ? argv_expand(words, NULL, NULL) : NULL;
}

static bool read_words(struct qemu_process *process)
{
    size_t len;
    AUTO_FREE char *line = process_file(process->pid, "cmdline", &len);
    AUTO_FREE char *exe = read_proc_link(process->pid, "exe");

    process->words = line ? plain_words(line, len, exe) : NULL;
    process->exe = exe ? qemu_program_unwrapped(exe) : NULL;
    return process->words != NULL;
}

bool qemu_process_read(pid_t pid, struct qemu_process *process, struct error *err)
{
    *process = (struct qemu_process){ .pid = pid, .start_time = process_start_time(pid) };
    if (process->start_time == 0 || !read_words(process)) {
        qemu_process_done(process);
        return error_set(err, ERROR_REFUSED, "process %d is not a QEMU", (int)pid);
    }
    if (read_details(process) && process_lives(pid, process->start_time))
        return true;
    qemu_process_done(process);
    return error_set(err, ERROR_REFUSED,
                     "cannot look at QEMU's process %d: it has ended, or belongs to another user",
                     (int)pid);
}

void qemu_process_done(struct qemu_process *process)
{
    cJSON_Delete(process->words);
    free(process->exe);
    cJSON_Delete(process->configs);
    free(process->cwd);
    free(process->start_dir);
    free(process->name);
    *process = (struct qemu_process){ 0 };
}

struct each {
    void (*call)(void *arg, const struct qemu_process *process);
    void *arg;
};

static bool show(void *arg, pid_t pid)
{
    const struct each *each = arg;
    struct qemu_process process;

    if (qemu_process_read(pid, &process, NULL)) {
        each->call(each->arg, &process);
        qemu_process_done(&process);
    }
    return false;
}

void qemu_process_each(void (*each)(void *arg, const struct qemu_process *process), void *arg)
{
    struct each all = { each, arg };

    process_find(show, &all);
}

/* A process of another user shows its command line to everybody, and nothing else. */
static bool is_of_others(void *name, pid_t pid)
{
    struct qemu_process process = { .pid = pid };
    AUTO_FREE char *called = NULL;
    bool found = false;

    if (read_words(&process)) {
        called = argv_name(process.words);
        found = called && !strcmp(called, name) && !read_details(&process);
    }
    qemu_process_done(&process);
    return found;
}

pid_t qemu_process_of_others(const char *name)
{
    return geteuid() == 0 ? 0 : process_find(is_of_others, (void *)name);
}

bool qemu_advise_sudo(struct error *err)
{
    if (geteuid() == 0)
        return false;
    return error_append(err, "; say 'sudo xmig', and --remote-path \"sudo xmig\" where the target "
                             "needs it, too");
}

struct search {
    const char *name;
    pid_t found;
    size_t count;
    char who[512]; /* each with what tells it from the others */
};

static void compare(void *arg, const struct qemu_process *process)
{
    struct search *search = arg;
    AUTO_JSON cJSON *sockets = NULL;
    size_t used = strlen(search->who);

    if (!process->name || strcmp(process->name, search->name) != 0)
        return;
    sockets = argv_qmp_sockets(process->words, process->start_dir);
    snprintf(search->who + used, sizeof(search->who) - used, "%sprocess %d: %s",
             search->count ? "; " : "", (int)process->pid,
             sockets->child ? sockets->child->valuestring : "no QMP socket");
    search->found = process->pid;
    search->count++;
}

bool qemu_process_find(const char *name, struct qemu_process *process, struct error *err)
{
    struct search search = { .name = name };
    pid_t others;

    qemu_process_each(compare, &search);
    if (search.count > 1)
        return error_set(err, ERROR_REFUSED,
                         "%zu QEMUs are called '%s': say which by the path of its QMP socket (%s)",
                         search.count, name, search.who);
    if (search.count)
        return qemu_process_read(search.found, process, err);
    others = qemu_process_of_others(name);
    if (!others)
        return error_set(err, ERROR_REFUSED, "no QEMU process is called '%s' (-name)", name);
    error_set(err, ERROR_REFUSED, "QEMU '%s' (process %d) runs as another user", name, (int)others);
    return qemu_advise_sudo(err);
}

struct owned {
    const char *name;
    uid_t uid;
    pid_t found;
};

static void compare_owned(void *arg, const struct qemu_process *process)
{
    struct owned *owned = arg;

    if (process->name && !strcmp(process->name, owned->name) &&
        (process->uid == 0 || process->uid == owned->uid))
        owned->found = process->pid;
}

pid_t qemu_process_of(const char *name, uid_t uid)
{
    struct owned owned = { .name = name, .uid = uid };

    qemu_process_each(compare_owned, &owned);
    return owned.found;
}
