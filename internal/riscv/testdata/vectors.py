#!/usr/bin/env python3
"""Makes alu.vec: what qemu-system-riscv64 computes for register instructions.

A record is four little-endian 64-bit words: the instruction (16 or 32 bits),
x10 and x12 before it, x11 before it, and x12 after it. Needs
qemu-system-riscv64; run it here without arguments.
"""
import os, random, struct, subprocess, tempfile

random.seed(2)
EDGES = [0, 1, 2, 3, 31, 32, 63, 64, 2**64 - 1, 2**63, 2**63 - 1, 2**31, 2**31 - 1, 2**32, 2**32 - 1, 2**64 - 2**31,
         0x5555555555555555, 0x123456789ABCDEF0, 0xFEDCBA9876543210]
value = lambda: random.choice(EDGES) if random.random() < 0.7 else random.getrandbits(64)
RD, A, B = 12, 10, 11

def r(opc, f3, f7): return f7 << 25 | B << 20 | A << 15 | f3 << 12 | RD << 7 | opc
def i(opc, f3, imm): return (imm & 0xFFF) << 20 | A << 15 | f3 << 12 | RD << 7 | opc

def instructions():
    for f3 in range(8):
        yield r(0x33, f3, 0)
        yield r(0x33, f3, 1)
        if f3 not in (1, 5):
            yield i(0x13, f3, random.choice([0, 1, -1, 2047, -2048, random.getrandbits(12)]))
    for f3 in (0, 5):
        yield r(0x33, f3, 0x20)
        yield r(0x3B, f3, 0x20)
    for f3 in (0, 1, 5): yield r(0x3B, f3, 0)
    for f3 in (0, 4, 5, 6, 7): yield r(0x3B, f3, 1)
    yield i(0x1B, 0, random.getrandbits(12))
    s = random.getrandbits(6)
    for f3, top in ((1, 0), (5, 0), (5, 0x400)):
        yield i(0x13, f3, s | top)
        yield i(0x1B, f3, s & 31 | top)
    yield random.getrandbits(20) << 12 | RD << 7 | 0x37  # lui
    imm6 = random.getrandbits(6)
    m = (imm6 >> 5) << 12 | (imm6 & 31) << 2
    rdc, rs2c = (RD - 8) << 7, (B - 8) << 2
    yield 0x0001 | RD << 7 | m            # c.addi
    yield 0x2001 | RD << 7 | m            # c.addiw
    yield 0x4001 | RD << 7 | m            # c.li
    if imm6: yield 0x6001 | RD << 7 | m   # c.lui
    for k in range(3): yield 0x8001 | k << 10 | rdc | m   # c.srli, c.srai, c.andi
    for k in range(6): yield 0x8C01 | (k >> 2) << 12 | (k & 3) << 5 | rdc | rs2c
    yield 0x0002 | RD << 7 | m            # c.slli
    yield 0x8002 | RD << 7 | B << 2       # c.mv
    yield 0x9002 | RD << 7 | B << 2       # c.add

vecs = [(x, value(), value()) for _ in range(40) for x in instructions()]
S0, TABLE = 8, 0x80100000
code = struct.pack("<I", TABLE & 0xFFFFF000 | S0 << 7 | 0x37)   # lui s0 (sign-extends: clear below)
code += struct.pack("<II", 32 << 20 | S0 << 15 | 1 << 12 | S0 << 7 | 0x13, 32 << 20 | S0 << 15 | 5 << 12 | S0 << 7 | 0x13)
for x, _, _ in vecs:
    for reg, off in ((A, 8), (RD, 8), (B, 16)):
        code += struct.pack("<I", off << 20 | S0 << 15 | 3 << 12 | reg << 7 | 0x03)
    code += struct.pack("<I", x) if x & 3 == 3 else struct.pack("<HH", x, 1)
    code += struct.pack("<I", RD << 20 | S0 << 15 | 3 << 12 | 24 << 7 | 0x23)
    code += struct.pack("<I", 32 << 20 | S0 << 15 | S0 << 7 | 0x13)
code += struct.pack("<II", 0x10500073, 0xFFDFF06F)
assert len(code) < 0x100000
table = b"".join(struct.pack("<QQQQ", x, a, b, 0xDEAD) for x, a, b in vecs)
with tempfile.TemporaryDirectory() as d:
    open(d + "/code", "wb").write(code)
    open(d + "/table", "wb").write(table)
    subprocess.run(["sh", "-c", f"(sleep 2; echo 'pmemsave 0x80100000 {len(table)} \"{d}/out\"'; sleep 1; echo quit) | "
                    f"qemu-system-riscv64 -M virt -m 64 -bios none -display none -serial none -monitor stdio "
                    f"-device loader,file={d}/code,addr=0x80000000,force-raw=on -device loader,file={d}/table,addr=0x80100000,force-raw=on"],
                   check=True, stdout=subprocess.DEVNULL)
    out = open(d + "/out", "rb").read()
assert len(out) == len(table)
open(os.path.dirname(os.path.abspath(__file__)) + "/alu.vec", "wb").write(out)
print(len(vecs), "vectors,", sum(out[k * 32 + 24:k * 32 + 32] == struct.pack("<Q", 0xDEAD) for k in range(len(vecs))), "not computed")
