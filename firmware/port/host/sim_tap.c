/* A tap on a simulated node's conversations, for tests: what it is told is kept in clear, and it
 * can be made to answer with a result that its own code has no way to come to. */
#include <stdlib.h>

#include "air_room.h"
#include "core/meshsec_crypt.h"
#include "enr/meshmsg.h"

#define HANDLE_AT 6  /* §1.2 */
#define RESULT_AT 12 /* §4.3 */

static const struct meshsec *session(const struct sim_node *n, uint16_t link)
{
	for (size_t i = 0; i < ACCESS_LINKS_MAX; i++)
		if (n->core.access.links[i].link == link &&
			n->core.access.links[i].state == ACCESS_OPEN)
			return &n->core.access.links[i].sec;
	return NULL;
}

/* --- in ---------------------------------------------------------------------------------------
 */

static bool is_order(const struct meshmsg *m)
{
	return m->kind == MESHMSG_SET_ENROLLMENT || m->kind == MESHMSG_REMOVE_ENROLLMENT ||
	       m->kind == MESHMSG_SET_NETWORK;
}

static void keep(struct sim_tap *tap, struct span message)
{
	struct meshmsg m;

	if (meshmsg_decode(message.p, message.n, &m) != ERR_OK || !is_order(&m) ||
		SIM_TAP_BYTES - tap->bytes < message.n + 1)
		return;
	tap->heard[tap->bytes++] = (uint8_t)message.n;
	memcpy(tap->heard + tap->bytes, message.p, message.n);
	tap->bytes += message.n;
}

/* A twin of the session reads along, so that the node's own one does not notice. */
void sim_tap_in(struct sim_node *n, uint16_t link, const void *pdu, size_t bytes)
{
	const struct meshsec *sec = n->tap.heard ? session(n, link) : NULL;
	struct meshsec_event ev;
	struct meshsec twin;

	if (!sec)
		return;
	twin = *sec;
	memset(&ev, 0, sizeof(ev));
	meshsec_receive(&twin, pdu, bytes, &ev);
	if (ev.type == MESHSEC_EVENT_MESSAGE)
		keep(&n->tap, ev.message);
	meshsec_clear(&twin);
}

/* The mesh carries many that are for others. */
void sim_tap_mesh(struct sim_node *n, struct span message)
{
	struct meshmsg_set_enrollment request;
	struct meshmsg m;

	if (n->tap.heard && meshmsg_decode(message.p, message.n, &m) == ERR_OK &&
		meshmsg_decode_set_enrollment(&m, &request) == ERR_OK &&
		request.serial_index == n->spec.serial_index)
		keep(&n->tap, message);
}

/* --- out --------------------------------------------------------------------------------------
 */

/* Only what the node says of itself, not what it relays. */
void sim_tap_message(const struct sim_node *n, uint8_t *message, size_t bytes)
{
	struct meshmsg_enroll_response r;
	struct meshmsg m;

	if (!n->tap.lies || meshmsg_decode(message, bytes, &m) != ERR_OK ||
		meshmsg_decode_enroll_response(&m, &r) != ERR_OK ||
		r.serial_index != n->spec.serial_index)
		return;
	message[RESULT_AT] = n->tap.code;
	if (n->tap.handle >= 0)
		message[HANDLE_AT] = (uint8_t)n->tap.handle;
}

/* An answer is one packet, the last that was sealed: it is opened and sealed again. */
void sim_tap_packet(const struct sim_node *n, uint16_t link, uint8_t *pdu, size_t bytes)
{
	const struct meshsec *sec = n->tap.lies ? session(n, link) : NULL;
	uint8_t plain[MESHSEC_PLAIN_MAX];
	struct meshsec_dir dir;
	struct meshsec_pdu out;
	size_t len;

	if (!sec)
		return;
	dir = sec->tx;
	dir.n1 -= 2;
	if (meshsec_crypt_open(n->air->aes, &dir, pdu, bytes, plain, &len) == ERR_OK) {
		sim_tap_message(n, plain, len);
		dir.n1 -= 2;
		if (meshsec_crypt_seal(n->air->aes, &dir, plain, len, &out) == ERR_OK)
			memcpy(pdu, out.b, bytes);
	}
	bytes_wipe(&dir, sizeof(dir));
}

/* --- orders -----------------------------------------------------------------------------------
 */

enum err sim_node_record(struct sim_node *n)
{
	if (!n->tap.heard)
		n->tap.heard = malloc(SIM_TAP_BYTES);
	return n->tap.heard ? ERR_OK : ERR_NOMEM;
}

struct span sim_node_recorded(const struct sim_node *n)
{
	return (struct span){n->tap.heard, n->tap.bytes};
}

void sim_node_answer(struct sim_node *n, int code, int handle)
{
	n->tap.lies = code >= 0;
	n->tap.code = (uint8_t)code;
	n->tap.handle = handle;
}

void sim_tap_free(struct sim_tap *tap)
{
	if (tap->heard)
		bytes_wipe(tap->heard, SIM_TAP_BYTES);
	free(tap->heard);
	tap->heard = NULL;
}
