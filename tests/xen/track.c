/* Tracks the writes to a volume as a move does, step by step as the lab's scenarios say: a command
 * is a line of standard input, its answer a line that begins with "ok" or "failed".
 *
 *     begin ID DISK PATH     copy FILE      round FILE     lock MS     check      end
 *     leftovers [ID]         can PATH       notes BYTES    (for the next that begins)
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "host/kernel-disks/leftovers.h"
#include "host/kernel-disks/tracker.h"
#include "xmig/bytes.h"
#include "xmig/cleanup.h"
#include "xmig/loop.h"

enum {
    CHUNK = 1024 * 1024,
    ALIGNED = 4096
};

static struct tracker *tracker;
static uint64_t notes; /* 0: as many as are needed */

static bool copy_range(int from, int to, uint64_t offset, uint64_t length)
{
    void *data;
    bool ok = true;

    if (posix_memalign(&data, ALIGNED, CHUNK) != 0)
        abort();
    while (ok && length > 0) {
        size_t wanted = length < CHUNK ? length : CHUNK;
        ssize_t got = pread(from, data, wanted, (off_t)offset);

        ok = got > 0 && pwrite(to, data, (size_t)got, (off_t)offset) == got;
        offset += ok ? (uint64_t)got : 0;
        length -= ok ? (uint64_t)got : 0;
    }
    free(data);
    return ok;
}

static bool copy(const char *file, const struct changed_blocks *changed, struct error *err)
{
    AUTO_CLOSE int from = open(tracker_origin(tracker), O_RDONLY | O_DIRECT | O_CLOEXEC);
    AUTO_CLOSE int to = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    uint64_t offset, length;

    if (from < 0 || to < 0)
        return error_set(err, ERROR_SYSTEM, "cannot open: %m");
    for (uint64_t at = 0; changed_blocks_next(changed, at, &offset, &length); at = offset + length)
        if (!copy_range(from, to, offset, length))
            return error_set(err, ERROR_SYSTEM, "cannot copy: %m");
    return true;
}

static bool copy_all(const char *file, struct error *err)
{
    struct changed_blocks all;
    bool ok;

    changed_blocks_init(&all, tracker_size(tracker), tracker_block(tracker));
    for (uint64_t i = 0; i < all.count; i++)
        changed_blocks_mark(&all, i);
    ok = copy(file, &all, err);
    changed_blocks_done(&all);
    return ok;
}

static bool copy_round(const char *file, struct error *err)
{
    struct changed_blocks changed;
    bool ok;

    changed_blocks_init(&changed, tracker_size(tracker), tracker_block(tracker));
    ok = tracker_round(tracker, &changed, err);
    if (ok) {
        printf("%" PRIu64 " bytes\n", changed_blocks_bytes(&changed));
        ok = copy(file, &changed, err);
    }
    changed_blocks_done(&changed);
    return ok;
}

static void say(void *arg, const char *text)
{
    (void)arg;
    puts(text);
}

static bool begin(const char *id, const char *disk, const char *path, struct error *err)
{
    tracker_free(tracker);
    tracker = tracker_new(id, disk, path);
    if (notes)
        tracker_limit_notes(tracker, notes);
    return tracker_begin(tracker, err);
}

static bool obey(char *const words[4], struct error *err)
{
    if (!strcmp(words[0], "begin"))
        return begin(words[1], words[2], words[3], err);
    if (!strcmp(words[0], "can"))
        return tracker_can(words[1], err);
    if (!strcmp(words[0], "leftovers"))
        return tracking_leftovers_end(*words[1] ? words[1] : NULL, say, NULL, err);
    if (!strcmp(words[0], "notes"))
        return (notes = strtoull(words[1], NULL, 10)) % 4096 == 0;
    if (!tracker)
        return error_set(err, ERROR_USAGE, "nothing is tracked");
    if (!strcmp(words[0], "copy"))
        return copy_all(words[1], err);
    if (!strcmp(words[0], "round"))
        return copy_round(words[1], err);
    if (!strcmp(words[0], "lock"))
        return tracker_lock(tracker, strtoull(words[1], NULL, 10), err);
    if (!strcmp(words[0], "check"))
        return tracker_check(tracker, err);
    if (!strcmp(words[0], "end"))
        return tracker_end(tracker, err);
    return error_set(err, ERROR_USAGE, "what is '%s'?", words[0]);
}

int main(void)
{
    char line[512];

    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof(line), stdin)) {
        char words[4][256] = { "", "", "", "" };
        struct error err = { 0 };
        uint64_t before = loop_now_ms();

        if (sscanf(line, "%255s %255s %255s %255s", words[0], words[1], words[2], words[3]) < 1)
            continue;
        if (obey((char *[]){ words[0], words[1], words[2], words[3] }, &err))
            printf("ok after %" PRIu64 " ms, suspended for %" PRIu64 " at most\n",
                   loop_now_ms() - before, tracker ? tracker_longest_suspended_ms(tracker) : 0);
        else
            printf("failed: %s\n", err.text);
    }
    tracker_free(tracker);
    return 0;
}
