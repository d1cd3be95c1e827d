/*
 * What pattern.c makes and pattern_run.c runs: a program for a machine that is in many states at once
 * (Thompson 1968). An instruction consumes one character, asserts something about the place in the
 * text, or leads on to others. Jumps are relative, so that a piece of program can be copied and moved.
 *
 * Nobody else needs this header.
 */
#ifndef CNI_PATTERN_PROGRAM_H
#define CNI_PATTERN_PROGRAM_H

#include "pattern.h"

enum op { CONSUME, SPLIT, JUMP, ASSERT, FOUND };

enum place { TEXT_BEGIN, TEXT_END, LINE_BEGIN, LINE_END, WORD_EDGE, NO_WORD_EDGE };

struct inst {
	uint8_t op; /**< enum op */
	bool negated; /**< CONSUME: what is not in the set */
	bool folded; /**< CONSUME: whatever its case, within ASCII */
	int a; /**< CONSUME: first range; SPLIT: one way; JUMP: the way; ASSERT: enum place */
	int b; /**< CONSUME: number of ranges; SPLIT: the other way */
};

/** Characters from the first to the last. */
struct range {
	uint32_t from, to;
};

/** `{0}` is empty. It begins at instruction 0. */
struct program {
	struct inst *inst; /**< owned */
	struct range *range; /**< owned */
	int n_inst, n_range;
};

static inline void cni_auto_program(struct program *prog)
{
	free(prog->inst);
	free(prog->range);
}

/**
 * Translate a pattern.
 *
 * @param prog  empty; to be released also on failure
 * @param why   as in cni_pattern_search
 * @return 0; -EINVAL; -ENOMEM
 */
int cni_program_compile(struct program *prog, const char *pattern, size_t len,
			char why[static CNI_PATTERN_WHY]) cni_must_check;

#endif
