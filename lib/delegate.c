/*
 * Asking the IPAM plugin of a network; see delegate.h.
 */
#include "delegate.h"
#include "conf.h"
#include "exec.h"
#include "files.h"
#include "names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* The IPAM plugin of a network, as found in CNI_PATH. */
struct target {
	char *path; /* owned */
	struct stat st;
	const struct cni_plugin *plugin; /* if it is in this executable; NULL = to be run */
};

static inline void cni_auto_target(struct target *t)
{
	free(t->path);
}

static int not_found(const struct cni_args *args, const char *type, struct cni_error *err)
{
	cni_auto(free) char *dirs = strdup(args->path);

	for (char *p = dirs; p && *p; p++)
		if (*p == ':')
			*p = ' ';
	cni_fail(err, CNI_E_INTERNAL, 0, "failed to find plugin \"%s\" in path [%s]", type,
		 dirs ? dirs : "");
	cni_error_detail(err, "ipam.type names a file in one of the directories of CNI_PATH");
	return -ENOENT;
}

/* The first directory that has a regular file of that name. */
static int find_file(const struct cni_args *args, const char *type, struct target *ret,
		     struct cni_error *err)
{
	if (!cni_name_is_path_component(type))
		return cni_invalid(err, "invalid plugin name: %s", type);
	for (const char *dir = args->path; *dir;) {
		size_t len = strcspn(dir, ":");

		if (len > 0) {
			free(ret->path);
			ret->path = NULL;
			if (asprintf(&ret->path, "%.*s/%s", (int)len, dir, type) < 0) {
				ret->path = NULL;
				return cni_fail(err, CNI_E_INTERNAL, ENOMEM, "find plugin");
			}
			if (stat(ret->path, &ret->st) == 0 && S_ISREG(ret->st.st_mode))
				return 0;
		}
		dir += len + (dir[len] == ':');
	}
	return not_found(args, type, err);
}

/* The plugin of that name in this executable, if the file found is this executable. */
static const struct cni_plugin *sibling(const struct cni_args *args, const char *type,
					const struct stat *st)
{
	struct stat self;

	if (stat("/proc/self/exe", &self) < 0 || !cni_stat_same(&self, st))
		return NULL;
	for (const struct cni_plugin *const *p = args->siblings; p && *p; p++)
		if (strcmp((*p)->name, type) == 0)
			return *p;
	return NULL;
}

/* Old forms of results cannot hold everything: lose the same as a result that was printed. */
static int narrow(const struct cni_args *args, struct cni_result *res, struct cni_error *err)
{
	cni_auto(json) json_t *obj = NULL;
	struct cni_result narrowed;
	int r;

	if (cni_version_shape(args->version) != CNI_SHAPE_IP4_IP6)
		return 0;
	r = cni_result_to_json(res, args->version, &obj, err);
	if (r == 0)
		r = cni_result_read(obj, args->version, &narrowed, err);
	if (r == 0) {
		cni_result_done(res);
		*res = narrowed;
	}
	return r;
}

static int call_inside(const struct cni_args *args, const struct cni_plugin *plugin,
		       enum cni_verb verb, struct cni_result *res, struct cni_error *err)
{
	struct cni_args sub = *args;
	int r;

	sub.plugin = plugin;
	sub.verb = verb;
	r = cni_plugin_run(&sub, res, err);
	if (r == 0 && verb == CNI_ADD)
		r = narrow(args, res, err);
	return r;
}

/* The program failed: pass on what it said, or say how it ended (texts as libcni's). */
static int take_failure(const struct cni_exec_result *run, struct cni_error *err)
{
	cni_auto(json) json_t *obj = NULL;
	char why[JSON_ERROR_TEXT_LENGTH];
	const char *msg, *details;

	if (run->out.len == 0 && run->err.len > 0)
		return cni_fail(err, CNI_E_INTERNAL, 0, "netplugin failed: \"%s\"", run->err.data);
	if (run->out.len == 0 && WIFSIGNALED(run->status))
		return cni_fail(err, CNI_E_INTERNAL, 0,
				"netplugin failed with no error message: signal: %s",
				strsignal(WTERMSIG(run->status)));
	if (run->out.len == 0)
		return cni_fail(err, CNI_E_INTERNAL, 0,
				"netplugin failed with no error message: exit status %d",
				WEXITSTATUS(run->status));
	obj = cni_json_parse(run->out.data, run->out.len, why);
	if (!json_is_object(obj))
		return cni_fail(err, CNI_E_INTERNAL, 0,
				"netplugin failed but error parsing its diagnostic message \"%s\": "
				"%s",
				run->out.data, obj ? "not an object" : why);
	msg = json_string_value(json_object_get(obj, "msg"));
	details = json_string_value(json_object_get(obj, "details"));
	cni_fail(err, (unsigned int)json_integer_value(json_object_get(obj, "code")), 0, "%s",
		 msg ? msg : "");
	cni_error_detail(err, "%s", details ? details : "");
	return -EIO;
}

static int take_result(const struct cni_args *args, const struct cni_exec_result *run,
		       struct cni_result *res, struct cni_error *err)
{
	cni_auto(json) json_t *obj = NULL;
	char why[JSON_ERROR_TEXT_LENGTH];

	obj = cni_json_parse(cni_buf_text(&run->out), run->out.len, why);
	if (!obj || (!json_is_object(obj) && !json_is_null(obj))) {
		cni_fail(err, CNI_E_INTERNAL, 0, "failed to unmarshal raw result: %s",
			 obj ? "not an object" : why);
		return -EBADMSG;
	}
	return cni_result_read(obj, args->version, res, err);
}

static int call_program(const struct cni_args *args, const char *path, enum cni_verb verb,
			struct cni_result *res, struct cni_error *err)
{
	cni_auto(exec) struct cni_exec_result run = { 0 };
	int r;

	r = cni_exec_plugin(path, cni_verb_name(verb), args->config, args->config_len, &run);
	if (r < 0)
		return cni_fail(err, CNI_E_INTERNAL, -r,
				"netplugin failed with no error message: fork/exec %s", path);
	if (!WIFEXITED(run.status) || WEXITSTATUS(run.status) != 0)
		return take_failure(&run, err);
	if (run.err.len)
		(void)!write(STDERR_FILENO, run.err.data, run.err.len);
	return verb == CNI_ADD ? take_result(args, &run, res, err) : 0;
}

/* A plugin that asks itself for addresses would do so without end. */
static int not_itself(const char *type, struct cni_error *err)
{
	cni_invalid(err, "ipam.type: \"%s\" is the plugin that asks", type);
	cni_error_detail(err, "it names a plugin that gives addresses, as host-local");
	return -EINVAL;
}

static int find(const struct cni_args *args, struct target *ret, struct cni_error *err)
{
	const char *type = cni_conf_ipam_type(args);
	int r;

	if (strcmp(type, args->plugin->name) == 0)
		return not_itself(type, err);
	r = find_file(args, type, ret, err);
	if (r == 0)
		ret->plugin = sibling(args, type, &ret->st);
	return r;
}

static int call(const struct cni_args *args, const struct target *t, enum cni_verb verb,
		struct cni_result *res, struct cni_error *err)
{
	return t->plugin ? call_inside(args, t->plugin, verb, res, err)
			 : call_program(args, t->path, verb, res, err);
}

static void undo_add(void *ctx)
{
	struct cni_error err = { 0 };

	if (cni_ipam_ask(ctx, CNI_DEL, &err) < 0)
		cni_note("undo of ADD: release addresses: %s", err.msg);
}

int cni_ipam_add(const struct cni_args *args, struct cni_undo *undo, struct cni_result *res,
		 struct cni_error *err)
{
	cni_auto(target) struct target t = { 0 };
	int r;

	r = find(args, &t, err);
	if (r < 0)
		return r;
	cni_undo_push(undo, undo_add, (void *)args);
	r = call(args, &t, CNI_ADD, res, err);
	if (r < 0)
		return r;
	cni_result_drop_ifaces(res);
	if (res->n_ips == 0) {
		cni_fail(err, CNI_E_INTERNAL, 0, "IPAM plugin returned missing IP config");
		return -EBADMSG;
	}
	return 0;
}

int cni_ipam_ask(const struct cni_args *args, enum cni_verb verb, struct cni_error *err)
{
	json_t *type = json_object_get(cni_conf_ipam(args), "type");
	cni_auto(target) struct target t = { 0 };
	int r;

	/* ADD checks types first; DEL does not, and must not forget the addresses in silence. */
	if (type && !json_is_string(type))
		return cni_invalid(err, "ipam.type: expected a string");
	if (!*cni_conf_ipam_type(args))
		return 0;
	r = find(args, &t, err);
	return r < 0 ? r : call(args, &t, verb, NULL, err);
}
