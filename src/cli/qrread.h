/* QR codes in pictures: PNG (decoded by libpng) and JPEG (by zbar), read by zbar. */
#ifndef CLI_QRREAD_H
#define CLI_QRREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enr/err.h"

#define QRREAD_FILE_MAX (32u << 20) /* bytes of a picture's file */
#define QRREAD_SIDE_MAX 16384       /* pixels */

/* Do the first n bytes of a file begin a picture that qrread_image knows? 4 bytes decide. */
bool qrread_is_image(const uint8_t *data, size_t n);

/* Each text of a QR code, borrowed until return; false stops. Not NUL-terminated, may be binary. */
typedef bool qrread_each(void *ctx, const char *text, size_t n);

/* All QR codes in the picture, *count of them, in zbar's order. ERR_UNKNOWN: this enrollctl was
 * built without zbar; ERR_INVALID: no picture, or a broken one; ERR_RANGE: too large; ERR_NOMEM. */
ENR_MUST_CHECK enum err qrread_image(
	const uint8_t *data, size_t n, qrread_each *each, void *ctx, size_t *count);

#endif
