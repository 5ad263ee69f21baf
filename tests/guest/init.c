/* The whole user space of the test guest: process 1 writes checkable patterns to
 * disks and memory at a steady rate, tells on a serial line how far it has got,
 * and can say at any time whether everything is still as written. README.md
 * describes the kernel command line, the lines it prints and its commands.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "pattern.h"

enum {
    DISKS_MAX = 4,
    LINE_MAX_BYTES = 512,
    READ_BLOCKS = 64,
    DEVICE_TIMEOUT_MS = 20000
};

/* Lets something happen `per_second` times a second. */
struct pace {
    _Atomic uint64_t per_second;
    uint64_t last_us;
    uint64_t credit; /* millionths of one time */
};

struct disk {
    char name[64]; /* a path in /dev or a SCSI address */
    uint64_t id;   /* its position on the command line, part of every block */
    int fd;
    uint64_t block_count;
    struct pace pace;
    uint64_t sync_every;
    _Atomic uint64_t burst; /* writes still to be done at full speed */
    _Atomic uint64_t acked; /* flushed up to this sequence number */
    pthread_mutex_t lock;   /* for what follows; held during one write */
    uint64_t *block_seq;    /* the last write of each block */
    uint64_t seq;
    uint64_t unsynced;
    uint64_t *buffer;
    int failure; /* errno of the write or flush that failed; no more are tried */
};

struct ram {
    enum ram_kind kind;
    uint64_t page_count;
    struct pace pace;
    _Atomic uint64_t written;
    pthread_mutex_t lock; /* for what follows; held while one page is written */
    uint64_t *pages;
    uint32_t *generation; /* how often each page was rewritten */
};

static struct disk disks[DISKS_MAX];
static size_t disk_count;
static struct ram ram = { .lock = PTHREAD_MUTEX_INITIALIZER };
static atomic_bool paused;

static char tty_name[32] = "ttyS1";
static int tty_fd = -1;
static pthread_mutex_t tty_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t heartbeat_ms = 10;

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void nap_us(uint64_t us)
{
    struct timespec nap = { .tv_sec = (time_t)(us / 1000000),
                            .tv_nsec = (long)(us % 1000000) * 1000 };

    nanosleep(&nap, NULL);
}

/* Prints one line, whole, whatever other threads print. */
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line) - 1, format, args);
    va_end(args);
    strcat(line, "\n");

    size_t len = strlen(line);

    pthread_mutex_lock(&tty_lock);
    for (size_t done = 0; done < len;) {
        ssize_t wrote = write(tty_fd, line + done, len - done);

        if (wrote < 0 && errno != EINTR)
            break;
        if (wrote > 0)
            done += (size_t)wrote;
    }
    pthread_mutex_unlock(&tty_lock);
}

/* There is nothing to fall back on: says why and falls silent, which no watcher
 * takes for health.
 */
__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *format, ...)
{
    char why[LINE_MAX_BYTES / 2];
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    fprintf(stderr, "xmig test guest: %s\n", why);
    if (tty_fd >= 0)
        say("DEAD %s", why);
    for (;;)
        pause();
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

static void *disk_run(void *arg)
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

static void disk_open(struct disk *disk)
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

static void *ram_run(void *arg)
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

static void ram_open(void)
{
    ram.pages = allocate(ram.page_count * BLOCK_BYTES);
    ram.generation = allocate(ram.page_count * sizeof(*ram.generation));
    for (uint64_t page = 0; page < ram.page_count; page++)
        page_fill(ram.pages + page * BLOCK_WORDS, ram.kind, page, 0);
}

/* ---- heartbeat ---- */

static void *heartbeat_run(void *arg)
{
    uint64_t next_us = now_us();
    (void)arg;

    for (uint64_t n = 1;; n++) {
        char acked[DISKS_MAX * 21 + 1] = "";
        size_t len = 0;

        for (size_t i = 0; i < disk_count; i++)
            len += (size_t)sprintf(acked + len, " %ju", (uintmax_t)atomic_load(&disks[i].acked));
        say("H %ju %ju %ju%s", (uintmax_t)n, (uintmax_t)now_us(),
            (uintmax_t)atomic_load(&ram.written), acked);

        uint64_t now = now_us();

        next_us += heartbeat_ms * 1000;
        if (next_us < now) /* late: go on from here, do not catch up */
            next_us = now;
        nap_us(next_us - now);
    }
    return NULL;
}

/* ---- verify ---- */

/* What is wrong, each thing after a "; ". Only the thread that obeys commands verifies. */
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

static void verify(void)
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

/* ---- commands ---- */

static void pause_work(void)
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

static void obey(const char *line)
{
    char name[16] = "";
    uintmax_t number = 0;
    int fields = sscanf(line, "%15s %ju", name, &number);
    bool with_number = fields == 2, known = true;

    if (fields < 1)
        return;
    if (!strcmp(name, "verify")) {
        verify();
        return;
    }
    if (!strcmp(name, "pause")) {
        pause_work();
    } else if (!strcmp(name, "go")) {
        paused = false;
    } else if (!strcmp(name, "rate") && with_number) {
        for (size_t i = 0; i < disk_count; i++)
            atomic_store(&disks[i].pace.per_second, number);
    } else if (!strcmp(name, "burst") && with_number) {
        for (size_t i = 0; i < disk_count; i++)
            atomic_fetch_add(&disks[i].burst, number);
    } else if (!strcmp(name, "ramrate") && with_number) {
        atomic_store(&ram.pace.per_second, (number << 20) / BLOCK_BYTES);
    } else if (!strcmp(name, "poweroff")) {
        pause_work();
        say("OK poweroff");
        tcdrain(tty_fd);
        reboot(RB_POWER_OFF);
    } else {
        known = false;
    }
    say("%s %s", known ? "OK" : "ERROR not a command:", name);
}

__attribute__((noreturn)) static void read_commands(void)
{
    char line[80];
    FILE *commands = fdopen(tty_fd, "r");

    if (!commands)
        die("cannot read commands: %m");
    for (;;) {
        if (fgets(line, sizeof(line), commands)) {
            obey(line);
        } else {
            clearerr(commands);
            nap_us(100000);
        }
    }
}

/* ---- start ---- */

static bool parse_disk(const char *text)
{
    struct disk *disk = &disks[disk_count];
    uintmax_t size_mib, per_second, sync_every;
    int len = 0;

    if (disk_count == DISKS_MAX ||
        sscanf(text, "%63[^,],%ju,%ju,%ju%n", disk->name, &size_mib, &per_second, &sync_every,
               &len) != 4 ||
        text[len] || !size_mib || !sync_every)
        return false;
    disk->id = disk_count++;
    disk->block_count = (size_mib << 20) / BLOCK_BYTES;
    disk->pace.per_second = per_second;
    disk->sync_every = sync_every;
    pthread_mutex_init(&disk->lock, NULL);
    return true;
}

static bool parse_ram(const char *text)
{
    static const char *const kinds[] = {
        [RAM_RAND] = "rand", [RAM_TEXT] = "text", [RAM_ZERO] = "zero"
    };
    uintmax_t size_mib, rate_mib;
    char kind[8];

    if (sscanf(text, "%ju,%ju,%7s", &size_mib, &rate_mib, kind) != 3 || !size_mib)
        return false;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kind, kinds[i]))
            continue;
        ram.kind = (enum ram_kind)i;
        ram.page_count = (size_mib << 20) / BLOCK_BYTES;
        ram.pace.per_second = (rate_mib << 20) / BLOCK_BYTES;
        return true;
    }
    return false;
}

/* Words of the kernel or of others are none of our business; a word of ours that
 * makes no sense is.
 */
static bool parse_word(const char *word)
{
    if (strncmp(word, "xg.", 3))
        return true;
    if (!strncmp(word, "xg.disk=", 8))
        return parse_disk(word + 8);
    if (!strncmp(word, "xg.ram=", 7))
        return parse_ram(word + 7);
    if (!strncmp(word, "xg.tty=", 7))
        return sscanf(word + 7, "%31s", tty_name) == 1;
    if (!strncmp(word, "xg.hb_ms=", 9))
        return sscanf(word + 9, "%ju", &heartbeat_ms) == 1 && heartbeat_ms;
    return false;
}

static void tty_open(void)
{
    char path[64];
    struct termios mode;

    snprintf(path, sizeof(path), "/dev/%s", tty_name);
    tty_fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (tty_fd < 0)
        die("%s: %m", path);
    if (tcgetattr(tty_fd, &mode) < 0)
        die("%s: is not a terminal: %m", path);
    cfmakeraw(&mode);
    mode.c_iflag |= ICRNL; /* for a person at a terminal */
    mode.c_cflag |= CLOCAL | CREAD;
    cfsetspeed(&mode, B115200);
    if (tcsetattr(tty_fd, TCSANOW, &mode) < 0)
        die("%s: cannot set its mode: %m", path);
}

/* A driver for hardware that is not here refuses to load; that is not a failure,
 * and a disk that stays away because of one will be missed by name.
 */
static void load_modules(void)
{
    char path[256];
    FILE *order = fopen("/modules/order", "r");

    while (order && fscanf(order, "%255s", path) == 1) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != ENODEV))
            fprintf(stderr, "xmig test guest: %s: %m\n", path);
        if (fd >= 0)
            close(fd);
    }
    if (order)
        fclose(order);
}

static void start_thread(void *(*run)(void *), void *arg)
{
    pthread_t thread;

    errno = pthread_create(&thread, NULL, run, arg);
    if (errno)
        die("cannot start a thread: %m");
}

int main(void)
{
    char words[4096] = "";
    char *next = words;

    mount("dev", "/dev", "devtmpfs", 0, NULL);
    mount("proc", "/proc", "proc", 0, NULL);
    mount("sys", "/sys", "sysfs", 0, NULL);

    int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);

    if (fd < 0 || read(fd, words, sizeof(words) - 1) < 0)
        die("cannot read the kernel command line: %m");
    close(fd);
    const char *bad = NULL;
    for (char *word; (word = strsep(&next, " \n"));) {
        if (!parse_word(word))
            bad = word;
    }
    tty_open();
    if (bad)
        die("cannot make sense of '%s'", bad);

    load_modules();
    for (size_t i = 0; i < disk_count; i++)
        disk_open(&disks[i]);
    ram_open();

    for (size_t i = 0; i < disk_count; i++)
        start_thread(disk_run, &disks[i]);
    if (ram.page_count)
        start_thread(ram_run, NULL);
    start_thread(heartbeat_run, NULL);
    fprintf(stderr, "xmig test guest: running after %ju ms\n", (uintmax_t)now_us() / 1000);
    read_commands();
}
