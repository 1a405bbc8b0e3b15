#include "hotplug.h"
#include "clock.h"
#include "device.h"
#include "log.h"

#define EXP_FLAGS 0x02
#define EXP_LINK_STATUS 0x12
#define EXP_SLOT_CAP 0x14
#define EXP_SLOT_CONTROL 0x18
#define EXP_SLOT_STATUS 0x1a

#define FLAGS_SLOT 0x0100
#define LINK_ACTIVE 0x2000

#define SLTCAP_HOTPLUG 0x40
#define SLTCAP_NO_COMMAND_COMPLETED 0x40000
#define SLTCAP_NUMBER(v) ((v) >> 19)

/* Slot control */
#define ATTENTION_ENABLE 0x0001
#define FAULT_ENABLE 0x0002
#define PRESENCE_ENABLE 0x0008
#define HOTPLUG_ENABLE 0x0020
#define ATTENTION_BLINK 0x0080
#define ATTENTION_OFF 0x00c0
#define POWER_LED_ON 0x0100
#define POWER_LED_BLINK 0x0200
#define POWER_LED_OFF 0x0300
#define POWER_OFF 0x0400
#define LINK_ENABLE 0x1000
/* The command-completed interrupt stays off: slot_command waits for the bit. */
#define INTERRUPTS (ATTENTION_ENABLE | FAULT_ENABLE | PRESENCE_ENABLE | HOTPLUG_ENABLE | LINK_ENABLE)

/* Slot status */
#define ATTENTION 0x0001
#define FAULT 0x0002
#define PRESENCE_CHANGED 0x0008
#define COMMAND_COMPLETED 0x0010
#define PRESENT 0x0040
#define LINK_CHANGED 0x0100
#define EVENTS (ATTENTION | FAULT | PRESENCE_CHANGED | LINK_CHANGED)

/* The specification grants one second to a command, and one to link and first
 * answer; an emulator on a crowded host gets more. */
#define COMMAND_LIMIT (1 * SECOND)
#define LINK_LIMIT (5 * SECOND)
#define QUIESCE_LIMIT (5 * SECOND) /* then the device is reset with requests in flight */
#define RELEASE_LIMIT (5 * SECOND)

static uint16_t slot_status(struct port *p) { return pci_read16(p->bdf, p->cap + EXP_SLOT_STATUS); }

static bool slot_powered(struct port *p)
{
	return !(pci_read16(p->bdf, p->cap + EXP_SLOT_CONTROL) & POWER_OFF);
}

/* Every write of the control register is a command; the next has to wait for
 * its completion. */
static void slot_command(struct port *p, uint16_t control)
{
	uint64_t limit = clock_now() + COMMAND_LIMIT;

	pci_write16(p->bdf, p->cap + EXP_SLOT_STATUS, COMMAND_COMPLETED);
	pci_write16(p->bdf, p->cap + EXP_SLOT_CONTROL, control | INTERRUPTS);
	if (p->slot_cap & SLTCAP_NO_COMMAND_COMPLETED)
		return;
	while (!(slot_status(p) & COMMAND_COMPLETED)) {
		if (clock_now() > limit) {
			log_line("error what=slot-command port=%s slot=%u control=0x%04x", p->name, p->slot, control);
			return;
		}
	}
	pci_write16(p->bdf, p->cap + EXP_SLOT_STATUS, COMMAND_COMPLETED);
}

void hotplug_find(struct port *p)
{
	unsigned cap = pci_capability(p->bdf, CAP_PCIE, 0);

	if (cap == 0 || !(pci_read16(p->bdf, cap + EXP_FLAGS) & FLAGS_SLOT))
		return;
	p->slot_cap = pci_read32(p->bdf, cap + EXP_SLOT_CAP);
	p->slot = SLTCAP_NUMBER(p->slot_cap);
	if (p->slot_cap & SLTCAP_HOTPLUG)
		p->cap = cap;
}

void hotplug_enable(struct port *p)
{
	p->look = true;
	if (p->cap == 0)
		return;
	uint16_t control = pci_read16(p->bdf, p->cap + EXP_SLOT_CONTROL);
	/* A button pressed before we were here stays a press: events are not thrown away. */
	hotplug_collect(p);
	slot_command(p, control & (POWER_OFF | POWER_LED_OFF | ATTENTION_OFF));
}

/* Moves the slot's events to p->events. Returns a status without events, so
 * that presence in it is what those collected so far have led to: a card that
 * comes after this look brings an event to the next one. Zero if the port does
 * not answer: it is gone, and so is the card. */
static uint16_t collect(struct port *p, uint16_t *seen)
{
	for (;;) {
		uint16_t status = slot_status(p);
		if (status == 0xffff)
			return 0;
		uint16_t events = status & EVENTS;
		if (events == 0)
			return status;
		p->events |= events;
		*seen |= events;
		pci_write16(p->bdf, p->cap + EXP_SLOT_STATUS, events);
	}
}

bool hotplug_collect(struct port *p)
{
	uint16_t seen = 0;

	if (p->cap == 0)
		return false;
	uint64_t irq = irq_off();
	lock_take(&p->event_lock);
	collect(p, &seen);
	lock_drop(&p->event_lock);
	irq_restore(irq);
	return seen != 0;
}

/* The events since the last look, and what is in the slot after them. */
static uint16_t take_events(struct port *p, bool *present)
{
	uint16_t seen = 0;
	uint64_t irq = irq_off();

	lock_take(&p->event_lock);
	*present = collect(p, &seen) & PRESENT;
	uint16_t events = p->events;
	p->events = 0;
	lock_drop(&p->event_lock);
	irq_restore(irq);
	return events;
}

static void enter(struct port *p, enum port_state state, uint64_t limit)
{
	p->state = state;
	p->since = clock_now();
	p->limit = limit ? p->since + limit : 0;
}

static uint64_t micros_since(struct port *p) { return (clock_now() - p->since) / MICROSECOND; }

static bool link_up(struct port *p)
{
	bdf_t card = BDF(p->bus, 0, 0);

	if (p->cap && !(pci_read16(p->bdf, p->cap + EXP_LINK_STATUS) & LINK_ACTIVE))
		return false;
	return pci_present(card);
}

/* Power on, light blinking: from here until the light is steady the other
 * side knows that we are busy and refuses to press the button. */
static void power_on(struct port *p)
{
	p->plug++;
	p->pressed = false;
	log_line("presence port=%s slot=%u plug=%u", p->name, p->slot, p->plug);
	slot_command(p, POWER_LED_BLINK | ATTENTION_OFF);
	log_line("power-on port=%s slot=%u plug=%u", p->name, p->slot, p->plug);
	enter(p, PORT_POWERING, LINK_LIMIT);
}

/* Light and power go off in one write; the card, if it is still there, is let go by that. */
static void power_off(struct port *p)
{
	slot_command(p, POWER_LED_OFF | ATTENTION_OFF | POWER_OFF);
	p->pressed = false;
}

/* The card left without asking. Its registers answer nothing any more. */
static void vanished(struct port *p)
{
	log_line("surprise port=%s slot=%u plug=%u", p->name, p->slot, p->plug);
	devices_abandon(p);
	power_off(p);
	enter(p, PORT_EMPTY, 0);
	log_line("removed port=%s slot=%u plug=%u surprise=1", p->name, p->slot, p->plug);
}

/* One card left and another came between two looks. Powering off would throw
 * out the new one, so the slot stays powered and starts over. */
static void replaced(struct port *p)
{
	log_line("surprise port=%s slot=%u plug=%u replaced=1", p->name, p->slot, p->plug);
	devices_abandon(p);
	power_on(p);
}

static void step_empty(struct port *p, uint16_t events, bool present)
{
	bool called = p->look || (events & (PRESENCE_CHANGED | ATTENTION));
	/* A button pressed at a powered slot before we booted is a wish to leave. */
	bool leave = p->look && (events & ATTENTION) && !(events & PRESENCE_CHANGED) && slot_powered(p);

	p->look = false;
	if (!called || !present)
		return;
	power_on(p);
	p->pressed = leave;
}

static void step_powering(struct port *p)
{
	if (link_up(p)) {
		log_line("link-up port=%s slot=%u plug=%u us=%lu", p->name, p->slot, p->plug, micros_since(p));
		devices_bring_up(p);
		slot_command(p, POWER_LED_ON | ATTENTION_OFF);
	} else if (clock_now() > p->limit) {
		/* The power stays on: switching it off would let the card go unasked. */
		log_line("error what=link port=%s slot=%u plug=%u", p->name, p->slot, p->plug);
		slot_command(p, POWER_LED_ON | ATTENTION_BLINK);
	} else {
		return;
	}
	enter(p, PORT_UP, 0);
	log_line("up port=%s slot=%u plug=%u", p->name, p->slot, p->plug);
}

static void step_up(struct port *p)
{
	if (!p->pressed)
		return;
	p->pressed = false;
	log_line("attention port=%s slot=%u plug=%u", p->name, p->slot, p->plug);
	slot_command(p, POWER_LED_BLINK | ATTENTION_OFF);
	devices_stop(p);
	enter(p, PORT_QUIESCING, QUIESCE_LIMIT);
}

static void step_quiescing(struct port *p)
{
	unsigned in_flight = devices_in_flight(p);

	if (in_flight > 0 && clock_now() <= p->limit)
		return;
	log_line("quiesced port=%s slot=%u plug=%u us=%lu dropped=%u", p->name, p->slot, p->plug, micros_since(p),
		 in_flight);
	devices_release(p);
	power_off(p);
	enter(p, PORT_RELEASING, RELEASE_LIMIT);
	log_line("power-off port=%s slot=%u plug=%u", p->name, p->slot, p->plug);
}

static void step_releasing(struct port *p, uint16_t events, bool present)
{
	if (present && !(events & PRESENCE_CHANGED)) {
		if (clock_now() <= p->limit)
			return;
		log_line("error what=still-present port=%s slot=%u plug=%u", p->name, p->slot, p->plug);
		enter(p, PORT_EMPTY, 0);
		return;
	}
	enter(p, PORT_EMPTY, 0);
	log_line("removed port=%s slot=%u plug=%u surprise=0", p->name, p->slot, p->plug);
	step_empty(p, events, present);
}

/* A port without a hot-plug controller: what is there at boot is there for ever. */
static bool step_fixed(struct port *p)
{
	if (p->look && link_up(p)) {
		p->plug++;
		devices_bring_up(p);
	}
	p->look = false;
	return false;
}

bool hotplug_step(struct port *p)
{
	if (p->cap == 0)
		return step_fixed(p);

	bool present;
	uint16_t events = take_events(p, &present);

	/* A plug rings the bell too, so a press counts only on its own. */
	if ((events & ATTENTION) && !(events & PRESENCE_CHANGED) && p->state != PORT_EMPTY)
		p->pressed = true;
	if (events & FAULT)
		log_line("error what=power-fault port=%s slot=%u", p->name, p->slot);

	bool holds_card = p->state == PORT_POWERING || p->state == PORT_UP || p->state == PORT_QUIESCING;
	if (holds_card && !present)
		vanished(p);
	else if (holds_card && (events & PRESENCE_CHANGED))
		replaced(p);

	if (p->state == PORT_EMPTY)
		step_empty(p, events, present);
	else if (p->state == PORT_RELEASING)
		step_releasing(p, events, present);
	if (p->state == PORT_POWERING)
		step_powering(p);
	if (p->state == PORT_UP)
		step_up(p);
	if (p->state == PORT_QUIESCING)
		step_quiescing(p);
	return p->state == PORT_POWERING || p->state == PORT_QUIESCING || p->state == PORT_RELEASING;
}
