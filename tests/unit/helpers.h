/* What many test programs need: cmocka, an error's words as expected, a directory of their own. */
#ifndef TESTS_UNIT_HELPERS_H
#define TESTS_UNIT_HELPERS_H

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "xmig/cleanup.h"
#include "xmig/error.h"

/* `words` stand somewhere in `text`. */
#define assert_says(text, words) check_says(text, words, __FILE__, __LINE__)

static inline void check_says(const char *text, const char *words, const char *file, int line)
{
    if (strstr(text, words))
        return;
    print_error("'%s' does not say '%s'\n", text, words);
    _fail(file, line);
}

/* A call that reports into `err` has succeeded; if not, the test fails with the error's text. */
#define assert_ok(ok, err) check_ok(ok, err, __FILE__, __LINE__)

static inline void check_ok(bool ok, const struct error *err, const char *file, int line)
{
    if (ok)
        return;
    print_error("%s\n", err->text);
    _fail(file, line);
}

/* A pair of connected sockets. */
static inline void make_pair(int both[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both), 0);
}

/* A new, empty directory, which one of the next two removes. */
static inline char *make_directory(void)
{
    char *path = must(strdup("/tmp/xmig-test-XXXXXX"));

    return must(mkdtemp(path));
}

/* Removes a directory in which the test has left nothing, and frees its path. */
static inline void remove_empty(char *path)
{
    assert_int_equal(rmdir(path), 0);
    free(path);
}

static inline int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

/* Removes a directory with all that is in it, and frees its path. */
static inline void remove_all(char *path)
{
    assert_int_equal(nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
    free(path);
}

#endif
