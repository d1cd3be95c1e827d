/*
 * A small world for one test: a "host" of its own (fresh network and mount namespaces, empty /run and
 * /var/lib, a directory for files), containers beside it, and the built plugins to call.
 *
 * Nothing of the machine's own namespace is touched, and everything is gone when the test's process
 * ends, also when it fails.
 */
#ifndef TESTS_WORLD_H
#define TESTS_WORLD_H

#include <check.h>
#include <jansson.h>
#include <stdbool.h>

/** @return whether this process may make namespaces; tests that need them are skipped otherwise */
bool world_available(void);

/** Checked fixture: make the world. Strings that functions here return live until it ends. */
void world_setup(void);
void world_teardown(void);

/** @return the test's directory; its file systems end with the test */
const char *world_dir(void);

/** @return a formatted text that lives as long as the world */
const char *fmt(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Make a container: a network namespace. @return its path, as a runtime would put in CNI_NETNS */
const char *container_add(const char *name);
/** Unmount and forget it, as after a reboot or a kill. */
void container_del(const char *name);

/** Run `sh -c` in the host; the test fails unless it exits with 0. @return stdout without the last newline */
const char *sh(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** The same inside a container. */
const char *sh_in(const char *container, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/** Put a text through `sh -c`, as sh(). @return stdout, byte for byte */
const char *sh_filter(const char *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/** @return the exit status of `sh -c`, output discarded */
int sh_status(const char *format, ...) __attribute__((format(printf, 1, 2)));
int sh_status_in(const char *container, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** One call of a plugin as a runtime makes it. Members left NULL: not in the environment. */
struct call {
	const char *plugin; /**< file name; NULL = the "type" of the configuration */
	const char *bin; /**< directory of the plugin; NULL = ours */
	const char *path; /**< CNI_PATH; NULL = bin; "" = not in the environment */
	const char *command; /**< CNI_COMMAND */
	const char *id; /**< CNI_CONTAINERID; NULL = "ctr1"; "" = not in the environment */
	const char *netns; /**< CNI_NETNS */
	const char *ifname; /**< CNI_IFNAME; NULL = "eth0"; "" = not in the environment */
	const char *args; /**< CNI_ARGS */
	const char *override; /**< CNI_NETNS_OVERRIDE */
	const char *config; /**< stdin */
	const char *
		wrapper; /**< put before the command, as "strace -o f"; NULL = $CNI_TEST_WRAPPER or none */
};

/** @return a call for container number n: CNI_CONTAINERID "ctr<n>", made by container_add("c<n>") */
struct call on_container(int n, const char *command, const char *config);

/** What came of it. */
struct reply {
	int status; /**< exit status; 128 + signal if killed */
	const char *out; /**< stdout, byte for byte */
	const char *err; /**< stderr */
	json_t *json; /**< stdout parsed; NULL if it is not JSON */
	int code; /**< "code" of an error object; -1 if there is none */
	const char *msg; /**< "msg" of an error object; "" if there is none */
	const char *details; /**< likewise */
};

/** Call a plugin and wait. */
struct reply call(struct call c);

/** Call a plugin without waiting; the result is read by call_wait. */
struct running;
struct running *call_start(struct call c);
struct reply call_wait(struct running *r);

/** Call, and fail the test unless it succeeds (exit 0; for ADD with a result). */
struct reply call_ok(struct call c);
/** Call, and fail the test unless it is an error object with this code whose msg contains @p msg. */
struct reply call_fails(struct call c, int code, const char *msg);

/** @return the configuration @p config with prevResult put in */
const char *with_prev(const char *config, const char *result);

/**
 * @return a text of everything that a plugin may change: links, addresses, routes, rules, sysctls that
 * plugins touch, of the host and of every container, and the files below the world's directory and
 * /var/lib/cni, but for the index of the leases, which is derived from them
 */
const char *world_dump(void);

/**
 * @return directory of our plugins built without sanitizers; of those that CNI_TEST_PLUGINS names, if it does.
 * They start five times as fast, for calls in which a sanitizer never gets to speak.
 */
const char *plain_plugins(void);
/** Directory of our plugins, and of the Go plugins (Debian's; NULL if they are not installed). */
const char *our_plugins(void);
const char *debian_plugins(void);
/** Directory of the newest packaged Go plugins (tests/peer), NULL if they could not be had. */
const char *newest_plugins(void);

/** The main() of every test program: run the suite, or exit 77 if there can be no world. */
int world_main(Suite *suite);

/** @return whether a directory, which may be NULL, has a plugin; also before the tests run */
bool peer_has(const char *dir, const char *plugin);

/**
 * world_main() for a suite that compares with the newest Go plugins if it can: without theirs of this
 * name in CNI_PEER_DIR it has not run in full (77, or 1 with CNI_TEST_MUST_RUN).
 */
int peer_main(Suite *suite, const char *plugin);

#endif
