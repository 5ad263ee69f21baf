/* What the rows of a table of options are written with (option-table.h): for the files that have
 * such a table.
 */
#ifndef XMIG_QMP_ARGV_OPTION_ROWS_H
#define XMIG_QMP_ARGV_OPTION_ROWS_H

#include "qmp/argv/option-table.h"

#define FLAG(NAME, REWRITE)                                                                        \
    {                                                                                              \
        NAME, false, REWRITE, NULL                                                                 \
    }
#define VALUE(NAME, REWRITE)                                                                       \
    {                                                                                              \
        NAME, true, REWRITE, NULL                                                                  \
    }
#define KEYVALS(NAME, CHANGE)                                                                      \
    {                                                                                              \
        NAME, true, NULL, CHANGE                                                                   \
    }

#endif
