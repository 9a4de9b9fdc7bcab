/*
 * node add --qr-file: sends the labels of a file, a few calls at a time, tells each answer, and is
 * not put off by labels that are refused, known or by a daemon that is started anew.
 */
#ifndef CLI_ADDING_H
#define CLI_ADDING_H

#include <jansson.h>

struct args;
struct follow;

/* Sends all labels of path, with the verb's parameters, and tells the answers; what is on its way
 * then is added to follow (NULL: nobody waits). EX_OK: all are added or were before; else a failure
 * that has been told, of refused labels the first one's. */
int adding_labels(struct args *a, struct follow *follow, const char *path);

/* "added node FMBBC: network 10, node id 5", or the reply as JSON: before is "added ", after "".
 */
void adding_tell(const struct args *a, const json_t *reply, const char *before, const char *after);

enum adding_known { ADDING_OTHER, ADDING_UNDER_WAY, ADDING_JOINED };

/* A node that the service knows, as it is shown: is it what a label asks for? network_id: 0 where
 * none was named. */
enum adding_known adding_judge(const json_t *node, json_int_t network_id);

#endif
