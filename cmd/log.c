/* A migration's log. Best effort: a full disk must not harm the migration. */
#include "log.h"

#include <fcntl.h>
#include <unistd.h>

#include "printable.h"
#include "report-json.h"
#include "xmig/cleanup.h"

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
    fflush(log->out);
    fwrite(log->early, 1, log->early_size, file);
    fclose(log->out);
    free(steal(log->early));
    log->out = file;
    log->is_file = true;
}

void log_line(struct log *log, const char *text)
{
    AUTO_FREE char *shown = printable(text);
    char now[32];

    print_timestamp(now);
    fprintf(log->out, "%s %s\n", now, shown);
    if (!log->is_file && log->path)
        move(log);
    fflush(log->out);
}

void log_done(struct log *log)
{
    fclose(log->out);
    free(log->early);
    free(log->path);
}
