/* A migration as one page of HTML, which needs nothing but itself: no script, no other file. */
#ifndef XMIG_CMD_PAGE_PAGE_H
#define XMIG_CMD_PAGE_PAGE_H

#include <stdio.h>

#include "story.h"

/* `records` are those of this host's journal, which is `side`'s; borrowed. */
void page_print(FILE *out, const struct story *story, const cJSON *records, enum side side);

#endif
