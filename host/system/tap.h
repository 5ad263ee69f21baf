/* Network interfaces of this host: taps, and the bridges that they are ports of. */
#ifndef XMIG_HOST_SYSTEM_TAP_H
#define XMIG_HOST_SYSTEM_TAP_H

#include <sys/types.h>

#include "xmig/fields.h"

/* Names come from a peer. */
bool tap_is_name(const char *name);

/* Is there an interface of that name? */
bool tap_exists(const char *name);
bool tap_is_bridge(const char *name);
bool tap_filters_vlans(const char *bridge);

/* What an interface is a port of; the caller frees it. NULL: of nothing. */
char *tap_master(const char *name);

/* How an interface stands, and how its bridge treats it. */
struct tap_state {
    bool up;
    uint64_t mtu;
    const cJSON *port; /* {"isolated": "0", …} */
};

extern const struct field tap_state_fields[];

/* The caller frees the `port`, which is `state.port`, too. */
struct tap_state tap_read(const char *name, cJSON **port);

/* Made by somebody, and there whether it is used or not? Else it goes with its user. */
bool tap_is_kept(const char *name);
/* May that user open it, without being the superuser? */
bool tap_is_for(const char *name, uid_t uid);
/* A tap of the same name in another network name space is another tap. */
bool tap_shares_network(pid_t pid);
/* Names of the taps that a process has open; the caller frees the array. */
cJSON *tap_names(pid_t pid);
/* The process that has it open; 0: none. */
pid_t tap_user(const char *name);

/* Make it a port of `bridge`, as `state` has it, and bring it up. */
bool tap_join(const char *name, const char *bridge, const struct tap_state *state,
              struct error *err);
bool tap_leave(const char *name, const char *bridge, struct error *err);

#endif
