/* Loads the Linux guest from its own disk by DMA and enters it. Booted by `kernel=`
 * the same files take over a minute to load in an emulated Xen host, byte by byte
 * through an I/O port; this takes a second or two.
 *
 * See the kernel's Documentation/arch/x86/boot.rst, "32-bit Boot Protocol".
 */
#include "../bare/bare.h"

enum {
    BOOT_PARAMS_ADDRESS = 0x90000,
    STAGING_ADDRESS = 0x10000, /* the first 64 KiB of the file: its real-mode part */
    KERNEL_ADDRESS = 0x100000,
    CHUNK_SECTORS = 256,
};

/* Offsets into boot_params and into the kernel file's own header. */
enum {
    E820_ENTRIES = 0x1e8,
    SETUP_SECTS = 0x1f1,
    JUMP = 0x200,
    TYPE_OF_LOADER = 0x210,
    RAMDISK_IMAGE = 0x218,
    RAMDISK_SIZE = 0x21c,
    CMD_LINE_PTR = 0x228,
    E820_TABLE = 0x2d0,
};

static void copy(void *to, const void *from, uint32_t bytes)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes)::"memory");
}

static void clear(void *at, uint32_t bytes)
{
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(bytes) : "a"(0) : "memory");
}

static void stop(const char *why)
{
    print("GUEST loader: ");
    print(why);
    print("\n");
    for (;;)
        machine_idle();
}

static void load(const struct disk *disk, uint32_t sector, uint32_t address, uint32_t bytes)
{
    uint32_t left = (bytes + SECTOR_BYTES - 1) / SECTOR_BYTES;

    while (left) {
        uint32_t now = left < CHUNK_SECTORS ? left : CHUNK_SECTORS;

        if (!disk_read(disk, sector, (void *)address, now))
            stop("cannot read the disk");
        sector += now;
        address += now * SECTOR_BYTES;
        left -= now;
    }
}

/* The end of the RAM that holds the kernel. */
static uint32_t top_of_ram(void)
{
    uint32_t count;
    const struct region *map = memory_map(&count);

    for (uint32_t i = 0; i < count; i++)
        if (map[i].type == 1 && map[i].base <= KERNEL_ADDRESS &&
            map[i].base + map[i].size > KERNEL_ADDRESS)
            return (uint32_t)(map[i].base + map[i].size);
    stop("no RAM at 1 MiB");
    return 0;
}

void program(void)
{
    const struct parameters *p = parameters();
    uint8_t *file = (uint8_t *)STAGING_ADDRESS;
    uint8_t *zero_page = (uint8_t *)BOOT_PARAMS_ADDRESS;
    struct disk disks[4];
    uint32_t initrd, setup_bytes, regions;
    const struct region *map = memory_map(&regions);

    machine_start();
    if (!disk_find(disks))
        stop("no disk");
    load(&disks[0], p->kernel.sector, STAGING_ADDRESS, 0x10000);
    setup_bytes = (file[SETUP_SECTS] + 1u) * SECTOR_BYTES;
    load(&disks[0], p->kernel.sector + setup_bytes / SECTOR_BYTES, KERNEL_ADDRESS,
         p->kernel.bytes - setup_bytes);
    initrd = (top_of_ram() - p->initrd.bytes) & ~0xffffu;
    load(&disks[0], p->initrd.sector, initrd, p->initrd.bytes);

    clear(zero_page, 4096);
    copy(zero_page + SETUP_SECTS, file + SETUP_SECTS, JUMP + 2u + file[JUMP + 1] - SETUP_SECTS);
    zero_page[TYPE_OF_LOADER] = 0xff;
    zero_page[E820_ENTRIES] = (uint8_t)regions;
    copy(zero_page + E820_TABLE, map, regions * sizeof(*map));
    *(uint32_t *)(zero_page + RAMDISK_IMAGE) = initrd;
    *(uint32_t *)(zero_page + RAMDISK_SIZE) = p->initrd.bytes;
    *(uint32_t *)(zero_page + CMD_LINE_PTR) = (uint32_t)p->text;

    print("GUEST loader: starting Linux\n");
    machine_stop();
    __asm__ volatile(
        "xorl %%ebp, %%ebp; xorl %%edi, %%edi; xorl %%ebx, %%ebx; jmp *%0" ::"a"(KERNEL_ADDRESS),
        "S"(zero_page));
}
