/* A file's inode, size and time of the last write. A machine that loses its power may lose the
 * last writes, and the time of them: then the time is earlier than the mark's, and what was lost
 * is in the copy. What is later was written by somebody else.
 */
#include "host/images/image-mark.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "xmig/cleanup.h"

static const char block_device[] = "of a block device nobody knows when it was written to";

static void add_number(cJSON *mark, const char *name, uint64_t value)
{
    char text[24]; /* all 64 bits: a number in JSON has 53 */

    snprintf(text, sizeof(text), "%" PRIu64, value);
    cJSON_AddStringToObject(mark, name, text);
}

static uint64_t number_in(const cJSON *mark, const char *name)
{
    return strtoull(json_string_or(mark, name, "0"), NULL, 10);
}

static uint64_t written_ns(const struct stat *st)
{
    return (uint64_t)st->st_mtim.tv_sec * 1000000000U + (uint64_t)st->st_mtim.tv_nsec;
}

static cJSON *add_mark(cJSON *marks, const char *path)
{
    cJSON *mark = json_new("path", path);

    cJSON_AddItemToArray(marks, mark);
    return mark;
}

void image_mark_add_none(cJSON *marks, const char *path, const char *why)
{
    cJSON_AddStringToObject(add_mark(marks, path), "none", why);
}

void image_mark_add(cJSON *marks, const char *path)
{
    struct stat st;
    cJSON *mark;

    if (stat(path, &st) < 0) {
        image_mark_add_none(marks, path, "it could not be looked at");
        return;
    }
    if (!S_ISREG(st.st_mode)) {
        image_mark_add_none(marks, path, block_device);
        return;
    }
    mark = add_mark(marks, path);
    add_number(mark, "inode", st.st_ino);
    add_number(mark, "size", (uint64_t)st.st_size);
    add_number(mark, "written_ns", written_ns(&st));
}

static bool holds(const cJSON *mark, struct error *err)
{
    const char *path = json_string_or(mark, "path", "?");
    const char *none = json_string_or(mark, "none", NULL);
    struct stat st;

    if (none)
        return error_set(err, ERROR_SYSTEM, "'%s': %s", path, none);
    if (stat(path, &st) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot look at '%s': %m", path);
    if (st.st_ino != number_in(mark, "inode"))
        return error_set(err, ERROR_REFUSED, "'%s' is another file now", path);
    if ((uint64_t)st.st_size != number_in(mark, "size") ||
        written_ns(&st) > number_in(mark, "written_ns"))
        return error_set(err, ERROR_REFUSED, "somebody has written to '%s' since", path);
    return true;
}

/* Report an image that was written to rather than one of which that cannot be known. */
bool image_marks_hold(const cJSON *marks, struct error *err)
{
    struct error doubt = { 0 };
    const cJSON *mark;

    if (!cJSON_IsArray(marks))
        return error_set(err, ERROR_SYSTEM, "there are no marks of the images");
    cJSON_ArrayForEach (mark, marks) {
        struct error why = { 0 };

        if (holds(mark, &why))
            continue;
        if (why.kind == ERROR_REFUSED) {
            *err = why;
            return false;
        }
        doubt = why;
    }
    *err = doubt;
    return doubt.kind == ERROR_NONE;
}
