/* The argument of one of QEMU's options: "word,key=value,flag" with ",," for a comma, or a
 * JSON object.
 */
#ifndef XMIG_QMP_ARGV_KEYVALS_H
#define XMIG_QMP_ARGV_KEYVALS_H

#include "xmig/json.h"

struct keyval {
    char *key; /* NULL: the value is a bare word */
    char *value;
};

struct keyvals {
    struct keyval *items;
    size_t count;
    cJSON *json; /* instead of items */
};

/* False only for broken JSON. keyvals_done() frees what it holds. */
bool keyvals_parse(const char *text, struct keyvals *kv, struct error *err);
void keyvals_done(struct keyvals *kv);

/* The argument as text that QEMU can parse again; the caller frees it. */
char *keyvals_print(const struct keyvals *kv);

/* The value of `key`, a dotted path ("file.filename"); NULL: not there. */
const char *keyvals_get(const struct keyvals *kv, const char *key);

/* The same for the key that QEMU supplies when the first item is a bare word. */
const char *keyvals_get_implied(const struct keyvals *kv, const char *key);

/* Is the flag set: "key", "key=on", or true in JSON? */
bool keyvals_flag(const struct keyvals *kv, const char *key);

void keyvals_set(struct keyvals *kv, const char *key, const char *value);
/* A number: in JSON QEMU takes no text for one. */
void keyvals_set_number(struct keyvals *kv, const char *key, uint64_t number);
void keyvals_set_implied(struct keyvals *kv, const char *key, const char *value);
/* Add a value to a key that may appear several times; in JSON such a key is a list of {"str": …}.
 */
void keyvals_add(struct keyvals *kv, const char *key, const char *value);
/* Set the flag to "on" or "off", in JSON to a boolean. */
void keyvals_set_flag(struct keyvals *kv, const char *key, bool on);

/* Remove "key=…", "key" and "nokey", if present. */
void keyvals_remove(struct keyvals *kv, const char *key);

/* Remove every key that begins with `prefix`. */
void keyvals_remove_prefixed(struct keyvals *kv, const char *prefix);

/* Every value, however deep in JSON; `each(arg, value)`. */
void keyvals_each(const struct keyvals *kv, void (*each)(void *arg, const char *value), void *arg);

/* Every value of a key that is `key`, or ends in ".key", however deep. */
void keyvals_each_of(const struct keyvals *kv, const char *key,
                     void (*each)(void *arg, const char *value), void *arg);

#define AUTO_KEYVALS __attribute__((cleanup(keyvals_done)))

#endif
