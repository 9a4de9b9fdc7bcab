/*
 * The node's one button (mesh-protocol §4.14 and the mission's text): a short press powers off,
 * 10 to 14 s remove the enrollment after some seconds of flashing LEDs. Decided on release; nothing
 * blocks while the LEDs flash.
 */
#ifndef FIRMWARE_CORE_BUTTON_H
#define FIRMWARE_CORE_BUTTON_H

#include <stdbool.h>
#include <stdint.h>

#define BUTTON_WINDOW_MS 4000u    /* removal: longer than X, shorter than X + this */
#define BUTTON_SHORT_MIN_MS 50u   /* shorter: it bounced */
#define BUTTON_SHORT_MAX_MS 2000u /* from here on it is no short press */
#define BUTTON_FLASH_COUNT 65u    /* toggles of all LEDs before the removal */
#define BUTTON_FLASH_INTERVAL_MS 100u

struct node;

struct button {
	uint64_t pressed_at_ms; /* NODE_NEVER: it is up */
	uint64_t toggle_at_ms;  /* NODE_NEVER: no removal is coming */
	uint8_t toggles_left;
	bool are_leds_on;
};

void button_init(struct node *n);
/* Presses are ignored while the LEDs flash: the removal is decided. */
void button_on_change(struct node *n, bool pressed);
uint64_t button_deadline_ms(const struct node *n);
void button_on_timer(struct node *n);

#endif
