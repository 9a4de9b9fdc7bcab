/* A bundle's text as a QR code: on the terminal, or as an image. */
#ifndef CLI_QR_H
#define CLI_QR_H

#include <stdio.h>

#include "enr/err.h"

/* Two modules a character. With colours (on a terminal) it is black on white whatever the
 * terminal's own colours are. ERR_RANGE: too long for a QR code; ERR_NOMEM. */
ENR_MUST_CHECK enum err qr_print(FILE *out, const char *text, int colours);

/* A PNG image in a new file, mode 0600. ERR_CONFLICT: the file is there; ERR_IO, ERR_RANGE. */
ENR_MUST_CHECK enum err qr_write_png(const char *path, const char *text);

#endif
