/*
 * Running a regular expression's program over a text; see pattern.h.
 */
#include "pattern_program.h"
#include "utf8.h"

#include <errno.h>
#include <string.h>

#define REPLACEMENT 0xfffdu

/* The states that the machine is in. */
struct states {
	int *at; /* instructions, each once */
	int n;
};

struct machine {
	const struct program *prog;
	int *memory; /* owned: both lists, the stack and the marks */
	int *todo; /* instructions that are still to be followed */
	int *mark; /* for each instruction: the step at which it came in */
	int step;
	uint32_t before, after; /* characters around the place; 0 at either end */
	bool found;
};

static bool is_word(uint32_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       c == '_';
}

static bool holds(const struct machine *m, enum place place)
{
	switch (place) {
	case TEXT_BEGIN:
		return m->before == 0;
	case TEXT_END:
		return m->after == 0;
	case LINE_BEGIN:
		return m->before == 0 || m->before == '\n';
	case LINE_END:
		return m->after == 0 || m->after == '\n';
	case WORD_EDGE:
		return is_word(m->before) != is_word(m->after);
	case NO_WORD_EDGE:
		return is_word(m->before) == is_word(m->after);
	}
	return false;
}

/* Enter an instruction, and all it leads to without consuming anything. */
static void enter(struct machine *m, struct states *list, int start)
{
	int n = 0;

	m->todo[n++] = start;
	while (n > 0) {
		int at = m->todo[--n];
		const struct inst *i = &m->prog->inst[at];

		if (m->mark[at] == m->step)
			continue;
		m->mark[at] = m->step;
		if (i->op == FOUND)
			m->found = true;
		else if (i->op == CONSUME)
			list->at[list->n++] = at;
		else if (i->op == JUMP || i->op == SPLIT)
			m->todo[n++] = at + i->a;
		else if (holds(m, (enum place)i->a))
			m->todo[n++] = at + 1;
		if (i->op == SPLIT)
			m->todo[n++] = at + i->b;
	}
}

static bool in_set(const struct program *prog, const struct inst *i, uint32_t c)
{
	for (int r = i->a; r < i->a + i->b; r++)
		if (c >= prog->range[r].from && c <= prog->range[r].to)
			return true;
	return false;
}

static bool consumes(const struct program *prog, const struct inst *i, uint32_t c)
{
	bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';

	return (in_set(prog, i, c) || (i->folded && letter && in_set(prog, i, c ^ 0x20))) !=
	       i->negated;
}

static uint32_t character_at(const char *p, size_t left, size_t *len)
{
	*len = left ? cni_utf8_length(p, left) : 0;
	if (*len)
		return cni_utf8_decode(p, *len);
	*len = left ? 1 : 0;
	return left ? REPLACEMENT : 0;
}

static bool run(struct machine *m, struct states *now, struct states *next, const char *text)
{
	size_t left = strlen(text), len;

	m->after = character_at(text, left, &len);
	m->step = 1;
	enter(m, now, 0);
	while (!m->found && left > 0) {
		struct states *spent = now;

		m->before = m->after;
		text += len;
		left -= len;
		m->after = character_at(text, left, &len);
		m->step++;
		for (int i = 0; i < now->n; i++)
			if (consumes(m->prog, &m->prog->inst[now->at[i]], m->before))
				enter(m, next, now->at[i] + 1);
		enter(m, next, 0); /* a match may begin at any place */
		now = next;
		next = spent;
		next->n = 0;
	}
	return m->found;
}

int cni_pattern_search(const char *pattern, size_t len, const char *text,
		       char why[static CNI_PATTERN_WHY])
{
	cni_auto(program) struct program prog = { 0 };
	cni_auto(free) int *memory = NULL;
	struct machine m = { .prog = &prog };
	struct states lists[2] = { 0 };
	size_t n;
	int r;

	r = cni_program_compile(&prog, pattern, len, why);
	if (r < 0)
		return r;
	/* Two lists; marks; and a stack: an instruction that is followed puts in two at most. */
	n = (size_t)prog.n_inst;
	memory = calloc(5 * n + 2, sizeof(*memory));
	if (!memory)
		return -ENOMEM;
	lists[0].at = memory;
	lists[1].at = memory + n;
	m.mark = memory + 2 * n;
	m.todo = memory + 3 * n;
	return run(&m, &lists[0], &lists[1], text);
}
