/* The few device drivers of the lab's bare-metal programs. */
#include "bare.h"

enum {
    SERIAL = 0x3f8,
    PIT_HZ = 1193182
};
enum {
    ATA_ERROR = 0x01,
    ATA_BUSY = 0x80,
    DMA_ERROR = 0x02,
    DMA_INTERRUPT = 0x04
};
enum {
    ATA_READ_DMA = 0xc8,
    ATA_WRITE_DMA = 0xca,
    ATA_FLUSH = 0xe7,
    ATA_IDENTIFY = 0xec
};

volatile uint32_t jiffies;
void interrupt_timer(void);
void interrupt_disk(void);

const struct parameters *parameters(void)
{
    uintptr_t address = PARAMETERS_ADDRESS;
    __asm__("" : "+r"(address)); /* hides from the compiler that no object lies there */
    return (const struct parameters *)address;
}

const struct region *memory_map(uint32_t *count)
{
    uintptr_t address = MEMORY_MAP_ADDRESS;
    __asm__("" : "+r"(address));
    *count = *(const uint32_t *)address;
    return (const struct region *)(address + 4);
}

uint32_t parameter(const char *name, uint32_t otherwise)
{
    const char *text = parameters()->text;

    while (*text) {
        const char *want = name;
        uint32_t value = 0;

        while (*text == ' ')
            text++;
        while (*want && *text == *want)
            text++, want++;
        if (!*want && *text == '=') {
            while (*++text >= '0' && *text <= '9')
                value = value * 10 + (uint32_t)(*text - '0');
            return value;
        }
        while (*text && *text != ' ')
            text++;
    }
    return otherwise;
}

void print(const char *text)
{
    for (; *text; text++)
        out8(SERIAL, (uint8_t)*text);
}

void print_number(uint32_t value)
{
    char digits[11];
    char *at = &digits[sizeof(digits) - 1];

    *at = '\0';
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    print(at);
}

char typed(void)
{
    return in8(SERIAL + 5) & 1 ? (char)in8(SERIAL) : 0;
}

static void serial_start(void)
{
    out8(SERIAL + 1, 0);
    out8(SERIAL + 3, 0x80);
    out8(SERIAL + 0, 1);
    out8(SERIAL + 1, 0);
    out8(SERIAL + 3, 0x03);
}

static void set_gate(uint32_t *idt, int vector, void (*handler)(void))
{
    uint32_t address = (uint32_t)handler;

    idt[2 * vector] = CODE_SEGMENT << 16 | (address & 0xffff);
    idt[2 * vector + 1] = (address & 0xffff0000) | 0x8e00;
}

static void interrupts_start(void)
{
    static uint32_t idt[2 * 0x30];
    static struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) idt_register;

    for (int vector = 0x20; vector < 0x30; vector++)
        set_gate(idt, vector, vector == 0x20 ? interrupt_timer : interrupt_disk);
    idt_register.limit = sizeof(idt) - 1;
    idt_register.base = (uint32_t)idt;
    __asm__ volatile("lidt %0" ::"m"(idt_register) : "memory");

    out8(0x20, 0x11), out8(0xa0, 0x11);
    out8(0x21, 0x20), out8(0xa1, 0x28);
    out8(0x21, 0x04), out8(0xa1, 0x02);
    out8(0x21, 0x01), out8(0xa1, 0x01);
    out8(0x21, 0xfa), out8(0xa1, 0x3f); /* the timer, and IRQ 14 and 15 */

    out8(0x43, 0x34);
    out8(0x40, (PIT_HZ / 1000 * JIFFY_MS) & 0xff);
    out8(0x40, (PIT_HZ / 1000 * JIFFY_MS) >> 8);
    __asm__ volatile("sti");
}

void machine_start(void)
{
    serial_start();
    interrupts_start();
}

void machine_stop(void)
{
    __asm__ volatile("cli");
    out8(0x21, 0xff), out8(0xa1, 0xff);
}

void machine_idle(void)
{
    __asm__ volatile("hlt" ::: "memory");
}

static uint32_t pci_read(uint32_t device, uint32_t reg)
{
    out32(0xcf8, 0x80000000u | device << 8 | reg);
    return in32(0xcfc);
}

static void pci_write(uint32_t device, uint32_t reg, uint32_t value)
{
    out32(0xcf8, 0x80000000u | device << 8 | reg);
    out32(0xcfc, value);
}

void machine_reboot(void)
{
    out8(0x64, 0xfe); /* the keyboard controller's reset line */
}

/* By ACPI: sleep state S5 of the PIIX4, whose number is 0 here. */
void machine_power_off(void)
{
    enum {
        PIIX4_PM = 0x71138086,
        CONTROL = 4,
        SLEEP_ENABLE = 1 << 13
    };
    uint32_t device = 0;

    while (device < 256 && pci_read(device, 0) != PIIX4_PM)
        device++;
    if (device < 256)
        out16((uint16_t)((pci_read(device, 0x40) & 0xffc0) + CONTROL), SLEEP_ENABLE);
}

/* Waits while `(in8(port) & mask) == busy`. The check and the sleep are one step,
 * so that the interrupt that ends the wait cannot fall between them.
 */
static bool wait_while(uint16_t port, uint8_t mask, uint8_t busy)
{
    const uint32_t limit = 60 * 1000 / JIFFY_MS;
    uint32_t start = jiffies;

    for (;;) {
        __asm__ volatile("cli");
        if ((in8(port) & mask) != busy) {
            __asm__ volatile("sti");
            return true;
        }
        __asm__ volatile("sti; hlt" ::: "memory");
        if (jiffies - start > limit) {
            __asm__ volatile("sti");
            print("disk timeout\n");
            return false;
        }
    }
}

/* A port without a disk reads as 0; a CD-ROM refuses IDENTIFY with an error. */
static bool is_hard_disk(const struct disk *disk)
{
    out8(disk->command + 6, disk->select);
    out8(disk->command + 2, 0);
    out8(disk->command + 7, ATA_IDENTIFY);
    if (in8(disk->command + 7) == 0 || !wait_while(disk->control, ATA_BUSY, ATA_BUSY) ||
        (in8(disk->command + 7) & ATA_ERROR))
        return false;
    for (int i = 0; i < SECTOR_BYTES / 4; i++)
        (void)in32(disk->command);
    return true;
}

int disk_find(struct disk disks[4])
{
    enum {
        PIIX3_IDE = 0x70108086
    };
    uint32_t device = 0;
    uint16_t dma;
    int count = 0;

    while (pci_read(device, 0) != PIIX3_IDE)
        if (++device == 256)
            return 0;
    pci_write(device, 4, pci_read(device, 4) | 5); /* I/O space, bus master */
    dma = pci_read(device, 0x20) & 0xfff0;
    for (int i = 0; i < 4; i++) {
        struct disk disk = {
            .command = i < 2 ? 0x1f0 : 0x170,
            .control = i < 2 ? 0x3f6 : 0x376,
            .dma = (uint16_t)(dma + (i < 2 ? 0 : 8)),
            .select = i % 2 ? 0xf0 : 0xe0,
            .name = { 'h', 'd', (char)('a' + i), '\0' },
        };

        out8(disk.control, 0);
        if (is_hard_disk(&disk))
            disks[count++] = disk;
    }
    return count;
}

static bool transfer(const struct disk *disk, uint32_t sector, const void *buffer, uint32_t sectors,
                     bool write)
{
    static struct {
        uint32_t address;
        uint16_t bytes; /* 0: 64 KiB */
        uint16_t flags;
    } areas[2] __attribute__((aligned(16)));
    uint32_t bytes = sectors * SECTOR_BYTES;
    uint8_t dma_status;

    areas[0].address = (uint32_t)buffer;
    areas[0].bytes = bytes > 0x10000 ? 0 : (uint16_t)bytes;
    areas[0].flags = bytes > 0x10000 ? 0 : 0x8000;
    areas[1].address = (uint32_t)buffer + 0x10000;
    areas[1].bytes = (uint16_t)(bytes - 0x10000);
    areas[1].flags = 0x8000;

    out8(disk->dma, 0);
    out32(disk->dma + 4, (uint32_t)areas);
    out8(disk->dma + 2, DMA_ERROR | DMA_INTERRUPT); /* writing 1 clears */
    out8(disk->command + 6, disk->select | (sector >> 24 & 15));
    out8(disk->command + 2, (uint8_t)sectors);
    out8(disk->command + 3, (uint8_t)sector);
    out8(disk->command + 4, (uint8_t)(sector >> 8));
    out8(disk->command + 5, (uint8_t)(sector >> 16));
    out8(disk->command + 7, write ? ATA_WRITE_DMA : ATA_READ_DMA);
    out8(disk->dma, write ? 1 : 9);
    if (!wait_while(disk->dma + 2, DMA_INTERRUPT, 0)) {
        out8(disk->dma, 0);
        return false;
    }
    dma_status = in8(disk->dma + 2);
    out8(disk->dma, 0);
    return !(in8(disk->command + 7) & ATA_ERROR) && !(dma_status & DMA_ERROR);
}

bool disk_read(const struct disk *disk, uint32_t sector, void *buffer, uint32_t sectors)
{
    return transfer(disk, sector, buffer, sectors, false);
}

bool disk_write(const struct disk *disk, uint32_t sector, const void *buffer, uint32_t sectors)
{
    if (!transfer(disk, sector, buffer, sectors, true))
        return false;
    out8(disk->command + 7, ATA_FLUSH);
    return wait_while(disk->control, ATA_BUSY, ATA_BUSY) && !(in8(disk->command + 7) & ATA_ERROR);
}
