/* -set and -global: they change what other options say, past the functions that look at those. */
#include "qmp/argv/rewriting.h"

/* An empty name is none: "romfile=". */
static bool names_file(const char *property, const char *value)
{
    static const char *const of_files[] = { "romfile", "file", "filename", "path", NULL };

    return (word_is_among(property, of_files) && *value) || *value == '/';
}

static bool refuse(struct rewriting *r, const char *value, struct error *err)
{
    return error_set(err, ERROR_REFUSED,
                     "'-%s %s' is not moved, for it may name a file of this host: say it with the "
                     "option itself",
                     r->option, value);
}

/* GROUP.ID.PROPERTY=VALUE */
bool rewriting_set(struct rewriting *r, const char *value, struct error *err)
{
    const char *equals = strchr(value, '=');
    AUTO_FREE char *name = equals ? must(strndup(value, (size_t)(equals - value))) : NULL;
    const char *property = name ? strrchr(name, '.') : NULL;

    if (!property || strncmp(value, "device.", 7) != 0 || names_file(property + 1, equals + 1))
        return refuse(r, value, err);
    return rewriting_keep(r, value, err);
}

/* DRIVER.PROPERTY=VALUE, or driver=DRIVER,property=PROPERTY,value=VALUE */
bool rewriting_global(struct rewriting *r, const char *value, struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };
    const char *property, *to;

    if (!keyvals_parse(value, &kv, err))
        return false;
    property = keyvals_get(&kv, "property");
    to = keyvals_get(&kv, "value");
    if (!property && kv.count == 1 && kv.items[0].key && strchr(kv.items[0].key, '.')) {
        property = strrchr(kv.items[0].key, '.') + 1;
        to = kv.items[0].value;
    }
    if (!property || !to || names_file(property, to))
        return refuse(r, value, err);
    return rewriting_keep(r, value, err);
}
