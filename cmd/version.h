/* xmig --version [--json]; argv[0] is --version. Part of the program alone, not of the library: the
 * commit changes more often than what is tested.
 */
#ifndef XMIG_CMD_VERSION_H
#define XMIG_CMD_VERSION_H

int version(int argc, char *argv[]);

#endif
