/* A migration's log. Best effort: a full disk must not harm the migration. */
#include "log.h"

#include <fcntl.h>
#include <unistd.h>

#include "printable.h"
#include "report-json.h"
#include "xmig/cleanup.h"

enum {
    LOG_MAX = 4 * 1024 * 1024
};

void log_init(struct log *log)
{
    *log = (struct log){ 0 };
    log->out = must(open_memstream(&log->early, &log->early_size));
}

void log_place(struct log *log, const char *path)
{
    free(log->path);
    log->path = must(strdup(path));
}

/* From memory to the file. */
static void move(struct log *log)
{
    int fd = open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "a");

    if (!file)
        return;
    (void)fseek(file, 0, SEEK_END);
    fflush(log->out);
    fwrite(log->early, 1, log->early_size, file);
    fclose(log->out);
    free(steal(log->early));
    log->out = file;
    log->is_file = true;
}

void log_line(struct log *log, const char *text)
{
    AUTO_FREE char *shown = NULL;
    char now[32];

    if (log->is_full)
        return;
    shown = printable(text);
    print_timestamp(now);
    fprintf(log->out, "%s %s\n", now, shown);
    if (!log->is_file && log->path)
        move(log);
    fflush(log->out);
    log->is_full = ftell(log->out) > LOG_MAX; /* a peer may ask again and again */
}

void log_done(struct log *log)
{
    fclose(log->out);
    free(log->early);
    free(log->path);
}
