/* The test guest's work: writes at a steady rate, and whether everything is still as written. */
#include "work.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "console.h"

enum {
    READ_BLOCKS = 64,
    DEVICE_TIMEOUT_MS = 20000
};

struct disk disks[DISKS_MAX];
size_t disk_count;
struct ram ram = { .lock = PTHREAD_MUTEX_INITIALIZER };
atomic_bool paused;

uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void nap_us(uint64_t us)
{
    struct timespec nap = { .tv_sec = (time_t)(us / 1000000),
                            .tv_nsec = (long)(us % 1000000) * 1000 };

    nanosleep(&nap, NULL);
}

static void *allocate(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    if (memory == MAP_FAILED)
        die("cannot allocate %zu KiB: %m", bytes / 1024);
    return memory;
}

/* True: do it once, now. False: a little time has passed instead, and not too little: to wake
 * up costs a guest on an emulated host more than what there is to do.
 */
static bool pace_take(struct pace *pace)
{
    const uint64_t one = 1000000, catch_up_us = 200000, nap_min_us = 100000, nap_max_us = 500000;
    uint64_t rate = atomic_load(&pace->per_second), now = now_us();

    if (!paused) {
        uint64_t most = one + rate * catch_up_us;

        pace->credit += rate * (now - pace->last_us);
        if (pace->credit > most)
            pace->credit = most;
    }
    pace->last_us = now;
    if (!paused && pace->credit >= one) {
        pace->credit -= one;
        return true;
    }

    uint64_t nap = rate ? (one - pace->credit % one) / rate : nap_max_us;

    nap_us(nap < nap_min_us ? nap_min_us : nap > nap_max_us ? nap_max_us : nap);
    return false;
}

/* ---- disks ---- */

static void disk_fail(struct disk *disk, const char *what)
{
    disk->failure = errno;
    say("FAIL disk %ju: %s %ju: %s", (uintmax_t)disk->id, what, (uintmax_t)disk->seq,
        strerror(disk->failure));
}

static void disk_flush(struct disk *disk)
{
    if (disk->failure || !disk->unsynced)
        return;
    if (fdatasync(disk->fd) < 0) {
        disk_fail(disk, "flush at write");
        return;
    }
    disk->unsynced = 0;
    atomic_store(&disk->acked, disk->seq);
}

static void disk_write(struct disk *disk)
{
    if (disk->failure)
        return;
    disk->seq++;

    uint64_t block = block_of_seq(disk->seq, disk->block_count);

    block_fill(disk->buffer, disk->id, block, disk->seq);
    disk->block_seq[block] = disk->seq;

    ssize_t wrote = pwrite(disk->fd, disk->buffer, BLOCK_BYTES, (off_t)(block * BLOCK_BYTES));

    if (wrote != BLOCK_BYTES) {
        if (wrote >= 0)
            errno = EIO;
        disk_fail(disk, "write");
        return;
    }
    if (++disk->unsynced >= disk->sync_every)
        disk_flush(disk);
}

static bool disk_take_burst(struct disk *disk)
{
    uint64_t left = atomic_load(&disk->burst);

    return left && !paused && atomic_compare_exchange_strong(&disk->burst, &left, left - 1);
}

void *disk_run(void *arg)
{
    struct disk *disk = arg;

    for (;;) {
        bool due = disk_take_burst(disk) || pace_take(&disk->pace);

        pthread_mutex_lock(&disk->lock);
        if (due && !paused)
            disk_write(disk);
        else if (!atomic_load(&disk->pace.per_second) && !atomic_load(&disk->burst))
            disk_flush(disk); /* else the last few writes would never be acked */
        pthread_mutex_unlock(&disk->lock);
    }
    return NULL;
}

/* What a former run has left would pass for writes of this one. Asks for a hole
 * first, which keeps a sparse image sparse.
 */
static void disk_clear(struct disk *disk)
{
    uint64_t range[2] = { 0, disk->block_count * BLOCK_BYTES };

    if (fallocate(disk->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)range[1]) < 0 &&
        ioctl(disk->fd, BLKZEROOUT, range) < 0)
        die("%s: cannot clear the working set: %m", disk->name);
    if (fdatasync(disk->fd) < 0)
        die("%s: cannot flush: %m", disk->name);
}

/* Which of several SCSI disks becomes sda is a matter of luck; its address is not. */
static bool disk_find(const struct disk *disk, char *path, size_t path_bytes)
{
    char folder[128];
    struct dirent *entry;
    bool found = false;

    if (disk->name[0] == '/') {
        snprintf(path, path_bytes, "%.63s", disk->name);
        return true;
    }
    snprintf(folder, sizeof(folder), "/sys/bus/scsi/devices/%.63s/block", disk->name);

    DIR *dir = opendir(folder);

    while (dir && !found && (entry = readdir(dir))) {
        found = entry->d_name[0] != '.';
        snprintf(path, path_bytes, "/dev/%s", entry->d_name);
    }
    if (dir)
        closedir(dir);
    return found;
}

void disk_open(struct disk *disk)
{
    char path[NAME_MAX + 8];
    uint64_t size_bytes = 0;

    for (int ms = 0;; ms += 5) {
        disk->fd = -1;
        if (disk_find(disk, path, sizeof(path)))
            disk->fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
        if (disk->fd >= 0)
            break;
        if (ms >= DEVICE_TIMEOUT_MS)
            die("no disk %s: %m", disk->name);
        nap_us(5000);
    }
    if (ioctl(disk->fd, BLKGETSIZE64, &size_bytes) < 0)
        die("%s: cannot read its size: %m", disk->name);
    if (size_bytes < disk->block_count * BLOCK_BYTES)
        die("%s: is smaller than its working set", disk->name);
    disk->buffer = allocate(BLOCK_BYTES);
    disk->block_seq = allocate(disk->block_count * sizeof(*disk->block_seq));
    disk_clear(disk);
}

/* ---- memory ---- */

void *ram_run(void *arg)
{
    (void)arg;
    for (uint64_t count = 0;;) {
        if (!pace_take(&ram.pace))
            continue;
        pthread_mutex_lock(&ram.lock);
        if (!paused) {
            uint64_t page = mix(++count) % ram.page_count;

            page_fill(ram.pages + page * BLOCK_WORDS, ram.kind, page, ++ram.generation[page]);
            atomic_fetch_add(&ram.written, 1);
        }
        pthread_mutex_unlock(&ram.lock);
    }
    return NULL;
}

void ram_open(void)
{
    ram.pages = allocate(ram.page_count * BLOCK_BYTES);
    ram.generation = allocate(ram.page_count * sizeof(*ram.generation));
    for (uint64_t page = 0; page < ram.page_count; page++)
        page_fill(ram.pages + page * BLOCK_WORDS, ram.kind, page, 0);
}

/* ---- verify ---- */

/* What is wrong, each thing after a "; ". */
static char complaints[LINE_MAX_BYTES - 16];

__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...)
{
    size_t len = strlen(complaints);
    va_list args;

    va_start(args, format);
    vsnprintf(complaints + len, sizeof(complaints) - len, format, args);
    va_end(args);
}

static void complain_about_block(const struct disk *disk, uint64_t block, const uint64_t *words)
{
    uint64_t seq;

    switch (block_check(words, disk->id, block, &seq)) {
    case BLOCK_TORN:
        complain("; disk %ju: block %ju is torn", (uintmax_t)disk->id, (uintmax_t)block);
        return;
    case BLOCK_FOREIGN:
        complain("; disk %ju: block %ju is another's", (uintmax_t)disk->id, (uintmax_t)block);
        return;
    case BLOCK_EMPTY:
    case BLOCK_WHOLE:
        complain("; disk %ju: block %ju holds write %ju instead of %ju", (uintmax_t)disk->id,
                 (uintmax_t)block, (uintmax_t)seq, (uintmax_t)disk->block_seq[block]);
        return;
    }
}

static void disk_verify(struct disk *disk)
{
    static uint64_t found[READ_BLOCKS * BLOCK_WORDS] __attribute__((aligned(BLOCK_BYTES)));
    uint64_t expected[BLOCK_WORDS], wrong = 0;

    disk_flush(disk);
    if (disk->failure) {
        complain("; disk %ju: %s", (uintmax_t)disk->id, strerror(disk->failure));
        return;
    }
    for (uint64_t block = 0; block < disk->block_count; block++) {
        uint64_t slot = block % READ_BLOCKS, seq = disk->block_seq[block];
        uint64_t *words = found + slot * BLOCK_WORDS;

        if (slot == 0 && pread(disk->fd, found, sizeof(found), (off_t)(block * BLOCK_BYTES)) !=
                             (ssize_t)sizeof(found)) {
            complain("; disk %ju: cannot read block %ju: %m", (uintmax_t)disk->id,
                     (uintmax_t)block);
            return;
        }
        if (seq)
            block_fill(expected, disk->id, block, seq);
        else
            memset(expected, 0, sizeof(expected));
        if (!memcmp(words, expected, sizeof(expected)))
            continue;
        if (!wrong)
            complain_about_block(disk, block, words);
        wrong++;
    }
    if (wrong)
        complain(", %ju blocks are wrong", (uintmax_t)wrong);
}

static void ram_verify(void)
{
    uint64_t expected[BLOCK_WORDS], wrong = 0;

    for (uint64_t page = 0; page < ram.page_count; page++) {
        page_fill(expected, ram.kind, page, ram.generation[page]);
        if (memcmp(ram.pages + page * BLOCK_WORDS, expected, sizeof(expected)))
            wrong++;
    }
    if (wrong)
        complain("; ram: %ju of %ju pages are wrong", (uintmax_t)wrong, (uintmax_t)ram.page_count);
}

void verify(void)
{
    complaints[0] = '\0';
    for (size_t i = 0; i < disk_count; i++) {
        pthread_mutex_lock(&disks[i].lock);
        disk_verify(&disks[i]);
        pthread_mutex_unlock(&disks[i].lock);
    }
    pthread_mutex_lock(&ram.lock);
    ram_verify();
    pthread_mutex_unlock(&ram.lock);
    if (complaints[0])
        say("V FAIL%s", complaints + 1);
    else
        say("V ok");
}

void pause_work(void)
{
    paused = true;
    for (size_t i = 0; i < disk_count; i++) {
        pthread_mutex_lock(&disks[i].lock);
        disk_flush(&disks[i]);
        pthread_mutex_unlock(&disks[i].lock);
    }
    pthread_mutex_lock(&ram.lock); /* waits for the page being written */
    pthread_mutex_unlock(&ram.lock);
}
