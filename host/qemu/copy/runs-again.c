/* A copy that has ended: has somebody started the VM again, from the disks made here? */
#include "host/system/image-users.h"

#include "host/qemu/copy/copy.h"

static bool is_any_qemu(void *arg, const struct other_process *process)
{
    AUTO_JSON cJSON *words = qemu_words(process->line, process->len, process->exe);

    (void)arg;
    return words && process->exe;
}

/* The names under which the disks were made: the guest was to find them there. */
static struct image_identity *made_images(const cJSON *facts, size_t *count)
{
    struct image_identity *all = must(calloc((size_t)cJSON_GetArraySize(facts) + 1, sizeof(*all)));
    const cJSON *fact;

    *count = 0;
    cJSON_ArrayForEach (fact, facts) {
        struct stat st;

        if (stat(json_string_or(fact, "path", ""), &st) == 0)
            all[(*count)++] = image_identity(&st);
    }
    return all;
}

bool qemu_copy_runs_again(struct copy *copy, char *who, size_t size)
{
    struct image_users_search search = { .id = "-", .is_copy = is_any_qemu };
    AUTO_FREE struct image_identity *images =
        made_images(qemu_copy_of(copy)->images.facts, &search.image_count);

    search.images = images;
    return image_users_find_copy(&search, who, size);
}
