/* The program that emulates the VM's TPM: swtpm, found by the socket at which QEMU reaches it. Its
 * state travels within QEMU's own; the target starts another swtpm by the words of this one.
 */
#include <limits.h>
#include <stdio.h>

#include "host/qemu/guest/guest.h"
#include "host/qemu/guest/machine.h"
#include "host/system/unix-sockets.h"
#include "xmig/paths.h"
#include "core/plan-notes.h"
#include "xmig/process.h"
#include "xmig/text.h"

enum {
    LINE_MAX_BYTES = 65536
};

/* ---- its process ---- */

struct swtpm {
    pid_t pid;
    char cwd[PATH_MAX], exe[PATH_MAX];
    char line[LINE_MAX_BYTES]; /* NUL-terminated words, then an empty one */
    const struct qemu_guest *vm;
    cJSON *kept;
    struct qemu_tpm *tpm;
};

static void read_link(pid_t pid, const char *what, char *out, size_t size)
{
    AUTO_FREE char *path = formatted("/proc/%d/%s", (int)pid, what);
    ssize_t len = readlink(path, out, size - 1);

    out[len > 0 ? len : 0] = '\0';
}

static bool read_line(struct swtpm *swtpm)
{
    AUTO_FREE char *path = formatted("/proc/%d/cmdline", (int)swtpm->pid);
    FILE *file = fopen(path, "re");
    size_t len = file ? fread(swtpm->line, 1, sizeof(swtpm->line) - 2, file) : 0;

    if (file)
        fclose(file);
    memset(swtpm->line + len, 0, 2);
    return len > 0 && len < sizeof(swtpm->line) - 2;
}

/* An upgrade has replaced the program that still runs. */
static void cut_deleted(char *exe)
{
    static const char mark[] = " (deleted)";
    size_t len = strlen(exe), mark_len = strlen(mark);

    if (len > mark_len && !strcmp(exe + len - mark_len, mark))
        exe[len - mark_len] = '\0';
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static bool find(struct swtpm *swtpm, const char *socket, struct error *err)
{
    swtpm->pid = unix_socket_owner(socket);
    if (!swtpm->pid)
        return error_set(err, ERROR_REFUSED,
                         "the VM's TPM: nobody that xmig may look at has the socket '%s'", socket);
    read_link(swtpm->pid, "cwd", swtpm->cwd, sizeof(swtpm->cwd));
    read_link(swtpm->pid, "exe", swtpm->exe, sizeof(swtpm->exe));
    cut_deleted(swtpm->exe);
    if (strcmp(last_part(swtpm->exe), "swtpm") != 0 || !read_line(swtpm))
        return error_set(err, ERROR_REFUSED,
                         "the VM's TPM is process %d ('%s'): only swtpm's can be moved",
                         (int)swtpm->pid, swtpm->exe);
    return process_user(swtpm->pid) == swtpm->vm->process.uid ||
           error_set(err, ERROR_REFUSED,
                     "the VM's TPM, swtpm (process %d), runs as user %u and QEMU as user %u: xmig "
                     "starts both as one",
                     (int)swtpm->pid, (unsigned)process_user(swtpm->pid),
                     (unsigned)swtpm->vm->process.uid);
}

/* ---- its words ---- */

static bool is(const char *text, const char *word)
{
    return text && !strcmp(text, word);
}

/* A path of its own at the target: renamed with the VM. */
static const char *path_there(const struct swtpm *swtpm, const char *path)
{
    AUTO_FREE char *absolute = path_absolute(swtpm->cwd, path);

    return json_keep_text(swtpm->kept, path_renamed(absolute, swtpm->vm->name,
                                                    swtpm->vm->base.context.options.new_name));
}

static bool take_folder(struct swtpm *swtpm, const struct keyvals *kv, struct error *err)
{
    static const char scheme[] = "dir://";
    const char *folder = keyvals_get(kv, "dir");
    const char *uri = keyvals_get(kv, "backend-uri");
    AUTO_FREE char *here = NULL;

    if (!folder && uri && !strncmp(uri, scheme, strlen(scheme)))
        folder = uri + strlen(scheme);
    if (!folder)
        return error_set(
            err, ERROR_REFUSED,
            "swtpm (process %d) keeps the state of the VM's TPM in '%s': only a folder "
            "(--tpmstate dir=) is understood",
            (int)swtpm->pid, uri ? uri : "?");
    swtpm->tpm->folder = path_there(swtpm, folder);
    here = path_absolute(swtpm->cwd, folder);
    plan_notes_add(swtpm->vm->argv.notes,
                   "the old state of the VM's TPM stays here, in '%s': remove it before the VM is "
                   "moved back",
                   here);
    return true;
}

static bool refuse_word(const struct swtpm *swtpm, const char *word, struct error *err)
{
    return error_set(
        err, ERROR_REFUSED,
        "the VM's TPM cannot be moved: xmig would not start swtpm with '%s', as process "
        "%d was",
        word, (int)swtpm->pid);
}

static bool take_files(struct swtpm *swtpm, const char *option, const struct keyvals *kv)
{
    const char *file = keyvals_get(kv, "file");
    const char *level = keyvals_get(kv, "level");

    if (!file || is(file, "-"))
        return keyvals_get(kv, "fd") == NULL;
    if (is(option, "pid"))
        swtpm->tpm->pidfile = path_there(swtpm, file);
    else
        swtpm->tpm->log = path_there(swtpm, file);
    if (level)
        swtpm->tpm->log_level = strtoul(level, NULL, 10);
    return true;
}

/* An option with a value. What it has of others (the control socket, its user) is known otherwise.
 */
static bool take_value(struct swtpm *swtpm, const char *option, const char *value,
                       struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };
    const char *kept = json_keep_text(swtpm->kept, must(strdup(value)));

    if (!keyvals_parse(value, &kv, err))
        return false;
    if (is(option, "tpmstate"))
        return take_folder(swtpm, &kv, err);
    if (is(option, "log") || is(option, "pid"))
        return take_files(swtpm, option, &kv) || refuse_word(swtpm, value, err);
    if (is(option, "ctrl"))
        return is(keyvals_get(&kv, "type"), "unixio") || refuse_word(swtpm, value, err);
    if (is(option, "flags"))
        swtpm->tpm->flags = kept;
    else if (is(option, "locality"))
        swtpm->tpm->locality = kept;
    else if (is(option, "seccomp"))
        swtpm->tpm->seccomp = kept;
    else if (!is(option, "runas"))
        return refuse_word(swtpm, option, err);
    return true;
}

/* The long name; NULL: it is no option. */
static const char *name_of(const char *word)
{
    static const char *const shorts[][2] = { { "-t", "terminate" },
                                             { "-d", "daemon" },
                                             { "-r", "runas" } };

    for (size_t i = 0; i < sizeof(shorts) / sizeof(shorts[0]); i++)
        if (is(word, shorts[i][0]))
            return shorts[i][1];
    return strncmp(word, "--", 2) ? NULL : word + 2;
}

static bool take_words(struct swtpm *swtpm, struct error *err)
{
    const char *word = swtpm->line + strlen(swtpm->line) + 1;

    if (!is(word, "socket"))
        return refuse_word(swtpm, word, err);
    while (*(word += strlen(word) + 1)) {
        const char *name = name_of(word);
        const char *equals = name ? strchr(name, '=') : NULL;
        AUTO_FREE char *option =
            name ? must(strndup(name, equals ? (size_t)(equals - name) : strlen(name))) : NULL;

        if (is(option, "tpm2"))
            swtpm->tpm->version_2 = true;
        else if (!option)
            return refuse_word(swtpm, word, err);
        else if (!is(option, "daemon") && !is(option, "terminate")) {
            if (!equals)
                word += strlen(word) + 1;
            if (!take_value(swtpm, option, equals ? equals + 1 : word, err))
                return false;
        }
    }
    return swtpm->tpm->folder != NULL || refuse_word(swtpm, "no --tpmstate", err);
}

/* ---- the public face ---- */

/* The socket at the target is the one that the rewritten line has. */
static bool describe(struct qemu_guest *vm, const char *socket, struct qemu_tpm *tpm,
                     struct error *err)
{
    AUTO_FREE struct swtpm *swtpm = must(calloc(1, sizeof(*swtpm)));
    AUTO_FREE char *here = path_absolute(vm->process.start_dir, socket);

    *swtpm = (struct swtpm){ .vm = vm, .kept = vm->kept, .tpm = tpm };
    if (!find(swtpm, here, err) || !take_words(swtpm, err))
        return false;
    tpm->program = json_keep_text(vm->kept, must(strdup(swtpm->exe)));
    tpm->socket = json_keep_text(vm->kept, argv_tpm_socket(vm->argv.words));
    return true;
}

bool qemu_tpm_describe(struct qemu_guest *vm, cJSON *tpms, struct error *err)
{
    AUTO_FREE char *socket = argv_tpm_socket(vm->process.words);
    struct qemu_tpm tpm = { 0 };

    if (!socket)
        return true;
    if (!describe(vm, socket, &tpm, err))
        return false;
    cJSON_AddItemToArray(tpms, fields_new(qemu_tpm_fields, &tpm));
    return true;
}
