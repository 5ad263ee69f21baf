/* The rows of a table of fields: a member's name and kind, of which the compiler sees that it has
 * the type; then, as in the struct's initializer, what else is to be said.
 *
 *     #define FIELDS_OF struct disk
 *     const struct field disk_fields[] = {
 *         TEXT(name, .is_valid = field_is_name), NUMBER(size), TEXT(user, OPTIONAL), { 0 },
 *     };
 */
#ifndef XMIG_CORE_FIELD_ROWS_H
#define XMIG_CORE_FIELD_ROWS_H

#include "xmig/fields.h"

#define FIELD_HAS_(TYPE, MEMBER)                                                                   \
    __builtin_types_compatible_p(__typeof__(((FIELDS_OF *)0)->MEMBER), TYPE)
#define FIELD_(KIND, TYPE, MEMBER, ...)                                                            \
    {                                                                                              \
        .name = #MEMBER, .kind = (KIND), .size = sizeof(((FIELDS_OF *)0)->MEMBER),                 \
        .offset =                                                                                  \
            offsetof(FIELDS_OF, MEMBER) + 0 * sizeof(char[FIELD_HAS_(TYPE, MEMBER) ? 1 : -1]),     \
        __VA_ARGS__                                                                                \
    }

#define TEXT(MEMBER, ...) FIELD_(FIELD_TEXT, const char *, MEMBER, __VA_ARGS__)
#define CHARS(MEMBER, ...)                                                                         \
    FIELD_(FIELD_CHARS, char[sizeof(((FIELDS_OF *)0)->MEMBER)], MEMBER, __VA_ARGS__)
#define NUMBER(MEMBER, ...) FIELD_(FIELD_NUMBER, uint64_t, MEMBER, __VA_ARGS__)
#define FLAG(MEMBER, ...) FIELD_(FIELD_FLAG, bool, MEMBER, __VA_ARGS__)
#define TEXTS(MEMBER, ...) FIELD_(FIELD_TEXTS, const cJSON *, MEMBER, __VA_ARGS__)
#define MAP(MEMBER, ...) FIELD_(FIELD_MAP, const cJSON *, MEMBER, __VA_ARGS__)
#define OBJECT(MEMBER, ...) FIELD_(FIELD_OBJECT, const cJSON *, MEMBER, __VA_ARGS__)
#define EACH(MEMBER, OF, ...) FIELD_(FIELD_EACH, const cJSON *, MEMBER, .of = (OF), __VA_ARGS__)
#define PART(MEMBER, TYPE, OF, ...) FIELD_(FIELD_PART, TYPE, MEMBER, .of = (OF), __VA_ARGS__)
#define OPTIONAL .optional = true

#endif
