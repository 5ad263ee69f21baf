/* Paths: absolute, real, renamed. */
#include "xmig/paths.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "xmig/cleanup.h"
#include "xmig/text.h"

/* Takes "." and ".." out, in place. */
static void simplify(char *path)
{
    AUTO_FREE char *copy = must(strdup(path));
    char *rest = copy;
    char *out = path;
    const char *part;

    while ((part = strsep(&rest, "/"))) {
        if (!*part || !strcmp(part, "."))
            continue;
        if (!strcmp(part, "..")) {
            while (out > path && *--out != '/')
                ;
            continue;
        }
        out += sprintf(out, "/%s", part);
    }
    strcpy(out, out == path ? "/" : "");
}

char *path_absolute(const char *cwd, const char *path)
{
    char *absolute = *path == '/' ? must(strdup(path)) : formatted("%s/%s", cwd, path);

    simplify(absolute);
    return absolute;
}

char *path_real(const char *cwd, const char *path)
{
    AUTO_FREE char *unresolved = *path == '/' ? must(strdup(path)) : formatted("%s/%s", cwd, path);
    char *real = realpath(unresolved, NULL);

    return real ? real : path_absolute(cwd, path);
}

static bool is_word_part(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* The next whole word `word` in `text` (which continues `start`), or NULL. */
static const char *find_word(const char *start, const char *text, const char *word)
{
    size_t len = strlen(word);

    for (; len > 0 && (text = strstr(text, word)); text++)
        if ((text == start || !is_word_part(text[-1])) && !is_word_part(text[len]))
            return text;
    return NULL;
}

static char *with_words_replaced(const char *name, const char *old, const char *new)
{
    char *text = NULL;
    size_t len;
    FILE *out = must(open_memstream(&text, &len));
    const char *rest = name;
    const char *word;

    while ((word = find_word(name, rest, old))) {
        fprintf(out, "%.*s%s", (int)(word - rest), rest, new);
        rest = word + strlen(old);
    }
    fputs(rest, out);
    fclose(out);
    return must(text);
}

char *path_renamed(const char *path, const char *old, const char *new)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    AUTO_FREE char *renamed = NULL;

    if (!new)
        return must(strdup(path));
    if (find_word(name, name, old))
        renamed = with_words_replaced(name, old, new);
    else
        renamed = formatted("%s-%s", new, name);
    return formatted("%.*s%s", (int)(name - path), path, renamed);
}

char *path_directory(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return must(strdup("."));
    return must(strndup(path, slash == path ? 1 : (size_t)(slash - path)));
}

bool path_sync_directory(const char *path, struct error *err)
{
    AUTO_FREE char *dir = path_directory(path);
    AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot make the directory '%s' durable: %m", dir);
    return true;
}

/* Some file systems (NFS) have no rename that does not replace. */
static bool rename_carefully(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return true;
    if (errno != EINVAL && errno != ENOSYS)
        return false;
    if (access(to, F_OK) == 0) {
        errno = EEXIST;
        return false;
    }
    return rename(from, to) == 0;
}

bool path_rename(const char *from, const char *to, struct error *err)
{
    if (!rename_carefully(from, to))
        return error_set(err, ERROR_SYSTEM, "cannot rename '%s' to '%s': %m", from, to);
    return path_sync_directory(to, err);
}
