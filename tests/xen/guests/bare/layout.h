/* Where the boot sector puts things; shared with assembly. */
#pragma once

#define BOOT_ADDRESS 0x7c00
#define PARAMETERS_ADDRESS 0x7e00
#define PROGRAM_SECTORS 62 /* parameters and program; they must end below 64 KiB */
#define MEMORY_MAP_ADDRESS 0x1000
#define CODE_SEGMENT 0x10
#define DATA_SEGMENT 0x18
