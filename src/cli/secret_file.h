/* Secrets come by file or standard input, never by the command line. */
#ifndef CLI_SECRET_FILE_H
#define CLI_SECRET_FILE_H

#include <jansson.h>
#include <stddef.h>

#define SECRET_FILE_MAX (1u << 20) /* bytes */

/* The file's bytes, "-" for standard input, NUL-terminated. EX_OK; EX_NOINPUT, EX_DATAERR (too
 * large, NUL bytes), told. End with secret_file_free. */
int secret_file_read(const char *path, char **text);
/* How messages call it. */
const char *secret_file_name(const char *path);
void secret_file_free(char *text);

/* The next line of *at without blanks around it; empty lines and those that begin with '#' are
 * skipped. Cuts the text up; NULL at the end. */
char *secret_file_line(char **at);

/* 32 hex digits, separators ':', '-' and blanks allowed, as the JSON text that methods take; NULL
 * if it is not that. */
json_t *secret_file_key(const char *text);

#endif
