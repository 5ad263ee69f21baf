/* Moving to a systemd scope, by busctl, which systemd brings along. */
#include "scope.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "xmig/cleanup.h"
#include "xmig/text.h"

enum {
    CHILDREN_MAX = 32
};

/* The call's words, its pids last: this process, and its children. */
struct call {
    const char *words[16 + CHILDREN_MAX + 3];
    char pids[CHILDREN_MAX + 1][16];
    size_t count;
};

static size_t find_pids(struct call *call)
{
    AUTO_FREE char *path = formatted("/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "re");
    size_t count = 1;

    snprintf(call->pids[0], sizeof(call->pids[0]), "%d", (int)getpid());
    while (file && count <= CHILDREN_MAX && fscanf(file, "%15s", call->pids[count]) == 1)
        count++;
    if (file)
        fclose(file);
    return count;
}

static void add(struct call *call, const char *word)
{
    call->words[call->count++] = word;
}

void scope_enter(const char *name)
{
    const char *const begin[] = { "busctl",
                                  geteuid() ? "--user" : "--system",
                                  "--timeout=5",
                                  "call",
                                  "org.freedesktop.systemd1",
                                  "/org/freedesktop/systemd1",
                                  "org.freedesktop.systemd1.Manager",
                                  "StartTransientUnit",
                                  "ssa(sv)a(sa(sv))",
                                  name,
                                  "fail",
                                  "1",
                                  "PIDs",
                                  "au" };
    struct call call = { 0 };
    char number[16];
    size_t pids;
    pid_t child;

    if (access("/run/systemd/system", F_OK) < 0)
        return;
    pids = find_pids(&call);
    snprintf(number, sizeof(number), "%zu", pids);
    for (size_t i = 0; i < sizeof(begin) / sizeof(begin[0]); i++)
        add(&call, begin[i]);
    add(&call, number);
    for (size_t i = 0; i < pids; i++)
        add(&call, call.pids[i]);
    add(&call, "0");
    child = fork();
    if (child == 0) {
        execvp("busctl", (char *const *)call.words);
        _exit(1);
    }
    while (child > 0 && waitpid(child, NULL, 0) < 0)
        ;
}
