/* Entry of every hart, trap entry, and the device register accessors. */
#include "machine.h"

	.section .text.boot, "ax"
	.globl _start
_start:
	csrw	mie, zero
	csrw	mstatus, zero
	li	t0, MAX_HARTS
	bgeu	a0, t0, park
	la	t0, trap_entry
	csrw	mtvec, t0
	mv	tp, a0			/* the hart's number lives in tp for ever */
	la	sp, stacks
	addi	t0, a0, 1
	slli	t0, t0, STACK_SHIFT
	add	sp, sp, t0
	bnez	a0, secondary

	/* Hart 0 clears what C expects to be zero. There is no initialised
	 * writable data (link.ld asserts it), so a reset needs no reload. */
	la	t0, bss_start
	la	t1, bss_end
1:	bgeu	t0, t1, 2f
	sd	zero, 0(t0)
	addi	t0, t0, 8
	j	1b
2:	call	main_first
	j	park

	/* The others sleep until hart 0 raises their software interrupt. They
	 * look at no memory before that: after a reset it holds the past. */
secondary:
	li	t0, 8
	csrw	mie, t0
3:	wfi
	csrr	t0, mip
	andi	t0, t0, 8
	beqz	t0, 3b
	csrw	mie, zero
	li	t0, CLINT
	slli	t1, tp, 2
	add	t0, t0, t1
	sw	zero, 0(t0)
	call	main_other

	.globl park
park:
	csrw	mie, zero
4:	wfi
	j	4b

	.section .text, "ax"
	.balign 4
trap_entry:
	addi	sp, sp, -128
	sd	ra, 0(sp)
	sd	a0, 8(sp)
	sd	a1, 16(sp)
	sd	a2, 24(sp)
	sd	a3, 32(sp)
	sd	a4, 40(sp)
	sd	a5, 48(sp)
	sd	a6, 56(sp)
	sd	a7, 64(sp)
	sd	t0, 72(sp)
	sd	t1, 80(sp)
	sd	t2, 88(sp)
	sd	t3, 96(sp)
	sd	t4, 104(sp)
	sd	t5, 112(sp)
	sd	t6, 120(sp)
	mv	a0, sp
	call	trap_handle
	ld	ra, 0(sp)
	ld	a0, 8(sp)
	ld	a1, 16(sp)
	ld	a2, 24(sp)
	ld	a3, 32(sp)
	ld	a4, 40(sp)
	ld	a5, 48(sp)
	ld	a6, 56(sp)
	ld	a7, 64(sp)
	ld	t0, 72(sp)
	ld	t1, 80(sp)
	ld	t2, 88(sp)
	ld	t3, 96(sp)
	ld	t4, 104(sp)
	ld	t5, 112(sp)
	ld	t6, 120(sp)
	addi	sp, sp, 128
	mret

	/* Between mmio_begin and mmio_end every load and store is four bytes
	 * long, and a0 is the result: trap.c steps over one that faults. */
	.option	norvc
	.globl mmio_begin
	.globl mmio_end
mmio_begin:
.macro	accessor name, instruction:vararg
	.globl	\name
\name:	\instruction
	ret
.endm
	accessor mmio_read8,  lbu a0, 0(a0)
	accessor mmio_read16, lhu a0, 0(a0)
	accessor mmio_read32, lw  a0, 0(a0)
	accessor mmio_read64, ld  a0, 0(a0)
	accessor mmio_write8,  sb a1, 0(a0)
	accessor mmio_write16, sh a1, 0(a0)
	accessor mmio_write32, sw a1, 0(a0)
	accessor mmio_write64, sd a1, 0(a0)
mmio_end:

	.section .noinit, "aw", @nobits
	.balign	16
stacks:	.space	MAX_HARTS << STACK_SHIFT
