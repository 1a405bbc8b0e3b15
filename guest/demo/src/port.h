/* Root ports and their slots: the native PCIe hot-plug controller. */
#ifndef PORT_H
#define PORT_H
#include "lock.h"
#include "pci.h"

#define MAX_PORTS 255 /* one secondary bus each, bus 0 is taken */
#define SLOT_FUNCTIONS 8

enum port_state {
	PORT_EMPTY,      /* nothing in the slot, or nothing we want: power off */
	PORT_POWERING,   /* power on, indicator blinks, waiting for link and answer */
	PORT_UP,         /* indicator on, drivers run */
	PORT_QUIESCING,  /* button pressed: indicator blinks, requests run out */
	PORT_RELEASING,  /* power and indicator off, waiting for the card to go */
};

struct port {
	bdf_t bdf;
	uint8_t bus;
	char name[PCI_NAME];
	unsigned cap; /* the PCI Express capability; 0: no hot-plug here */
	unsigned slot;
	int line;
	uint32_t slot_cap;

	struct lock event_lock; /* taken with interrupts off: guards events and clearing SLTSTA */
	uint16_t events;

	struct lock lock; /* a worker in port_step; guards the rest */
	enum port_state state;
	bool look;    /* boot: treat what is there as just plugged */
	bool pressed; /* a button press not yet acted upon */
	unsigned plug;
	uint64_t since, limit; /* of the present state */
	struct windows windows;
	struct device *devices[SLOT_FUNCTIONS];
};

void ports_find(void);                  /* bus 0: bus numbers, windows, no interrupts yet */
void ports_enable(void);                /* hot-plug interrupts on, and a first look at each */
bool ports_interrupt(unsigned line);    /* from the trap handler; true: it was one of them */
bool ports_step(void);                  /* one turn of every port that wants it; false: nothing to do */
bool ports_waiting(void);               /* some port wants a turn now */
void ports_tick(void);                  /* gives a turn to ports that wait for something */
bdf_t ports_any(unsigned i);            /* some port to read from, for MMIO traffic; 0 is the host bridge */
unsigned ports_count(void);

#endif
