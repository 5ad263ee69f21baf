/* Does a word of the policy fit what a VM needs? One function for each kind of word. */
#ifndef XMIG_POLICY_MATCH_H
#define XMIG_POLICY_MATCH_H

#include "policy/keys.h"

typedef bool setting_matcher(const struct setting *setting, const struct need *need);

/* The policy's word is a pattern with * ? [ ]; in a path these never match a "/". */
setting_matcher match_name, match_path;
/* The path is below one of the policy's directories, after links were followed on both sides. */
setting_matcher match_below;
/* The same, or a file that a distribution installs for everybody to read. */
setting_matcher match_readable;
/* A volume of one of the policy's groups; one of its volumes. Each may be written "VG/LV",
 * "/dev/VG/LV" or "/dev/mapper/VG-LV".
 */
setting_matcher match_group, match_volume;
/* The name of a bridge or tap, or the path of a script. */
setting_matcher match_network;
/* An address and ports at which the VM would listen, all within one of the policy's words. */
setting_matcher match_address;

/* Is this an address as TYPE_ADDRESSES has them? */
bool match_is_address(const char *word);

#endif
