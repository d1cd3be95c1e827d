/*
 * The protocol; see skel.h. Order and texts of the checks are libcni's (reference: section A).
 */
#include "skel.h"
#include "conf.h"
#include "names.h"
#include "netns.h"
#include "nft.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

/* Far more than any configuration; a GC list of 100,000 attachments has about 10 MB. */
#define STDIN_MAX (64u << 20)

int cni_noop(const struct cni_args *args, struct cni_error *err)
{
	(void)args;
	(void)err;
	return 0;
}

/* ---- environment ---- */

#define FOR(verb) (1u << (verb))
#define FOR_ATTACHMENT (FOR(CNI_ADD) | FOR(CNI_DEL) | FOR(CNI_CHECK))

static int check_containerid(const char *value, struct cni_error *err)
{
	if (cni_name_is_valid(value))
		return 0;
	cni_fail(err, CNI_E_ENV, 0, "invalid characters in containerID");
	cni_error_detail(err, "%s", value);
	return -EINVAL;
}

static const struct {
	const char *name;
	size_t offset; /* in struct cni_args */
	unsigned int required;
	int (*check)(const char *value, struct cni_error *err); /* if required and there */
} variables[] = {
	{ "CNI_CONTAINERID", offsetof(struct cni_args, containerid), FOR_ATTACHMENT,
	  check_containerid },
	{ "CNI_NETNS", offsetof(struct cni_args, netns), FOR(CNI_ADD) | FOR(CNI_CHECK), NULL },
	{ "CNI_IFNAME", offsetof(struct cni_args, ifname), FOR_ATTACHMENT, cni_ifname_check },
	{ "CNI_ARGS", offsetof(struct cni_args, cni_args), 0, NULL },
	{ "CNI_PATH", offsetof(struct cni_args, path),
	  FOR_ATTACHMENT | FOR(CNI_GC) | FOR(CNI_STATUS), NULL },
};

/* A bad value ends the walk at once; missing ones are gathered (reference: A2). */
static int read_environment(unsigned int verb_bit, struct cni_args *args, struct cni_error *err)
{
	char missing[128] = "";

	for (size_t i = 0; i < CNI_ARRAY_SIZE(variables); i++) {
		const char *value = getenv(variables[i].name);
		bool required = variables[i].required & verb_bit;

		value = value ? value : "";
		*(const char **)((char *)args + variables[i].offset) = value;
		if (required && !*value) {
			size_t n = strlen(missing);

			snprintf(missing + n, sizeof(missing) - n, "%s%s", n ? "," : "",
				 variables[i].name);
		} else if (required && variables[i].check) {
			int r = variables[i].check(value, err);

			if (r < 0)
				return r;
		}
	}
	if (*missing) {
		cni_fail(err, CNI_E_ENV, 0, "required env variables [%s] missing", missing);
		return -EINVAL;
	}
	return 0;
}

/* ---- configuration ---- */

/* A stream of the runtime's may be set not to block. */
static void await(int fd, short event)
{
	struct pollfd pfd = { .fd = fd, .events = event };

	(void)poll(&pfd, 1, -1);
}

static int read_stdin(struct cni_buf *in)
{
	int r;

	while ((r = cni_buf_read_fd(in, STDIN_FILENO, STDIN_MAX)) == -EAGAIN)
		await(STDIN_FILENO, POLLIN);
	return r;
}

static int read_config(struct cni_buf *in, struct cni_args *args, struct cni_error *err)
{
	char why[JSON_ERROR_TEXT_LENGTH];
	json_t *name;
	int r;

	r = read_stdin(in);
	if (r == -EFBIG)
		return cni_fail(err, CNI_E_IO, 0,
				"error reading from stdin: configuration has more than %u bytes",
				STDIN_MAX);
	if (r < 0)
		return cni_fail(err, CNI_E_IO, -r, "error reading from stdin");
	args->config = in->data;
	args->config_len = in->len;
	args->conf = cni_json_parse(cni_buf_text(in), in->len, why);
	if (json_is_null(args->conf))
		args->conf = json_object();
	if (!json_is_object(args->conf))
		return cni_fail(err, CNI_E_DECODE, 0, "error unmarshall network config: %s",
				args->conf ? "expected an object" : why);
	name = json_object_get(args->conf, "name");
	if (name && !json_is_string(name))
		return cni_fail(err, CNI_E_DECODE, 0,
				"error unmarshall network config: name: expected a string");
	args->name = name ? json_string_value(name) : "";
	if (!*args->name)
		return cni_invalid(err, "missing network name");
	if (!cni_name_is_valid(args->name)) {
		r = cni_invalid(err, "invalid characters found in network name");
		cni_error_detail(err, "%s", args->name);
		return r;
	}
	return 0;
}

/*
 * CNI_NETNS must not lead to the namespace we are in: a path by process id does when the id has been
 * used again. Told before any work. Only a DEL first frees what the attachment has outside of it.
 */
static int check_netns(struct cni_args *args, struct cni_error *err)
{
	const char *allowed = getenv("CNI_NETNS_OVERRIDE");
	bool attachment = FOR(args->verb) & FOR_ATTACHMENT;

	if (!attachment || (allowed && (strcmp(allowed, "1") == 0 || !strcasecmp(allowed, "true"))))
		return 0;
	if (!cni_netns_is_own(args->netns))
		return 0;
	if (args->verb == CNI_DEL) {
		struct cni_error ignored = { 0 };
		struct cni_args elsewhere = *args;

		elsewhere.netns = "";
		(void)!cni_plugin_run(&elsewhere, NULL, &ignored);
	}
	cni_fail(err, CNI_E_NETNS, 0,
		 "plugin's netns and netns from CNI_NETNS should not be the same");
	cni_error_detail(err, "CNI_NETNS is %s; CNI_NETNS_OVERRIDE=1 allows it", args->netns);
	return -EINVAL;
}

static const char *version_text(const struct cni_args *args)
{
	const char *text = json_string_value(json_object_get(args->conf, "cniVersion"));

	return text ? text : "";
}

int cni_plugin_run(struct cni_args *args, struct cni_result *res, struct cni_error *err)
{
	int r;

	r = cni_version_allows(version_text(args), args->verb, args->plugin->oldest, &args->version,
			       err);
	if (r < 0)
		return r;
	switch (args->verb) {
	case CNI_ADD:
		return args->plugin->add(args, res, err);
	case CNI_DEL:
		return args->plugin->del(args, err);
	case CNI_CHECK:
		return args->plugin->check(args, err);
	case CNI_GC:
		return args->plugin->gc(args, err);
	case CNI_STATUS:
		return args->plugin->status(args, err);
	case CNI_VERSION:
		break;
	}
	return 0;
}

/* ---- stdout ---- */

static int write_out(int out, const struct cni_buf *text)
{
	size_t done = 0;

	if (text->failed)
		return -ENOMEM;
	while (done < text->len) {
		ssize_t n = write(out, text->data + done, text->len - done);

		if (n < 0 && errno == EAGAIN)
			await(out, POLLOUT);
		else if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Without a document of jansson's, so that a lack of memory can be told. */
static int print_error(int out, const struct cni_args *args, const struct cni_error *err)
{
	enum cni_version v = CNI_VERSION_NEWEST;
	cni_auto(buf) struct cni_buf buf = { 0 };

	if (cni_version_find(version_text(args), &v) < 0)
		v = CNI_VERSION_NEWEST;
	cni_buf_printf(&buf, "{\n    \"cniVersion\": \"%s\",\n    \"code\": %u,\n    \"msg\": ",
		       cni_version_name(v), err->code);
	cni_json_print_string(err->msg, strlen(err->msg), &buf);
	if (err->details[0]) {
		cni_buf_printf(&buf, ",\n    \"details\": ");
		cni_json_print_string(err->details, strlen(err->details), &buf);
	}
	cni_buf_printf(&buf, "\n}");
	if (write_out(out, &buf) < 0)
		cni_note("error %u: %s%s%s", err->code, err->msg, err->details[0] ? "; " : "",
			 err->details);
	return 1;
}

/* An ADD whose result nobody gets is undone: the runtime could not know what to delete. */
static int print_result(int out, const struct cni_args *args, const struct cni_result *res,
			struct cni_error *err)
{
	cni_auto(buf) struct cni_buf buf = { 0 };
	cni_auto(json) json_t *obj = NULL;
	struct cni_error ignored = { 0 };
	int r;

	r = cni_result_to_json(res, args->version, &obj, err);
	if (r == 0) {
		cni_json_print(obj, false, &buf);
		r = write_out(out, &buf);
		if (r < 0)
			cni_fail(err, CNI_E_IO, -r, "write result to stdout");
	}
	if (r < 0)
		(void)args->plugin->del(args, &ignored);
	return r;
}

static int print_versions(int out, const struct cni_plugin *plugin)
{
	cni_auto(buf) struct cni_buf buf = { 0 };
	cni_auto(json) json_t *obj = json_object();
	json_t *list = json_array();

	for (int v = (int)plugin->oldest; v < CNI_VERSIONS; v++)
		json_array_append_new(list, json_string(cni_version_name((enum cni_version)v)));
	json_object_set_new(obj, "cniVersion", json_string(cni_version_name(CNI_VERSION_NEWEST)));
	json_object_set_new(obj, "supportedVersions", list);
	cni_json_print(obj, true, &buf);
	cni_buf_add(&buf, "\n", 1);
	return write_out(out, &buf) < 0;
}

static int print_usage(const struct cni_plugin *plugin)
{
	dprintf(STDERR_FILENO, "CNI %s plugin %s\nCNI protocol versions supported: ", plugin->name,
		CNI_BUILD_VERSION);
	for (int v = (int)plugin->oldest; v < CNI_VERSIONS; v++)
		dprintf(STDERR_FILENO, "%s%s", v > (int)plugin->oldest ? ", " : "",
			cni_version_name((enum cni_version)v));
	dprintf(STDERR_FILENO, "\n");
	return 0;
}

/* ---- one request ---- */

static int serve_request(const char *command, int out, struct cni_args *args, struct cni_buf *in,
			 struct cni_error *err)
{
	cni_auto(result) struct cni_result res = { 0 };
	bool known = cni_verb_find(command, &args->verb) == 0;
	json_t *version;
	int r;

	r = read_environment(known ? FOR(args->verb) : 0, args, err);
	if (r < 0)
		return r;
	if (known && args->verb == CNI_VERSION)
		return print_versions(out, args->plugin);
	r = read_config(in, args, err);
	if (r < 0)
		return r;
	if (!known)
		return cni_fail(err, CNI_E_ENV, 0, "unknown CNI_COMMAND: %s", command);
	version = json_object_get(args->conf, "cniVersion");
	if (version && !json_is_string(version))
		return cni_fail(
			err, CNI_E_DECODE, 0,
			"decoding version from network config: cniVersion: expected a string");
	r = check_netns(args, err);
	if (r < 0)
		return r;
	r = cni_plugin_run(args, &res, err);
	if (r == 0 && args->verb == CNI_ADD)
		r = print_result(out, args, &res, err);
	return r;
}

/*
 * Descriptors 0 to 2 are open from here on, so that no file of ours can be mistaken for one. A stdout
 * that was closed is open for reading only: a result then fails to be written, and is not lost unseen.
 */
static void open_standard_streams(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0) /* open(2) takes the lowest: this one */
			(void)!open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_RDWR);
}

int cni_serve(const struct cni_plugin *plugin, const struct cni_plugin *const *siblings)
{
	/* The configuration is left to the end of the process, which is near, and takes it away in one go. */
	static struct cni_args args;
	static struct cni_buf in;
	const char *command = getenv("CNI_COMMAND");
	struct cni_error err = { 0 };
	cni_auto(fd) int out = -1;
	size_t seed;
	int r;

	if (!command || !*command)
		return print_usage(plugin);
	args = (struct cni_args){ .plugin = plugin, .siblings = siblings };
	/* Else jansson would open /dev/urandom, which may not be there, and count on the clock. */
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) == (ssize_t)sizeof(seed))
		json_object_seed(seed);
	open_standard_streams();
	(void)signal(SIGPIPE, SIG_IGN); /* a runtime that is gone is an error of write(2) */
	(void)signal(SIGCHLD, SIG_DFL); /* else waitpid(2) would not tell how a delegate ended */
	out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		(void)close(STDOUT_FILENO);
	r = serve_request(command, out, &args, &in, &err);
	if (r < 0) {
		if (!err.set)
			cni_fail(&err, CNI_E_INTERNAL, -r, "%s", command);
		r = print_error(out, &args, &err);
	}
	if (args.verb == CNI_DEL || args.verb == CNI_GC)
		cni_nft_leave();
	return r;
}
