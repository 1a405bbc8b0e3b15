/* One slot: PCIe 5.0 section 6.7, the registers of section 7.5.3.9 to 11. */
#ifndef HOTPLUG_H
#define HOTPLUG_H
#include "port.h"

void hotplug_find(struct port *p);   /* reads the capability: slot number, hot-plug or not */
void hotplug_enable(struct port *p); /* clears old events, turns the interrupt on */

/* hotplug_collect moves events out of the status register into p->events, so
 * that the interrupt line falls; true if there were any. Any context. */
bool hotplug_collect(struct port *p);

/* hotplug_step moves the slot's state machine as far as it goes without
 * waiting. Caller holds p->lock. True: wants another turn at the next tick. */
bool hotplug_step(struct port *p);

#endif
