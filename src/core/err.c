/* The words of enum err, for logs. */
#include "enr/err.h"

const char *err_text(enum err e)
{
	switch (e) {
	case ERR_OK:
		return "ok";
	case ERR_SHORT:
		return "input ends too early";
	case ERR_TRAILING:
		return "bytes left over";
	case ERR_INVALID:
		return "malformed";
	case ERR_RANGE:
		return "out of range";
	case ERR_UNKNOWN:
		return "unknown type";
	case ERR_VERSION:
		return "unknown version";
	case ERR_AUTH:
		return "authentication failed";
	case ERR_KEY:
		return "unusable key";
	case ERR_CRYPTO:
		return "crypto library failed";
	case ERR_NOT_FOUND:
		return "not found";
	case ERR_CONFLICT:
		return "conflict";
	case ERR_EXPIRED:
		return "expired";
	case ERR_QUOTA:
		return "quota used up";
	case ERR_BUSY:
		return "busy";
	case ERR_DENIED:
		return "permission denied";
	case ERR_STATE:
		return "not possible in this state";
	case ERR_TIMEOUT:
		return "timed out";
	case ERR_CLOSED:
		return "closed by the other side";
	case ERR_FULL:
		return "no space left";
	case ERR_IO:
		return "input/output error";
	case ERR_NOMEM:
		return "out of memory";
	case ERR_COUNT:
		break;
	}
	return "unknown error";
}
