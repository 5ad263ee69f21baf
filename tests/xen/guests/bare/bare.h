/* What a bare-metal program of the lab may use: ports, a serial line, a timer,
 * parameters, and IDE disks by DMA. No interrupts but the timer's and the disks'.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "layout.h"

enum {
    SECTOR_BYTES = 512,
    JIFFY_MS = 50
}; /* few ticks: each is a VM exit */

struct region {
    uint64_t base;
    uint64_t size;
    uint32_t type; /* 1: usable RAM */
} __attribute__((packed));

/* Sector 1 of the disk. The table is used by the loader of Linux only. */
struct parameters {
    char text[496];
    struct {
        uint32_t sector, bytes;
    } kernel, initrd;
};

struct disk {
    uint16_t command, control, dma;
    uint8_t select;
    char name[4]; /* as in the guest's configuration: hda ... hdd */
};

extern volatile uint32_t jiffies;

/* A device may read or write memory whenever a port is touched: hence the clobbers. */
static inline void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static inline void out16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static inline void out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static inline uint8_t in8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint32_t in32(uint16_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

const struct parameters *parameters(void);
const struct region *memory_map(uint32_t *count);

/* The number after `name=` among the parameters, or `otherwise`. */
uint32_t parameter(const char *name, uint32_t otherwise);

void print(const char *text);
void print_number(uint32_t value);
/* The character that was typed last on the serial line, or 0. */
char typed(void);

/* Serial line, interrupt controllers and a timer of 1000 / JIFFY_MS Hz; interrupts on. */
void machine_start(void);
/* Interrupts off, timer and controllers quiet. */
void machine_stop(void);
/* Sleep until the next interrupt, at most one jiffy. */
void machine_idle(void);

/* Soon after. */
void machine_reboot(void);
void machine_power_off(void);

/* Find the hard disks of the PIIX3 controller, in order; returns how many. */
int disk_find(struct disk disks[4]);

/* Move `sectors` (1 to 256) by DMA; `buffer` aligned to 64 KiB, or not crossing
 * such a boundary. A write is followed by a cache flush. False: it failed.
 */
bool disk_read(const struct disk *disk, uint32_t sector, void *buffer, uint32_t sectors);
bool disk_write(const struct disk *disk, uint32_t sector, const void *buffer, uint32_t sectors);

void program(void);
