/* The options that say something of a disk, a drive or a bridge, and may be repeated. */
#ifndef XMIG_CMD_OPTION_PAIRS_H
#define XMIG_CMD_OPTION_PAIRS_H

#include "xmig/json.h"

/* "--disk NAME=PATH", "--bridge OLD=NEW": each left side once. */
bool take_pair(cJSON *pairs, const char *option, const char *form, const char *value,
               struct error *err);

/* "--lose DISK=WHAT": several of a disk; becomes DISK → {WHAT: true}. */
bool take_lose(cJSON *lose, const char *value, struct error *err);

/* "--shared NAME": becomes NAME → true. */
bool take_name(cJSON *names, const char *name);

#endif
