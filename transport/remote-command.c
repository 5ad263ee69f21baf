/* A command at the peer: its words, and what its end tells. */
#include "transport/internal.h"

#include <stdio.h>

#include "xmig/cleanup.h"

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

void explain_status(const char *where, int status, struct error *err)
{
    if (status == 127)
        error_set(err, ERROR_REFUSED,
                  "xmig is not installed on %s, or not in its PATH: install it there, or give "
                  "--remote-path",
                  where);
    else if (status == 126)
        error_set(err, ERROR_REFUSED,
                  "xmig on %s cannot be executed: check its mode and its architecture there, or "
                  "give --remote-path",
                  where);
    else
        error_set(err, ERROR_PEER, "xmig recv on %s ended with status %d before its first word",
                  where, status);
}
