/* The options of qcow2 that another host may choose. */
#include "host/images/qcow2-options.h"

#include "xmig/text.h"

static const char *const versions[] = { "0.10", "1.1", NULL };
static const char *const sizes[] = { "512",    "1024",    "2048",    "4096",   "8192",
                                     "16384",  "32768",   "65536",   "131072", "262144",
                                     "524288", "1048576", "2097152", NULL };
static const char *const widths[] = { "1", "2", "4", "8", "16", "32", "64", NULL };
static const char *const switches[] = { "on", "off", NULL };
static const char *const compressions[] = { "zlib", "zstd", NULL };

static const struct {
    const char *name;
    const char *const *values;
} permitted[] = {
    { "cluster_size", sizes },
    { "compat", versions },
    { "lazy_refcounts", switches },
    { "extended_l2", switches },
    { "compression_type", compressions },
    { "refcount_bits", widths },
};

static bool is_among(const char *text, const char *const values[])
{
    for (; text && *values; values++)
        if (!strcmp(text, *values))
            return true;
    return false;
}

static bool is_permitted(const cJSON *option)
{
    for (size_t i = 0; i < sizeof(permitted) / sizeof(permitted[0]); i++)
        if (!strcmp(option->string, permitted[i].name))
            return is_among(cJSON_GetStringValue(option), permitted[i].values);
    return false;
}

bool qcow2_options_check(const cJSON *options, struct error *err)
{
    const cJSON *option;

    cJSON_ArrayForEach (option, options)
        if (!option->string || !is_permitted(option))
            return error_set(err, ERROR_REFUSED,
                             "a qcow2 image is not made with '%s=%s', which another host says",
                             option->string ? option->string : "?",
                             cJSON_IsString(option) ? option->valuestring : "?");
    return true;
}

char *qcow2_options_print(const cJSON *options)
{
    char *text = must(strdup("compat=1.1")); /* the last one counts */
    const cJSON *option;

    cJSON_ArrayForEach (option, options) {
        AUTO_FREE char *before = text;

        if (!option->string || !is_permitted(option)) {
            (void)steal(before);
            continue;
        }
        text = formatted("%s,%s=%s", before, option->string, option->valuestring);
    }
    return text;
}
