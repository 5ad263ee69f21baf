/* A device model's command line as a whole, and the domain's number in it. */
#include "host/xen/argv/argv.h"

#include "host/xen/argv/rewriters.h"
#include "xmig/text.h"

cJSON *xen_argv_rewrite(const cJSON *words, struct xen_argv *vm, struct error *err)
{
    struct argv_result result;
    struct xen_rewriting r = { .base = { .table = &xen_options,
                                         .name = vm->name,
                                         .new_name = vm->new_name,
                                         .result = &result,
                                         .renamed = vm->renamed },
                               .vm = vm };
    cJSON *rewritten = rewriting_run(&r.base, words, err) ? steal(result.words) : NULL;

    while (result.needs->child)
        cJSON_AddItemToArray(vm->needs, cJSON_DetachItemFromArray(result.needs, 0));
    argv_result_done(&result);
    return rewritten;
}

/* ---- one that has arrived ---- */

bool xen_argv_look(const cJSON *words, const struct xen_params *params, struct argv_result *result,
                   struct error *err)
{
    struct xen_argv vm = { .name = params->name,
                           .machine = params->xen.machine,
                           .disks = params->disks,
                           .media = params->xen.media,
                           .has_arrived = true };
    struct xen_rewriting r = { .base = { .table = &xen_options, .name = vm.name, .result = result },
                               .vm = &vm };

    return rewriting_run(&r.base, words, err);
}

bool xen_argv_arrived(const cJSON *words, const struct xen_params *params,
                      struct argv_result *result, struct error *err)
{
    const cJSON *disks = params->disks, *media = params->xen.media;
    size_t count = (size_t)(cJSON_GetArraySize(disks) + cJSON_GetArraySize(media));
    AUTO_FREE const char **images = must(calloc(count + 1, sizeof(*images)));
    const cJSON *item;
    size_t i = 0;

    cJSON_ArrayForEach (item, disks)
        images[i++] = json_string_or(item, "image", "");
    cJSON_ArrayForEach (item, media)
        images[i++] = json_string_or(item, "image", "");
    return xen_argv_look(words, params, result, err) &&
           arrived_check(&xen_options, words, result, images, err);
}

void xen_argv_rename(cJSON *words, const cJSON *renamed)
{
    cJSON *word;

    cJSON_ArrayForEach (word, words) {
        const char *to =
            cJSON_IsString(word) ? json_string_or(renamed, word->valuestring, NULL) : NULL;

        if (to)
            cJSON_SetValuestring(word, to);
    }
}

/* ---- its number ---- */

static char *with_number(const char *text, unsigned domid)
{
    AUTO_FREE char *rest = must(strdup(text));
    char *place = strstr(rest, XEN_ARGV_DOMID);

    if (!place)
        return steal(rest);
    *place = '\0';
    return formatted("%s%u%s", rest, domid, place + strlen(XEN_ARGV_DOMID));
}

cJSON *xen_argv_number(const cJSON *words, unsigned domid)
{
    cJSON *numbered = must(cJSON_CreateArray());
    const cJSON *word;

    cJSON_ArrayForEach (word, words) {
        AUTO_FREE char *text = with_number(word->valuestring, domid);

        cJSON_AddItemToArray(numbered, must(cJSON_CreateString(text)));
    }
    return numbered;
}
