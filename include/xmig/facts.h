/* The facts that NOTEs of a journal tell, by name: all of them, in one list. */
#ifndef XMIG_FACTS_H
#define XMIG_FACTS_H

#include "xmig/json.h"

/* Each has the members that whoever writes it says; names never change their meaning, for a later
 * xmig reads the journals of an earlier one.
 */
enum fact {
    FACT_NONE, /* the record tells no fact, or one that this xmig does not know */
    /* either side's */
    FACT_OWNER, /* this process has taken the migration on */
    FACT_WORD,  /* the operator said that the peer is dead, after the last word was written */
    /* the source's */
    FACT_SOURCE,       /* by what the guest is found again, and by which way the target */
    FACT_STOPPED,      /* the guest does not run, by another hand than xmig's */
    FACT_DRAINED,      /* what the disks were like once all was copied */
    FACT_FORWARD,      /* a person has chosen the target's copy */
    FACT_ACKNOWLEDGED, /* Xen: the guest has taken the request to suspend itself */
    /* the target's: what was made here */
    FACT_MADE,         /* a simulated machine */
    FACT_IMAGES,       /* images are about to be made */
    FACT_IMAGE,        /* one was made */
    FACT_DEVICE,       /* a block device is about to be written to */
    FACT_VOLUME,       /* a logical volume is about to be made */
    FACT_MAPPING,      /* a device mapper's, in front of a larger device */
    FACT_MACHINE,      /* QEMU is about to be started */
    FACT_PROCESS,      /* … and was */
    FACT_TPM,          /* the program that emulates its TPM, and where that keeps its state */
    FACT_FILES,        /* the files that it has made */
    FACT_PORT,         /* a tap was made a port of a bridge */
    FACT_DOMAIN,       /* Xen: a domain was made */
    FACT_EXPORT,       /* Xen: the program was started by which a disk is filled */
    FACT_DEVICE_MODEL, /* Xen: its device model was started */
    /* … and what became of it */
    FACT_RAN,        /* a copy has run though it was not handed over; the source's, too */
    FACT_GIVEN_UP,   /* a person gives it up all the same */
    FACT_RUNS_AGAIN, /* at LOST: the VM was seen to run here again */
    FACT_SEEN_TO,    /* at LOST: a person has seen to it */
    FACT_COUNT
};

/* {"fact": the name}; the caller adds members, and frees it. */
cJSON *fact_new(enum fact fact);
/* The same, of a record that tells more. */
void fact_add(cJSON *record, enum fact fact);

/* Which one does a journal's record tell? */
enum fact fact_of(const cJSON *record);

/* The last of `records` that tells this fact; borrowed; NULL: none. */
const cJSON *fact_find(const cJSON *records, enum fact fact);

#endif
