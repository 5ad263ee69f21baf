/* A logger for Xen's libraries, which print to stderr without one. */
#include "host/xen/ground/library-log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#include "xmig/cleanup.h"

enum {
    LINES_MAX = 64, /* kept between two calls of xen_log_drain(): older lines are lost */
    LINE_SIZE = 256
};

struct xen_log {
    xentoollog_logger vtable; /* must come first: the library hands us a pointer to it */
    pthread_mutex_t mutex;
    char lines[LINES_MAX][LINE_SIZE];
    unsigned long written, read; /* how many lines, ever */
    char complaint[LINE_SIZE];
    unsigned long done, total;
};

static void message(xentoollog_logger *logger, xentoollog_level level, int number,
                    const char *context, const char *format, va_list args)
{
    struct xen_log *log = (struct xen_log *)logger;
    char text[LINE_SIZE];
    char *line;

    (void)context;
    vsnprintf(text, sizeof(text), format, args);
    text[strcspn(text, "\n")] = '\0';
    pthread_mutex_lock(&log->mutex);
    line = log->lines[log->written++ % LINES_MAX];
    if (number >= 0)
        snprintf(line, LINE_SIZE, "%.200s: %s", text, strerror(number));
    else
        snprintf(line, LINE_SIZE, "%s", text);
    /* Keep the first complaint: later ones are its consequences. */
    if (level >= XTL_ERROR && !log->complaint[0])
        memcpy(log->complaint, line, LINE_SIZE);
    pthread_mutex_unlock(&log->mutex);
}

static void progress(xentoollog_logger *logger, const char *context, const char *what, int percent,
                     unsigned long done, unsigned long total)
{
    struct xen_log *log = (struct xen_log *)logger;

    (void)context;
    (void)what;
    (void)percent;
    pthread_mutex_lock(&log->mutex);
    log->done = done;
    log->total = total;
    pthread_mutex_unlock(&log->mutex);
}

static void destroy(xentoollog_logger *logger)
{
    free(logger);
}

struct xen_log *xen_log_new(void)
{
    struct xen_log *log = must(calloc(1, sizeof(*log)));

    log->vtable = (xentoollog_logger){ message, progress, destroy };
    if (pthread_mutex_init(&log->mutex, NULL))
        abort();
    return log;
}

void xen_log_free(struct xen_log *log)
{
    if (!log)
        return;
    pthread_mutex_destroy(&log->mutex);
    free(log);
}

xentoollog_logger *xen_log_logger(struct xen_log *log)
{
    return &log->vtable;
}

static bool take_line(struct xen_log *log, char line[LINE_SIZE])
{
    bool taken;

    pthread_mutex_lock(&log->mutex);
    if (log->written - log->read > LINES_MAX)
        log->read = log->written - LINES_MAX;
    taken = log->read < log->written;
    if (taken)
        memcpy(line, log->lines[log->read++ % LINES_MAX], LINE_SIZE);
    pthread_mutex_unlock(&log->mutex);
    return taken;
}

void xen_log_drain(struct xen_log *log, const struct event_sink *sink)
{
    char line[LINE_SIZE];

    while (take_line(log, line))
        event_say(sink, EVENT_DEBUG, NULL, "libxc: %s", line);
}

char *xen_log_complaint(struct xen_log *log)
{
    char *complaint;

    pthread_mutex_lock(&log->mutex);
    complaint = must(strdup(log->complaint));
    log->complaint[0] = '\0';
    pthread_mutex_unlock(&log->mutex);
    return complaint;
}

void xen_log_progress(struct xen_log *log, unsigned long *done, unsigned long *total)
{
    pthread_mutex_lock(&log->mutex);
    *done = log->done;
    *total = log->total;
    pthread_mutex_unlock(&log->mutex);
}
