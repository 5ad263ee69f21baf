/* Other processes, named by pid and start time: a pid alone may be reused. */
#include "xmig/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "xmig/bytes.h"
#include "xmig/cleanup.h"
#include "xmig/text.h"

uint64_t process_start_time(pid_t pid)
{
    char path[32];
    char stat[1024];
    AUTO_CLOSE int fd = -1;
    ssize_t len;
    const char *after_name;
    uint64_t start = 0;
    char state;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    len = fd < 0 ? -1 : read(fd, stat, sizeof(stat) - 1);
    if (len <= 0)
        return 0;
    stat[len] = '\0';
    /* The name, in parentheses, may hold anything; the 22nd field is the start time. */
    after_name = strrchr(stat, ')');
    if (!after_name ||
        sscanf(
            after_name + 1,
            " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64,
            &state, &start) != 2 ||
        state == 'Z' || state == 'X')
        return 0;
    return start;
}

bool process_lives(pid_t pid, uint64_t start_time)
{
    return pid > 0 && start_time > 0 && process_start_time(pid) == start_time;
}

pid_t process_find(bool (*is_it)(void *arg, pid_t pid), void *arg)
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    pid_t found = 0;

    while (proc && !found && (entry = readdir(proc))) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

        if (pid > 0 && is_it(arg, pid))
            found = pid;
    }
    if (proc)
        closedir(proc);
    return found;
}

char *process_file(pid_t pid, const char *name, size_t *size)
{
    AUTO_FREE char *path = formatted("/proc/%d/%s", (int)pid, name);
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

    return fd < 0 ? NULL : bytes_read_all(fd, size);
}

cJSON *process_words(const char *line, size_t size)
{
    cJSON *words = must(cJSON_CreateArray());

    for (const char *word = line; word < line + size; word += strlen(word) + 1)
        cJSON_AddItemToArray(words, must(cJSON_CreateString(word)));
    return words;
}

uid_t process_user(pid_t pid)
{
    size_t size;
    AUTO_FREE char *status = process_file(pid, "status", &size);
    const char *line = status ? strstr(status, "\nUid:") : NULL;
    uid_t user;

    return line && sscanf(line, " Uid: %*u %u", &user) == 1 ? user : UINT_MAX;
}

mode_t process_umask(pid_t pid)
{
    size_t size;
    AUTO_FREE char *status = process_file(pid, "status", &size);
    const char *line = status ? strstr(status, "\nUmask:") : NULL;
    unsigned mask;

    return line && sscanf(line, " Umask: %o", &mask) == 1 ? mask & 0777 : 022;
}

/* A signal restarts the time limit, which does no harm. */
static bool wait_for_end(int pidfd, uint64_t timeout_ms)
{
    struct pollfd end = { .fd = pidfd, .events = POLLIN };
    int got;

    do {
        got = poll(&end, 1, timeout_ms > INT_MAX ? -1 : (int)timeout_ms);
    } while (got < 0 && errno == EINTR);
    return got == 1;
}

/* Where the kernel, or who confines us, has no such descriptors. */
static bool look_for_end(pid_t pid, uint64_t start_time, uint64_t timeout_ms)
{
    enum {
        LOOK_MS = 50
    };

    for (uint64_t waited_ms = 0; process_lives(pid, start_time); waited_ms += LOOK_MS) {
        if (waited_ms >= timeout_ms)
            return false;
        (void)poll(NULL, 0, LOOK_MS);
    }
    return true;
}

bool process_await(pid_t pid, uint64_t start_time, uint64_t timeout_ms)
{
    AUTO_CLOSE int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    if (fd < 0 && pid > 0 && errno != ESRCH)
        return look_for_end(pid, start_time, timeout_ms);
    return fd < 0 || !process_lives(pid, start_time) || wait_for_end(fd, timeout_ms);
}

static bool end_with(int signal, pid_t pid, uint64_t start_time, uint64_t timeout_ms,
                     struct error *err)
{
    AUTO_CLOSE int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    if (fd < 0 && pid > 0 && errno != ESRCH)
        return error_set(err, ERROR_SYSTEM, "cannot look at process %d: %m", (int)pid);
    /* The descriptor pins the process; only then is its start time looked at. */
    if (fd < 0 || !process_lives(pid, start_time))
        return true;
    if (syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0) < 0 && errno != ESRCH)
        return error_set(err, ERROR_SYSTEM, "cannot end process %d: %m", (int)pid);
    if (!wait_for_end(fd, timeout_ms))
        return error_set(err, ERROR_TIMEOUT, "process %d does not end", (int)pid);
    return true;
}

bool process_kill(pid_t pid, uint64_t start_time, uint64_t timeout_ms, struct error *err)
{
    return end_with(SIGKILL, pid, start_time, timeout_ms, err);
}

bool process_terminate(pid_t pid, uint64_t start_time, uint64_t timeout_ms, struct error *err)
{
    return end_with(SIGTERM, pid, start_time, timeout_ms, err);
}
