/* The proof that a node has joined: its device info under its new id, with its serial. */
#include "base/log.h"
#include "enr/meshadv.h"
#include "enr/meshmsg.h"
#include "enroll/runner_room.h"

/* An asset does not join the mesh: it advertises its new network, and takes the node key. */
static void verify_asset(struct entry *en)
{
	if (en->advert_joined && job_in_range(&en->job, runner_now(en->runner)))
		direct_connect(en);
}

void verify_send(struct entry *en)
{
	struct meshmsg_route route = {.sender = MESH_GATEWAY_ID,
		.receiver = en->job.node_id,
		.request_handle = en->job.handle};
	uint8_t buf[MESH_MESSAGE_MAX];
	struct wr w = wr_init(buf, sizeof(buf));
	enum err e;

	if (en->device_type == MESHADV_DEVICE_ASSET) {
		verify_asset(en);
		return;
	}
	if (en->job.tries >= 3) /* the mesh may be idle: tell it to look for newcomers */
		overmesh_count_changed(en->net);
	e = meshmsg_encode_plain(&w, route, MESHMSG_GET_DEVICE_INFO);
	if (e == ERR_OK)
		e = en->net->session ? mesh_send(en->net->session, (struct span){buf, w.len_bytes})
				     : ERR_STATE;
	if (e != ERR_OK) /* asked again after its deadline */
		log_debug("device_info_not_asked error=\"%s\"", err_text(e));
}

/* The entry that waits for that id's proof; NULL if none does. */
static struct entry *find_saved(const struct net *net, uint16_t node_id)
{
	for (size_t i = 0; i < net->job_count; i++)
		if (net->jobs[i]->state == JOB_SAVED && net->jobs[i]->node_id == node_id)
			return (struct entry *)net->jobs[i];
	return NULL;
}

void verify_on_info(struct net *net, const struct meshmsg *msg)
{
	struct entry *en = find_saved(net, msg->sender);
	struct meshmsg_device_info info;

	if (!en || msg->request_handle != en->job.handle ||
		meshmsg_decode_device_info(msg, &info) != ERR_OK || info.network_id != net->id)
		return;
	runner_apply(en, &(struct job_event){.type = JOB_EVENT_INFO, .serial = info.serial_index});
	runner_kick(net->runner);
}
