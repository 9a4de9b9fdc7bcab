/* SO_PEERCRED and SO_PEERGROUPS, turned into a role. */
#include "control/peer.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GROUPS_MAX 65536 /* NGROUPS_MAX of the kernel */

static gid_t group_id(const char *name)
{
	char buf[4096];
	struct group g, *found = NULL;

	if (getgrnam_r(name, &g, buf, sizeof(buf), &found) != 0 || !found)
		return (gid_t)-1;
	return found->gr_gid;
}

void peer_groups_resolve(struct peer_groups *out)
{
	out->admin = group_id("enrolld-admin");
	out->enroller = group_id("enrolld-enroller");
	out->observer = group_id("enrolld-observer");
}

static enum role role_of_group(const struct peer_groups *g, gid_t gid)
{
	if (gid == (gid_t)-1)
		return ROLE_NONE;
	if (gid == g->admin)
		return ROLE_ADMIN;
	if (gid == g->enroller)
		return ROLE_ENROLLER;
	return gid == g->observer ? ROLE_OBSERVER : ROLE_NONE;
}

enum role peer_role(
	const struct peer_groups *g, uid_t own, uid_t uid, const gid_t *gids, size_t count)
{
	enum role best = ROLE_NONE;

	if (uid == 0 || uid == own)
		return ROLE_ADMIN;
	for (size_t i = 0; i < count; i++) {
		enum role r = role_of_group(g, gids[i]);

		if (r > best)
			best = r;
	}
	return best;
}

/* The primary group and the supplementary ones; *out is malloc'ed. */
static enum err read_groups(int fd, gid_t primary, gid_t **out, size_t *count)
{
	socklen_t n = 64 * sizeof(gid_t);

	for (;;) {
		gid_t *g = malloc(sizeof(gid_t) + n);

		if (!g)
			return ERR_NOMEM;
		g[0] = primary;
		if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, g + 1, &n) == 0) {
			*out = g;
			*count = 1 + n / sizeof(gid_t);
			return ERR_OK;
		}
		free(g);
		if (errno != ERANGE || n > GROUPS_MAX * sizeof(gid_t))
			return ERR_IO;
	}
}

static void name_user(struct caller *c)
{
	char buf[4096];
	struct passwd p, *found = NULL;

	(void)snprintf(c->name, sizeof(c->name), "%u", c->uid);
	if (c->role == ROLE_NONE || getpwuid_r(c->uid, &p, buf, sizeof(buf), &found) != 0 || !found)
		return;
	if (strlen(found->pw_name) < sizeof(c->name))
		memcpy(c->name, found->pw_name, strlen(found->pw_name) + 1);
}

enum err peer_read(int fd, const struct peer_groups *g, struct caller *out)
{
	struct ucred cred;
	socklen_t n = sizeof(cred);
	gid_t *gids = NULL;
	size_t count = 0;
	enum err e;

	memset(out, 0, sizeof(*out));
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) != 0 || n != sizeof(cred))
		return ERR_IO;
	if (cred.uid == (uid_t)-1)
		return ERR_IO;
	e = read_groups(fd, cred.gid, &gids, &count);
	if (e != ERR_OK)
		return e;
	out->uid = cred.uid;
	out->role = peer_role(g, geteuid(), cred.uid, gids, count);
	free(gids);
	name_user(out);
	return ERR_OK;
}
