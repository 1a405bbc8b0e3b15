// Package disasm shows RISC-V machine code as text, for the x and xp commands of
// the human monitor: one line an instruction, in the columns, with the names and
// with the abbreviations (mv, ret, beqz, ...) that QEMU's monitor prints.
//
// It knows RV64GC, the privileged instructions, Zicsr, Zifencei and Zba, Zbb, Zbc
// and Zbs: what kernels contain, whether or not the hart has it. Compressed
// instructions are shown as what they stand for, and that is asked of the hart's
// own decoder, so that what is shown is what runs. Everything else is "illegal".
//
// The package has no state, starts nothing and never blocks.
package disasm
