/* Options that only Proxmox's build of QEMU has: left out before QEMU sees them, while the
 * process's command line still has them. A library for LD_PRELOAD.
 */
#include <string.h>

static char harmless[] = "-no-user-config";

__attribute__((constructor)) static void leave_out(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i++)
        if (!strcmp(argv[i], "-id"))
            argv[i] = argv[i + 1] = harmless;
}
