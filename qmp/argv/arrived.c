/* A command line that came from another host. Its xmig has walked the table already: walked again
 * here, the line must stay as it is, and what it would be refused for there it is refused for here.
 */
#include "qmp/argv/rewriting.h"

struct looking {
    const struct argv_result *result;
    const char *const *images;
    const char *unknown; /* a path that no function has looked at */
};

/* "/path", "unix:/path"; not what is in a network: "nbd://host/export". NULL: none. */
static const char *path_in(const char *value)
{
    const char *colon = strstr(value, ":/");

    if (*value == '/')
        return value;
    return colon && colon[2] != '/' && strcspn(value, "/") > (size_t)(colon - value) ? colon + 1
                                                                                     : NULL;
}

static void look_at(void *arg, const char *value)
{
    struct looking *looking = arg;
    const char *path = path_in(value);

    if (path && !word_is_among(path, looking->images) && !argv_result_lists(looking->result, path))
        looking->unknown = path;
}

static bool check_option(const struct option_table *table, const struct option_step *step,
                         struct looking *looking, struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };

    if (!step->value || word_is_among(step->name, table->texts))
        return true;
    if (!keyvals_parse(step->value, &kv, err))
        return false;
    keyvals_each(&kv, look_at, looking);
    return !looking->unknown ||
           error_set(err, ERROR_REFUSED,
                     "xmig does not know what '%s' is for in '-%s %s', and so not whether %s may "
                     "have it here",
                     looking->unknown, step->name, step->value, table->mover);
}

static bool check_paths(const struct option_table *table, struct looking *looking,
                        struct error *err)
{
    struct option_step step = { .rest = looking->result->words->child };

    while (option_next(table, &step, NULL))
        if (!check_option(table, &step, looking, err))
            return false;
    return true;
}

static bool check_unchanged(const cJSON *words, const cJSON *again, struct error *err)
{
    const cJSON *word = words->child, *other = again->child;

    while (word && other && !strcmp(word->valuestring, other->valuestring)) {
        word = word->next;
        other = other->next;
    }
    if (!word && !other)
        return true;
    return error_set(err, ERROR_REFUSED,
                     "this xmig would not give QEMU '%s', as the source's wants it to, but %s%s%s: "
                     "install the same xmig on both hosts",
                     word ? word->valuestring : "no more", other ? "'" : "",
                     other ? other->valuestring : "nothing", other ? "'" : "");
}

bool arrived_check(const struct option_table *table, const cJSON *words,
                   const struct argv_result *result, const char *const images[], struct error *err)
{
    struct looking looking = { .result = result, .images = images };

    return check_unchanged(words, result->words, err) && check_paths(table, &looking, err);
}
