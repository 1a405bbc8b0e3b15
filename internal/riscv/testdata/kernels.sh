#!/bin/sh
# Builds kernels.bin. Needs Debian's gcc-riscv64-linux-gnu.
set -e
cd "$(dirname "$0")"
P=riscv64-linux-gnu-
cat > /tmp/kernels.ld <<'LD'
SECTIONS { . = 0x80000000; .text : { *(.text.start) *(.text*) } . = ALIGN(4096); .data : { *(.rodata*) *(.data*) *(.sdata*) *(.bss*) *(.sbss*) *(COMMON) } /DISCARD/ : { *(*) } }
LD
${P}gcc -O2 -march=rv64imac_zicsr -mabi=lp64 -mcmodel=medany -msmall-data-limit=0 -fno-builtin -fno-tree-loop-distribute-patterns -nostdlib -static -fno-pic -T /tmp/kernels.ld -o /tmp/kernels.elf kernels.c
${P}objcopy -O binary /tmp/kernels.elf kernels.bin
