/* Lines on a terminal that are drawn over when they change. */
#include "drawing.h"

#include "printable.h"
#include "wrap.h"
#include "xmig/cleanup.h"

/* Begin in the first column: the terminal may have echoed a Ctrl-C. */
void drawing_erase(struct drawing *drawing)
{
    fputc('\r', drawing->out);
    if (drawing->height)
        fprintf(drawing->out, "\033[%zuA", drawing->height); /* up */
    fputs("\033[J", drawing->out);                           /* clear what is below */
    drawing->height = 0;
}

void drawing_line(struct drawing *drawing, const char *text)
{
    AUTO_FREE char *shown = printable(text);
    size_t width = wrap_width(drawing->out);

    fprintf(drawing->out, "%.*s\n", (int)wrap_fitting(shown, (width ? width : 80) - 1), shown);
    drawing->height++;
}
