/* Feeds the journal's reader what a broken disk, or a person with an editor, may have
 * made of one. Each input is read as it is, and once more with good checksums, for else
 * hardly anything would get past the first.
 */
#include "core/journal-parse.h"

#include <stdint.h>
#include <stdio.h>

enum {
    MAX_SIZE = 64 * 1024
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool fact)
{
    if (!fact)
        abort();
}

/* Give every line that is long enough the checksum it should have. */
static void repair(char *bytes, size_t size, const struct journal_owner *owner)
{
    char chain[24];

    snprintf(chain, sizeof(chain), "%s/%s", owner->id, side_name(owner->side));
    for (char *line = bytes, *end; (end = memchr(line, '\n', size)); line = end + 1) {
        size -= (size_t)(end + 1 - line);
        if (end - line < 17)
            continue;
        journal_checksum(chain, line + 17, (size_t)(end - line - 17), chain);
        memcpy(line, chain, 16);
        line[16] = ' ';
    }
}

/* The line of each record has its checksum, and each record may follow the one before. */
static void require_records(const char *bytes, const struct journal_owner *owner,
                            const struct journal_text *text)
{
    enum record last = RECORD_NONE;
    char chain[24];
    uint64_t count = 0;
    const cJSON *json;

    snprintf(chain, sizeof(chain), "%s/%s", owner->id, side_name(owner->side));
    cJSON_ArrayForEach (json, text->records) {
        enum record record = record_from_name(json_string_or(json, "record", ""));
        size_t len = strcspn(bytes, "\n");

        journal_checksum(chain, bytes + 17, len - 17, chain);
        require(!memcmp(bytes, chain, 16));
        require(json_uint_or(json, "seq", 0) == ++count);
        require(!strcmp(json_string_or(json, "machine", ""), owner->machine));
        require(record_permitted(owner->side, last, record));
        require(record != RECORD_NOTE || count > 1);
        if (record != RECORD_NOTE)
            last = record;
        bytes += len + 1;
    }
    require(count == text->count && last == text->last);
}

/* What was ignored as torn changes nothing when it is gone. */
static void require_same_without_torn_line(const char *bytes, const struct journal_owner *owner,
                                           const struct journal_text *text)
{
    size_t size = text->next < text->length ? text->next : text->length;
    struct journal_text again;

    require(journal_parse(bytes, size, owner, &again, NULL));
    require(again.count == text->count && again.last == text->last && again.next == text->next);
    journal_text_done(&again);
}

static void read_as(enum side side, const char *bytes, size_t size)
{
    const struct journal_owner owner = { "0123456789abcdef", side,
                                         "11111111111111111111111111111111" };
    struct journal_text text;
    struct error err = { 0 };

    if (!journal_parse(bytes, size, &owner, &text, &err)) {
        require(err.kind == ERROR_PROTOCOL && err.text[0] && !text.records);
        return;
    }
    require_records(bytes, &owner, &text);
    require_same_without_torn_line(bytes, &owner, &text);
    journal_text_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FREE char *bytes = NULL;

    if (size > MAX_SIZE)
        return 0;
    bytes = calloc(1, size + 1);
    for (int side = SIDE_SEND; side <= SIDE_RECV; side++) {
        const struct journal_owner owner = { "0123456789abcdef", (enum side)side, "" };

        memcpy(bytes, data, size);
        read_as((enum side)side, bytes, size);
        repair(bytes, size, &owner);
        read_as((enum side)side, bytes, size);
    }
    return 0;
}
