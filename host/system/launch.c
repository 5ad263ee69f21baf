/* Becoming the process of a VM. */
#include "host/system/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>

#include "xmig/bytes.h"
#include "xmig/cleanup.h"

/* ---- the log ---- */

/* The newest half, from the beginning of a line. */
static void shorten(int log, off_t size)
{
    enum {
        KEPT = LAUNCH_LOG_MAX / 2
    };
    AUTO_FREE char *bytes = must(malloc(KEPT));
    ssize_t got = pread(log, bytes, KEPT, size - KEPT);
    const char *line = got > 0 ? memchr(bytes, '\n', (size_t)got) : NULL;

    if (ftruncate(log, 0) == 0 && line)
        (void)bytes_write(log, line + 1, (size_t)(bytes + got - line - 1));
}

/* Until nobody can write to the pipe any more. A full disk ends nothing. */
static void keep_log(int pipe, int log)
{
    char bytes[4096];
    ssize_t got;

    while ((got = read(pipe, bytes, sizeof(bytes))) > 0 || (got < 0 && errno == EINTR)) {
        struct stat st;

        if (got < 0)
            continue;
        if (fstat(log, &st) == 0 && st.st_size + got > LAUNCH_LOG_MAX)
            shorten(log, st.st_size);
        (void)bytes_write(log, bytes, (size_t)got);
    }
}

/* The list of processes shows this for what it is, and not as the VM. */
static void call_it_a_log(char *const words[])
{
    char *begin = words[0];
    char *end = begin;

    for (char *const *word = words; *word; word++)
        end = *word + strlen(*word);
    memset(begin, 0, (size_t)(end - begin));
    snprintf(begin, (size_t)(end - begin) + 1, "log");
    (void)prctl(PR_SET_NAME, "xmig-log");
}

static bool is_one_file(int one, int other)
{
    struct stat a, b;

    return fstat(one, &a) == 0 && fstat(other, &b) == 0 && S_ISREG(a.st_mode) &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* The lock is the second process's: it tells when the last words are written. The pipe never makes
 * the VM wait.
 */
static bool divert_output(char *const words[], struct error *err)
{
    AUTO_CLOSE int log = open("/proc/self/fd/1", O_RDWR | O_APPEND | O_CLOEXEC);
    int ends[2];
    pid_t pid;

    if (log < 0 || flock(log, LOCK_EX | LOCK_NB) < 0 || pipe2(ends, O_CLOEXEC) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot keep a log: %m");
    pid = fork();
    if (pid < 0)
        return error_set(err, ERROR_SYSTEM, "cannot start a process: %m");
    if (pid == 0) {
        close(ends[1]);
        for (int fd = 0; fd <= STDERR_FILENO; fd++)
            close(fd);
        call_it_a_log(words);
        keep_log(ends[0], log);
        _exit(0);
    }
    (void)fcntl(ends[1], F_SETFL, O_NONBLOCK);
    if (dup2(ends[1], STDOUT_FILENO) < 0 || dup2(ends[1], STDERR_FILENO) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot divert its output: %m");
    return true;
}

void launch_await_last_words(int log)
{
    enum {
        TRIES = 200
    };
    const struct timespec pause = { .tv_nsec = 10 * 1000000 };

    for (int i = 0; i < TRIES && flock(log, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK; i++)
        nanosleep(&pause, NULL);
    (void)flock(log, LOCK_UN);
}

/* ---- the program ---- */

bool launch_become(const struct launch *launch, char *const words[], struct error *err)
{
    if (is_one_file(STDOUT_FILENO, STDERR_FILENO) && !divert_output(words, err))
        return false;
    if (!launch->may_gain_rights && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot set no_new_privs: %m");
    umask(launch->umask);
    signal(SIGPIPE, SIG_IGN); /* the log may be ended by hand */
    execvp(words[0], words);
    return error_set(err, ERROR_SYSTEM, "cannot start '%s': %m", words[0]);
}
