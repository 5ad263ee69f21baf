/* Running a helper program to its end. */
#include "host/system/program.h"

#include <sys/mman.h>
#include <sys/stat.h>

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

const char *program_last_line(char *text)
{
    size_t len = strlen(text);
    const char *newline;

    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        text[--len] = '\0';
    newline = strrchr(text, '\n');
    return newline ? newline + 1 : text;
}

static bool check_status(const char *program, int status, char *output, struct error *err)
{
    if (status == 0)
        return true;
    return error_set(err, ERROR_SYSTEM, "%s failed (status %d): %s", program, status,
                     program_last_line(output));
}

bool program_run(struct loop *loop, const char *const words[], char **output, uint64_t timeout_ms,
                 struct error *err)
{
    AUTO_CLOSE int fd = memfd_create("output", MFD_CLOEXEC);
    AUTO_FREE char *text = NULL;
    struct child *child;
    int status;
    bool ok;

    if (fd < 0)
        return error_set(err, ERROR_SYSTEM, "cannot make a file in memory: %m");
    child = child_start(loop, words, -1, fd, fd, err);
    if (!child)
        return false;
    ok = child_wait(child, timeout_ms, &status, err);
    child_free(child);
    if (!ok)
        return error_prefix(err, "%s", words[0]);
    text = program_tail(fd, OUTPUT_MAX);
    if (!check_status(words[0], status, text, err))
        return false;
    if (output)
        *output = steal(text);
    return true;
}

char *program_find(const char *name)
{
    AUTO_FREE char *path = must(strdup(getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin"));
    char *rest = path;
    const char *dir;

    if (strchr(name, '/'))
        return access(name, X_OK) == 0 ? must(strdup(name)) : NULL;
    while ((dir = strsep(&rest, ":"))) {
        char *file;

        file = formatted("%s/%s", dir, name);
        if (access(file, X_OK) == 0)
            return file;
        free(file);
    }
    return NULL;
}
