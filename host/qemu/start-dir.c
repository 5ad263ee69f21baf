/* The directory in which a QEMU was started. With -daemonize QEMU goes to / once it has opened all
 * that its line names, and nothing keeps the directory where relative names began: it is found by
 * what QEMU has open, or by what its environment says.
 */
#include "host/qemu/start-dir.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "host/qemu/argv/argv.h"
#include "xmig/process.h"
#include "xmig/paths.h"
#include "xmig/text.h"

/* ---- the relative names on the line ---- */

/* A URL, and the name of a protocol, begin nowhere. */
static void add_name(void *names, const char *name)
{
    if (*name && *name != '/' && !strchr(name, ':'))
        rewriting_list(names, name);
}

static void add_keys(cJSON *names, const char *value, const char *const keys[])
{
    AUTO_KEYVALS struct keyvals kv = { 0 };

    if (!keyvals_parse(value, &kv, NULL))
        return;
    for (size_t i = 0; keys[i]; i++)
        keyvals_each_of(&kv, keys[i], add_name, names);
}

/* "unix:PATH,server", "mon:file:PATH" */
static void add_short(cJSON *names, const char *value)
{
    static const char *const schemes[] = { "unix:", "file:" };
    const char *rest = strncmp(value, "mon:", 4) ? value : value + 4;

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        size_t len = strlen(schemes[i]);
        AUTO_FREE char *path = must(strndup(rest, strcspn(rest, ",")));

        if (!strncmp(rest, schemes[i], len))
            add_name(names, path + len);
    }
}

static cJSON *relative_names(const cJSON *words)
{
    static const char *const plain[] = { "pidfile", "hda", "hdb",   "hdc", "hdd",
                                         "fda",     "fdb", "cdrom", "sd",  "mtdblock",
                                         "pflash",  "D",   "",      NULL };
    static const char *const keyed[] = { "drive", "blockdev", "chardev", NULL };
    static const char *const keys[] = { "filename", "path", NULL };
    static const char *const drive_keys[] = { "file", "file.filename", NULL };
    static const char *const shorts[] = { "qmp",      "qmp-pretty", "monitor",  "serial", "vnc",
                                          "parallel", "gdb",        "debugcon", NULL };
    cJSON *names = must(cJSON_CreateArray());
    struct option_step step = { .rest = words->child };

    while (option_next(&qemu_options, &step, NULL)) {
        if (word_is_among(step.name, plain))
            add_name(names, step.value);
        else if (word_is_among(step.name, keyed))
            add_keys(names, step.value, strcmp(step.name, "drive") ? keys : drive_keys);
        else if (word_is_among(step.name, shorts))
            add_short(names, step.value);
    }
    return names;
}

/* ---- what QEMU has open ---- */

/* The directory from which `name` leads to `path`; NULL: none. The caller frees it. */
static char *directory_of(const char *path, const char *name)
{
    size_t len, end;

    while (!strncmp(name, "./", 2))
        name += 2;
    len = strlen(name);
    end = strlen(path);
    if (end < len + 1 || path[end - len - 1] != '/' || strcmp(path + end - len, name) != 0)
        return NULL;
    return end == len + 1 ? must(strdup("/")) : must(strndup(path, end - len - 1));
}

/* Look at one open file: does one of the names lead there? False: from another directory than an
 * earlier one did.
 */
static bool look_at_file(const char *path, const cJSON *names, char **found)
{
    const cJSON *name;

    cJSON_ArrayForEach (name, names) {
        AUTO_FREE char *directory = directory_of(path, name->valuestring);

        if (directory && *found && strcmp(*found, directory) != 0)
            return false;
        if (directory && !*found)
            *found = steal(directory);
    }
    return true;
}

static char *directory_by_files(pid_t pid, const cJSON *names)
{
    AUTO_FREE char *fds = formatted("/proc/%d/fd", (int)pid);
    DIR *dir = opendir(fds);
    const struct dirent *entry;
    AUTO_FREE char *found = NULL;
    bool agree = true;

    while (dir && agree && (entry = readdir(dir))) {
        char path[PATH_MAX];
        ssize_t len = readlinkat(dirfd(dir), entry->d_name, path, sizeof(path) - 1);

        path[len > 0 ? len : 0] = '\0';
        if (*path == '/')
            agree = look_at_file(path, names, &found);
    }
    if (dir)
        closedir(dir);
    return agree ? steal(found) : NULL;
}

/* ---- what its environment says ---- */

static char *directory_by_environment(pid_t pid)
{
    size_t len;
    AUTO_FREE char *environment = process_file(pid, "environ", &len);
    const char *variable = environment;

    for (; variable && variable < environment + len; variable += strlen(variable) + 1)
        if (!strncmp(variable, "PWD=/", 5))
            return must(strdup(variable + 4));
    return NULL;
}

static bool has_all(const char *directory, const cJSON *names)
{
    const cJSON *name;
    struct stat st;

    cJSON_ArrayForEach (name, names) {
        AUTO_FREE char *path = path_absolute(directory, name->valuestring);

        if (lstat(path, &st) < 0)
            return false;
    }
    return true;
}

/* ---- the public face ---- */

void start_dir_find(struct qemu_process *process)
{
    AUTO_JSON cJSON *names = relative_names(process->words);

    process->start_dir_known = true;
    if (!argv_has(process->words, "daemonize") || strcmp(process->cwd, "/") != 0 || !names->child) {
        process->start_dir = must(strdup(process->cwd));
        return;
    }
    process->start_dir = directory_by_files(process->pid, names);
    if (process->start_dir)
        return;
    process->start_dir = directory_by_environment(process->pid);
    process->start_dir_known = process->start_dir && has_all(process->start_dir, names);
    if (!process->start_dir)
        process->start_dir = must(strdup("/"));
}
