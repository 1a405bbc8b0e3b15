/* PCI configuration space, addresses for BARs, interrupt lines. */
#ifndef PCI_H
#define PCI_H
#include "machine.h"

#define PCI_VENDOR 0x00
#define PCI_DEVICE 0x02
#define PCI_COMMAND 0x04
#define PCI_STATUS 0x06
#define PCI_CLASS 0x08 /* revision in the low byte */
#define PCI_HEADER 0x0e
#define PCI_BAR(i) (0x10 + 4 * (i))
#define PCI_SUBSYSTEM 0x2e
#define PCI_CAPABILITIES 0x34
#define PCI_INTERRUPT_PIN 0x3d

#define COMMAND_IO 0x001
#define COMMAND_MEMORY 0x002
#define COMMAND_MASTER 0x004
#define COMMAND_NO_INTX 0x400

#define HEADER_TYPE 0x7f
#define HEADER_BRIDGE 1
#define HEADER_MULTIFUNCTION 0x80

#define CAP_VENDOR 0x09
#define CAP_PCIE 0x10

#define PCI_BARS 6
#define PCI_NAME 8 /* "bb:dd.f" and its end */

/* bus << 8 | device << 3 | function */
typedef uint16_t bdf_t;
#define BDF(bus, device, function) ((bdf_t)((bus) << 8 | (device) << 3 | (function)))
#define BDF_BUS(b) ((b) >> 8)
#define BDF_DEVICE(b) ((b) >> 3 & 31)
#define BDF_FUNCTION(b) ((b) & 7)

static inline uintptr_t pci_config(bdf_t b, unsigned at) { return ECAM + ((uintptr_t)b << 12) + at; }
static inline uint8_t pci_read8(bdf_t b, unsigned at) { return mmio_read8(pci_config(b, at)); }
static inline uint16_t pci_read16(bdf_t b, unsigned at) { return mmio_read16(pci_config(b, at)); }
static inline uint32_t pci_read32(bdf_t b, unsigned at) { return mmio_read32(pci_config(b, at)); }
static inline void pci_write8(bdf_t b, unsigned at, uint8_t v) { mmio_write8(pci_config(b, at), v); }
static inline void pci_write16(bdf_t b, unsigned at, uint16_t v) { mmio_write16(pci_config(b, at), v); }
static inline void pci_write32(bdf_t b, unsigned at, uint32_t v) { mmio_write32(pci_config(b, at), v); }

/* pci_present says whether a function answers (and has finished its own reset). */
bool pci_present(bdf_t b);

/* pci_capability finds the first capability `id` after offset `after` (0: from
 * the start); 0 if there is none. A loop in the list ends the search. */
unsigned pci_capability(bdf_t b, uint8_t id, unsigned after);

void pci_name(bdf_t b, char name[PCI_NAME]);

/* A range of bus addresses given out from the bottom. An empty one refuses. */
struct range {
	uint64_t next, end;
};

struct windows {
	struct range memory, prefetchable, io;
};

/* pci_assign places the BARs of a function whose decoding is off and fills in
 * where the CPU finds them (0: absent, or no room). False: one did not fit. */
bool pci_assign(bdf_t b, struct windows *from, uint64_t at[PCI_BARS]);

/* pci_line is the INTx line (0..3) a function pulls, given the device number
 * of the root port it sits behind (-1: on bus 0 itself); -1 if it has none. */
int pci_line(bdf_t b, int port_device);

#endif
