/* A run state's name. */
#include "xmig/vm.h"

const char *run_state_name(enum run_state state)
{
    switch (state) {
    case RUN_UNKNOWN:
        return "unknown";
    case RUN_GONE:
        return "gone";
    case RUN_PAUSED:
        return "paused";
    case RUN_RUNNING:
        return "running";
    }
    return "unknown";
}
