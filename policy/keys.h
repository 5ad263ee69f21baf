/* The keys of a policy file: one row each (keys.c). To add one, add a row, a constant, and its
 * entry in docs/man/xmig-recv.conf.5.
 */
#ifndef XMIG_POLICY_KEYS_H
#define XMIG_POLICY_KEYS_H

#include "xmig/json.h"
#include "xmig/needs.h"

enum key {
    KEY_VMS,
    KEY_HYPERVISORS,
    KEY_PROGRAMS,
    KEY_IMAGE_DIRECTORIES,
    KEY_VOLUME_GROUPS,
    KEY_OVERWRITE,
    KEY_USERS,
    KEY_NETWORKS,
    KEY_LISTENERS,
    KEY_CONNECTIONS,
    KEY_MAX_MEMORY,
    KEY_MAX_DISK,
    KEY_MAX_MIGRATIONS,
    KEY_MAX_LEASE,
    KEY_BWLIMIT,
    KEY_KEEP,
    KEY_FAULTS,
    KEY_COUNT
};

enum key_type {
    TYPE_WORDS,     /* names, separated by blanks or commas */
    TYPE_ABSOLUTE,  /* the same; each begins with "/" */
    TYPE_ADDRESSES, /* the same; ADDRESS, ADDRESS:PORT or ADDRESS:FROM-TO */
    TYPE_SIZE,
    TYPE_TIME,
    TYPE_COUNT,
    TYPE_YES
};

/* The value of a key. */
struct setting {
    cJSON *words;    /* array of strings; NULL: the key has a number */
    uint64_t number; /* TYPE_YES: 1 for yes */
    bool is_limit;   /* a number was given */
    char *value;     /* as it was written, for people */
    char *from;      /* FILE:LINE; NULL: no file sets it */
};

struct key_row {
    const char *name;
    enum key_type type;
    const char *otherwise; /* what it is where no file sets it; NULL: no limit */
    const char *says;      /* "may move these VMs here" */
    const char *says_none; /* the same where the list is empty, or there is no limit */
    /* Does the key's value permit this need? NULL: no need is judged by this key. */
    bool (*permits)(const struct setting *setting, const struct need *need);
};

extern const struct key_row key_rows[KEY_COUNT];

/* False: there is no such key. */
bool key_find(const char *name, enum key *key);

/* Read a value. setting_done() frees what it holds. */
bool setting_read(struct setting *setting, enum key key, const char *value, struct error *err);
void setting_done(struct setting *setting);

#endif
