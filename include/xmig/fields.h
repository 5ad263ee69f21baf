/* A struct whose members travel as the members of a JSON object: one table, from which the reader
 * and the writer follow. A key is written down once, as a member's name.
 *
 * core/field-rows.h has what tables are written with.
 *
 * The reader takes the JSON for a stranger's: whatever is missing, of another type, too long or too
 * large is an error that names the member. Members that the table does not name are ignored, for a
 * later xmig may say more.
 */
#ifndef XMIG_FIELDS_H
#define XMIG_FIELDS_H

#include "xmig/json.h"

/* With the type of the struct's member. All pointers are borrowed, by the reader from the JSON. */
enum field_kind {
    FIELD_TEXT,   /* const char * */
    FIELD_CHARS,  /* char [N]: a text that must fit */
    FIELD_NUMBER, /* uint64_t */
    FIELD_FLAG,   /* bool */
    FIELD_TEXTS,  /* const cJSON *: an array of strings */
    FIELD_MAP,    /* const cJSON *: an object whose members are strings */
    FIELD_OBJECT, /* const cJSON *: an object that somebody else reads */
    FIELD_EACH,   /* const cJSON *: an array of objects, each as the table `of` says */
    FIELD_PART,   /* a struct, as the table `of` says */
};

struct field {
    const char *name; /* NULL ends the table */
    enum field_kind kind;
    size_t offset, size;
    bool optional; /* may be missing: NULL, "", false or as the next two say; the writer leaves
                    * out what is so
                    */
    const char *instead; /* of a text that is missing */
    uint64_t otherwise;  /* the number that is missing */
    uint64_t max;        /* the largest number; 0: 2^53 */
    bool (*is_valid)(const char *text);
    const struct field *of;
};

bool fields_read(const struct field *fields, const cJSON *object, void *into, struct error *err);

/* Add the members to `object`; or make one with them, which the caller frees. */
void fields_write(const struct field *fields, const void *from, cJSON *object);
cJSON *fields_new(const struct field *fields, const void *from);

/* Take `object`, which was read as one of FIELD_EACH, or written, apart. Always true. */
bool fields_get(const struct field *fields, const cJSON *object, void *into);

/* for each object `item` of `array`, which may be NULL, with its members in `into` */
#define fields_each(item, array, fields, into)                                                     \
    for ((item) = (array) ? (array)->child : NULL; (item) && fields_get(fields, item, into);       \
         (item) = (item)->next)

enum {
    FIELD_NAME_MAX = 128
};

/* May it be a file's name, a lane's and an option's? Letters, digits and "-._" may. */
bool field_is_name(const char *text);

#endif
