/* What a process belongs to, read from /proc. */
#include "host/system/process-place.h"

#include <stdio.h>

#include "xmig/text.h"

enum {
    FILE_MAX = 64 * 1024
};

/* The caller frees it; "" if there is none. */
static char *read_proc(const char *root, pid_t pid, const char *name)
{
    AUTO_FREE char *path = formatted("%s/proc/%d/%s", root, (int)pid, name);
    char *text = must(calloc(1, FILE_MAX + 1));
    FILE *file = fopen(path, "re");

    if (file) {
        text[fread(text, 1, FILE_MAX, file)] = '\0';
        fclose(file);
    }
    return text;
}

/* ---- control groups ---- */

static bool ends_in(const char *text, size_t len, const char *ending)
{
    size_t short_len = strlen(ending);

    return len > short_len && !strncmp(text + len - short_len, ending, short_len);
}

/* The path up to its last part that is a unit: a service may have made groups of its own. */
static char *innermost_unit(const char *path)
{
    size_t len = strlen(path);

    while (len > 0) {
        if (ends_in(path, len, ".service") || ends_in(path, len, ".scope"))
            return must(strndup(path, len));
        while (len > 0 && path[len - 1] != '/')
            len--;
        len -= len > 0;
    }
    return NULL;
}

/* A line is "0::/system.slice/web.service", of the older kind of control groups
 * "1:name=systemd:/system.slice/web.service".
 */
static char *find_unit(const char *groups)
{
    AUTO_FREE char *copy = must(strdup(groups));
    char *rest = copy;
    char *unit = NULL;
    const char *line;

    while (!unit && (line = strsep(&rest, "\n"))) {
        const char *path = strchr(line, '/');

        if (path && (!strncmp(line, "0::", 3) || strstr(line, ":name=systemd:")))
            unit = innermost_unit(path);
    }
    return unit;
}

/* ---- ancestors ---- */

/* The name, in parentheses, may hold anything; the state and the parent follow it. */
static bool read_stat(const char *root, pid_t pid, struct ancestor *process, pid_t *parent)
{
    AUTO_FREE char *stat = read_proc(root, pid, "stat");
    const char *begin = strchr(stat, '(');
    const char *end = strrchr(stat, ')');
    int number;

    if (!begin || !end || end < begin || sscanf(end + 1, " %*c %d", &number) != 1)
        return false;
    process->pid = pid;
    snprintf(process->name, sizeof(process->name), "%.*s", (int)(end - begin - 1), begin + 1);
    *parent = number;
    return true;
}

static void read_ancestors(const char *root, pid_t pid, struct process_place *place)
{
    struct ancestor process;
    pid_t parent;

    if (!read_stat(root, pid, &process, &parent))
        return;
    while (parent > 1 && place->ancestor_count < ANCESTORS_MAX &&
           read_stat(root, parent, &process, &parent))
        place->ancestors[place->ancestor_count++] = process;
}

void process_place_read(const char *root, pid_t pid, struct process_place *place)
{
    *place = (struct process_place){ .groups = read_proc(root, pid, "cgroup") };
    place->unit = find_unit(place->groups);
    read_ancestors(root, pid, place);
}

void process_place_done(struct process_place *place)
{
    free(place->groups);
    free(place->unit);
    *place = (struct process_place){ 0 };
}
