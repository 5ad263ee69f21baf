/* Filters above an image, and its file. */
#include "qmp/block-image.h"

#include "xmig/cleanup.h"
#include "xmig/error.h"

bool block_is_filter(const char *driver)
{
    static const char *const filters[] = { "throttle", "copy-on-read", "preallocate", "compress" };

    for (size_t i = 0; driver && i < sizeof(filters) / sizeof(filters[0]); i++)
        if (!strcmp(driver, filters[i]))
            return true;
    return false;
}

/* QEMU lists what lies beneath a filter as if it were a backing image. */
const cJSON *block_image_beneath(const cJSON *image)
{
    while (image && block_is_filter(json_string_or(image, "format", "")))
        image = json_get(image, "backing-image");
    return image;
}

const cJSON *block_image_next(const cJSON *image)
{
    return block_image_beneath(json_get(image, "backing-image"));
}

/* The name in the innermost of the "file" objects. NULL: it is not there, or no text. */
static const char *file_within(const cJSON *options)
{
    const cJSON *file;

    while (cJSON_IsObject(file = json_get(options, "file")))
        options = file;
    return json_string_or(options, "filename", NULL);
}

char *block_image_file(const cJSON *image)
{
    static const char json[] = "json:";
    const char *name = json_string_or(image, "filename", "");
    AUTO_JSON cJSON *options = NULL;

    if (!strncmp(name, json, strlen(json)))
        options = cJSON_Parse(name + strlen(json));
    return must(strdup(file_within(options) ? file_within(options) : name));
}

/* The same driver and name: two nodes cannot write to one file. */
static bool is_of(const cJSON *node, const cJSON *image)
{
    return !strcmp(json_string_or(node, "drv", ""), json_string_or(image, "format", "")) &&
           !strcmp(json_string_or(node, "file", ""), json_string_or(image, "filename", ""));
}

const cJSON *block_node_beneath(const cJSON *nodes, const cJSON *inserted)
{
    const cJSON *image = json_get(inserted, "image");
    const cJSON *beneath = block_image_beneath(image);
    const cJSON *node;

    if (beneath != image)
        cJSON_ArrayForEach (node, nodes)
            if (is_of(node, beneath))
                return node;
    return inserted;
}
