/*
 * RE2's syntax in POSIX's; see re2.h.
 */
#include "re2.h"
#include "utf8.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#define REPEAT_MAX 255 /* POSIX's least RE_DUP_MAX */
#define DEPTH_MAX 32
/*
 * What glibc's regcomp(3) makes of an expression grows with the third power of how many parts in a row
 * can be empty, what musl's does with the square of what is in a set; these limits keep it
 * below some hundred MB, and at a few for what anybody would write.
 */
#define PARTS_MAX 2048
#define COST_OPTIONAL 16
#define COST_ANCHOR 8
#define COST_ITEMS 16 /* a set costs the square of its characters and ranges, over this */
#define NOBODY 0x7f /* a character that no text has: stands for each beyond ASCII */
#define NOT_THERE "not here; write it as a POSIX extended regular expression does"

typedef bool char_set[NOBODY + 1];

struct group {
	size_t start; /* where it begins in the output */
	size_t parts; /* before it */
	bool filled; /* the alternative so far has something in it */
	bool solid; /* and something that is never empty */
	bool held; /* and an anchor */
	bool empty; /* an alternative before can match the empty text */
	bool empty_held; /* and has an anchor */
	bool anchor; /* there is one in it */
};

struct re2 {
	char text[CNI_RE2_MAX + 1];
	const char *p; /* next to be read */
	struct cni_buf *out;
	struct cni_error *err;
	struct group open[DEPTH_MAX + 1]; /* the first is the whole */
	unsigned int depth;
	size_t parts; /* so far, with repetitions written out; at most PARTS_MAX */
};

static int re2_refuse(const struct re2 *s, const char *at, const char *why)
{
	return cni_invalid(s->err, "bad regular expression \"%s\": at \"%.20s\": %s", s->text, at,
			   why);
}

static bool is_one_of(char c, const char *chars)
{
	return c && strchr(chars, c);
}

/* The expression with one byte for each character. */
static int re2_copy(struct re2 *s, const char *text, size_t len)
{
	size_t n = 0;

	if (len > CNI_RE2_MAX)
		return cni_invalid(s->err, "regular expression of more than %d bytes", CNI_RE2_MAX);
	for (char *to = s->text; len; to++, text += n, len -= n) {
		n = cni_utf8_length(text, len);
		if (n == 0 || !*text)
			return re2_refuse(s, "", n ? "zero byte" : "invalid UTF-8");
		*to = *text;
		if (n > 1)
			*to = NOBODY;
	}
	return 0;
}

/* After a backslash. @return the character that it makes an ordinary one, or -EINVAL */
static int re2_escaped(struct re2 *s)
{
	char c = *s->p;

	if (!c || c == NOBODY || isalnum(c))
		return re2_refuse(s, s->p - 1, NOT_THERE);
	s->p++;
	return c;
}

/* ---- sets of characters ---- */

static int is_word(int c)
{
	return isalnum(c) || c == '_';
}

static void add_class(char_set set, int (*test)(int), bool negated)
{
	for (int c = 0; c < NOBODY; c++)
		set[c] = set[c] || !test(c) == negated;
}

/* \d, \w, \s or their opposites, if that is next. */
static bool re2_perl_class(struct re2 *s, char_set set)
{
	int (*test)(int) = isspace;

	if (*s->p != '\\' || !is_one_of(s->p[1], "dDwWsS"))
		return false;
	if (tolower(s->p[1]) == 'd')
		test = isdigit;
	if (tolower(s->p[1]) == 'w')
		test = is_word;
	add_class(set, test, isupper(s->p[1]));
	s->p += 2;
	return true;
}

/* "[:alpha:]" and so on; "[." and "[=" have a meaning in POSIX alone. */
static int re2_named_class(struct re2 *s, char_set set)
{
	static const struct {
		const char *name;
		int (*test)(int);
	} classes[] = {
		{ "[:alnum:]", isalnum }, { "[:alpha:]", isalpha }, { "[:blank:]", isblank },
		{ "[:cntrl:]", iscntrl }, { "[:digit:]", isdigit }, { "[:graph:]", isgraph },
		{ "[:lower:]", islower }, { "[:print:]", isprint }, { "[:punct:]", ispunct },
		{ "[:space:]", isspace }, { "[:upper:]", isupper }, { "[:xdigit:]", isxdigit },
	};

	for (size_t i = 0; i < CNI_ARRAY_SIZE(classes); i++) {
		if (strncmp(s->p, classes[i].name, strlen(classes[i].name)) != 0)
			continue;
		add_class(set, classes[i].test, false);
		s->p += strlen(classes[i].name);
		return 0;
	}
	return re2_refuse(s, s->p, NOT_THERE);
}

/* A character in brackets, alone or as an end of a range. */
static int re2_bracket_char(struct re2 *s)
{
	if (!*s->p || (*s->p == '[' && is_one_of(s->p[1], ":.=")))
		return re2_refuse(s, s->p, *s->p ? NOT_THERE : "missing ]");
	return *s->p++ == '\\' ? re2_escaped(s) : s->p[-1];
}

static int re2_bracket_item(struct re2 *s, char_set set)
{
	const char *at = s->p;
	int low, high;

	if (*at == '[' && is_one_of(at[1], ":.="))
		return re2_named_class(s, set);
	if (re2_perl_class(s, set))
		return 0;
	low = high = re2_bracket_char(s);
	if (low >= 0 && *s->p == '-' && s->p[1] != ']') {
		s->p++;
		high = re2_bracket_char(s);
	}
	if (low < 0 || high < 0)
		return -EINVAL;
	if (low > high)
		return re2_refuse(s, at, "the range ends before it begins");
	for (; low <= high; low++)
		set[low] = true;
	return 0;
}

/* @return the last character of the run in a set that begins with this one; "][-" are in none */
static int end_of_run(const char_set set, int c)
{
	while (c + 1 < NOBODY && set[c + 1] && !strchr("][-", c + 1))
		c++;
	return c;
}

/*
 * Nothing in these brackets can be taken for more than a character or a range: NOBODY is before any "^". Ranges,
 * because to musl each item is a state, which leads to those of the next set.
 */
static void emit_set(struct re2 *s, const char_set set)
{
	size_t items = 1 + set['['] + set[']'] + set['-'];

	cni_buf_printf(s->out, "[%s%c", set[']'] ? "]" : "", NOBODY);
	for (int c = ' ', end; c < NOBODY; c = end + 1) {
		end = c;
		if (!set[c] || strchr("][-", c))
			continue;
		end = end_of_run(set, c);
		cni_buf_printf(s->out, "%c", c);
		if (end > c)
			cni_buf_printf(s->out, "-%c", end);
		items++;
	}
	cni_buf_printf(s->out, "%s%s]", set['['] ? "[" : "", set['-'] ? "-" : "");
	s->parts += items * items / COST_ITEMS;
}

static int re2_bracket(struct re2 *s)
{
	bool negated = s->p[1] == '^';
	char_set set = { false };
	const char *first = s->p + 1 + negated;

	for (s->p = first; s->p == first || *s->p != ']';) {
		int r = re2_bracket_item(s, set);

		if (r < 0)
			return r;
	}
	s->p++;
	for (size_t c = 0; c < sizeof(set); c++)
		set[c] ^= negated;
	emit_set(s, set);
	return 0;
}

/* ---- repetitions ---- */

static unsigned long re2_number(struct re2 *s)
{
	size_t n = strspn(s->p, "0123456789");
	unsigned long ret = n && (n == 1 || *s->p != '0') ? strtoul(s->p, NULL, 10) : ULONG_MAX;

	s->p += n;
	return ret;
}

/* "{2}", "{2,}" or "{2,3}". */
static int re2_count(struct re2 *s, unsigned long *min, unsigned long *max, bool *forever)
{
	const char *at = s->p++;

	*min = *max = re2_number(s);
	if (*s->p == ',') {
		*forever = *++s->p == '}';
		*max = *forever ? *min : re2_number(s);
	}
	if (*s->p != '}' || *min > *max || *max > REPEAT_MAX)
		return re2_refuse(s, at, "no repetition, or more than 255; the character is \\{");
	s->p++;
	return 0;
}

/*
 * The last part as often as it may come: "a{2,4}" is "aa(aa?)?". musl finds more than there is where it counts
 * within what it counts, or to 0.
 */
static void emit_count(struct re2 *s, size_t start, unsigned long min, unsigned long max,
		       bool forever)
{
	cni_auto(buf) struct cni_buf one = { 0 };

	if (s->out->failed)
		return;
	cni_buf_add(&one, s->out->data + start, s->out->len - start);
	s->out->failed |= one.failed;
	s->out->len = start;
	s->out->data[start] = '\0';
	for (unsigned long i = forever && min; i < min; i++)
		cni_buf_add(s->out, one.data, one.len);
	if (forever)
		cni_buf_printf(s->out, "%s%c", one.data, min ? '+' : '*');
	for (unsigned long i = min; !forever && i < max; i++)
		cni_buf_printf(s->out, "%s%s", i + 1 < max ? "(" : "", one.data);
	for (unsigned long i = min; !forever && i < max; i++)
		cni_buf_printf(s->out, "%s?", i > min ? ")" : "");
}

/*
 * What may follow a part. glibc would find "([ab]$|c){2}" in "b.ba", and takes exponential time to compile
 * what repeats for ever what may be empty.
 */
static int re2_repeat(struct re2 *s, struct group *part)
{
	const char *at = s->p;
	bool forever = *at == '*' || *at == '+';
	unsigned long min = *at == '+', max = 1;
	size_t cost;
	int r = 0;

	if (!is_one_of(*at, "*+?{"))
		return 0;
	if (*at == '{')
		r = re2_count(s, &min, &max, &forever);
	else
		s->p++;
	if (r < 0)
		return r;
	s->p += *s->p == '?'; /* as few as possible: found is found */
	if (is_one_of(*s->p, "*+?{"))
		return re2_refuse(s, at, "a repetition of a repetition");
	if (part->anchor)
		return re2_refuse(s, at, "repeats an anchor");
	if (forever && part->empty)
		return re2_refuse(s, at, "repeats for ever what may be empty");
	part->empty |= min == 0;
	cost = s->parts - part->parts + (part->empty || min < max ? COST_OPTIONAL : 0);
	max = forever ? min + 1 : max; /* a+ is written out as aa* */
	s->parts = part->parts + cost * (max ? max : 1);
	if (s->parts > PARTS_MAX)
		return re2_refuse(s, at, "too large, with this written out");
	emit_count(s, part->start, min, forever ? min : max, forever);
	return 0;
}

/* ---- parts, groups, alternatives ---- */

static int re2_open(struct re2 *s)
{
	if (s->p[1] == '?' && s->p[2] != ':')
		return re2_refuse(s, s->p, NOT_THERE);
	if (s->depth == DEPTH_MAX)
		return re2_refuse(s, s->p, "nests too deeply");
	s->p += s->p[1] == '?' ? 3 : 1;
	s->open[++s->depth] = (struct group){ .start = s->out->len, .parts = s->parts };
	cni_buf_add(s->out, "(", 1);
	return 0;
}

/* musl knows but one way in which a group can be empty, and its anchors: of "^$|a?" it finds "^$" only. */
static int re2_end_alternative(struct re2 *s)
{
	struct group *g = &s->open[s->depth];

	if (!g->filled)
		return re2_refuse(s, s->p, "nothing there; POSIX has (a)? for (a|)");
	if (!g->solid && g->empty && (g->held || g->empty_held))
		return re2_refuse(s, s->p, "may be empty in several ways, and with an anchor");
	g->empty |= !g->solid;
	g->empty_held |= !g->solid && g->held;
	g->filled = g->solid = g->held = false;
	return 0;
}

static int re2_anchor(struct re2 *s)
{
	cni_buf_add(s->out, s->p++, 1);
	s->open[s->depth].filled = s->open[s->depth].held = s->open[s->depth].anchor = true;
	s->parts += COST_ANCHOR;
	if (is_one_of(*s->p, "*+?{"))
		return re2_refuse(s, s->p, "a repetition of nothing");
	return s->parts > PARTS_MAX ? re2_refuse(s, s->p, "too many anchors") : 0;
}

/* One character of the text. */
static int re2_single(struct re2 *s)
{
	char_set set = { false };
	int c;

	if (*s->p == '[')
		return re2_bracket(s);
	if (re2_perl_class(s, set)) {
		emit_set(s, set);
		return 0;
	}
	if (is_one_of(*s->p, "*+?{"))
		return re2_refuse(s, s->p, "a repetition of nothing; the character has a \\");
	if (*s->p != '\\') {
		cni_buf_add(s->out, s->p++, 1);
		return 0;
	}
	s->p++;
	c = re2_escaped(s);
	if (c >= 0)
		cni_buf_printf(s->out, is_one_of((char)c, "\\.[()*+?{|^$") ? "\\%c" : "%c", c);
	return c < 0 ? c : 0;
}

/* A single character, or a group that ends here, and how often. */
static int re2_part(struct re2 *s)
{
	struct group part = { .start = s->out->len, .parts = s->parts };
	int r;

	if (*s->p == ')') {
		if (s->depth == 0)
			return re2_refuse(s, s->p, "unexpected )");
		r = re2_end_alternative(s);
		part = s->open[s->depth--];
		cni_buf_add(s->out, s->p++, 1);
	} else {
		r = re2_single(s);
	}
	s->parts++;
	if (r == 0)
		r = re2_repeat(s, &part);
	s->open[s->depth].filled |= s->out->len > part.start; /* not so with {0} */
	s->open[s->depth].solid |= !part.empty;
	s->open[s->depth].held |= part.anchor;
	s->open[s->depth].anchor |= part.anchor;
	return r;
}

int cni_re2_to_posix(const char *text, size_t len, struct cni_buf *out, struct cni_error *err)
{
	struct re2 s = { .out = out, .err = err };
	int r = re2_copy(&s, text, len);

	s.p = s.text;
	while (r == 0 && *s.p) {
		switch (*s.p) {
		case '(':
			r = re2_open(&s);
			break;
		case '|':
			r = re2_end_alternative(&s);
			cni_buf_add(out, s.p++, 1);
			break;
		case '^':
		case '$':
			r = re2_anchor(&s);
			break;
		default:
			r = re2_part(&s);
		}
	}
	if (r == 0 && s.depth)
		r = re2_refuse(&s, s.p, "missing )");
	if (r == 0)
		r = re2_end_alternative(&s);
	if (r == 0 && out->failed)
		r = cni_fail(err, CNI_E_INTERNAL, ENOMEM, "read a regular expression");
	return r;
}
