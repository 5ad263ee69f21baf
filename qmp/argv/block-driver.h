/* Block drivers in the value of an option. */
#ifndef XMIG_QMP_ARGV_BLOCK_DRIVER_H
#define XMIG_QMP_ARGV_BLOCK_DRIVER_H

#include "qmp/argv/rewriting.h"

/* Does every driver in it do no more than read and write images, and is a name with a scheme one
 * that leads to another host?
 */
bool block_drivers_check(const struct keyvals *kv, struct error *err);
bool block_name_check(const char *name, struct error *err);

/* Why a disk behind a node of this driver is not moved; NULL: nobody has said. */
const char *block_driver_reason(const char *driver);

/* A disk in a network, or in another notation, is not a file of this host. */
bool block_name_is_local(const char *name);

/* The hosts to which the drivers, and this name (NULL: none), lead, as peers of the result. */
void block_peers(struct rewriting *r, const struct keyvals *kv, const char *name);

#endif
