/* Lines on a terminal that are drawn over when they change. */
#include "drawing.h"

#include <sys/ioctl.h>

enum {
    WIDTH = 80 /* of a terminal that does not know its own */
};

static size_t width(const struct drawing *drawing)
{
    struct winsize size = { 0 };

    if (ioctl(fileno(drawing->out), TIOCGWINSZ, &size) < 0 || size.ws_col < 2)
        return WIDTH - 1;
    return size.ws_col - 1;
}

void drawing_erase(struct drawing *drawing)
{
    if (drawing->height)
        fprintf(drawing->out, "\033[%zuA\033[J", drawing->height); /* up, clear what is below */
    drawing->height = 0;
}

void drawing_line(struct drawing *drawing, const char *text)
{
    fprintf(drawing->out, "%.*s\n", (int)width(drawing), text);
    drawing->height++;
}
