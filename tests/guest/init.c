/* The whole user space of the test guest: process 1 writes checkable patterns to
 * disks and memory at a steady rate, tells on a serial line how far it has got,
 * and can say at any time whether everything is still as written. README.md
 * describes the kernel command line, the lines it prints and its commands.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "console.h"
#include "work.h"

static uint64_t heartbeat_ms = 10;

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

/* ---- commands ---- */

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
