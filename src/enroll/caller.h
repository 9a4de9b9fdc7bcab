/* Who asks: what the control socket learned from the kernel. Goes with every rule that acts or
 * counts. */
#ifndef ENROLL_CALLER_H
#define ENROLL_CALLER_H

#include <stdint.h>

/* Each may do all that the ones above it may. */
enum role {
	ROLE_NONE,
	ROLE_OBSERVER, /* sees, changes nothing */
	ROLE_ENROLLER, /* issues bundles, announces enrollees, adds nodes */
	ROLE_ADMIN,    /* everything */
};

struct caller {
	uint32_t uid;
	enum role role;
	char name[33]; /* user name for the audit log, else the uid in digits; NUL-terminated */
};

#endif
