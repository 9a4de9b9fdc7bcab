/* Who is at the other end of a Unix socket: the kernel is asked, the client is not. */
#ifndef CONTROL_PEER_H
#define CONTROL_PEER_H

#include <stddef.h>
#include <sys/types.h>

#include "enr/err.h"
#include "enroll/caller.h"

/* Group ids of the roles; a group that does not exist is (gid_t)-1 and has no members. */
struct peer_groups {
	gid_t admin, enroller, observer;
};

/* Resolves enrolld-admin, enrolld-enroller and enrolld-observer; once, at start. */
void peer_groups_resolve(struct peer_groups *out);

/* The highest role of a process: uid 0 and our own uid are admin, else by its groups. */
enum role peer_role(
	const struct peer_groups *g, uid_t own, uid_t uid, const gid_t *gids, size_t count);

/* Reads the credentials that the peer had when it connected. The user's name is looked up only
 * for those with a role. ERR_IO: the kernel would not tell. */
ENR_MUST_CHECK enum err peer_read(int fd, const struct peer_groups *g, struct caller *out);

#endif
