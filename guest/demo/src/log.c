#include "log.h"
#include "clock.h"
#include "lock.h"
#include "uart.h"
#include <stdarg.h>

#define LINE_MAX 256 /* the longest line, `io` with six-digit counters, has 140 */

struct line {
	char text[LINE_MAX];
	size_t n;
};

static struct lock log_lock;

static void put(struct line *l, char c)
{
	if (l->n < LINE_MAX - 1)
		l->text[l->n++] = c;
}

static void put_string(struct line *l, const char *s)
{
	while (*s)
		put(l, *s++);
}

static void put_number(struct line *l, uint64_t v, unsigned base, unsigned width)
{
	char digits[20];
	unsigned n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	for (; width > n; width--)
		put(l, '0');
	while (n)
		put(l, digits[--n]);
}

static const char *put_conversion(struct line *l, const char *f, va_list *args)
{
	unsigned width = 0;
	bool wide = false;

	for (; *f >= '0' && *f <= '9'; f++)
		width = width * 10 + (*f - '0');
	if (*f == 'l') {
		wide = true;
		f++;
	}
	if (*f == 's') {
		put_string(l, va_arg(*args, const char *));
		return f;
	}
	uint64_t v = wide ? va_arg(*args, uint64_t) : va_arg(*args, uint32_t);
	put_number(l, v, *f == 'x' ? 16 : 10, width);
	return f;
}

static void put_stamp(struct line *l, uint64_t now)
{
	put(l, '[');
	put_number(l, now / SECOND, 10, 1);
	put(l, '.');
	put_number(l, now % SECOND / MICROSECOND, 10, 6);
	put_string(l, "] hart");
	put_number(l, hart_id(), 10, 1);
	put_string(l, ": ");
}

static void put_format(struct line *l, const char *f, va_list *args)
{
	for (; *f; f++) {
		if (*f == '%')
			f = put_conversion(l, f + 1, args);
		else
			put(l, *f);
	}
}

void log_line(const char *format, ...)
{
	struct line l;
	va_list args;

	l.n = 0;
	lock_take(&log_lock); /* stamped inside: time never runs backwards in the log */
	put_stamp(&l, clock_now());
	va_start(args, format);
	put_format(&l, format, &args);
	va_end(args);
	l.text[l.n++] = '\n';
	uart_write(l.text, l.n);
	lock_drop(&log_lock);
}

void log_panic(const char *what, uint64_t cause, uint64_t pc, uint64_t value)
{
	struct line l;
	uint64_t limit = clock_now() + SECOND;
	bool locked;

	while (!(locked = lock_try(&log_lock)) && clock_now() < limit)
		;
	l.n = 0;
	put_stamp(&l, clock_now());
	put_string(&l, "panic what=");
	put_string(&l, what);
	put_string(&l, " mcause=0x");
	put_number(&l, cause, 16, 1);
	put_string(&l, " mepc=0x");
	put_number(&l, pc, 16, 1);
	put_string(&l, " mtval=0x");
	put_number(&l, value, 16, 1);
	l.text[l.n++] = '\n';
	uart_write(l.text, l.n);
	if (locked)
		lock_drop(&log_lock);
}
