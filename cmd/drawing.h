/* Lines on a terminal that are drawn over when they change. */
#ifndef XMIG_CMD_DRAWING_H
#define XMIG_CMD_DRAWING_H

#include <stdio.h>

struct drawing {
    FILE *out;
    size_t height; /* lines that stand there */
};

/* Remove the drawn lines, so that lines that stay can be printed. */
void drawing_erase(struct drawing *drawing);

/* Print one line of it, cut to the terminal's width. */
void drawing_line(struct drawing *drawing, const char *text);

#endif
