// Integer kernels for BenchmarkKernels and TestKernels. Built by kernels.sh
// into kernels.bin, which is loaded and entered at 0x80000000 with the kernel
// in a0 and the repetitions in a1; it ends in EBREAK with a checksum in a0.

typedef unsigned long u64;
typedef unsigned int u32;
typedef unsigned char u8;

static u8 flags[8192];
static u64 words[1024];

static u64 sieve(void) {
  u64 n = 0;
  for (u32 i = 0; i < sizeof flags; i++) flags[i] = 1;
  for (u32 i = 2; i < sizeof flags; i++) {
    if (!flags[i]) continue;
    n++;
    for (u32 j = i + i; j < sizeof flags; j += i) flags[j] = 0;
  }
  return n;
}

static u64 xorshift(void) {
  u64 x = 88172645463325252ul, sum = 0;
  for (int i = 0; i < 20000; i++) {
    x ^= x << 13; x ^= x >> 7; x ^= x << 17;
    sum += x;
  }
  return sum;
}

static void sort(u64 *a, long lo, long hi) {
  while (lo < hi) {
    u64 pivot = a[(lo + hi) / 2];
    long i = lo, j = hi;
    while (i <= j) {
      while (a[i] < pivot) i++;
      while (a[j] > pivot) j--;
      if (i <= j) { u64 t = a[i]; a[i++] = a[j]; a[j--] = t; }
    }
    sort(a, lo, j);
    lo = i;
  }
}

static u64 quicksort(void) {
  u64 x = 1, sum = 0;
  for (int i = 0; i < 1024; i++) words[i] = x = x * 6364136223846793005ul + 1442695040888963407ul;
  sort(words, 0, 1023);
  for (int i = 0; i < 1024; i++) sum = sum * 31 + words[i];
  return sum;
}

static u64 crc(void) {
  u32 c = ~0u;
  for (u32 i = 0; i < 4096; i++) {
    c ^= (u8)(i * 7);
    for (int k = 0; k < 8; k++) c = c >> 1 ^ (0xedb88320u & -(c & 1));
  }
  return ~c;
}

static u64 matrix(void) {
  static int a[24][24], b[24][24], c[24][24];
  u64 sum = 0;
  for (int i = 0; i < 24; i++)
    for (int j = 0; j < 24; j++) a[i][j] = i * j + 1, b[i][j] = i - 2 * j;
  for (int i = 0; i < 24; i++)
    for (int j = 0; j < 24; j++) {
      int s = 0;
      for (int k = 0; k < 24; k++) s += a[i][k] * b[k][j];
      c[i][j] = s;
      sum = sum * 33 + (u64)s;
    }
  return sum;
}

static u64 divide(void) {
  u64 sum = 0;
  for (long i = 1; i < 3000; i++) sum += (u64)(123456789012345l / i) + 987654321l % i + (u32)(4000000000u / (u32)i);
  return sum;
}

u64 run(u64 which, u64 times) {
  static u64 (*const table[])(void) = {sieve, xorshift, quicksort, crc, matrix, divide};
  u64 sum = 0;
  while (times--) sum = sum * 17 + table[which]();
  return sum;
}

__asm__(".section .text.start\n.globl _start\n_start: la sp, stack_top\ncall run\nebreak\n");
u8 stack[8192] __attribute__((aligned(4096)));
__asm__(".globl stack_top\n.set stack_top, stack+8192\n");
