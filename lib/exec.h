/*
 * Running another CNI plugin as a program. Nothing else is ever run.
 */
#ifndef CNI_EXEC_H
#define CNI_EXEC_H

#include "buf.h"
#include "error.h"

/** What a program did. */
struct cni_exec_result {
	struct cni_buf out; /**< its stdout */
	struct cni_buf err; /**< its stderr */
	int status; /**< as waitpid(2) gives it */
};

static inline void cni_auto_exec(struct cni_exec_result *res)
{
	cni_buf_done(&res->out);
	cni_buf_done(&res->err);
}

/**
 * Run a plugin and wait for its end. It inherits the environment, with CNI_COMMAND replaced.
 * A file that is being written (ETXTBSY) is waited for, a second at most.
 *
 * @param path     of the program; also its argv[0]
 * @param command  value of CNI_COMMAND
 * @param in       bytes for its stdin
 * @param len      how many
 * @param ret      release with cni_auto_exec; empty on failure
 * @return 0 if it ran, whatever its exit status; negative errno if it could not be run
 */
int cni_exec_plugin(const char *path, const char *command, const char *in, size_t len,
		    struct cni_exec_result *ret) cni_must_check;

#endif
