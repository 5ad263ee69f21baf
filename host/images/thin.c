/* What makes an image thick: QEMU 9.1 and later allocate what they are told to make zero in a raw
 * image, unless the drive says discard=unmap.
 */
#include "host/images/thin.h"

#include "host/system/program.h"

enum {
    MEASURE_MS = 20000
};

/* Measure as qcow2 for every format: as raw, an image would need all of its size. */
uint64_t thin_measure(struct loop *loop, const char *format, const char *path, uint64_t allocated)
{
    const char *const words[] = { "qemu-img", "measure", "-U", "--output=json",
                                  "-f",       format,    "-O", "qcow2",
                                  "--",       path,      NULL };
    AUTO_FREE char *text = NULL;
    AUTO_JSON cJSON *measured = NULL;

    if (!program_run(loop, words, &text, MEASURE_MS, NULL))
        return allocated;
    measured = cJSON_Parse(text);
    return json_uint_or(measured, "required", allocated);
}

const char *thin_why_full(const struct disk_images *images, const struct disk_params *disk)
{
    if (!disk->format || strcmp(disk->format, "raw") != 0)
        return NULL;
    if (disk->full)
        return "as at the source";
    if (images->qemu < QEMU_VERSION(9, 1) || disk->unmaps || disk->skips_zeroes)
        return NULL;
    return "its drive says discard=ignore, and QEMU from 9.1 on then allocates zeroes, too";
}

uint64_t thin_needs(const struct disk_images *images, const struct disk_params *disk)
{
    uint64_t written = disk->written == DISK_WRITTEN_UNKNOWN ? disk->allocated : disk->written;

    return thin_why_full(images, disk) && written < disk->size ? disk->size : written;
}
