/* The old copy's fence. What --fence-command says is in the journal: a later process takes off
 * what this one has put up.
 */
#include "fence.h"

#include <stdio.h>

#include "host/system/program.h"
#include "xmig/cleanup.h"
#include "xmig/text.h"

enum {
    COMMAND_MS = 30000
};

static char *variable(const char *name, const char *value)
{
    return formatted("%s=%s", name, value);
}

/* A line each. */
static char *paths_of(const cJSON *images)
{
    const cJSON *image;
    char *text = NULL;
    size_t size;
    FILE *out = must(open_memstream(&text, &size));

    cJSON_ArrayForEach (image, images)
        fprintf(out, "%s%s", image == images->child ? "" : "\n", json_string_or(image, "path", ""));
    fclose(out);
    return must(text);
}

static bool run_command(struct migration *m, const char *action, struct error *err)
{
    const cJSON *begin = journal_find(m->journal, RECORD_BEGIN);
    const char *command = json_string_or(begin, "fence_command", NULL);
    AUTO_FREE char *paths = paths_of(cJSON_GetObjectItemCaseSensitive(begin, "images"));
    AUTO_FREE char *act = variable("XMIG_ACTION", action);
    AUTO_FREE char *id = variable("XMIG_ID", m->id);
    AUTO_FREE char *vm =
        variable("XMIG_VM", json_string_or(begin, "name", json_string_or(begin, "source_vm", "")));
    AUTO_FREE char *disks = variable("XMIG_DISKS", paths);
    const char *const words[] = { "env", act, id, vm, disks, "sh", "-c", command, NULL };

    return !command || program_run(m->loop, words, NULL, COMMAND_MS, err) ||
           error_prefix(err, "--fence-command, to %s", action);
}

bool fence_put_up(struct migration *m, struct error *err)
{
    return guest_fence(m->guest, err) && run_command(m, "fence", err);
}

bool fence_take_off(struct migration *m, struct error *err)
{
    struct error why = { 0 };
    bool ok = !journal_has(m->journal, RECORD_COMMIT) || run_command(m, "unfence", &why);

    if (!guest_unfence(m->guest, err))
        return false;
    if (!ok)
        *err = why;
    return ok;
}
