/*
 * Serial numbers: text on the label <-> the 32-bit index on the wire (mesh-protocol §5.1, §5.2).
 * Base 30 without vowels and zero; 5 characters below 30^5, 7 above.
 */
#ifndef ENR_SERIAL_H
#define ENR_SERIAL_H

#include "enr/bytes.h"

#define SERIAL_INDEX_INVALID 0xFFFFFFFFu /* never a serial; also "no entry" in lists */
#define SERIAL_SHORT_COUNT 24300000u     /* indices below are printed with 5 characters */
#define SERIAL_TEXT_SIZE 8               /* the longest text and its NUL */
#define SERIAL_TESTING_FIRST 2673000u    /* FMBBB */
#define SERIAL_TESTING_LAST 2699999u     /* FM999 */

enum serial_range {
	SERIAL_RANGE_ASSIGNED, /* 0…0x7FFFFFFF outside the testing range */
	SERIAL_RANGE_TESTING,  /* FMBBB…FM999 */
	SERIAL_RANGE_VENDOR,   /* bit 31 set; see serial_vendor */
	SERIAL_RANGE_INVALID   /* 0xFFFFFFFF */
};

/*
 * Reads exactly n characters. Accepts the two canonical lengths, 5 and 7, after one optional
 * leading 'A' (which the reference skips; we never print it). A 7-character text below 30^5 is
 * accepted as the reference does. Upper case only: labels are upper case, and 'l' against '1' is
 * the very mistake this alphabet was made to avoid. ERR_INVALID for a character or length that is
 * not possible, ERR_RANGE for a value above 0xFFFFFFFE.
 */
ENR_MUST_CHECK enum err serial_parse(const char *text, size_t n, uint32_t *index);

/* Writes the canonical text and a NUL; for SERIAL_INDEX_INVALID an empty text. */
void serial_print(uint32_t index, char out[SERIAL_TEXT_SIZE]);

enum serial_range serial_range(uint32_t index);

/* The Bluetooth company id inside a vendor index (bits 15–30); 0 for other ranges. */
uint16_t serial_vendor(uint32_t index);

#endif
