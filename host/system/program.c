/* Running a helper program to its end. */
#include "host/system/program.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "core/secrets.h"
#include "xmig/text.h"

enum {
    OUTPUT_MAX = 1024 * 1024
};

char *program_tail(int fd, size_t limit)
{
    struct stat st;
    char *text;
    off_t from;
    ssize_t len;

    if (fd < 0 || fstat(fd, &st) < 0)
        return must(strdup(""));
    from = (uint64_t)st.st_size > limit ? st.st_size - (off_t)limit : 0;
    text = must(malloc(limit + 1));
    len = pread(fd, text, limit, from);
    text[len > 0 ? len : 0] = '\0';
    return text;
}

char *program_last_line(char *text)
{
    size_t len = strlen(text);
    const char *newline;

    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        text[--len] = '\0';
    newline = strrchr(text, '\n');
    return secrets_blanked(newline ? newline + 1 : text);
}

static bool check_status(const char *program, int status, char *output, struct error *err)
{
    AUTO_FREE char *line = status ? program_last_line(output) : NULL;

    return status == 0 ||
           error_set(err, ERROR_SYSTEM, "%s failed (status %d): %s", program, status, line);
}

bool program_output(struct loop *loop, const char *const words[], char **output, int *status,
                    uint64_t timeout_ms, struct error *err)
{
    AUTO_CLOSE int fd = memfd_create("output", MFD_CLOEXEC);
    struct child *child;
    bool ok;

    if (fd < 0)
        return error_set(err, ERROR_SYSTEM, "cannot make a file in memory: %m");
    child = child_start(loop, words, -1, fd, fd, err);
    if (!child)
        return false;
    ok = child_wait(child, timeout_ms, status, err);
    child_free(child);
    if (!ok && err && err->kind == ERROR_TIMEOUT)
        error_set(err, ERROR_TIMEOUT, "it was killed, for it had not ended within %llu s",
                  (unsigned long long)timeout_ms / 1000);
    if (!ok)
        return error_prefix(err, "%s", words[0]);
    *output = program_tail(fd, OUTPUT_MAX);
    return true;
}

bool program_run(struct loop *loop, const char *const words[], char **output, uint64_t timeout_ms,
                 struct error *err)
{
    AUTO_FREE char *text = NULL;
    int status;

    if (!program_output(loop, words, &text, &status, timeout_ms, err) ||
        !check_status(words[0], status, text, err))
        return false;
    if (output)
        *output = steal(text);
    return true;
}

/* `name` in one of the directories that `list` names, or in the one of these that is `only`. */
static char *find_in(const char *list, const char *only, const char *name)
{
    AUTO_FREE char *copy = must(strdup(list));
    char *rest = copy;
    const char *dir;

    while ((dir = strsep(&rest, ":"))) {
        AUTO_FREE char *file = formatted("%s/%s", dir, name);

        if ((!only || !strcmp(only, dir)) && access(file, X_OK) == 0)
            return steal(file);
    }
    return NULL;
}

static const char *search_path(void)
{
    return getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin";
}

char *program_find(const char *name)
{
    if (strchr(name, '/'))
        return access(name, X_OK) == 0 ? must(strdup(name)) : NULL;
    return find_in(search_path(), NULL, name);
}

char *program_find_own(const char *wanted)
{
    static const char distributions[] = "/usr/bin:/usr/local/bin:/usr/libexec:/usr/lib/xen/bin:"
                                        "/usr/local/lib/xen/bin:/usr/lib/qemu:/usr/libexec/xen/bin";
    AUTO_FREE char *list = formatted("%s:%s", search_path(), distributions);
    const char *slash = strrchr(wanted, '/');
    AUTO_FREE char *dir = slash ? must(strndup(wanted, (size_t)(slash - wanted))) : NULL;
    const char *name = slash ? slash + 1 : wanted;
    char *found = NULL;

    if (!*name)
        return NULL;
    if (dir)
        found = find_in(list, dir, name);
    return found ? found : find_in(list, NULL, name);
}
