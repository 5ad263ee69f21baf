/* Does a word of the policy fit what a VM needs? One function for each kind of word. */
#ifndef XMIG_POLICY_MATCH_H
#define XMIG_POLICY_MATCH_H

#include "policy/keys.h"

typedef bool setting_matcher(const struct setting *setting, const struct need *need);

/* Names and paths with * ? [ ]; in a path these stand for no "/". */
setting_matcher match_name, match_path;
/* Below one of the directories, with links followed on both sides. */
setting_matcher match_below;
/* The same, or what distributions install for all to read. */
setting_matcher match_readable;
/* "VG/LV", "/dev/VG/LV" or "/dev/mapper/VG-LV" of one of the groups; of one of the volumes. */
setting_matcher match_group, match_volume;
/* A bridge's or tap's name; a script's path. */
setting_matcher match_network;
/* Each address and port that may be listened at. */
setting_matcher match_address;

/* Is this an address as TYPE_ADDRESSES has them? */
bool match_is_address(const char *word);

#endif
