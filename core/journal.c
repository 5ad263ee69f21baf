/* The journal: promises on disk, each durable before anybody acts on it.
 *
 * In this order: the file, with its lock, its re-reading and its one way to write;
 * creating; looking. Text and transitions are journal-parse.c's.
 */
#include "xmig/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "xmig/directory.h"
#include "xmig/text.h"
#include "core/journal-parse.h"

enum {
    FILE_SIZE = 64 * 1024,
    NOTES_END = FILE_SIZE - 8 * 1024, /* BEGIN and NOTE end here, to leave room for the words */
    FACTS_END = FILE_SIZE - 4 * 1024, /* further on, words stand without facts: they must fit */
    LOCK_PAUSE_MS = 2,
    LOCK_TRIES = 5000, /* 10 s in all */
};

struct journal {
    char *path;
    char id[17];
    enum side side;
    struct identity identity;
    int fd;
    char *bytes; /* the whole file as last read, and a NUL */
    struct journal_text text;
    struct journal_hook hook;
    bool held;    /* the lock, by journal_lock() */
    bool crashed; /* the hook said so */
    bool broken;  /* a write or sync has failed: memory and disk may disagree */
};

/* -- the file: read ---------------------------------------------------------------------- */

/* Blocks the loop, but briefly: a process holds the lock for one record and the act that it
 * permits. If that process was stopped (SIGSTOP), give up.
 */
static bool lock(const struct journal *journal, int operation, struct error *err)
{
    const struct timespec pause = { .tv_nsec = LOCK_PAUSE_MS * 1000000L };

    if (journal->held)
        return true;
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (!flock(journal->fd, operation | LOCK_NB))
            return true;
        if (errno != EWOULDBLOCK)
            return error_set(err, ERROR_SYSTEM, "cannot lock it: %m");
        nanosleep(&pause, NULL);
    }
    return error_set(err, ERROR_TIMEOUT, "another process has held its lock for %d s",
                     LOCK_TRIES * LOCK_PAUSE_MS / 1000);
}

static void unlock(const struct journal *journal)
{
    if (!journal->held)
        (void)flock(journal->fd, LOCK_UN);
}

static bool check_usable(const struct journal *journal, struct error *err)
{
    if (journal->broken)
        return error_set(err, ERROR_SYSTEM, "writing to it has failed before");
    return true;
}

/* A record in a removed or replaced file would be no promise: nobody would read it again. */
static bool check_still_there(const struct journal *journal, struct error *err)
{
    struct stat ours;
    struct stat found;

    if (fstat(journal->fd, &ours))
        return error_set(err, ERROR_SYSTEM, "cannot look at it: %m");
    if (!ours.st_nlink || stat(journal->path, &found) || ours.st_dev != found.st_dev ||
        ours.st_ino != found.st_ino)
        return error_set(err, ERROR_SYSTEM, "it has been removed or replaced");
    return true;
}

/* After a failed sync the kernel may call pages clean that are not on the disk, and reports that
 * only once. So this process uses the journal no more; the next one reads what the disk has.
 */
static void distrust(struct journal *journal)
{
    journal->broken = true;
    (void)posix_fadvise(journal->fd, 0, 0, POSIX_FADV_DONTNEED);
}

static bool sync_data(struct journal *journal, struct error *err)
{
    if (!fdatasync(journal->fd))
        return true;
    error_set(err, ERROR_SYSTEM, "cannot sync it: %m");
    distrust(journal);
    return false;
}

/* Every journal is born with this size: any other means that something was cut off. */
static bool check_size(const struct journal *journal, struct error *err)
{
    struct stat st;

    if (fstat(journal->fd, &st))
        return error_set(err, ERROR_SYSTEM, "cannot look at it: %m");
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERROR_PROTOCOL, "not a regular file");
    if (st.st_size != FILE_SIZE)
        return error_set(err, ERROR_PROTOCOL, "it has %jd bytes and should have %d",
                         (intmax_t)st.st_size, FILE_SIZE);
    return true;
}

static bool read_bytes(const struct journal *journal, char *bytes, struct error *err)
{
    for (ssize_t done = 0; done < FILE_SIZE;) {
        ssize_t got = pread(journal->fd, bytes + done, (size_t)(FILE_SIZE - done), done);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return error_set(err, ERROR_SYSTEM, "cannot read it: %s",
                             got ? strerror(errno) : "it ends too soon");
        done += got;
    }
    return true;
}

/* How many bytes the records take that this process knows, the last newline not counted:
 * it may be missing.
 */
static size_t known_size(const struct journal *journal)
{
    return journal->text.next ? journal->text.next - 1 : 0;
}

static struct journal_owner owner_of(const struct journal *journal)
{
    return (struct journal_owner){ journal->id, journal->side, journal->identity.machine };
}

/* Take over a newer reading; takes both. Records stay where they are, so that a borrowed
 * one outlives later appends.
 */
static void adopt(struct journal *journal, char *bytes, struct journal_text *text)
{
    cJSON *records = journal->text.records;
    cJSON *news;

    while ((news = cJSON_DetachItemFromArray(text->records, (int)journal->text.count)))
        cJSON_AddItemToArray(records, news);
    cJSON_Delete(text->records);
    journal->text = *text;
    journal->text.records = records;
    free(journal->bytes);
    journal->bytes = bytes;
}

/* To be called under the lock. The sync comes first: a writer that was killed may have
 * left a record that is not on the disk yet, and what we read we act on.
 */
static bool read_again(struct journal *journal, struct error *err)
{
    AUTO_FREE char *bytes = must(calloc(1, FILE_SIZE + 1));
    struct journal_owner owner = owner_of(journal);
    struct journal_text text;

    if (!check_usable(journal, err) || !check_still_there(journal, err) ||
        !check_size(journal, err) || !sync_data(journal, err) || !read_bytes(journal, bytes, err) ||
        !journal_parse(bytes, FILE_SIZE, &owner, &text, err))
        return false;
    if (!text.count || memcmp(bytes, journal->bytes, known_size(journal)) != 0) {
        journal_text_done(&text);
        return error_set(err, ERROR_PROTOCOL, "it has lost records");
    }
    adopt(journal, steal(bytes), &text);
    return true;
}

/* -- the file: write --------------------------------------------------------------------- */

static cJSON *new_record(const struct journal *journal, enum record record)
{
    cJSON *json = must(cJSON_CreateObject());
    struct timespec now;
    struct tm utc;
    char text[40];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(text, sizeof(text), "%FT%T", &utc);
    snprintf(text + strlen(text), sizeof(text) - strlen(text), ".%03ldZ", now.tv_nsec / 1000000);
    json_add_uint(json, "seq", journal->text.count + 1);
    cJSON_AddStringToObject(json, "record", record_name(record));
    cJSON_AddStringToObject(json, "time", text);
    cJSON_AddStringToObject(json, "machine", journal->identity.machine);
    cJSON_AddStringToObject(json, "boot", journal->identity.boot);
    json_add_uint(json, "pid", (uint64_t)getpid());
    return json;
}

static bool add_facts(cJSON *json, const cJSON *facts, struct error *err)
{
    const cJSON *fact;

    cJSON_ArrayForEach (fact, facts) {
        /* Whatever the case, for cJSON_GetObjectItem() does not care. */
        if (!fact->string || cJSON_GetObjectItem(json, fact->string))
            return error_set(err, ERROR_REFUSED, "a fact may not be called '%s'",
                             fact->string ? fact->string : "");
        cJSON_AddItemToObject(json, fact->string, must(cJSON_Duplicate(fact, true)));
    }
    return true;
}

/* The line begins with a newline: the record before it may lack only that byte. */
static char *new_line(const struct journal *journal, const cJSON *json)
{
    AUTO_FREE char *body = json_print(json);
    char checksum[17];

    journal_checksum(journal->text.chain, body, strlen(body), checksum);
    return formatted("%s%s %s\n", journal->text.next ? "\n" : "", checksum, body);
}

static bool fits(const struct journal *journal, const char *line, size_t end)
{
    return known_size(journal) + strlen(line) <= end;
}

/* The line to write. The words that decide where the guest runs never fail for want of
 * room: NOTEs leave them some, and if their own facts use that up, they do without.
 */
static char *compose(const struct journal *journal, enum record record, const cJSON *facts,
                     struct error *err)
{
    bool is_word = record != RECORD_BEGIN && record != RECORD_NOTE;
    AUTO_JSON cJSON *full = new_record(journal, record);
    AUTO_JSON cJSON *bare = new_record(journal, record);
    AUTO_FREE char *line = NULL;

    if (!add_facts(full, facts, err))
        return NULL;
    line = new_line(journal, full);
    if (fits(journal, line, is_word ? FACTS_END : NOTES_END))
        return steal(line);
    free(line);
    cJSON_AddTrueToObject(bare, "facts_left_out");
    line = new_line(journal, bare);
    if (is_word && fits(journal, line, FILE_SIZE))
        return steal(line);
    error_set(err, ERROR_SYSTEM, "no room for this %s", record_name(record));
    return NULL;
}

static bool write_bytes(struct journal *journal, const char *bytes, size_t from, size_t to,
                        struct error *err)
{
    while (from < to) {
        ssize_t put = pwrite(journal->fd, bytes + from, to - from, (off_t)from);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            error_set(err, ERROR_SYSTEM, "cannot write to it: %m");
            distrust(journal);
            return false;
        }
        from += (size_t)put;
    }
    return sync_data(journal, err);
}

/* Wipe a torn line with a write of its own first: its bytes, mixed with ours on the disk, would
 * look like damage.
 */
static bool make_durable(struct journal *journal, const char *bytes, size_t end, struct error *err)
{
    static const char nothing[FILE_SIZE];
    const struct journal_text *text = &journal->text;

    if (text->next < text->length && !write_bytes(journal, nothing, text->next, text->length, err))
        return false;
    return write_bytes(journal, bytes, known_size(journal), end, err);
}

/* Parse the new content before it is written, as every later reader will. */
static bool put_record(struct journal *journal, enum record record, const cJSON *facts,
                       struct error *err)
{
    AUTO_FREE char *line = compose(journal, record, facts, err);
    AUTO_FREE char *bytes = must(calloc(1, FILE_SIZE + 1));
    struct journal_owner owner = owner_of(journal);
    struct journal_text text;

    if (!line)
        return false;
    memcpy(bytes, journal->bytes, known_size(journal));
    memcpy(bytes + known_size(journal), line, strlen(line));
    if (!journal_parse(bytes, FILE_SIZE, &owner, &text, err))
        return false;
    if (!make_durable(journal, bytes, text.next, err)) {
        journal_text_done(&text);
        return false;
    }
    adopt(journal, steal(bytes), &text);
    return true;
}

/* The newest record that is not a NOTE. */
static const cJSON *last_word(const struct journal *journal)
{
    const cJSON *found = NULL;
    const cJSON *json;

    cJSON_ArrayForEach (json, journal->text.records)
        if (strcmp(json_string_or(json, "record", ""), record_name(RECORD_NOTE)) != 0)
            found = json;
    return found;
}

static bool check_permitted(const struct journal *journal, enum record record, struct error *err)
{
    const cJSON *last = last_word(journal);

    if (record_permitted(journal->side, journal->text.last, record))
        return true;
    return error_set(err, ERROR_REFUSED, "%s cannot follow %s, written by process %ju at %s",
                     record_name(record), record_name(journal->text.last),
                     (uintmax_t)json_uint_or(last, "pid", 0), json_string_or(last, "time", "?"));
}

static bool append_under_lock(struct journal *journal, enum record record, const cJSON *facts,
                              struct error *err)
{
    bool good = lock(journal, LOCK_EX, err) && read_again(journal, err) &&
                check_permitted(journal, record, err) && put_record(journal, record, facts, err);

    unlock(journal);
    return good || error_prefix(err, "journal '%s'", journal->path);
}

/* Outside of the lock that an append takes, so that it may play another process. The dead
 * hold no locks.
 */
static bool call_hook(struct journal *journal, enum record record, bool written, struct error *err)
{
    if (!journal->crashed && journal->hook.at)
        journal->crashed = !journal->hook.at(journal->hook.arg, record, written);
    if (!journal->crashed)
        return true;
    journal_unlock(journal);
    return error_set(err, ERROR_CRASH, "crashed %s writing %s", written ? "after" : "before",
                     record_name(record));
}

bool journal_append(struct journal *journal, enum record record, const cJSON *facts,
                    struct error *err)
{
    return call_hook(journal, record, false, err) &&
           append_under_lock(journal, record, facts, err) && call_hook(journal, record, true, err);
}

bool journal_refresh(struct journal *journal, struct error *err)
{
    bool good = lock(journal, LOCK_SH, err) && read_again(journal, err);

    unlock(journal);
    return good || error_prefix(err, "journal '%s'", journal->path);
}

bool journal_lock(struct journal *journal, struct error *err)
{
    if (lock(journal, LOCK_EX, err) && read_again(journal, err)) {
        journal->held = true;
        return true;
    }
    unlock(journal);
    return error_prefix(err, "journal '%s'", journal->path);
}

void journal_unlock(struct journal *journal)
{
    journal->held = false;
    unlock(journal);
}

/* -- creating, opening ------------------------------------------------------------------- */

/* Take the space now, while nothing has been touched yet. */
static bool allocate(const struct journal *journal, struct error *err)
{
    do
        errno = posix_fallocate(journal->fd, 0, FILE_SIZE);
    while (errno == EINTR);
    if (errno)
        return error_set(err, ERROR_SYSTEM, "no room for %d KiB: %m", FILE_SIZE / 1024);
    if (fsync(journal->fd))
        return error_set(err, ERROR_SYSTEM, "cannot sync it: %m");
    return true;
}

/* The file gets its name only now, so that every journal that can be found has BEGIN. */
static bool publish(const struct journal *journal, const char *draft, struct error *err)
{
    AUTO_FREE char *copy = must(strdup(journal->path));

    if (link(draft, journal->path))
        return error_set(err, errno == EEXIST ? ERROR_REFUSED : ERROR_SYSTEM,
                         "cannot create it: %m");
    (void)unlink(draft);
    if (directory_sync(dirname(copy), err))
        return true;
    (void)unlink(journal->path);
    return false;
}

static struct journal *journal_new(const char *state_dir, const char *id, enum side side,
                                   const struct identity *identity)
{
    struct journal *journal = must(calloc(1, sizeof(*journal)));
    struct journal_owner owner;

    journal->path = formatted("%s/%s/%s.journal", state_dir, id, side_name(side));
    strcpy(journal->id, id);
    journal->side = side;
    journal->identity = *identity;
    journal->fd = -1;
    journal->bytes = must(calloc(1, FILE_SIZE + 1));
    owner = owner_of(journal);
    journal_text_init(&journal->text, &owner);
    return journal;
}

/* Write the draft, in a directory that exists; leave no trace of a failure. */
static bool create_file(struct journal *journal, const cJSON *facts, struct error *err)
{
    AUTO_FREE char *draft = formatted("%s.new", journal->path);

    journal->fd = open(draft, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (journal->fd < 0)
        return error_set(err, errno == EEXIST ? ERROR_REFUSED : ERROR_SYSTEM,
                         "cannot create '%s': %m", draft);
    if (allocate(journal, err) && put_record(journal, RECORD_BEGIN, facts, err) &&
        publish(journal, draft, err))
        return true;
    (void)unlink(draft);
    return false;
}

struct journal *journal_create(const char *state_dir, const char *id, enum side side,
                               const struct identity *identity, const cJSON *facts,
                               struct error *err)
{
    AUTO_FREE char *directory = formatted("%s/%s", state_dir, id);
    struct journal *journal;
    bool made = false;

    if (!journal_valid_id(id)) {
        error_set(err, ERROR_REFUSED, "'%s' is not the id of a migration", id);
        return NULL;
    }
    journal = journal_new(state_dir, id, side, identity);
    /* The other side may have made the directory an instant ago: sync it all the same. */
    if (directory_make_all(state_dir, err) && directory_make(directory, &made, err) &&
        directory_sync(state_dir, err) && create_file(journal, facts, err))
        return journal;
    error_prefix(err, "journal '%s'", journal->path);
    journal_free(journal);
    if (made)
        (void)rmdir(directory);
    return NULL;
}

static enum journal_health open_file(struct journal *journal, struct error *err)
{
    journal->fd = open(journal->path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (journal->fd >= 0)
        return journal_refresh(journal, err) ? JOURNAL_GOOD : JOURNAL_UNREADABLE;
    if (errno == ENOENT) {
        error_set(err, ERROR_REFUSED, "there is no journal '%s'", journal->path);
        return JOURNAL_MISSING;
    }
    error_set(err, ERROR_SYSTEM, "cannot open journal '%s': %m", journal->path);
    return JOURNAL_UNREADABLE;
}

struct journal *journal_open(const char *state_dir, const char *id, enum side side,
                             const struct identity *identity, enum journal_health *health,
                             struct error *err)
{
    struct journal *journal;

    *health = JOURNAL_MISSING;
    if (!journal_valid_id(id)) {
        error_set(err, ERROR_REFUSED, "'%s' is not the id of a migration", id);
        return NULL;
    }
    journal = journal_new(state_dir, id, side, identity);
    *health = open_file(journal, err);
    if (*health == JOURNAL_GOOD)
        return journal;
    journal_free(journal);
    return NULL;
}

void journal_free(struct journal *journal)
{
    if (!journal)
        return;
    cleanup_close(&journal->fd);
    journal_text_done(&journal->text);
    free(journal->bytes);
    free(journal->path);
    free(journal);
}

void journal_set_hook(struct journal *journal, struct journal_hook hook)
{
    journal->hook = hook;
}

/* -- looking ----------------------------------------------------------------------------- */

enum record journal_last(const struct journal *journal)
{
    return journal->text.last;
}

bool journal_has(const struct journal *journal, enum record record)
{
    return journal_find(journal, record) != NULL;
}

const cJSON *journal_records(const struct journal *journal)
{
    return journal->text.records;
}

const cJSON *journal_find(const struct journal *journal, enum record record)
{
    const cJSON *json;

    cJSON_ArrayForEach (json, journal->text.records)
        if (!strcmp(json_string_or(json, "record", ""), record_name(record)))
            return json;
    return NULL;
}

bool journal_rebooted_since(const struct journal *journal, const cJSON *record)
{
    return strcmp(json_string_or(record, "boot", ""), journal->identity.boot) != 0;
}

enum side journal_side(const struct journal *journal)
{
    return journal->side;
}

const char *journal_id(const struct journal *journal)
{
    return journal->id;
}

const char *journal_path(const struct journal *journal)
{
    return journal->path;
}
