/* Where a -drive or -blockdev names the image that it opens: by a key of its own, or by one of a
 * node that lies within it ("file.file.filename"), beneath a format, filters or both.
 */
#ifndef XMIG_QMP_ARGV_IMAGE_PLACE_H
#define XMIG_QMP_ARGV_IMAGE_PLACE_H

#include "qmp/argv/keyvals.h"

/* A prefix is what the keys of a node begin with: "" for the outermost, "file." for the one
 * beneath.
 */
struct image_place {
    char *key;     /* has the file's name, or that of another -blockdev */
    char *opener;  /* prefix of the node that opens the file; if `refers`, of the one above it */
    char *format;  /* prefix of the node of its format; NULL: there is none here */
    bool refers;   /* the key has the name of another -blockdev */
    bool is_drive; /* -drive, whose "file" is the file's name, and "format" its driver's */
};

/* False: it names none. image_place_done() frees the parts, also then. */
bool image_place_find(const struct keyvals *kv, bool is_drive, struct image_place *place);
void image_place_done(struct image_place *place);

/* The driver of the node with that prefix, borrowed; NULL: the line does not say. */
const char *image_place_driver(const struct image_place *place, const struct keyvals *kv,
                               const char *prefix);

/* Call `act` for the prefix of each node, from the one that opens the file upwards. */
void image_place_each(const struct image_place *place, void (*act)(void *arg, const char *prefix),
                      void *arg);

#define AUTO_PLACE __attribute__((cleanup(image_place_done)))

#endif
