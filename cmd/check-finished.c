/* Is a migration finished, on both of the sides that this host may have been? */
#include "check-finished.h"

#include <stdio.h>

#include "journal-words.h"
#include "xmig/cleanup.h"

static bool check_side(struct journal *journal, uint64_t *age_ms, struct error *err)
{
    const char *id = journal_id(journal);
    uint64_t age = record_age_ms(newest_record(journal));

    if (!journal_is_finished(journal))
        return error_set(err, ERROR_REFUSED,
                         "migration %s is not finished (%s): 'xmig recover %s' settles it, and "
                         "'xmig list %s' tells more",
                         id, journal_meaning(journal), id, id);
    if (age_ms && age < *age_ms)
        *age_ms = age;
    return true;
}

bool check_finished(const char *state_dir, const struct identity *identity, const char *id,
                    uint64_t *age_ms, struct error *err)
{
    size_t count = 0;

    if (age_ms)
        *age_ms = UINT64_MAX;
    for (enum side side = SIDE_SEND; side <= SIDE_RECV; side++) {
        enum journal_health health;
        struct journal *journal = journal_open(state_dir, id, side, identity, &health, err);
        bool ok = journal ? check_side(journal, age_ms, err) : health == JOURNAL_MISSING;

        journal_free(journal);
        if (!ok)
            return false;
        count += health != JOURNAL_MISSING;
    }
    return count ||
           error_set(err, ERROR_REFUSED, "there is no migration %s in '%s'", id, state_dir);
}

void end_unremoved(struct ending *ending, const struct error *err)
{
    ending_of_failure(ending, err->kind == ERROR_REFUSED ? OUTCOME_REFUSED : OUTCOME_LOCAL_ERROR,
                      err);
    ending->no_vm = true;
    snprintf(ending->text, sizeof(ending->text), "nothing of it was removed");
}
