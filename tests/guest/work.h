/* What the test guest does all the time: it writes checkable patterns to disks and memory. */
#ifndef XMIG_TESTS_GUEST_WORK_H
#define XMIG_TESTS_GUEST_WORK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "pattern.h"

enum {
    DISKS_MAX = 4
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

extern struct disk disks[DISKS_MAX];
extern size_t disk_count;
extern struct ram ram;
extern atomic_bool paused;

uint64_t now_us(void);
void nap_us(uint64_t us);

/* Before the threads start. */
void disk_open(struct disk *disk);
void ram_open(void);

/* The threads: one a disk, and one for the memory. */
void *disk_run(void *disk);
void *ram_run(void *unused);

/* Returns when nothing is being written any more, and all is flushed. */
void pause_work(void);

/* Says whether everything is still as written. Only the thread that obeys commands verifies. */
void verify(void);

#endif
