/*
 * Where labels come from: a file of texts, one a line; standard input, into which a scanner types
 * them as they are scanned; a picture of QR codes.
 */
#ifndef CLI_LABELS_H
#define CLI_LABELS_H

struct labels_sink {
	/* One label, without blanks around it; wiped after return. EX_OK, or a failure that ends
	 * the reading. */
	int (*take)(void *ctx, const char *label);
	/* All that is here has been taken, the next may be a while: time to look at answers. */
	int (*idle)(void *ctx);
	/* Returns when fd can be read, EX_OK; or a failure that ends the reading. NULL: reading
	 * waits by itself. */
	int (*wait)(void *ctx, int fd);
	void *ctx;
};

/* Reads path ("-": standard input) to its end. Empty lines, those that begin with '#' and a byte
 * order mark at the beginning are skipped. EX_OK; EX_NOINPUT, EX_DATAERR (no text and no picture; a
 * line too long), EX_UNAVAILABLE (pictures need zbar), told; or what the sink returned. */
int labels_read(const char *path, const struct labels_sink *sink);

#endif
