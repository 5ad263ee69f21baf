/* The journal: what this side of a migration has promised, on disk before it
 * acts on it. docs/recovery.md tells the whole story; the permitted
 * transitions stand in tests/model/transitions.txt and are proven there.
 *
 * A journal is the file STATE_DIR/ID/send.journal or recv.journal (a `local:` move
 * has both): one line a record, "CHECKSUM {json}\n", in space that was allocated when
 * it was created; the rest is NUL. A checksum is the first 16 hex digits of
 * SHA-256 over the previous line's checksum and this line's JSON, so a line can
 * be neither changed nor moved nor dropped from the middle.
 *
 * An incomplete last line is a write that never finished: it is ignored, and nobody has
 * acted on it. Any other damage makes the journal unreadable, which proves nothing.
 */
#ifndef XMIG_JOURNAL_H
#define XMIG_JOURNAL_H

#include <stdint.h>

#include "xmig/identity.h"
#include "xmig/json.h"
#include "xmig/record.h"

enum journal_health {
    JOURNAL_GOOD,
    JOURNAL_MISSING,
    JOURNAL_UNREADABLE, /* damaged, or written on another machine */
};

/* Test hook: called before and after each record is made durable; false: this
 * process is dead from here on (the append fails with ERROR_CRASH).
 */
struct journal_hook {
    bool (*at)(void *arg, enum record record, bool written);
    void *arg;
};

struct journal;

/**
 * Create the journal of migration `id` and write BEGIN with `facts` (borrowed;
 * NULL: none). Space for all that can follow is taken now; file and parent
 * directories are synced.
 */
struct journal *journal_create(const char *state_dir, const char *id, enum side side,
                               const struct identity *identity, const cJSON *facts,
                               struct error *err);

/* Open an existing one. NULL with `health` telling why, and `err` the words. */
struct journal *journal_open(const char *state_dir, const char *id, enum side side,
                             const struct identity *identity, enum journal_health *health,
                             struct error *err);

/* Closes the file. NULL is fine. */
void journal_free(struct journal *journal);

void journal_set_hook(struct journal *journal, struct journal_hook hook);

/**
 * Write one record, durably. Under the journal's lock the file is read again:
 * if another process has written something that `record` may not follow, nothing is
 * written and ERROR_REFUSED names it.
 *
 * @param facts  merged into the record; borrowed; may be NULL
 */
bool journal_append(struct journal *journal, enum record record, const cJSON *facts,
                    struct error *err);

/* Hold the lock, and read again: nobody else writes until journal_unlock(), so that a
 * record, the act it permits, and the record of how that went are one. A journal_append()
 * in between needs no lock of its own; a second journal_lock() is none. ERROR_TIMEOUT:
 * another process has held it for 10 s.
 */
bool journal_lock(struct journal *journal, struct error *err);
void journal_unlock(struct journal *journal);

/* Read again what other processes may have written. */
bool journal_refresh(struct journal *journal, struct error *err);

/* The last record that is not a NOTE; as of the last read or append. */
enum record journal_last(const struct journal *journal);
bool journal_has(const struct journal *journal, enum record record);

/* Every record in order, an array of objects {"seq","record","time","machine",
 * "boot","pid",…facts}; borrowed.
 */
const cJSON *journal_records(const struct journal *journal);

/* The first record of this kind, borrowed; NULL: none. */
const cJSON *journal_find(const struct journal *journal, enum record record);

/* Has the machine been started anew since it wrote this record? What the record tells of its
 * processes is of the past then; what was made since BEGIN is, when BEGIN's boot is over.
 */
bool journal_rebooted_since(const struct journal *journal, const cJSON *record);

enum side journal_side(const struct journal *journal);
const char *journal_id(const struct journal *journal);
const char *journal_path(const struct journal *journal);

/* A random id of 16 hex digits, and a secret token of 32. */
void journal_new_id(char id[17]);
void journal_new_token(char token[33]);

/* Is this the form of an id? (It becomes a directory's name.) */
bool journal_valid_id(const char *id);

/* Call `each` for every journal below `state_dir`, newest first. */
bool journal_list(const char *state_dir, void (*each)(void *arg, const char *id, enum side side),
                  void *arg, struct error *err);

#endif
