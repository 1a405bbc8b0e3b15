package virtio

// Options are the properties of virtio devices on PCI that are the same for
// all kinds.
type Options struct {
	// IOEventFD is how a host tells its device of notifications, and a hint: a
	// bottom half of the main context does it here, whatever it says.
	IOEventFD    bool   `qdev:"ioeventfd,bool,default=on"`
	Vectors      uint32 `qdev:"vectors,uint32,default=4294967295"`
	PortNotify   bool   `qdev:"modern-pio-notify,bool,default=off"`
	DisablePCIe  bool   `qdev:"x-disable-pcie,bool,default=off"`
	PagePerQueue bool   `qdev:"page-per-vq,bool,default=off"`
	ATS          bool   `qdev:"ats,bool,default=off"`
	ATSAligned   bool   `qdev:"x-ats-page-aligned,bool,default=on"`
	DeviceErrors bool   `qdev:"x-pcie-deverr-init,bool,default=on"`
	LinkControl  bool   `qdev:"x-pcie-lnkctl-init,bool,default=on"`
	PowerStates  bool   `qdev:"x-pcie-pm-init,bool,default=on"`
	NoSoftReset  bool   `qdev:"x-pcie-pm-no-soft-reset,bool,default=off"`
	FLR          bool   `qdev:"x-pcie-flr-init,bool,default=on"`
	AER          bool   `qdev:"aer,bool,default=off"`
}

// Modes says which interfaces a device has: properties of the models that
// leave the choice to the user.
type Modes struct {
	DisableLegacy string `qdev:"disable-legacy,OnOffAuto,default=auto"`
	DisableModern bool   `qdev:"disable-modern,bool,default=off"`
}

// Transitional is the modes of a device with both interfaces.
func Transitional() *Modes { return &Modes{DisableLegacy: "off"} }

// NonTransitional is the modes of a device with the modern interface alone.
func NonTransitional() *Modes { return &Modes{DisableLegacy: "on"} }
