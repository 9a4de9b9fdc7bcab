/* Prints; decides nothing. */
#include "enrollee/show.h"

#include <inttypes.h>

#include "enr/hex.h"
#include "enrollee/agent.h"

struct ids {
	bool has_enrollee, has_device;
	char key[ENROLLMSG_KEY_TEXT_CHARS + 1];
	char enrollee[65], device[65];
	char service[ENROLLMSG_HOST_MAX + 80]; /* Addr, "" if there is none */
};

static enum err gather_enrollee(const struct crypto *c, const struct state *s, struct ids *out)
{
	struct public32 id = s->enrollee_id;
	enum err err = ERR_OK;

	if (s->stage != STATE_ENROLLED)
		err = agent_key_text(c, s, out->key, &id);
	out->has_enrollee = true;
	hex_print(id.b, sizeof(id.b), out->enrollee);
	return err;
}

static enum err gather(const struct crypto *c, const struct state *s, struct ids *out)
{
	struct enrollmsg_addr addr;
	struct public32 id;
	enum err err = gather_enrollee(c, s, out);

	if (!err && s->stage == STATE_ENROLLED) {
		err = agent_device_id(c, s, &id);
		hex_print(id.b, sizeof(id.b), out->device);
		out->has_device = true;
	}
	if (!err && s->stage != STATE_FRESH)
		err = agent_service(s, &addr);
	if (!err && s->stage != STATE_FRESH)
		err = enrollmsg_addr_print(&addr, out->service, sizeof(out->service));
	return err;
}

static const char *stage_text(enum state_stage stage)
{
	switch (stage) {
	case STATE_FRESH:
		return "fresh";
	case STATE_TRYING:
		return "trying";
	case STATE_ENROLLED:
		return "enrolled";
	}
	return "";
}

enum err show_key(FILE *out, const struct crypto *c, const struct state *s)
{
	struct ids ids = {0};
	enum err err = s->stage == STATE_ENROLLED ? ERR_STATE : gather(c, s, &ids);

	if (!err)
		(void)fprintf(out, "%s\n", ids.key);
	return err;
}

enum err show_id(FILE *out, const struct crypto *c, const struct state *s)
{
	struct ids ids = {0};
	enum err err = gather(c, s, &ids);

	if (err)
		return err;
	if (ids.has_device)
		(void)fprintf(out, "%.*s\n", ENROLLMSG_ID_SHOWN_DIGITS, ids.device);
	else
		(void)fprintf(out, "%s\n%.*s\n", ids.key, ENROLLMSG_ID_SHOWN_DIGITS, ids.enrollee);
	return ERR_OK;
}

enum err show_status(FILE *out, const struct crypto *c, const struct state *s)
{
	struct ids ids = {0};
	enum err err = gather(c, s, &ids);

	if (err)
		return err;
	(void)fprintf(out, "stage        %s\n", stage_text(s->stage));
	(void)fprintf(out, "enrollee id  %s\n", ids.enrollee);
	if (ids.has_device)
		(void)fprintf(out, "device id    %s\n", ids.device);
	if (ids.service[0])
		(void)fprintf(out, "service      %s\n", ids.service);
	if (s->stage != STATE_ENROLLED)
		return ERR_OK;
	(void)fprintf(out, "enrolled at  %" PRIu64 "\n", s->enrolled_at);
	(void)fprintf(out, "welcome      %zu bytes\n", s->welcome_bytes);
	(void)fprintf(out, "channel      epoch %u, %" PRIu64 " sent, newest heard %" PRIu64 "\n",
		(unsigned)s->epoch, s->sent, s->newest);
	return ERR_OK;
}

/* Addr is text from a bundle: whatever its parser lets through, it stays one JSON string. */
static void json_string(FILE *out, const char *text)
{
	(void)putc('"', out);
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == '"' || *text == '\\' || *text == 0x7F)
			(void)fprintf(out, "\\u%04x", (unsigned)(unsigned char)*text);
		else
			(void)putc(*text, out);
	(void)putc('"', out);
}

static void json_enrolled(FILE *out, const struct state *s)
{
	char welcome[2 * ENROLLMSG_WELCOME_MAX + 1];

	hex_print(s->welcome, s->welcome_bytes, welcome);
	(void)fprintf(out, ",\"enrolled_at\":%" PRIu64 ",\"welcome_bytes\":%zu", s->enrolled_at,
		s->welcome_bytes);
	(void)fprintf(out,
		",\"channel\":{\"epoch\":%u,\"sent\":%" PRIu64 ",\"newest\":%" PRIu64 "}",
		(unsigned)s->epoch, s->sent, s->newest);
	bytes_wipe(welcome, sizeof(welcome));
}

enum err show_json(FILE *out, const struct crypto *c, const struct state *s)
{
	struct ids ids = {0};
	enum err err = gather(c, s, &ids);

	if (err)
		return err;
	(void)fprintf(out, "{\"stage\":\"%s\",\"enrollee_id\":\"%s\"", stage_text(s->stage),
		ids.enrollee);
	if (ids.has_device)
		(void)fprintf(out, ",\"device_id\":\"%s\"", ids.device);
	if (ids.service[0]) {
		(void)fprintf(out, ",\"service\":");
		json_string(out, ids.service);
	}
	if (s->stage == STATE_ENROLLED)
		json_enrolled(out, s);
	(void)fprintf(out, "}\n");
	return ERR_OK;
}
