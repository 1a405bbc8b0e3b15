# The supervisor program of firmware_test.go, started by OpenSBI at 0x80200000
# with the hart in a0. Built by:
#   riscv64-linux-gnu-gcc -nostdlib -static -march=rv64imac_zicsr -mabi=lp64 -Wl,--build-id=none -Wl,-Ttext=0x80200000 payload.S -o p.elf
#   riscv64-linux-gnu-objcopy -O binary p.elf payload.bin
	.globl	_start
_start:
	mv	s11, a0
	la	t0, trap
	csrw	stvec, t0
	# Sv39: one gigapage onto itself.
	la	t1, table
	srli	t2, t1, 12
	li	t3, 8 << 60
	or	t2, t2, t3
	csrw	satp, t2
	sfence.vma
	la	s0, hello
1:	lbu	a0, (s0)
	beqz	a0, 2f
	li	a7, 1			# legacy putchar
	ecall
	addi	s0, s0, 1
	j	1b
2:	# Timer: 1000 ticks from now.
	csrr	a0, time
	addi	a0, a0, 1000
	li	a7, 0x54494d45
	li	a6, 0
	ecall
	li	t0, 1 << 5
	csrs	sie, t0
3:	wfi				# not before interrupts are on, or one could
	csrsi	sstatus, 2		# come between and leave nothing to wait for
	beqz	s1, 3b
	# Start the other hart and wait for its word.
	xori	a0, s11, 1
	la	a1, second
	li	a2, 0
	li	a7, 0x48534d
	li	a6, 0
	ecall
4:	la	t0, word
	lw	t1, (t0)
	beqz	t1, 4b
	li	a0, 'S'
	li	a7, 1
	ecall
	# Shut down.
	li	a0, 0
	li	a1, 0
	li	a7, 0x53525354
	li	a6, 0
	ecall
5:	j	5b
second:
	la	t0, word
	li	t1, 1
	fence	rw, w
	sw	t1, (t0)
6:	wfi
	j	6b
	.balign	4
trap:
	li	a0, 'T'
	li	a7, 1
	ecall
	li	t0, 1 << 5
	csrc	sie, t0
	li	s1, 1
	sret
hello:	.asciz	"hello from S-mode\n"
	.balign	8
word:	.quad	0
	.balign	4096
table:	.quad	0, 0, (0x80000000 >> 2) | 0xcf
	.fill	509, 8, 0
