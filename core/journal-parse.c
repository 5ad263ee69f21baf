/* The text of a journal: which record may follow which; bytes in, records out. */
#include "core/journal-parse.h"

#include <stdio.h>

#include <openssl/evp.h>

enum {
    CHECKSUM_LEN = 16,
    JSON_AT = CHECKSUM_LEN + 1, /* in a line */
};

/* -- which record may follow which ------------------------------------------------------- */

static const char *const record_names[RECORD_COUNT] = {
    [RECORD_NONE] = "NONE",           [RECORD_BEGIN] = "BEGIN",
    [RECORD_NOTE] = "NOTE",           [RECORD_PAUSING] = "PAUSING",
    [RECORD_COMMIT] = "COMMIT",       [RECORD_ABORTED] = "ABORTED",
    [RECORD_DONE] = "DONE",           [RECORD_PROOF] = "PROOF",
    [RECORD_PREPARED] = "PREPARED",   [RECORD_OWNED] = "OWNED",
    [RECORD_REFUSED] = "REFUSED",     [RECORD_RESUMING] = "RESUMING",
    [RECORD_RUNNING] = "RUNNING",     [RECORD_RELINQUISHED] = "RELINQUISHED",
    [RECORD_DESTROYED] = "DESTROYED", [RECORD_LOST] = "LOST",
    [RECORD_WORD] = "WORD",           [RECORD_CLOSED] = "CLOSED",
};

/* tests/model/transitions.txt in C; a test compares the two. */
static const struct transition {
    enum side side;
    enum record last;
    enum record next;
} transitions[] = {
    { SIDE_SEND, RECORD_NONE, RECORD_BEGIN },
    { SIDE_SEND, RECORD_BEGIN, RECORD_PAUSING },
    { SIDE_SEND, RECORD_BEGIN, RECORD_ABORTED },
    { SIDE_SEND, RECORD_PAUSING, RECORD_COMMIT },
    { SIDE_SEND, RECORD_PAUSING, RECORD_ABORTED },
    { SIDE_SEND, RECORD_COMMIT, RECORD_DONE },
    { SIDE_SEND, RECORD_COMMIT, RECORD_PROOF },
    { SIDE_SEND, RECORD_COMMIT, RECORD_WORD },
    { SIDE_SEND, RECORD_ABORTED, RECORD_CLOSED },
    { SIDE_SEND, RECORD_DONE, RECORD_CLOSED },
    { SIDE_SEND, RECORD_PROOF, RECORD_CLOSED },
    { SIDE_SEND, RECORD_WORD, RECORD_CLOSED },

    { SIDE_RECV, RECORD_NONE, RECORD_BEGIN },
    { SIDE_RECV, RECORD_BEGIN, RECORD_PREPARED },
    { SIDE_RECV, RECORD_BEGIN, RECORD_REFUSED },
    { SIDE_RECV, RECORD_PREPARED, RECORD_OWNED },
    { SIDE_RECV, RECORD_PREPARED, RECORD_REFUSED },
    { SIDE_RECV, RECORD_PREPARED, RECORD_WORD },
    { SIDE_RECV, RECORD_WORD, RECORD_OWNED },
    { SIDE_RECV, RECORD_WORD, RECORD_LOST },
    { SIDE_RECV, RECORD_OWNED, RECORD_RESUMING },
    { SIDE_RECV, RECORD_OWNED, RECORD_RELINQUISHED },
    { SIDE_RECV, RECORD_OWNED, RECORD_LOST },
    { SIDE_RECV, RECORD_RESUMING, RECORD_RUNNING },
    { SIDE_RECV, RECORD_RESUMING, RECORD_RELINQUISHED },
    { SIDE_RECV, RECORD_RESUMING, RECORD_LOST },
    { SIDE_RECV, RECORD_RUNNING, RECORD_CLOSED },
    { SIDE_RECV, RECORD_REFUSED, RECORD_DESTROYED },
    { SIDE_RECV, RECORD_RELINQUISHED, RECORD_DESTROYED },
    { SIDE_RECV, RECORD_DESTROYED, RECORD_CLOSED },
    { SIDE_RECV, RECORD_LOST, RECORD_CLOSED },
};

const char *side_name(enum side side)
{
    return side == SIDE_SEND ? "send" : "recv";
}

const char *record_name(enum record record)
{
    return record_names[record];
}

enum record record_from_name(const char *name)
{
    for (int i = RECORD_NONE + 1; i < RECORD_COUNT; i++)
        if (!strcmp(record_names[i], name))
            return (enum record)i;
    return RECORD_NONE;
}

bool record_permitted(enum side side, enum record last, enum record next)
{
    if (next == RECORD_NOTE)
        return true;
    for (size_t i = 0; i < sizeof(transitions) / sizeof(transitions[0]); i++) {
        const struct transition *t = &transitions[i];

        if (t->side == side && t->last == last && t->next == next)
            return true;
    }
    return false;
}

/* -- the text ---------------------------------------------------------------------------- */

void journal_checksum(const char *chain, const char *json, size_t len, char checksum[17])
{
    EVP_MD_CTX *context = must(EVP_MD_CTX_new());
    unsigned char digest[EVP_MAX_MD_SIZE];

    if (!EVP_DigestInit_ex(context, EVP_sha256(), NULL) ||
        !EVP_DigestUpdate(context, chain, strlen(chain)) || !EVP_DigestUpdate(context, json, len) ||
        !EVP_DigestFinal_ex(context, digest, NULL))
        abort();
    EVP_MD_CTX_free(context);
    for (int i = 0; i < CHECKSUM_LEN / 2; i++)
        snprintf(checksum + 2 * i, 3, "%02x", digest[i]);
}

/* Is this last line, which has no newline, the beginning of a record? A whole object is
 * more than a beginning, and what follows it is not what was written: then the newline
 * has been changed, and that is damage.
 */
static bool is_torn(const char *line, size_t len)
{
    AUTO_JSON cJSON *json = NULL;

    if (len > JSON_AT)
        json = cJSON_ParseWithLengthOpts(line + JSON_AT, len - JSON_AT, NULL, false);
    return !json;
}

/* The members every record has; `record` is which one it is. */
static bool check_members(const cJSON *json, const struct journal_owner *owner, uint64_t seq,
                          enum record *record, struct error *err)
{
    const char *name = json_string(json, "record", err);
    const char *machine = json_string(json, "machine", err);
    uint64_t pid;
    uint64_t number;

    if (!name || !machine || !json_string(json, "time", err) || !json_string(json, "boot", err) ||
        !json_uint(json, "pid", &pid, err) || !json_uint(json, "seq", &number, err))
        return false;
    if (number != seq)
        return error_set(err, ERROR_PROTOCOL, "its number is %ju", (uintmax_t)number);
    if (strcmp(machine, owner->machine) != 0)
        return error_set(err, ERROR_PROTOCOL, "written on another machine ('%s', and this is '%s')",
                         machine, owner->machine);
    *record = record_from_name(name);
    if (*record == RECORD_NONE)
        return error_set(err, ERROR_PROTOCOL, "unknown record '%s'", name);
    return true;
}

/* NOTE may follow anything, but it cannot be the first. */
static bool check_order(const struct journal_text *text, enum side side, enum record record,
                        struct error *err)
{
    if (record_permitted(side, text->last, record) && (text->count || record == RECORD_BEGIN))
        return true;
    return error_set(err, ERROR_PROTOCOL, "%s after %s", record_name(record),
                     record_name(text->last));
}

static bool take_line(struct journal_text *text, const char *line, size_t len,
                      const struct journal_owner *owner, struct error *err)
{
    AUTO_JSON cJSON *json = NULL;
    char checksum[CHECKSUM_LEN + 1];
    enum record record = RECORD_NONE;

    if (len < JSON_AT || line[CHECKSUM_LEN] != ' ')
        return error_set(err, ERROR_PROTOCOL, "not a record");
    journal_checksum(text->chain, line + JSON_AT, len - JSON_AT, checksum);
    if (memcmp(line, checksum, CHECKSUM_LEN) != 0)
        return error_set(err, ERROR_PROTOCOL, "its checksum is wrong");
    json = json_parse_object(line + JSON_AT, len - JSON_AT, err);
    if (!json || !check_members(json, owner, text->count + 1, &record, err) ||
        !check_order(text, owner->side, record, err))
        return false;
    memcpy(text->chain, checksum, sizeof(checksum));
    if (record != RECORD_NOTE)
        text->last = record;
    text->count++;
    cJSON_AddItemToArray(text->records, steal(json));
    return true;
}

static bool take_lines(struct journal_text *text, const char *bytes,
                       const struct journal_owner *owner, struct error *err)
{
    while (text->next < text->length) {
        const char *line = bytes + text->next;
        size_t rest = text->length - text->next;
        const char *newline = memchr(line, '\n', rest);
        size_t len = newline ? (size_t)(newline - line) : rest;

        if (!newline && is_torn(line, len))
            return true;
        if (!take_line(text, line, len, owner, err))
            return error_prefix(err, "line %ju", (uintmax_t)text->count + 1);
        text->next += len + 1;
    }
    return true;
}

/* Bytes beyond the text may come from a write whose later sectors reached the disk first: then
 * nobody has acted on it. Or they are a record that somebody has acted on, and whose first sector
 * was lost since: to ignore that could run the guest twice. The two look the same; refuse both.
 */
static bool check_padding(const char *bytes, size_t length, size_t size, struct error *err)
{
    for (size_t i = length; i < size; i++)
        if (bytes[i])
            return error_set(err, ERROR_PROTOCOL, "there is a hole in it, at byte %zu", length);
    return true;
}

void journal_text_init(struct journal_text *text, const struct journal_owner *owner)
{
    *text = (struct journal_text){ .records = must(cJSON_CreateArray()) };
    snprintf(text->chain, sizeof(text->chain), "%s/%s", owner->id, side_name(owner->side));
}

void journal_text_done(struct journal_text *text)
{
    cJSON_Delete(text->records);
    *text = (struct journal_text){ 0 };
}

bool journal_parse(const char *bytes, size_t size, const struct journal_owner *owner,
                   struct journal_text *text, struct error *err)
{
    journal_text_init(text, owner);
    text->length = strnlen(bytes, size);
    if (check_padding(bytes, text->length, size, err) && take_lines(text, bytes, owner, err))
        return true;
    journal_text_done(text);
    return false;
}
