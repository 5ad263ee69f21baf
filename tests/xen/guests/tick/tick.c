/* The tick guest: a virtual machine that proves with every tick that it lost nothing.
 *
 * Each tick writes a numbered, checksummed block to every disk and flushes it, reads
 * the block before it and an older one back, checks a page that device DMA filled
 * many ticks ago, dirties and checks RAM, and prints
 *
 *     TICK n j=JIFFIES gap=MILLISECONDSms err=SUM
 *
 * where SUM adds up 1: a write failed, 2: a block read back is wrong, 4: RAM is
 * wrong, 8: a page filled by DMA is wrong. The gap since the last tick is the
 * guest's own: time that the hypervisor hides from it does not show.
 *
 * Parameters: interval_ms=200 (0: no rest), ram_mib=1 (dirtied, checked),
 * dirty=1 (pages a tick), blocks=1024 (the part of a disk that is written).
 *
 * Typed on the serial line, r reboots and p powers off; it says REBOOT or POWEROFF first.
 */
#include "../bare/bare.h"

enum {
    BLOCK_BYTES = 4096,
    WORDS = BLOCK_BYTES / 4,
    BLOCK_SECTORS = BLOCK_BYTES / SECTOR_BYTES,
    FIRST_BLOCK = 1024, /* the data lies 4 MiB into the disk */
    RING = 64,          /* pages a disk's reads go to in turn */
};
enum {
    ERR_WRITE = 1,
    ERR_DISK = 2,
    ERR_RAM = 4,
    ERR_DMA = 8
};

/* Physical addresses: above the BIOS area, below the smallest guest's 16 MiB. */
enum {
    OUT_ADDRESS = 0x100000,
    RING_ADDRESS = 0x110000,
    RAM_ADDRESS = 0x300000
};

static uint32_t scramble(uint32_t x)
{
    x = (x ^ x >> 16) * 0x7feb352du;
    x = (x ^ x >> 15) * 0x846ca68bu;
    return x ^ x >> 16;
}

/* A page tells which tick made it and where it belongs; every word is checked. */
static uint32_t word(uint32_t tick, uint32_t place, uint32_t i)
{
    return i == 0 ? tick : scramble(tick * WORDS + i) ^ place;
}

static void fill(uint32_t *page, uint32_t tick, uint32_t place)
{
    for (uint32_t i = 0; i < WORDS; i++)
        page[i] = word(tick, place, i);
}

static bool is_intact(const uint32_t *page, uint32_t tick, uint32_t place)
{
    for (uint32_t i = 0; i < WORDS; i++)
        if (page[i] != word(tick, place, i))
            return false;
    return true;
}

static uint32_t *page_at(uint32_t address, uint32_t page)
{
    return (uint32_t *)(address + page * BLOCK_BYTES);
}

static uint32_t blocks;

static uint32_t sector_of(uint32_t tick)
{
    return (FIRST_BLOCK + tick % blocks) * BLOCK_SECTORS;
}

/* Reads the block of an earlier tick into the next page of the ring, whose present
 * content must still be what DMA put there.
 */
static uint32_t read_back(const struct disk *disk, uint32_t place, uint32_t tick)
{
    static struct {
        uint32_t next, tick[RING];
    } rings[4];
    uint32_t slot = rings[place].next++ % RING;
    uint32_t *page = page_at(RING_ADDRESS, place * RING + slot);
    uint32_t errors = 0;

    if (rings[place].tick[slot] && !is_intact(page, rings[place].tick[slot], place))
        errors |= ERR_DMA;
    if (disk_read(disk, sector_of(tick), page, BLOCK_SECTORS) && is_intact(page, tick, place)) {
        rings[place].tick[slot] = tick;
    } else {
        rings[place].tick[slot] = 0;
        errors |= ERR_DISK;
    }
    return errors;
}

/* Any of the blocks that still are on the disk, but not the newest. */
static uint32_t older_than(uint32_t tick)
{
    uint32_t kept = tick - 1 < blocks - 1 ? tick - 1 : blocks - 1;

    return tick - 1 - scramble(tick) % kept;
}

static uint32_t use_disk(const struct disk *disk, uint32_t place, uint32_t tick)
{
    uint32_t *out = page_at(OUT_ADDRESS, place);
    uint32_t errors = 0;

    fill(out, tick, place);
    if (!disk_write(disk, sector_of(tick), out, BLOCK_SECTORS))
        errors |= ERR_WRITE;
    if (tick > 1) {
        errors |= read_back(disk, place, tick - 1);
        errors |= read_back(disk, place, older_than(tick));
    }
    return errors;
}

/* RAM is a ring of pages, each made by the visit of that number; `dirty` visits a tick. */
static uint32_t use_ram(uint32_t pages, uint32_t dirty)
{
    static uint32_t visit;
    uint32_t errors = 0;

    for (uint32_t i = 0; i < dirty; i++) {
        uint32_t *page = page_at(RAM_ADDRESS, ++visit % pages);

        if (visit > pages && !is_intact(page, visit - pages, ~0u))
            errors |= ERR_RAM;
        fill(page, visit, ~0u);
    }
    return errors;
}

static uint32_t usable_pages(uint32_t wanted)
{
    uint32_t count;
    const struct region *map = memory_map(&count);

    for (uint32_t i = 0; i < count; i++) {
        uint64_t end = map[i].base + map[i].size;

        if (map[i].type == 1 && map[i].base <= RAM_ADDRESS && end > RAM_ADDRESS &&
            (end - RAM_ADDRESS) / BLOCK_BYTES < wanted)
            return (uint32_t)((end - RAM_ADDRESS) >> 12);
    }
    return wanted;
}

static void report(uint32_t tick, uint32_t now, uint32_t gap, uint32_t errors)
{
    print("TICK ");
    print_number(tick);
    print(" j=");
    print_number(now);
    print(" gap=");
    print_number(gap * JIFFY_MS);
    print("ms err=");
    print_number(errors);
    print("\n");
}

static void obey(char command)
{
    if (command == 'r') {
        print("REBOOT\n");
        machine_reboot();
    } else if (command == 'p') {
        print("POWEROFF\n");
        machine_power_off();
    } else {
        return;
    }
    for (;;) /* it may take a moment */
        machine_idle();
}

void program(void)
{
    struct disk disks[4];
    uint32_t pages, dirty, interval, last;
    int count;

    machine_start();
    blocks = parameter("blocks", 1024);
    interval = parameter("interval_ms", 200) / JIFFY_MS;
    pages = usable_pages(parameter("ram_mib", 1) * 256);
    dirty = parameter("dirty", 1);
    count = disk_find(disks);

    print("GUEST tick:");
    for (int i = 0; i < count; i++) {
        print(" ");
        print(disks[i].name);
    }
    print(" ram_kib=");
    print_number(pages * 4);
    print("\n");

    last = jiffies;
    for (uint32_t tick = 1;; tick++) {
        uint32_t errors = use_ram(pages, dirty);
        uint32_t now;

        for (int i = 0; i < count; i++)
            errors |= use_disk(&disks[i], (uint32_t)i, tick);
        now = jiffies;
        report(tick, now, now - last, errors);
        last = now;
        obey(typed());
        while (jiffies - now < interval)
            machine_idle();
    }
}
