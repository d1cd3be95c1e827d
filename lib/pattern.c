/*
 * A regular expression into a program; see pattern_program.h. A recursive descent that appends
 * instructions as it reads, and moves those of a piece when something has to stand before it.
 */
#include "pattern.h"
#include "pattern_program.h"
#include "utf8.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* RE2's bound of `{n}`; and our own of what nested ones may come to. */
#define REPEAT_MAX 1000
#define PROGRAM_MAX 10000
#define DEPTH_MAX 250

#define LAST_CHARACTER 0x10ffffu

enum { FOLD = 1, MULTI_LINE = 2, DOT_ALL = 4 };

/* What is left of a pattern, and what it became so far. */
struct parser {
	const char *begin, *p, *end;
	struct program *prog;
	unsigned int flags;
	bool quoting; /* between \Q and \E */
	int depth;
	int inst_size, range_size; /* room in the program's lists */
	char *why;
	int error; /* first one, negative */
};

static void fail(struct parser *s, const char *what, const char *from)
{
	int len = (int)(s->p - from);

	if (s->error)
		return;
	s->error = -EINVAL;
	snprintf(s->why, CNI_PATTERN_WHY, "error parsing regexp: %s: `%.*s`", what, len, from);
}

static bool more(const struct parser *s)
{
	return !s->error && s->p < s->end;
}

static bool next_is(const struct parser *s, const char *text)
{
	size_t n = strlen(text);

	return more(s) && (size_t)(s->end - s->p) >= n && memcmp(s->p, text, n) == 0;
}

static bool take(struct parser *s, const char *text)
{
	bool is = next_is(s, text);

	if (is)
		s->p += strlen(text);
	return is;
}

static uint32_t take_character(struct parser *s)
{
	size_t n = cni_utf8_length(s->p, (size_t)(s->end - s->p));
	uint32_t c;

	if (n == 0) {
		fail(s, "invalid UTF-8", s->p);
		return 0;
	}
	c = cni_utf8_decode(s->p, n);
	s->p += n;
	return c;
}

/* Make room for `more` elements in a list that has `n` of `*size`. @return the list; NULL: error set */
static void *grow(struct parser *s, void *list, int n, int more, int *size, size_t each)
{
	void *longer;

	if (s->error || n + more <= *size)
		return s->error ? NULL : list;
	*size = 2 * (n + more);
	longer = reallocarray(list, (size_t)*size, each);
	if (!longer)
		s->error = -ENOMEM;
	return longer;
}

/* Put `n` instructions in at `at`; those behind move up. */
static void insert(struct parser *s, int at, const struct inst *inst, int n)
{
	struct program *prog = s->prog;
	struct inst *list;

	if (n > PROGRAM_MAX - prog->n_inst)
		fail(s, "expression too large", s->p);
	list = grow(s, prog->inst, prog->n_inst, n, &s->inst_size, sizeof(*list));
	if (!list)
		return;
	prog->inst = list;
	memmove(list + at + n, list + at, (size_t)(prog->n_inst - at) * sizeof(*list));
	memcpy(list + at, inst, (size_t)n * sizeof(*list));
	prog->n_inst += n;
}

static void insert_one(struct parser *s, int at, enum op op, int a, int b)
{
	insert(s, at, &(struct inst){ .op = (uint8_t)op, .a = a, .b = b }, 1);
}

static void append(struct parser *s, enum op op, int a, int b)
{
	insert_one(s, s->prog->n_inst, op, a, b);
}

/* Add to the set that is being made; sets stand one after the other. */
static void add_range(struct parser *s, uint32_t from, uint32_t to)
{
	struct program *prog = s->prog;
	struct range *list;

	list = grow(s, prog->range, prog->n_range, 1, &s->range_size, sizeof(*list));
	if (!list)
		return;
	prog->range = list;
	list[prog->n_range++] = (struct range){ from, to };
}

static void append_set(struct parser *s, int first_range, bool negated)
{
	struct inst set = { .op = CONSUME,
			    .negated = negated,
			    .folded = s->flags & FOLD,
			    .a = first_range,
			    .b = s->prog->n_range - first_range };

	insert(s, s->prog->n_inst, &set, 1);
}

static void append_character(struct parser *s, uint32_t c)
{
	int first = s->prog->n_range;

	add_range(s, c, c);
	append_set(s, first, false);
}

static const struct named_class {
	const char *name; /* within brackets; or the letter after a backslash */
	const char *ranges; /* pairs of first and last, in their order */
} named_classes[] = {
	{ "[:alnum:]", "09AZaz" },
	{ "[:alpha:]", "AZaz" },
	{ "[:ascii:]", "\001\177" },
	{ "[:blank:]", "\t\t  " },
	{ "[:cntrl:]", "\001\037\177\177" },
	{ "[:digit:]", "09" },
	{ "[:graph:]", "!~" },
	{ "[:lower:]", "az" },
	{ "[:print:]", " ~" },
	{ "[:punct:]", "!/:@[`{~" },
	{ "[:space:]", "\t\r  " },
	{ "[:upper:]", "AZ" },
	{ "[:word:]", "09AZ__az" },
	{ "[:xdigit:]", "09AFaf" },
	{ "d", "09" },
	{ "s", "\t\n\f\r  " },
	{ "w", "09AZ__az" },
};

static void add_named(struct parser *s, const struct named_class *class, bool negated)
{
	uint32_t next = 0;

	for (const char *r = class->ranges; *r; r += 2) {
		uint32_t from = (uint8_t)r[0], to = (uint8_t)r[1];

		if (!negated)
			add_range(s, from, to);
		else if (from > next)
			add_range(s, next, from - 1);
		next = to + 1;
	}
	if (negated)
		add_range(s, next, LAST_CHARACTER);
}

/* \d, \D and their like. */
static bool take_perl_class(struct parser *s)
{
	for (size_t i = 0; i < CNI_ARRAY_SIZE(named_classes); i++) {
		const char name = named_classes[i].name[0];
		const char is[] = { '\\', name, '\0' };
		const char is_not[] = { '\\', (char)(name - 'a' + 'A'), '\0' };
		bool taken = name != '[' && take(s, is);

		if (taken || (name != '[' && take(s, is_not))) {
			add_named(s, &named_classes[i], !taken);
			return true;
		}
	}
	return false;
}

/* [:alpha:], [:^alpha:] and their like, within brackets. */
static bool take_posix_class(struct parser *s)
{
	const char *from = s->p, *close = s->p + 2;
	size_t len;
	bool negated;

	if (!next_is(s, "[:"))
		return false;
	while (close + 1 < s->end && (close[0] != ':' || close[1] != ']'))
		close++;
	if (close + 1 >= s->end)
		return false;
	negated = s->p[2] == '^';
	s->p = close + 2;
	len = (size_t)(close - from) - 2 - negated;
	for (size_t i = 0; i < CNI_ARRAY_SIZE(named_classes); i++) {
		const struct named_class *class = &named_classes[i];

		if (class->name[0] == '[' && strlen(class->name) == len + 4 &&
		    memcmp(class->name + 2, from + 2 + negated, len) == 0) {
			add_named(s, class, negated);
			return true;
		}
	}
	fail(s, "invalid character class range", from);
	return true;
}

static int digit(char c, int base)
{
	int v = c >= '0' && c <= '9'   ? c - '0'
		: c >= 'a' && c <= 'f' ? c - 'a' + 10
		: c >= 'A' && c <= 'F' ? c - 'A' + 10
				       : base;

	return v < base ? v : -1;
}

static bool is_alphanumeric(char c)
{
	return digit(c, 10) >= 0 || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* \x41, \x{10ffff}; `s->p` is behind the "x". @return the character, or -1 */
static long take_hexadecimal(struct parser *s)
{
	bool braces = take(s, "{");
	long v = 0;
	int n = 0;

	for (; more(s) && digit(*s->p, 16) >= 0 && (braces || n < 2); n++) {
		v = v << 4 | digit(*s->p++, 16);
		if (v > (long)LAST_CHARACTER)
			return -1;
	}
	if (braces ? n == 0 || !take(s, "}") : n < 2)
		return -1;
	return v;
}

/* A backslash that stands for one character. */
static uint32_t take_escape(struct parser *s)
{
	static const char letters[] = "aftnrv", values[] = "\a\f\t\n\r\v";
	const char *from = s->p++, *letter;
	long c = -1;

	if (s->p == s->end) {
		fail(s, "trailing backslash at end of expression", s->p);
		return 0;
	}
	letter = *s->p ? strchr(letters, *s->p) : NULL;
	if (letter) {
		c = (uint8_t)values[letter - letters];
		s->p++;
	} else if (take(s, "x")) {
		c = take_hexadecimal(s);
	} else if (*s->p == '0' ||
		   (digit(*s->p, 8) > 0 && s->p + 1 < s->end && digit(s->p[1], 8) >= 0)) {
		c = 0;
		for (int n = 0; n < 3 && more(s) && digit(*s->p, 8) >= 0; n++)
			c = c << 3 | digit(*s->p++, 8);
	} else {
		/* Not a word's character: those are taken, or kept for later. */
		if (!is_alphanumeric(*s->p) && (uint8_t)*s->p < 0x80)
			c = (uint8_t)*s->p;
		s->p++;
	}
	if (c < 0)
		fail(s, "invalid escape sequence", from);
	return (uint32_t)c;
}

/* [...]; `s->p` is at the bracket. */
static void take_class(struct parser *s)
{
	const char *from = s->p++;
	int first_range = s->prog->n_range;
	bool negated = take(s, "^");

	for (bool first = true; first || !next_is(s, "]"); first = false) {
		const char *range = s->p;
		uint32_t low, high;

		if (!more(s)) {
			s->p = s->end;
			fail(s, "missing closing ]", from);
			return;
		}
		if (take_posix_class(s) || take_perl_class(s))
			continue;
		low = high = *s->p == '\\' ? take_escape(s) : take_character(s);
		if (next_is(s, "-") && s->p + 1 < s->end && s->p[1] != ']') {
			s->p++;
			high = *s->p == '\\' ? take_escape(s) : take_character(s);
			if (high < low)
				fail(s, "invalid character class range", range);
		}
		add_range(s, low, high);
	}
	s->p++;
	append_set(s, first_range, negated);
}

static void take_alternatives(struct parser *s);

/* Flags of (?i-m) or (?i-m:...); `s->p` is behind the "?". */
static unsigned int take_flags(struct parser *s, const char *from)
{
	unsigned int flags = s->flags, sign = 1;
	const char *last = s->p;

	for (; more(s) && *s->p != ')' && *s->p != ':'; s->p++) {
		static const char letters[] = "imsU";
		const char *letter = *s->p ? strchr(letters, *s->p) : NULL;
		unsigned int flag = letter && *letter != 'U' ? 1u << (letter - letters) : 0;

		if (*s->p == '-' && sign)
			sign = 0;
		else if (letter) /* U, who is greedy, does not matter to us */
			flags = sign ? flags | flag : flags & ~flag;
		else
			break;
		last = s->p;
	}
	if (!more(s) || (*s->p != ')' && *s->p != ':') || *last == '-' || last == s->p) {
		s->p += s->p < s->end;
		fail(s, "invalid or unsupported Perl syntax", from);
	}
	return flags;
}

static bool take_group_name(struct parser *s, const char *from)
{
	const char *name;

	if (!take(s, "?P<") && !take(s, "?<"))
		return false;
	name = s->p;
	while (more(s) && (is_alphanumeric(*s->p) || *s->p == '_'))
		s->p++;
	if (name == s->p || !take(s, ">"))
		fail(s, "invalid named capture", from);
	return true;
}

/* (...); `s->p` is at the parenthesis. @return false if it holds nothing but flags */
static bool take_group(struct parser *s)
{
	unsigned int flags = s->flags;
	const char *from = s->p++;

	if (!take_group_name(s, from) && take(s, "?")) {
		unsigned int inner = next_is(s, ":") ? flags : take_flags(s, from);

		s->flags = inner;
		if (take(s, ")"))
			return false; /* the flags are for what follows */
		(void)take(s, ":");
	}
	if (++s->depth > DEPTH_MAX)
		fail(s, "expression nests too deeply", from);
	take_alternatives(s);
	s->depth--;
	if (!take(s, ")")) {
		s->p = s->end;
		fail(s, "missing closing )", s->begin);
	}
	s->flags = flags;
	return true;
}

/* A backslash outside of brackets. @return false if it stands for nothing that can be repeated */
static bool take_backslash(struct parser *s)
{
	static const struct {
		const char *text;
		enum place place;
	} asserts[] = { { "\\A", TEXT_BEGIN },
			{ "\\z", TEXT_END },
			{ "\\b", WORD_EDGE },
			{ "\\B", NO_WORD_EDGE } };
	int first_range = s->prog->n_range;

	if (take(s, "\\Q")) {
		s->quoting = true;
		return false;
	}
	for (size_t i = 0; i < CNI_ARRAY_SIZE(asserts); i++)
		if (take(s, asserts[i].text)) {
			append(s, ASSERT, (int)asserts[i].place, 0);
			return true;
		}
	if (take_perl_class(s))
		append_set(s, first_range, false);
	else
		append_character(s, take_escape(s));
	return true;
}

/* What a repetition can follow. @return false if it can not */
static bool take_atom(struct parser *s)
{
	int first_range = s->prog->n_range;

	if (s->quoting) {
		s->quoting = !take(s, "\\E");
		if (!s->quoting)
			return false;
		append_character(s, take_character(s));
		s->quoting = !take(s, "\\E");
		return true;
	}
	switch (*s->p) {
	case '(':
		return take_group(s);
	case '[':
		take_class(s);
		return true;
	case '\\':
		return take_backslash(s);
	case '.':
		if (!(s->flags & DOT_ALL))
			add_range(s, '\n', '\n');
		append_set(s, first_range, true);
		break;
	case '^':
		append(s, ASSERT, s->flags & MULTI_LINE ? LINE_BEGIN : TEXT_BEGIN, 0);
		break;
	case '$':
		append(s, ASSERT, s->flags & MULTI_LINE ? LINE_END : TEXT_END, 0);
		break;
	default:
		append_character(s, take_character(s));
		return true;
	}
	s->p++;
	return true;
}

/* {n}, {n,} or {n,m} with m = -1 for no bound. @return false, with nothing taken, if it is none */
static bool take_bounds(struct parser *s, int *min, int *max)
{
	const char *from = s->p;
	int *to = min;

	*min = *max = -1;
	if (!take(s, "{"))
		return false;
	while (more(s) && (digit(*s->p, 10) >= 0 || (*s->p == ',' && to == min && *min >= 0))) {
		if (*s->p == ',')
			to = max;
		else if (*to <= REPEAT_MAX)
			*to = (*to < 0 ? 0 : *to * 10) + digit(*s->p, 10);
		s->p++;
	}
	if (*min < 0 || !take(s, "}")) {
		s->p = from;
		return false;
	}
	if (to == min)
		*max = *min;
	if (*min > REPEAT_MAX || *max > REPEAT_MAX || (*max >= 0 && *max < *min))
		fail(s, "invalid repeat count", from);
	return true;
}

/* The instructions from `at` on, as often as the bounds say. */
static void repeat(struct parser *s, int at, int min, int max)
{
	int len = s->prog->n_inst - at, copies = max < 0 ? min : max;
	struct inst *piece;

	if (s->error || len == 0)
		return;
	piece = reallocarray(NULL, (size_t)len, sizeof(*piece));
	if (!piece) {
		s->error = -ENOMEM;
		return;
	}
	memcpy(piece, s->prog->inst + at, (size_t)len * sizeof(*piece));
	s->prog->n_inst = at;
	for (int i = 0; i < copies; i++) {
		if (i >= min) /* or go past all that is left to come */
			append(s, SPLIT, 1, (copies - i) * (len + 1));
		insert(s, s->prog->n_inst, piece, len);
	}
	if (max < 0) {
		append(s, SPLIT, 1, len + 2);
		insert(s, s->prog->n_inst, piece, len);
		append(s, JUMP, -len - 1, 0);
	}
	free(piece);
}

/* The repetition at `s->p`, if there is one, of the instructions from `at` on. */
static bool take_repetition(struct parser *s, int at)
{
	int min = 0, max = -1;

	if (take(s, "+"))
		min = 1;
	else if (take(s, "?"))
		max = 1;
	else if (!take(s, "*") && !take_bounds(s, &min, &max))
		return false;
	(void)take(s, "?"); /* the shortest match is one, too */
	repeat(s, at, min, max);
	return true;
}

static void take_sequence(struct parser *s)
{
	bool repeatable = false;
	int at = s->prog->n_inst;

	while (more(s) && (s->quoting || (*s->p != '|' && *s->p != ')'))) {
		const char *from = s->p;

		if (!s->quoting && take_repetition(s, at)) {
			if (!repeatable)
				fail(s, "missing argument to repetition operator", from);
			if (take_repetition(s, s->prog->n_inst))
				fail(s, "invalid nested repetition operator", from);
			continue;
		}
		at = s->prog->n_inst;
		repeatable = take_atom(s);
	}
}

/* a|b|c: each but the last begins with a choice and ends with a jump to the end of all. */
static void take_alternatives(struct parser *s)
{
	int last_jump = -1;

	for (;;) {
		int at = s->prog->n_inst;

		take_sequence(s);
		if (s->quoting || !take(s, "|"))
			break;
		insert_one(s, at, SPLIT, 1, s->prog->n_inst - at + 2);
		append(s, JUMP, last_jump, 0); /* for now: where the one before is */
		last_jump = s->prog->n_inst - 1;
	}
	while (last_jump >= 0 && !s->error) {
		int before = s->prog->inst[last_jump].a;

		s->prog->inst[last_jump].a = s->prog->n_inst - last_jump;
		last_jump = before;
	}
}

int cni_program_compile(struct program *prog, const char *pattern, size_t len,
			char why[static CNI_PATTERN_WHY])
{
	struct parser s = {
		.begin = pattern, .p = pattern, .end = pattern + len, .prog = prog, .why = why
	};

	why[0] = '\0';
	take_alternatives(&s);
	if (more(&s)) {
		s.p = s.end;
		fail(&s, "unexpected )", pattern);
	}
	append(&s, FOUND, 0, 0);
	return s.error;
}
