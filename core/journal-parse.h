/* The text of a journal, apart from its file: bytes in, records out.
 *
 * A line is "CHECKSUM JSON\n". CHECKSUM is the first 16 hex digits of SHA-256 over the
 * previous line's CHECKSUM and this line's JSON; for the first line, over "ID/SIDE" and its
 * JSON, so that no line, not even the first, fits into another journal.
 *
 * JSON has seq (from 1), record, time (UTC, RFC 3339), machine, boot and pid, then the
 * record's facts; or, in a last word whose facts no longer fitted, "facts_left_out": true.
 */
#ifndef CORE_JOURNAL_PARSE_H
#define CORE_JOURNAL_PARSE_H

#include "xmig/journal.h"

/* Whose journal it has to be. */
struct journal_owner {
    const char *id;
    enum side side;
    const char *machine;
};

struct journal_text {
    cJSON *records;   /* an array */
    uint64_t count;   /* how many */
    enum record last; /* that is not a NOTE */
    char chain[24];   /* what the next line's checksum begins with */
    size_t next;      /* where the next line goes */
    size_t length;    /* up to the first NUL: beyond `next` lies a torn line, or nothing */
};

/* What line follows `chain`: 16 hex digits and a NUL. */
void journal_checksum(const char *chain, const char *json, size_t len, char checksum[17]);

/* No records yet: journal_text_done() frees it. */
void journal_text_init(struct journal_text *text, const struct journal_owner *owner);

/**
 * Verify `bytes` and take the records out. journal_text_done() frees `text`, which is
 * empty on failure.
 *
 * The last line is ignored if its JSON is incomplete: that write never finished. A record
 * that lacks nothing but its newline counts, as does any that reached the disk although
 * its writer died before it knew; so no single byte, whatever becomes of it, can change
 * what a journal of whole lines says.
 */
bool journal_parse(const char *bytes, size_t size, const struct journal_owner *owner,
                   struct journal_text *text, struct error *err);
void journal_text_done(struct journal_text *text);

#endif
