/* Child processes, reaped by the loop. */
#include "xmig/loop.h"

#include <signal.h>
#include <sys/wait.h>

#include "xmig/cleanup.h"

struct child {
    struct loop *loop;
    uv_process_t process;
    pid_t pid;
    bool foreground;
    bool ended;
    int status;
    void (*on_end)(void *arg);
    void *arg;
};

static void on_ended(uv_process_t *process, int64_t status, int signal)
{
    struct child *child = process->data;

    child->ended = true;
    child->status = signal ? 128 + signal : (int)status;
    if (child->on_end)
        child->on_end(child->arg);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static uv_stdio_container_t pass(int fd)
{
    if (fd < 0)
        return (uv_stdio_container_t){ .flags = UV_IGNORE };
    return (uv_stdio_container_t){ .flags = UV_INHERIT_FD, .data.fd = fd };
}

static struct child *start(struct loop *loop, const char *const argv[],
                           uv_stdio_container_t stdio[3], bool foreground, struct error *err)
{
    struct child *child = must(calloc(1, sizeof(*child)));
    uv_process_options_t options = {
        .exit_cb = on_ended,
        .file = argv[0],
        .args = (char **)argv,
        .flags = foreground ? 0 : UV_PROCESS_DETACHED,
        .stdio_count = 3,
        .stdio = stdio,
    };
    int status;

    child->loop = loop;
    child->foreground = foreground;
    child->process.data = child;
    status = uv_spawn(loop_uv(loop), &child->process, &options);
    if (status) {
        error_set(err, ERROR_SYSTEM, "cannot start '%s': %s", argv[0], uv_strerror(status));
        uv_close((uv_handle_t *)&child->process, on_closed);
        return NULL;
    }
    child->pid = child->process.pid;
    return child;
}

struct child *child_start(struct loop *loop, const char *const argv[], int in, int out, int errors,
                          struct error *err)
{
    uv_stdio_container_t stdio[] = { pass(in), pass(out), pass(errors) };

    return start(loop, argv, stdio, false, err);
}

struct child *child_start_foreground(struct loop *loop, const char *const argv[], int in, int out,
                                     int errors, struct error *err)
{
    uv_stdio_container_t stdio[] = { pass(in), pass(out), pass(errors) };

    return start(loop, argv, stdio, true, err);
}

void child_on_end(struct child *child, void (*ended)(void *arg), void *arg)
{
    child->on_end = ended;
    child->arg = arg;
}

pid_t child_pid(const struct child *child)
{
    return child->pid;
}

bool child_ended(const struct child *child, int *status)
{
    if (child->ended && status)
        *status = child->status;
    return child->ended;
}

static bool has_ended(void *arg)
{
    const struct child *child = arg;

    return child->ended;
}

bool child_wait(struct child *child, uint64_t timeout_ms, int *status, struct error *err)
{
    if (!loop_wait(child->loop, has_ended, child, timeout_ms, err))
        return false;
    return child_ended(child, status);
}

/* Outside the foreground it leads a group of its own, in which its helpers (an ssh's
 * ProxyCommand) are too. A killed process is gone at once unless it sleeps in the kernel;
 * then init reaps it.
 */
static void kill_and_reap(pid_t pid, bool foreground)
{
    const struct timespec millisecond = { .tv_nsec = 1000000 };

    kill(foreground ? pid : -pid, SIGKILL);
    for (int i = 0; i < 1000 && waitpid(pid, NULL, WNOHANG) == 0; i++)
        nanosleep(&millisecond, NULL);
}

void child_release(struct child *child)
{
    if (child)
        uv_close((uv_handle_t *)&child->process, on_closed);
}

void child_free(struct child *child)
{
    pid_t pid = child ? child->pid : 0;
    bool foreground = child && child->foreground;
    bool alive = pid && !child->ended;

    child_release(child);
    if (alive)
        kill_and_reap(pid, foreground);
}
