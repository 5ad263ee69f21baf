/* Writes a migration's history, and reads it. The size of the file is bounded: when it has grown
 * large, every second sample is removed, and from then on samples are taken half as often.
 */
#include "history.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "printable.h"
#include "report-json.h"
#include "xmig/cleanup.h"
#include "xmig/loop.h"
#include "xmig/record.h"
#include "xmig/text.h"

enum {
    SCHEMA = 1,
    HOUR_MS = 3600000,
    NEWEST_MS = 10000, /* samples as young as that stay: somebody may be watching */
    HELD_MAX = 64 * 1024
};

void history_init(struct history *history)
{
    *history = (struct history){ .interval_ms = HISTORY_SAMPLE_MS };
}

static char *path_of(const char *directory, enum side side)
{
    return formatted("%s/%s.history", directory, side_name(side));
}

/* ---- reading ---- */

/* The file's bytes, NUL-terminated; NULL: there is none. The caller frees them. */
static char *read_file(const char *path)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    AUTO_FREE char *text = must(malloc(2 * HISTORY_MAX + 1));
    ssize_t size = fd < 0 ? -1 : read(fd, text, 2 * HISTORY_MAX);

    if (size < 0)
        return NULL;
    text[size] = '\0';
    return steal(text);
}

static cJSON *lines_of(char *text)
{
    cJSON *lines = must(cJSON_CreateArray());
    char *line;

    while (text && (line = strsep(&text, "\n"))) {
        cJSON *object = json_parse_object(line, strlen(line), NULL);

        if (object)
            cJSON_AddItemToArray(lines, object);
    }
    return lines;
}

cJSON *history_read_file(const char *path)
{
    AUTO_FREE char *text = read_file(path);

    return lines_of(text);
}

cJSON *history_read(const char *directory, enum side side)
{
    AUTO_FREE char *path = path_of(directory, side);

    return history_read_file(path);
}

/* ---- thinning ---- */

struct thinning {
    struct {
        const char *subject;
        uint64_t kept_ms;
    } list[TRANSFERS_MAX];
    size_t count;
};

static bool is_sample(const cJSON *line)
{
    const char *type = json_string_or(line, "type", "");

    return !strcmp(type, "progress") || !strcmp(type, "clock");
}

/* Keeps one sample of each subject in each interval. */
static bool stays(struct thinning *thinning, const cJSON *line, uint64_t interval_ms)
{
    const char *subject = json_string_or(line, "subject", "");
    uint64_t ms = json_uint_or(line, "ms", 0);
    size_t i = 0;

    if (!is_sample(line) || loop_now_ms() - ms < NEWEST_MS)
        return true;
    while (i < thinning->count && strcmp(thinning->list[i].subject, subject))
        i++;
    if (i == TRANSFERS_MAX || (i < thinning->count && ms - thinning->list[i].kept_ms < interval_ms))
        return false;
    thinning->list[i].subject = subject;
    thinning->list[i].kept_ms = ms;
    thinning->count += i == thinning->count;
    return true;
}

/* The text of the lines that stay, `*size` bytes; the caller frees it. */
static char *thinned(const cJSON *lines, uint64_t interval_ms, size_t *size)
{
    struct thinning thinning = { 0 };
    char *text = NULL;
    FILE *out = must(open_memstream(&text, size));
    const cJSON *line;

    cJSON_ArrayForEach (line, lines) {
        AUTO_FREE char *printed = stays(&thinning, line, interval_ms) ? json_print(line) : NULL;
        AUTO_FREE char *shown = printed ? printable_json(printed) : NULL;

        if (shown)
            fprintf(out, "%s\n", shown);
    }
    if (fclose(out))
        abort();
    return text;
}

/* A reader sees the old file or the new one. */
static void replace(const char *path, const char *text, size_t size)
{
    AUTO_FREE char *other = formatted("%s.new", path);
    AUTO_CLOSE int fd = open(other, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, text, size) != (ssize_t)size || rename(other, path) < 0)
        (void)unlink(other);
}

static void thin(struct history *history)
{
    AUTO_FREE char *text = read_file(history->path);
    AUTO_JSON cJSON *lines = lines_of(text);
    AUTO_FREE char *left = NULL;
    size_t size;

    do {
        history->interval_ms *= 2;
        free(left);
        left = thinned(lines, history->interval_ms, &size);
    } while (size > HISTORY_MAX / 2 && history->interval_ms < HOUR_MS);
    history->is_full = size > HISTORY_MAX / 2;
    replace(history->path, left, size);
}

/* ---- writing ---- */

/* What cannot be written is lost: a full disk must not harm the migration. */
static void write_held(struct history *history)
{
    AUTO_CLOSE int fd = -1;
    struct stat st;

    if (!history->held_size)
        return;
    fd = open(history->path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    (void)!write(fd, history->held, history->held_size);
    free(steal(history->held));
    history->held_size = 0;
    if (fstat(fd, &st) == 0 && st.st_size > HISTORY_MAX)
        thin(history);
}

static void hold(struct history *history, const char *line)
{
    size_t len = strlen(line);

    if (history->held_size + len + 1 > HELD_MAX)
        return;
    history->held = must(realloc(history->held, history->held_size + len + 1));
    memcpy(history->held + history->held_size, line, len);
    history->held[history->held_size + len] = '\n';
    history->held_size += len + 1;
}

static void add_line(struct history *history, const char *type, cJSON *body, uint64_t ms)
{
    AUTO_JSON cJSON *line = NULL;
    AUTO_FREE char *text = NULL;

    if (!history->path) {
        cJSON_Delete(body);
        return;
    }
    line = must(cJSON_CreateObject());
    json_add_uint(line, "ms", ms);
    text = json_line(line, type, body);
    if (!history->is_full)
        hold(history, text);
    if (!history->guest_waits)
        write_held(history);
}

void history_line(struct history *history, const char *type, cJSON *body)
{
    add_line(history, type, body, loop_now_ms());
}

static void sample(struct history *history, size_t i, const struct transfers *transfers)
{
    cJSON *body = must(cJSON_CreateObject());

    history->told_ms[i] = loop_now_ms();
    history->untold[i] = false;
    cJSON_AddStringToObject(body, "subject", transfers->list[i].subject);
    json_add_progress(body, &transfers->list[i]);
    history_line(history, "progress", body);
}

static void take_progress(struct history *history, const struct transfers *transfers, size_t i)
{
    bool is_first = !history->told_ms[i];

    history->untold[i] = history->untold[i] || transfers->list[i].grew;
    if (is_first ||
        (history->untold[i] && loop_now_ms() - history->told_ms[i] >= history->interval_ms))
        sample(history, i, transfers);
}

/* The last sample of each subject is written even if its interval is not over. */
static void tell_last(struct history *history, const struct transfers *transfers)
{
    for (size_t i = 0; i < transfers->count; i++)
        if (history->untold[i])
            sample(history, i, transfers);
}

/* While the guest is paused, lines are kept in memory, so that a slow disk cannot make the pause
 * longer.
 */
static void follow_guest(struct history *history, const struct event *event)
{
    enum record record = event->kind == EVENT_RECORD ? record_from_name(event->text) : RECORD_NONE;

    switch (record) {
    case RECORD_PREPARED:
        history->guest_waits = true;
        break;
    case RECORD_DONE:
    case RECORD_RUNNING:
    case RECORD_PROOF:
    case RECORD_ABORTED:
    case RECORD_REFUSED:
    case RECORD_CLOSED:
        history->guest_waits = false;
        break;
    default:
        history->guest_waits = history->guest_waits || event->kind == EVENT_DOWNTIME;
    }
}

void history_event(struct history *history, const struct event *event,
                   const struct transfers *transfers, const struct transfer *transfer)
{
    if (event->kind == EVENT_PROGRESS) {
        if (transfer)
            take_progress(history, transfers, (size_t)(transfer - transfers->list));
        return;
    }
    if (event->kind == EVENT_DEBUG)
        return;
    if (event->kind == EVENT_STAGE_END || event->kind == EVENT_UNDO)
        tell_last(history, transfers);
    follow_guest(history, event);
    add_line(history, json_event_type(event), json_of_event(event),
             event->at_ms ? event->at_ms : loop_now_ms());
}

static cJSON *head(enum side side)
{
    cJSON *body = must(cJSON_CreateObject());
    char host[256] = "";

    (void)gethostname(host, sizeof(host) - 1);
    json_add_uint(body, "schema", SCHEMA);
    cJSON_AddStringToObject(body, "side", side_name(side));
    cJSON_AddStringToObject(body, "host", host);
    json_add_uint(body, "pid", (uint64_t)getpid());
    cJSON_AddStringToObject(body, "version", XMIG_VERSION);
    return body;
}

void history_place(struct history *history, const char *directory, enum side side)
{
    free(history->directory);
    free(history->path);
    history->directory = must(strdup(directory));
    history->side = side;
    history->path = path_of(directory, side);
    history_line(history, "history", head(side));
}

cJSON *history_lines(struct history *history)
{
    AUTO_FREE char *held = NULL;

    write_held(history);
    if (!history->held_size)
        return history->directory ? history_read(history->directory, history->side)
                                  : must(cJSON_CreateArray());
    held = must(strndup(history->held, history->held_size));
    return lines_of(held);
}

/* ---- the peer's ---- */

static char *tell(void *arg)
{
    struct history *history = arg;

    if (!history->guest_waits)
        write_held(history);
    return history->path ? read_file(history->path) : NULL;
}

/* In a `local:` move both sides write to one directory, so the peer's history is here already. */
static bool is_kept_here(const struct history *history)
{
    AUTO_FREE char *journal =
        formatted("%s/%s.journal", history->directory, side_name(side_other(history->side)));

    return access(journal, F_OK) == 0;
}

/* Keeps only what parses as lines of a history; a later reader would skip the rest. */
static void hear(void *arg, const char *text)
{
    struct history *history = arg;
    AUTO_FREE char *copy = must(strdup(text));
    AUTO_FREE char *kept = NULL;
    AUTO_FREE char *path = NULL;
    AUTO_JSON cJSON *lines = NULL;
    size_t size;

    if (!history->directory || history->guest_waits || is_kept_here(history))
        return;
    lines = lines_of(copy);
    kept = thinned(lines, 0, &size);
    path = path_of(history->directory, side_other(history->side));
    replace(path, kept, size);
}

static void compare(void *arg, const struct session_clock *clock)
{
    cJSON *body = must(cJSON_CreateObject());

    json_add_uint(body, "here_us", clock->here_us);
    json_add_uint(body, "there_us", clock->there_us);
    json_add_uint(body, "round_trip_us", clock->round_trip_us);
    history_line(arg, "clock", body);
}

static void carried(void *arg, const cJSON *progress)
{
    cJSON *body = must(cJSON_CreateObject());

    cJSON_AddItemToObject(body, "transfers", must(cJSON_Duplicate(progress, true)));
    history_line(arg, "carried", body);
}

struct session_history history_shared(struct history *history)
{
    return (struct session_history){
        .tell = tell, .hear = hear, .compare = compare, .carried = carried, .arg = history
    };
}

void history_done(struct history *history)
{
    write_held(history);
    free(history->held);
    free(history->directory);
    free(history->path);
}
