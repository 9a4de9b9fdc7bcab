/*
 * The one error type. A function that can fail returns it; results go to out-parameters, last.
 * Words for people are added once, at the edge (err_text is for logs and for the lack of better).
 */
#ifndef ENR_ERR_H
#define ENR_ERR_H

#define ENR_MUST_CHECK __attribute__((warn_unused_result))

enum err {
	ERR_OK = 0,
	ERR_SHORT,     /* the input ends too early */
	ERR_TRAILING,  /* bytes are left over */
	ERR_INVALID,   /* the input breaks a rule of its format */
	ERR_RANGE,     /* well formed, but outside what is allowed */
	ERR_UNKNOWN,   /* a type, field or id that is in no table */
	ERR_VERSION,   /* a version that we do not speak */
	ERR_AUTH,      /* a MAC, tag or signature is wrong */
	ERR_KEY,       /* a key that must not be used: low order, non-canonical, all 00, all FF */
	ERR_CRYPTO,    /* the crypto library failed */
	ERR_NOT_FOUND, /* no such row, id or object */
	ERR_CONFLICT,  /* it exists already, or with other data */
	ERR_EXPIRED,   /* its time is over */
	ERR_QUOTA,     /* the caller's share is used up */
	ERR_BUSY,      /* try again later */
	ERR_DENIED,    /* the caller may not */
	ERR_STATE,     /* not possible in the present state */
	ERR_TIMEOUT,   /* no answer in time */
	ERR_CLOSED,    /* the other side is gone */
	ERR_FULL,      /* no space: storage, buffer or table */
	ERR_IO,        /* the operating system failed */
	ERR_NOMEM,     /* out of memory */
	ERR_COUNT
};

/* Lower-case English, static storage; never NULL. */
const char *err_text(enum err e);

#endif
