/* Two mirrors, xmig's, of the disks vda and vdb, as QEMU reports them. */
#ifndef TESTS_UNIT_MIRROR_SCENE_H
#define TESTS_UNIT_MIRROR_SCENE_H

#include "qmp/mirror.h"
#include "tests/unit/scripted-qmp.h"

#define ID "0123456789abcdef"
#define NAME_A "xmig-01234567-vda"
#define NAME_B "xmig-01234567-vdb"

#define JOB(NAME, STATUS, REST)                                                                    \
    "{\"device\": \"" NAME "\", \"status\": \"" STATUS "\", \"offset\": 5, \"len\": 7" REST "}"
#define READY(NAME) JOB(NAME, "ready", ", \"ready\": true")
#define CONCLUDED(NAME) JOB(NAME, "concluded", "")
#define FAILED(NAME) JOB(NAME, "concluded", ", \"error\": \"Input/output error\"")

#define STATUS(NAME, STATUS)                                                                       \
    "{\"event\": \"JOB_STATUS_CHANGE\", \"data\": {\"id\": \"" NAME "\", \"status\": \"" STATUS    \
    "\"}}"
#define SAYS_COMPLETED(NAME)                                                                       \
    "{\"event\": \"BLOCK_JOB_COMPLETED\", \"data\": {\"device\": \"" NAME "\"}}"
#define COMPLETED(NAME) SAYS_COMPLETED(NAME), STATUS(NAME, "concluded")
#define COMPLETED_WITH_ERROR(NAME)                                                                 \
    "{\"event\": \"BLOCK_JOB_COMPLETED\", \"data\": {\"device\": \"" NAME                          \
    "\", \"error\": \"Input/output error\"}}",                                                     \
        STATUS(NAME, "concluded")
#define CANCELLED(NAME)                                                                            \
    "{\"event\": \"BLOCK_JOB_CANCELLED\", \"data\": {\"device\": \"" NAME "\"}}",                  \
        STATUS(NAME, "concluded")

static const char *const both[] = { "vda", "vdb" };

#define NODES(NAME) "[{\"node-name\": \"disk\"}, {\"node-name\": \"" NAME "\"}]"

#endif
