/* A command at the peer: its words, and what its end tells. */
#include "transport/internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "xmig/cleanup.h"
#include "xmig/text.h"

void argv_add(struct argv *argv, const char *word)
{
    argv->words = must(realloc(argv->words, (argv->count + 2) * sizeof(*argv->words)));
    argv->words[argv->count++] = word;
    argv->words[argv->count] = NULL;
}

void argv_add_all(struct argv *argv, const char *const words[])
{
    for (size_t i = 0; words[i]; i++)
        argv_add(argv, words[i]);
}

void argv_done(struct argv *argv)
{
    free(argv->words);
}

struct link *start_link(struct transport *transport, const struct argv *argv, int fd, bool quiet,
                        struct error *err)
{
    struct loop *loop = transport->loop;
    int errors = quiet || !transport->options.errors ? -1 : transport->options.errors;

    return link_of_child(loop, child_start(loop, argv->words, fd, fd, errors, err));
}

static void put_quoted(FILE *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "%+,-./:@_";

    if (*word && strspn(word, plain) == strlen(word)) {
        fputs(word, out);
        return;
    }
    fputc('\'', out);
    for (; *word; word++)
        if (*word == '\'')
            fputs("'\\''", out);
        else
            fputc(*word, out);
    fputc('\'', out);
}

char *remote_command(const char *remote_path, const char *const words[])
{
    char *text = NULL;
    size_t size;
    FILE *out = must(open_memstream(&text, &size));

    fputs(remote_path ? remote_path : "xmig", out);
    for (size_t i = 0; words[i]; i++) {
        fputc(' ', out);
        put_quoted(out, words[i]);
    }
    if (fclose(out))
        abort();
    return text;
}

/* ---- what its end tells ---- */

/* The last line that is said when xmig over there is to tell its version, and nothing when it does.
 * The caller frees it.
 */
static char *last_words(struct transport *transport)
{
    enum {
        ASK_MS = 10000,
        WORDS_MAX = 8192
    };
    static const char *const words[] = { "--version", NULL };
    AUTO_CLOSE int said = memfd_create("errors", MFD_CLOEXEC);
    AUTO_CLOSE int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    AUTO_FREE char *text = must(calloc(1, WORDS_MAX));
    int errors = transport->options.errors;
    struct link *link;
    ssize_t length;
    char *line;

    transport->options.errors = said;
    link = transport->ops->dial(transport, words, nothing, NULL);
    transport->options.errors = errors;
    if (link)
        (void)link_wait_anyway(link, ASK_MS);
    link_free(link);
    length = pread(said, text, WORDS_MAX - 1, 0);
    while (length > 0 && strchr("\r\n ", text[length - 1]))
        text[--length] = '\0';
    line = strrchr(text, '\n');
    return must(strdup(line ? line + 1 : text));
}

/* The program is there, and the system cannot run it; ld.so ends as a shell does that finds none.
 */
static bool cannot_run(int status, const char *words)
{
    return status == 126 || strstr(words, "shared librar") || strstr(words, "cannot execute") ||
           strstr(words, "Exec format") || strstr(words, "' not found (required by");
}

void explain_status(struct transport *transport, const char *where, int status, struct error *err)
{
    AUTO_FREE char *words = status ? last_words(transport) : must(strdup(""));
    AUTO_FREE char *quoted = *words ? formatted(" ('%s')", words) : must(strdup(""));

    if (cannot_run(status, words))
        error_set(err, ERROR_REFUSED,
                  "xmig on %s cannot run there%s: install what it lacks, or an xmig that was built "
                  "for that system, or give --remote-path",
                  where, quoted);
    else if (status == 127)
        error_set(err, ERROR_REFUSED,
                  "xmig is not installed on %s, or not in its PATH%s: install it there, or give "
                  "--remote-path",
                  where, quoted);
    else
        error_set(err, ERROR_PEER, "xmig recv on %s ended with status %d before its first word%s",
                  where, status, quoted);
}
