/* From one mount name space to ours, by the file system that both have mounted. */
#include "host/system/mounts.h"

#include <stdbool.h>
#include <stdio.h>

#include "xmig/cleanup.h"
#include "xmig/text.h"

/* A line of /proc/PID/mountinfo. Octal escapes in names are not undone: such a mount is not
 * found.
 */
struct mount {
    int id;
    char device[32]; /* "MAJOR:MINOR" of the file system */
    char root[1024]; /* what of it is mounted */
    char point[1024];
};

static bool next_mount(FILE *file, struct mount *mount)
{
    AUTO_FREE char *line = NULL;
    size_t size = 0;

    while (getline(&line, &size, file) > 0)
        if (sscanf(line, "%d %*d %31s %1023s %1023s", &mount->id, mount->device, mount->root,
                   mount->point) == 4)
            return true;
    return false;
}

static FILE *open_mounts(const char *process)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%s/mountinfo", process);
    return fopen(path, "re");
}

static int mount_of(pid_t pid, int fd)
{
    AUTO_FREE char *line = NULL;
    size_t size = 0;
    char path[64];
    int id = -1;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, fd);
    file = fopen(path, "re");
    while (file && id < 0 && getline(&line, &size, file) > 0)
        (void)sscanf(line, "mnt_id: %d", &id);
    if (file)
        fclose(file);
    return id;
}

static bool find_mount(pid_t pid, int id, struct mount *mount)
{
    char process[16];
    FILE *file;
    bool found = false;

    snprintf(process, sizeof(process), "%d", (int)pid);
    file = open_mounts(process);
    while (file && !found && next_mount(file, mount))
        found = mount->id == id;
    if (file)
        fclose(file);
    return found;
}

/* The rest of `path` below the directory `dir`; NULL: it is not below. */
static const char *beneath(const char *dir, const char *path)
{
    size_t len = strcmp(dir, "/") ? strlen(dir) : 0;

    return !strncmp(path, dir, len) && (path[len] == '/' || !path[len]) ? path + len : NULL;
}

static char *joined(const char *dir, const char *rest)
{
    return formatted("%s%s", strcmp(dir, "/") ? dir : "", rest);
}

/* The path at which that part of the file system is mounted for us. */
static char *find_here(const char *device, const char *path)
{
    FILE *file = open_mounts("self");
    struct mount mount;
    char *here = NULL;

    while (file && !here && next_mount(file, &mount)) {
        const char *rest = strcmp(mount.device, device) ? NULL : beneath(mount.root, path);

        if (rest)
            here = joined(mount.point, rest);
    }
    if (file)
        fclose(file);
    return here;
}

char *mount_path_here(pid_t pid, int fd, const char *path)
{
    struct mount theirs;
    const char *rest;
    AUTO_FREE char *inside = NULL;

    if (!find_mount(pid, mount_of(pid, fd), &theirs))
        return NULL;
    rest = beneath(theirs.point, path);
    if (!rest)
        return NULL;
    inside = joined(theirs.root, rest);
    return find_here(theirs.device, inside);
}
