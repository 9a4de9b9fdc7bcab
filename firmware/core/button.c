#include "button.h"

#include "node.h"

#define DECISECOND_MS 100u
#define LEDS_ALL (PORT_LED_RED | PORT_LED_GREEN | PORT_LED_BLUE)

void button_init(struct node *n)
{
	n->button = (struct button){
		.pressed_at_ms = NODE_NEVER,
		.toggle_at_ms = NODE_NEVER,
	};
}

enum press { PRESS_NOTHING, PRESS_POWER_OFF, PRESS_REMOVE };

static enum press meaning(const struct node_features *features, uint64_t held_ms)
{
	uint64_t remove_ms = features->button_remove_ds * DECISECOND_MS;

	if (remove_ms != 0 && held_ms > remove_ms && held_ms < remove_ms + BUTTON_WINDOW_MS)
		return PRESS_REMOVE;
	if (features->button_power_off && held_ms >= BUTTON_SHORT_MIN_MS &&
		held_ms < BUTTON_SHORT_MAX_MS)
		return PRESS_POWER_OFF;
	return PRESS_NOTHING;
}

static void begin_flashing(struct node *n)
{
	n->button.toggles_left = BUTTON_FLASH_COUNT;
	n->button.toggle_at_ms = n->now_ms;
	n->button.are_leds_on = false;
	button_on_timer(n);
}

void button_on_change(struct node *n, bool pressed)
{
	struct button *b = &n->button;
	uint64_t held_ms;

	if (b->toggle_at_ms != NODE_NEVER)
		return;
	if (pressed) {
		b->pressed_at_ms = n->now_ms;
		return;
	}
	if (b->pressed_at_ms == NODE_NEVER)
		return; /* the press that woke us */
	held_ms = n->now_ms - b->pressed_at_ms;
	b->pressed_at_ms = NODE_NEVER;
	switch (meaning(n->features, held_ms)) {
	case PRESS_NOTHING:
		return;
	case PRESS_POWER_OFF:
		n->port->power_off(n->port->ctx);
		return;
	case PRESS_REMOVE:
		begin_flashing(n);
		return;
	}
}

uint64_t button_deadline_ms(const struct node *n)
{
	return n->button.toggle_at_ms;
}

void button_on_timer(struct node *n)
{
	struct button *b = &n->button;

	if (n->now_ms < b->toggle_at_ms)
		return;
	if (b->toggles_left == 0) {
		b->toggle_at_ms = NODE_NEVER;
		n->port->leds(n->port->ctx, 0);
		enroll_remove_self(n);
		return;
	}
	b->toggles_left--;
	b->are_leds_on = !b->are_leds_on;
	b->toggle_at_ms = n->now_ms + BUTTON_FLASH_INTERVAL_MS;
	n->port->leds(n->port->ctx, b->are_leds_on ? LEDS_ALL : 0);
}
