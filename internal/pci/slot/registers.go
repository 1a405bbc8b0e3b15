package slot

// Bits of the slot capabilities register (PCIe 5.0 §7.5.3.9).
const (
	CapAttentionButton    = 0x00000001
	CapPowerController    = 0x00000002
	CapAttentionIndicator = 0x00000008
	CapPowerIndicator     = 0x00000010
	CapSurprise           = 0x00000020
	CapHotPlug            = 0x00000040
	CapInterlock          = 0x00020000

	capNumberShift = 19
)

// Bits and fields of the slot control register (PCIe 5.0 §7.5.3.10).
const (
	ControlAttentionEnable = 0x0001
	ControlPresenceEnable  = 0x0008
	ControlCommandEnable   = 0x0010
	ControlInterrupt       = 0x0020

	ControlAttentionIndicator    = 0x00c0
	ControlAttentionIndicatorOff = 0x00c0

	ControlPowerIndicator      = 0x0300
	ControlPowerIndicatorOn    = 0x0100
	ControlPowerIndicatorBlink = 0x0200
	ControlPowerIndicatorOff   = 0x0300

	ControlPowerOff        = 0x0400
	ControlInterlockToggle = 0x0800 // reads as zero

	controlWritable = ControlAttentionEnable | ControlPresenceEnable | ControlCommandEnable |
		ControlInterrupt | ControlAttentionIndicator | ControlPowerIndicator
)

// Bits of the slot status register (PCIe 5.0 §7.5.3.11).
const (
	StatusAttention        = 0x0001
	StatusPresenceChanged  = 0x0008
	StatusCommandCompleted = 0x0010
	StatusPresence         = 0x0040
	StatusInterlock        = 0x0080

	// events are the write-one-to-clear bits that can be written over,
	// among them two (power fault, MRL sensor) that never become set here.
	events = StatusAttention | 0x0002 | 0x0004 | StatusPresenceChanged | StatusCommandCompleted

	// signalled are the events that can interrupt. Status and control have
	// them at the same positions.
	signalled = StatusAttention | StatusPresenceChanged | StatusCommandCompleted
)
