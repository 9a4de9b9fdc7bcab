/* The sessions with gateway nodes as others see them: their state, and a way to ask through them.
 */
#include <stdio.h>

#include "enroll/runner_room.h"

static struct net *open_net(const struct runner *r, uint16_t network_id)
{
	struct net *net = r->nets;

	while (net && (net->id != network_id || net->gone))
		net = net->next;
	return net && attach_is_open(net) ? net : NULL;
}

bool runner_link(const struct runner *r, uint16_t network_id, struct runner_link *out)
{
	const struct net *net = open_net(r, network_id);

	if (!net)
		return false;
	*out = (struct runner_link){net->id, net->gateway_id, net->cluster_size};
	return true;
}

enum err runner_send(struct runner *r, uint16_t network_id, struct span msg)
{
	const struct net *net = open_net(r, network_id);

	return net ? mesh_send(net->session, msg) : ERR_STATE;
}

void runner_note_question(struct runner *r, uint16_t network_id)
{
	struct net *net = runner_net(r, network_id);
	uint64_t now_ms = runner_now(r);
	bool is_news;

	if (!net)
		return;
	is_news = now_ms >= net->asked_ms;
	net->asked_ms = now_ms + RUNNER_ASKED_MS;
	if (is_news && !net->session)
		runner_kick(r);
}

void runner_note_survey(struct runner *r, uint16_t network_id)
{
	struct net *net = open_net(r, network_id);

	if (net)
		net->schedule.survey_ms = runner_now(r);
}

void runner_note_count(struct runner *r, uint16_t network_id)
{
	struct net *net = open_net(r, network_id);

	if (net)
		net->count_told = 0;
}

void runner_on_heard(struct runner *r, runner_hear_fn *fn, void *arg)
{
	r->hear = fn;
	r->hear_arg = arg;
}

void runner_tell(const struct net *net, enum runner_heard_what what, const struct span *message)
{
	const struct runner *r = net->runner;

	if (r->hear)
		r->hear(r->hear_arg, &(struct runner_heard){what, net->id, message});
}

/* --- status ----------------------------------------------------------------------------------- */

static void status_of_net(const struct net *net, struct runner_status *out)
{
	const struct link_addr *a = &net->addr;
	bool open = mesh_is_open(net->session);

	out->state = open ? "connected" : "connecting";
	out->network_id = net->id;
	out->node_id = open ? net->gateway_id : 0;
	(void)snprintf(out->address, sizeof(out->address), "%02X:%02X:%02X:%02X:%02X:%02X", a->b[5],
		a->b[4], a->b[3], a->b[2], a->b[1], a->b[0]);
}

void runner_status(const struct runner *r, struct runner_status *out)
{
	*out = (struct runner_status){
		.state = r->nets ? "searching" : "idle", .ignored = r->ignored};
	if (!r->adapter)
		out->state = "off";
	for (size_t i = 0; i < r->entry_count; i++)
		out->jobs += !job_is_over(r->entries[i]->job.state);
	for (const struct net *net = r->nets; net; net = net->next)
		if (net->session && (out->network_id == 0 || mesh_is_open(net->session))) {
			status_of_net(net, out);
			if (mesh_is_open(net->session))
				return;
		}
}
