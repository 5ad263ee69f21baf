/* Finds the migration that a person means. */
#include "find-id.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "xmig/cleanup.h"

enum {
    LISTED_MAX = 8
};

struct finding {
    const char *state_dir;
    const struct identity *identity;
    const char *word;
    char ids[2][LISTED_MAX][17]; /* finished ones, and those that are not */
    size_t count[2];
};

/* Does `word` mean the VM called `name`? The VM "qemu:web" may be called "web", too, but a VM named
 * by its socket only "qemu:/run/web.sock".
 */
static bool is_name(const char *name, const char *word)
{
    const char *rest = strchr(name, ':');

    return *word && (!strcmp(name, word) || (rest && !strcmp(rest + 1, word)));
}

static bool begins(const char *id, const char *word)
{
    return *word && !strncmp(id, word, strlen(word));
}

bool id_means(const struct journal *journal, const char *word)
{
    const cJSON *begin = journal_find(journal, RECORD_BEGIN);

    return begins(journal_id(journal), word) ||
           is_name(json_string_or(begin, "source_vm", ""), word) ||
           is_name(json_string_or(begin, "name", ""), word) ||
           is_name(json_string_or(begin, "vm", ""), word);
}

static void add(struct finding *finding, bool unfinished, const char *id)
{
    size_t *count = &finding->count[unfinished];

    for (size_t i = 0; i < *count && i < LISTED_MAX; i++)
        if (!strcmp(finding->ids[unfinished][i], id))
            return; /* the journal of the other side has added it */
    if (*count < LISTED_MAX)
        snprintf(finding->ids[unfinished][*count], sizeof(finding->ids[0][0]), "%s", id);
    ++*count;
}

/* A journal that cannot be read does not tell its VM: compare only its id. */
static void on_journal(void *arg, const char *id, enum side side)
{
    struct finding *finding = arg;
    enum journal_health health;
    struct journal *journal =
        journal_open(finding->state_dir, id, side, finding->identity, &health, NULL);

    if (journal ? id_means(journal, finding->word) : begins(id, finding->word))
        add(finding, !journal || journal_last(journal) != RECORD_CLOSED, id);
    journal_free(journal);
}

static bool complain(const struct finding *finding, bool unfinished, struct error *err)
{
    char list[LISTED_MAX * 18 + 8] = "";

    for (size_t i = 0; i < finding->count[unfinished] && i < LISTED_MAX; i++)
        strcat(strcat(list, i ? ", " : ""), finding->ids[unfinished][i]);
    return error_set(
        err, ERROR_REFUSED, "'%s' can mean %zu migrations: %s%s; 'xmig list%s' tells of them",
        finding->word, finding->count[unfinished], list,
        finding->count[unfinished] > LISTED_MAX ? ", …" : "", unfinished ? "" : " --all");
}

bool find_id(const char *state_dir, const struct identity *identity, const char *word, char id[17],
             struct error *err)
{
    struct finding finding = { .state_dir = state_dir, .identity = identity, .word = word };
    bool unfinished;

    if (journal_valid_id(word)) {
        snprintf(id, 17, "%s", word);
        return true;
    }
    if (!journal_list(state_dir, on_journal, &finding, err))
        return false;
    unfinished = finding.count[true] > 0;
    if (!finding.count[unfinished])
        return error_set(err, ERROR_REFUSED,
                         "no migration's id begins with '%s', and none of a VM of that name is "
                         "known in '%s'%s",
                         word, state_dir,
                         geteuid() ? "; what root or another user moves, only that user sees" : "");
    if (finding.count[unfinished] > 1)
        return complain(&finding, unfinished, err);
    snprintf(id, 17, "%s", finding.ids[unfinished][0]);
    return true;
}
