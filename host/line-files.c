/* Files of a command line. */
#include "host/line-files.h"

#include <errno.h>
#include <sys/stat.h>

#include "host/system/file-identity.h"
#include "host/system/private-directory.h"
#include "host/system/program.h"
#include "xmig/cleanup.h"
#include "xmig/facts.h"
#include "xmig/loop.h"
#include "xmig/paths.h"
#include "xmig/text.h"

/* ---- the device model itself ---- */

char *line_program_find(const char *wanted, bool chosen, const struct policy *policy)
{
    bool is_named = *wanted == '/' && policy_names_program(policy, wanted);
    AUTO_FREE char *named = is_named ? program_find(wanted) : NULL;
    AUTO_FREE char *found = named ? steal(named) : program_find_own(wanted);
    bool must_be_it = chosen && strchr(wanted, '/');

    return found && must_be_it && strcmp(found, wanted) != 0 ? NULL : steal(found);
}

bool line_program_missing(const char *wanted, struct error *err)
{
    return error_set(
        err, ERROR_REFUSED,
        "'%s' is none of the target's own programs: install it there, name another with "
        "--device-model, or say where it is: in the target's PATH (--remote-path \"env "
        "PATH=DIRECTORY:/usr/bin xmig\"), or in the key 'programs' of the policy there",
        wanted);
}

/* ---- before ---- */

bool line_program_check(const char *path, uid_t user, struct error *err)
{
    AUTO_FREE char *real = path_real("/", path);
    struct stat st;

    if (stat(real, &st) < 0 || !S_ISREG(st.st_mode))
        return error_set(err, ERROR_REFUSED, "the VM would start '%s', which is no program here",
                         path);
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return error_set(err, ERROR_REFUSED,
                         "the VM would start '%s', which others may change (mode %04o)", path,
                         st.st_mode & 07777);
    return private_directory_permits(real, user, S_IFREG, err) ||
           error_prefix(err, "the VM would start '%s'", path);
}

/* The place of a socket that is there already is taken when the line's is made. Only one whose
 * owner is known by now is connected to.
 */
static bool check_socket(const char *path, uid_t user, struct error *err)
{
    AUTO_CLOSE int fd = -1;
    struct stat st;

    if (!private_directory_permits(path, user, S_IFSOCK, err))
        return false;
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        fd = connect_unix(path, NULL);
    return fd < 0 ||
           error_set(err, ERROR_REFUSED,
                     "at '%s', a socket of the VM, another process of the target listens", path);
}

/* ---- named pipes ---- */

/* QEMU takes PATH.in and PATH.out if both are there, else PATH. */
static bool has_pipes(const char *path)
{
    AUTO_FREE char *in = formatted("%s.in", path);
    AUTO_FREE char *out = formatted("%s.out", path);

    return access(path, F_OK) == 0 || (access(in, F_OK) == 0 && access(out, F_OK) == 0);
}

static bool check_pipes(const char *path, uid_t user, struct error *err)
{
    AUTO_FREE char *in = formatted("%s.in", path);
    AUTO_FREE char *out = formatted("%s.out", path);

    return private_directory_permits(path, user, S_IFIFO, err) &&
           private_directory_permits(in, user, S_IFIFO, err) &&
           private_directory_permits(out, user, S_IFIFO, err);
}

static bool make_pipe(const char *path, uid_t user, struct error *err)
{
    if (mkfifo(path, 0600) < 0 && errno != EEXIST)
        return error_set(err, ERROR_SYSTEM, "cannot make the pipe '%s': %m", path);
    return user == geteuid() || lchown(path, user, (gid_t)-1) == 0 ||
           error_set(err, ERROR_SYSTEM, "cannot give the pipe '%s' to QEMU's user: %m", path);
}

bool line_pipes_make(const struct argv_result *line, uid_t user, struct error *err)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, line->pipes) {
        AUTO_FREE char *in = formatted("%s.in", item->valuestring);
        AUTO_FREE char *out = formatted("%s.out", item->valuestring);

        if (!has_pipes(item->valuestring) &&
            (!make_pipe(in, user, err) || !make_pipe(out, user, err)))
            return false;
    }
    return true;
}

bool line_files_check(const struct argv_result *line, uid_t user, struct error *err)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, line->programs)
        if (!error_goes_on(err, line_program_check(item->valuestring, user, err)))
            return false;
    cJSON_ArrayForEach (item, line->outputs)
        if (!error_goes_on(err, private_directory_permits(item->valuestring, user, S_IFREG, err)))
            return false;
    cJSON_ArrayForEach (item, line->sockets)
        if (!error_goes_on(err, check_socket(item->valuestring, user, err)))
            return false;
    cJSON_ArrayForEach (item, line->pipes)
        if (!error_goes_on(err, check_pipes(item->valuestring, user, err)))
            return false;
    return true;
}

/* ---- after ---- */

static void add_new(cJSON *files, const cJSON *paths, mode_t type)
{
    const cJSON *path;
    struct stat st;

    cJSON_ArrayForEach (path, paths)
        /* A socket is made anew; a file that is there is somebody's, and is gone on with. */
        if (type == S_IFSOCK || lstat(path->valuestring, &st) < 0)
            cJSON_AddItemToArray(files, must(cJSON_Duplicate(path, true)));
}

static void add_new_pipes(cJSON *files, const cJSON *pipes)
{
    static const char *const ends[] = { "in", "out" };
    const cJSON *path;

    cJSON_ArrayForEach (path, pipes)
        for (size_t i = 0; i < 2 && !has_pipes(path->valuestring); i++) {
            AUTO_FREE char *name = formatted("%s.%s", path->valuestring, ends[i]);

            if (access(name, F_OK) < 0)
                cJSON_AddItemToArray(files, must(cJSON_CreateString(name)));
        }
}

cJSON *line_files_to_come(const struct argv_result *line)
{
    cJSON *files = must(cJSON_CreateArray());

    add_new(files, line->outputs, S_IFREG);
    add_new(files, line->sockets, S_IFSOCK);
    add_new_pipes(files, line->pipes);
    return files;
}

static bool is_made(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 &&
           (S_ISREG(st.st_mode) || S_ISSOCK(st.st_mode) || S_ISFIFO(st.st_mode));
}

cJSON *line_files_fact(const cJSON *paths)
{
    cJSON *fact = fact_new(FACT_FILES);
    cJSON *made = cJSON_AddArrayToObject(fact, "made");
    const cJSON *path;

    cJSON_ArrayForEach (path, paths) {
        cJSON *file;

        if (!is_made(path->valuestring))
            continue;
        file = must(cJSON_CreateObject());
        cJSON_AddItemToArray(made, file);
        cJSON_AddStringToObject(file, "path", path->valuestring);
        (void)file_identity_add_path(file, path->valuestring, NULL); /* gone again: none has it */
    }
    return fact;
}

void line_files_remove(const cJSON *fact)
{
    const cJSON *file;

    cJSON_ArrayForEach (file, cJSON_GetObjectItemCaseSensitive(fact, "made"))
        (void)file_identity_remove(file, NULL);
}
