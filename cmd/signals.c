/* Signals on the loop. */
#include "signals.h"

#include <signal.h>

#include "xmig/cleanup.h"

static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };

enum {
    COUNT = sizeof(numbers) / sizeof(numbers[0])
};

struct signals {
    void (*caught)(void *arg, int number);
    void *arg;
    uv_signal_t *handles[COUNT]; /* on the heap until libuv has closed them */
};

static void on_signal(uv_signal_t *handle, int number)
{
    const struct signals *signals = handle->data;

    signals->caught(signals->arg, number);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static bool is_ignored(int number)
{
    struct sigaction action;

    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static uv_signal_t *catch (struct loop *loop, struct signals *signals, int number)
{
    uv_signal_t *handle = must(calloc(1, sizeof(*handle)));

    if (uv_signal_init(loop_uv(loop), handle) || uv_signal_start(handle, on_signal, number))
        abort();
    handle->data = signals;
    return handle;
}

struct signals *signals_new(struct loop *loop, void (*caught)(void *arg, int number), void *arg)
{
    struct signals *signals = must(calloc(1, sizeof(*signals)));

    signals->caught = caught;
    signals->arg = arg;
    for (size_t i = 0; i < COUNT; i++)
        if (!is_ignored(numbers[i]))
            signals->handles[i] = catch (loop, signals, numbers[i]);
    return signals;
}

void signals_free(struct signals *signals)
{
    if (!signals)
        return;
    for (size_t i = 0; i < COUNT; i++)
        if (signals->handles[i])
            uv_close((uv_handle_t *)signals->handles[i], on_closed);
    free(signals);
}

const char *signal_name(int number)
{
    switch (number) {
    case SIGINT:
        return "SIGINT";
    case SIGTERM:
        return "SIGTERM";
    default:
        return "SIGHUP";
    }
}
