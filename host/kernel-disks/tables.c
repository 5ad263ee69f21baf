/* Words in lines. */
#include "host/kernel-disks/tables.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "xmig/cleanup.h"
#include "xmig/text.h"

enum {
    TYPE_MAX = 32
};

struct line {
    uint64_t first, sectors;
    char type[TYPE_MAX];
    const char *words; /* up to the end of the line */
};

/* The line at `*at`, which goes on to the next; false: there is none. */
static bool next_line(const char **at, struct line *line)
{
    int words = 0;

    if (!**at || sscanf(*at, "%" SCNu64 " %" SCNu64 " %31s %n", &line->first, &line->sectors,
                        line->type, &words) != 3)
        return false;
    line->words = *at + words;
    *at += strcspn(*at, "\n");
    if (line->words > *at)
        line->words = *at;
    *at += **at == '\n';
    return true;
}

static bool is_all_table(const char *type)
{
    static const char *const types[] = { "linear", "striped", "crypt", "thin" };

    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (!strcmp(type, types[i]))
            return true;
    return false;
}

bool table_can_be_shared(const char *table, struct error *err)
{
    struct line line;

    if (!*table)
        return error_set(err, ERROR_REFUSED, "it has no table");
    while (next_line(&table, &line)) {
        if (!strcmp(line.type, "era"))
            return error_set(err, ERROR_REFUSED,
                             "writes to it are tracked already, by a device of type 'era'");
        if (!is_all_table(line.type))
            return error_set(err, ERROR_REFUSED,
                             "writes to a device of type '%s' cannot be tracked: let QEMU serve "
                             "the disk (backendtype=qdisk)",
                             line.type);
    }
    return !*table || error_set(err, ERROR_REFUSED, "its table cannot be understood");
}

dev_t table_pool(const char *table)
{
    struct line line;
    unsigned most, least;

    while (next_line(&table, &line))
        if (!strcmp(line.type, "thin") && sscanf(line.words, "%u:%u", &most, &least) == 2)
            return makedev(most, least);
    return 0;
}

/* "TRANSACTION USED/METADATA USED/DATA ...", or "Fail". */
bool pool_has_room(const char *status, struct error *err)
{
    struct line line;
    uint64_t notes, notes_most, data, data_most;

    if (!next_line(&status, &line) || strcmp(line.type, "thin-pool") != 0 ||
        sscanf(line.words, "%*u %" SCNu64 "/%" SCNu64 " %" SCNu64 "/%" SCNu64, &notes, &notes_most,
               &data, &data_most) != 4)
        return error_set(err, ERROR_SYSTEM, "its pool is out of order: %.100s", status);
    return (notes * 20 < notes_most * 19 && data * 20 < data_most * 19) ||
           error_set(err, ERROR_SYSTEM,
                     "its pool is nearly full, and LVM cannot extend it while writes are tracked");
}

uint64_t table_sectors(const char *table)
{
    struct line line;
    uint64_t sectors = 0;

    while (next_line(&table, &line))
        sectors = line.first + line.sectors;
    return sectors;
}

char *table_of_era(uint64_t size, dev_t metadata, dev_t origin, uint64_t block)
{
    return formatted("0 %" PRIu64 " era %u:%u %u:%u %" PRIu64 "\n", size / SECTOR, major(metadata),
                     minor(metadata), major(origin), minor(origin), block / SECTOR);
}

bool table_tracks(const char *table, dev_t origin)
{
    struct line line;
    unsigned most, least;

    return next_line(&table, &line) && !strcmp(line.type, "era") &&
           sscanf(line.words, "%*s %u:%u", &most, &least) == 2 && makedev(most, least) == origin;
}

bool era_state_parse(const char *status, struct era_state *state, struct error *err)
{
    struct line line;
    char snapshot[24];

    *state = (struct era_state){ .failed = false };
    if (!next_line(&status, &line) || strcmp(line.type, "era") != 0)
        return error_set(err, ERROR_SYSTEM, "it is not of type 'era'");
    state->failed = !strncmp(line.words, "Error", 5) || !strncmp(line.words, "Fail", 4);
    if (state->failed)
        return true;
    if (sscanf(line.words, "%*u %" SCNu64 "/%" SCNu64 " %" SCNu32 " %23s", &state->used,
               &state->most, &state->era, snapshot) != 4)
        return error_set(err, ERROR_SYSTEM,
                         "what it says of its state cannot be understood: %.100s", line.words);
    state->snapshot = strtoull(snapshot, NULL, 10); /* "-": none */
    return true;
}
