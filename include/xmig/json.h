/* Reading JSON that a stranger wrote: a missing or mistyped member is an error
 * with a text, never a crash.
 */
#ifndef XMIG_JSON_H
#define XMIG_JSON_H

#include <stdint.h>

#include "xmig/cleanup.h"
#include "xmig/error.h"

/* Parse exactly `len` bytes as one JSON object. The caller frees it. */
cJSON *json_parse_object(const char *text, size_t len, struct error *err);

/* False with ERROR_PROTOCOL: an object in it has two members of one name, of which one reader would
 * take the first, and another the last.
 */
bool json_check_names(const cJSON *json, struct error *err);

/* The member's value, borrowed from `object`; NULL or false with ERROR_PROTOCOL. */
const char *json_string(const cJSON *object, const char *name, struct error *err);
bool json_uint(const cJSON *object, const char *name, uint64_t *value, struct error *err);
const cJSON *json_array(const cJSON *object, const char *name, struct error *err);
const cJSON *json_object(const cJSON *object, const char *name, struct error *err);

/* The same for members that may be missing or of another type. */
const cJSON *json_get(const cJSON *object, const char *name);
const char *json_string_or(const cJSON *object, const char *name, const char *otherwise);
uint64_t json_uint_or(const cJSON *object, const char *name, uint64_t otherwise);
bool json_true(const cJSON *object, const char *name);

/* Exact up to 2^52 (cJSON prints a number above as one that differs by up to 2); what is above
 * 2^53, JSON's own limit, becomes that.
 */
void json_add_uint(cJSON *object, const char *name, uint64_t value);

/* A new object with a first member, a text. The caller frees it. */
cJSON *json_new(const char *name, const char *text);

/* Hold `item` or `text`, which is taken, in the array `kept`, for whoever borrows it. An item may
 * be NULL, and is returned.
 */
cJSON *json_keep(cJSON *kept, cJSON *item);
const char *json_keep_text(cJSON *kept, char *text);

/* One line without spaces; the caller frees it. */
char *json_print(const cJSON *json);

#endif
