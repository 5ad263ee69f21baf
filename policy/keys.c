/* The table of keys, and how their values are read. */
#include "policy/keys.h"

#include "policy/match.h"
#include "xmig/policy.h"
#include "xmig/units.h"

enum {
    COUNT_MAX = 1000
};

static bool is_within(const struct setting *setting, const struct need *need)
{
    return !setting->is_limit || need->amount <= setting->number;
}

/* Does the lease end in the permitted time? A lease of 0 never ends. */
static bool ends_in_time(const struct setting *setting, const struct need *need)
{
    return !setting->is_limit || (need->amount > 0 && need->amount <= setting->number);
}

/* A simulated VM must be permitted by the name "simulated": a pattern such as * does not count for
 * it.
 */
static bool is_hypervisor(const struct setting *setting, const struct need *need)
{
    const cJSON *word;

    if (!need->amount)
        return match_name(setting, need);
    cJSON_ArrayForEach (word, setting->words)
        if (!strcmp(word->valuestring, need->what))
            return true;
    return false;
}

static bool is_yes(const struct setting *setting, const struct need *need)
{
    (void)need;
    return setting->number != 0;
}

const struct key_row key_rows[KEY_COUNT] = {
    [KEY_VMS] = { "vms", TYPE_WORDS, "", "may move here VMs that are called %s",
                  "may move no VM here", match_name },
    [KEY_HYPERVISORS] = { "hypervisors", TYPE_WORDS, "*",
                          "of the hypervisors %s (* is each whose VMs exist)", "of no hypervisor",
                          is_hypervisor },
    [KEY_PROGRAMS] = { "programs", TYPE_ABSOLUTE,
                       "/usr/bin/qemu-system-* /usr/bin/kvm /usr/bin/qemu-kvm "
                       "/usr/libexec/qemu-kvm /usr/libexec/xen-qemu-system-i386 "
                       "/usr/lib/xen/bin/qemu-system-i386",
                       "run by the programs %s", "run by no program", match_path },
    [KEY_IMAGE_DIRECTORIES] = { "image-directories", TYPE_ABSOLUTE, "",
                                "with images and other files below %s",
                                "with no images or other files", match_below },
    [KEY_VOLUME_GROUPS] = { "volume-groups", TYPE_WORDS, "",
                            "with volumes of the groups %s as disks", "with no volumes as disks",
                            match_group },
    [KEY_OVERWRITE] = { "overwrite", TYPE_WORDS, "never",
                        "overwriting what the volumes %s hold, if asked to",
                        "overwriting no volume that holds data", match_volume },
    [KEY_USERS] = { "users", TYPE_WORDS, "", "where a QEMU runs as %s",
                    "where a QEMU may run as nobody", match_name },
    [KEY_NETWORKS] = { "networks", TYPE_WORDS, "", "with the bridges, taps and scripts %s",
                       "with no bridge, tap or network script", match_network },
    [KEY_LISTENERS] = { "listeners", TYPE_ADDRESSES, "", "which may listen at %s",
                        "which may listen at no port of this host", match_address },
    [KEY_CONNECTIONS] = { "connections", TYPE_ADDRESSES, "", "which may connect to %s",
                          "which may connect to no host", match_address },
    [KEY_MAX_MEMORY] = { "max-memory", TYPE_SIZE, NULL, "with at most %s of memory each",
                         "with any memory that there is", is_within },
    [KEY_MAX_DISK] = { "max-disk", TYPE_SIZE, NULL, "with disks of at most %s in all, each",
                       "with disks of any size that there is room for", is_within },
    [KEY_MAX_MIGRATIONS] = { "max-migrations", TYPE_COUNT, NULL, "at most %s at once",
                             "any number at once", NULL },
    [KEY_MAX_LEASE] = { "max-lease", TYPE_TIME, NULL,
                        "whose complete copies are kept at most %s without the source",
                        "whose complete copies are kept for any time without the source",
                        ends_in_time },
    [KEY_BWLIMIT] = { "bwlimit", TYPE_SIZE, NULL, "taking at most %s a second of each migration",
                      "taking as much a second as there comes", NULL },
    [KEY_KEEP] = { "keep", TYPE_TIME, POLICY_KEEP_TEXT,
                   "whose journals and logs are kept %s after the end",
                   "whose journals and logs are kept for ever", NULL },
    [KEY_FAULTS] = { "faults", TYPE_YES, "no", "letting the receiver fail for a test (%s)",
                     "letting no receiver fail for a test", is_yes },
};

bool key_find(const char *name, enum key *key)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (strcmp(key_rows[i].name, name) != 0)
            continue;
        *key = (enum key)i;
        return true;
    }
    return false;
}

/* ---- values ---- */

enum {
    SHORTEST_KEEP_MS = 86400000
};

static bool may_be_never(enum key key)
{
    return key == KEY_OVERWRITE || key == KEY_LISTENERS || key == KEY_CONNECTIONS;
}

static bool check_word(enum key key, const char *word, struct error *err)
{
    if (may_be_never(key) && !strcmp(word, "never"))
        return error_set(err, ERROR_REFUSED, "'never' stands alone");
    if (key_rows[key].type == TYPE_ABSOLUTE && *word != '/')
        return error_set(err, ERROR_REFUSED, "'%s' is not a path that begins with /", word);
    if (key_rows[key].type == TYPE_ADDRESSES && !match_is_address(word))
        return error_set(err, ERROR_REFUSED,
                         "'%s' is not an address like 127.0.0.1, 127.0.0.1:5900-5999 or [::1]:5900",
                         word);
    return true;
}

static bool read_words(struct setting *setting, enum key key, const char *value, struct error *err)
{
    AUTO_FREE char *copy = must(strdup(value));
    char *rest = copy;
    const char *word;

    setting->words = must(cJSON_CreateArray());
    if (may_be_never(key) && !strcmp(value, "never"))
        return true;
    while ((word = strsep(&rest, " \t,"))) {
        if (*word && !check_word(key, word, err))
            return false;
        if (*word)
            cJSON_AddItemToArray(setting->words, must(cJSON_CreateString(word)));
    }
    return true;
}

static bool read_count(const char *value, uint64_t *count, struct error *err)
{
    char *end;

    *count = strtoul(value, &end, 10);
    return (*value >= '0' && *value <= '9' && !*end && *count <= COUNT_MAX) ||
           error_set(err, ERROR_REFUSED, "'%s' is not a number from 0 to %d", value, COUNT_MAX);
}

static bool read_yes(const char *value, uint64_t *yes, struct error *err)
{
    *yes = !strcmp(value, "yes");
    return *yes || !strcmp(value, "no") ||
           error_set(err, ERROR_REFUSED, "'%s' is neither yes nor no", value);
}

static bool read_number(struct setting *setting, enum key key, const char *value, struct error *err)
{
    switch (key_rows[key].type) {
    case TYPE_SIZE:
        return parse_size(value, &setting->number, err) &&
               (key != KEY_BWLIMIT || setting->number > 0 ||
                error_set(err, ERROR_REFUSED, "nothing can come at 0 bytes a second"));
    case TYPE_TIME:
        return parse_time(value, &setting->number, err) &&
               (key != KEY_KEEP || !setting->number || setting->number >= SHORTEST_KEEP_MS ||
                error_set(err, ERROR_REFUSED,
                          "'%s' is less than a day: a source may still ask what became of its VM",
                          value));
    case TYPE_COUNT:
        return read_count(value, &setting->number, err);
    default: /* TYPE_YES */
        return read_yes(value, &setting->number, err);
    }
}

bool setting_read(struct setting *setting, enum key key, const char *value, struct error *err)
{
    bool has_words = key_rows[key].type == TYPE_WORDS || key_rows[key].type == TYPE_ABSOLUTE ||
                     key_rows[key].type == TYPE_ADDRESSES;

    *setting = (struct setting){ .value = must(strdup(value)), .is_limit = !has_words };
    return (has_words ? read_words(setting, key, value, err)
                      : read_number(setting, key, value, err)) ||
           error_prefix(err, "%s", key_rows[key].name);
}

void setting_done(struct setting *setting)
{
    cJSON_Delete(setting->words);
    free(setting->value);
    free(setting->from);
    *setting = (struct setting){ 0 };
}
