package virt

// listings are the properties of devices as QEMU 10.0 declares them, class by
// class. Where no device here has one, it cannot be changed; what differs from
// the default then is what this build does not do.
const listings = `
[pci-device]
addr devfn -1 Slot and optional function number, example: 06.0 or 06
romfile str -
romsize uint32 4294967295
rombar int32 -1
multifunction bool off
x-pcie-lnksta-dllla bool on
x-pcie-extcap-init bool on
failover_pair_id str -
acpi-index uint32 0
x-pcie-err-unc-mask bool on
x-pcie-ari-nextfn-1 bool off
x-max-bounce-buffer-size size 4096 Maximum buffer size allocated for bounce buffers used for mapped access to indirect DMA memory
x-pcie-ext-tag bool on
busnr busnr -

[base-pci-bridge]
x-pci-express-writeable-slt-bug bool off

[pcie-port]
port uint8 0
aer_log_max uint16 8

[pcie-slot]
chassis uint8 0
slot uint16 0
hotplug bool on
x-do-not-expose-native-hotplug-cap bool off

[pcie-root-port-base]
power_controller_present bool on
disable-acs bool off

[pcie-root-port]
x-migrate-msix bool on
bus-reserve uint32 4294967295
io-reserve size 18446744073709551615
mem-reserve size 18446744073709551615
pref32-reserve size 18446744073709551615
pref64-reserve size 18446744073709551615
x-speed PCIELinkSpeed 16 2_5/5/8/16/32/64
x-width PCIELinkWidth 32 1/2/4/8/12/16/32

[virtio-pci]
virtio-pci-bus-master-bug-migration bool off
migrate-extra bool on
modern-pio-notify bool off
x-disable-pcie bool off
page-per-vq bool off
x-ignore-backend-features bool off
ats bool off
x-ats-page-aligned bool on
x-pcie-deverr-init bool on
x-pcie-lnkctl-init bool on
x-pcie-pm-init bool on
x-pcie-pm-no-soft-reset bool off
x-pcie-flr-init bool on
aer bool off

[virtio-blk-pci-base]
class uint32 0
ioeventfd bool on
vectors uint32 4294967295

[virtio-blk-pci]
disable-legacy OnOffAuto auto on/off/auto
disable-modern bool off

[virtio-rng-pci-base]
ioeventfd bool on
vectors uint32 4294967295

[virtio-rng-pci]
disable-legacy OnOffAuto auto on/off/auto
disable-modern bool off

[virtio-device]
indirect_desc bool on
event_idx bool on
notify_on_empty bool on
any_layout bool on
iommu_platform bool off
packed bool off
queue_reset bool on
in_order bool off
use-started bool on
use-disabled-flag bool on
x-disable-legacy-check bool off

[virtio-blk-device]
drive str - Node name or ID of a block device to use as a backend
backend_defaults OnOffAuto auto on/off/auto
logical_block_size size 0 A power of two between 512 B and 2 MiB
physical_block_size size 0 A power of two between 512 B and 2 MiB
min_io_size size 0
opt_io_size size 0
discard_granularity size 4294967295
write-cache OnOffAuto auto on/off/auto
share-rw bool off
account-invalid OnOffAuto auto on/off/auto
account-failed OnOffAuto auto on/off/auto
rerror BlockdevOnError auto Error handling policy (report/ignore/enospc/stop/auto)
werror BlockdevOnError auto Error handling policy (report/ignore/enospc/stop/auto)
cyls uint32 0
heads uint32 0
secs uint32 0
lcyls uint32 0
lheads uint32 0
lsecs uint32 0
serial str -
config-wce bool on
request-merging bool on
num-queues uint16 65535
queue-size uint16 256
seg-max-adjust bool on
iothread link<iothread> -
iothread-vq-mapping IOThreadVirtQueueMappingList - IOThread virtqueue mapping list [{"iothread":"<id>", "vqs":[1,2,3,...]},...]
discard bool on
report-discard-granularity bool on
write-zeroes bool on
max-discard-sectors uint32 4194303
max-write-zeroes-sectors uint32 4194303
x-enable-wce-if-config-wce bool on
+bootindex int32 - =-1

[virtio-rng-device]
max-bytes uint64 9223372036854775807
period uint32 65536
rng link<rng-backend> -
`
