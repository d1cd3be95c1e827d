/*
 * What links were before they were changed; see link_backup.h. The directory is the operator's choice and
 * may be reached by symbolic links; in it none is followed, and a file is there complete or not at all.
 */
#include "link_backup.h"
#include "conf.h"
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define DIR_MODE 0700
#define FILE_MODE 0600

/* Far more than the keys there are. */
#define FILE_MAX 4096

#define SUFFIX ".json"
/* A file that is being written; a kill may leave it. */
#define NEW ".new"

/* A file's name, and that under which it is written. */
struct names {
	char *final, *aside; /* owned */
};

static void cni_auto_names(struct names *n)
{
	free(n->final);
	free(n->aside);
}

static int make_names(const char *containerid, const char *ifname, struct names *ret)
{
	if (asprintf(&ret->final, "%s_%s" SUFFIX, containerid, ifname) < 0) {
		*ret = (struct names){ 0 };
		return -ENOMEM;
	}
	if (asprintf(&ret->aside, "%s" NEW, ret->final) < 0) {
		ret->aside = NULL;
		return -ENOMEM;
	}
	return 0;
}

static int open_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* ---- the form of a file ---- */

struct content {
	const char *mac, *network; /* borrowed from the document */
	json_int_t mtu, txqlen, netns, ifindex;
	bool promisc, allmulti;
};

static int read_document(int dir, const char *name, json_t **ret)
{
	/* O_NONBLOCK: a FIFO planted here must not hang us. */
	cni_auto(fd) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	cni_auto(buf) struct cni_buf buf = { 0 };
	char why[JSON_ERROR_TEXT_LENGTH];
	int r;

	if (fd < 0)
		return -errno;
	r = cni_buf_read_fd(&buf, fd, FILE_MAX);
	if (r < 0)
		return r == -EFBIG ? -EBADMSG : r;
	*ret = cni_json_parse(buf.data, buf.len, why);
	if (json_is_object(*ret))
		return 0;
	return cni_json_lacked_memory() ? -ENOMEM : -EBADMSG;
}

static bool fits(json_int_t v)
{
	return v >= 0 && v <= UINT32_MAX;
}

/* An empty mac and an mtu of 0 are none, as with the Go plugin. */
static int parse(json_t *doc, struct content *c, struct cni_link_attrs *ret)
{
	static const struct cni_json_field fields[] = {
		{ "mac", CNI_JSON_STRING, offsetof(struct content, mac) },
		{ "promisc", CNI_JSON_BOOL, offsetof(struct content, promisc) },
		{ "mtu", CNI_JSON_INT, offsetof(struct content, mtu) },
		{ "allmulti", CNI_JSON_BOOL, offsetof(struct content, allmulti) },
		{ "txQLen", CNI_JSON_INT, offsetof(struct content, txqlen) },
		{ "network", CNI_JSON_STRING, offsetof(struct content, network) },
		{ "netns", CNI_JSON_INT, offsetof(struct content, netns) },
		{ "ifindex", CNI_JSON_INT, offsetof(struct content, ifindex) },
	};
	struct cni_link_attrs a = { 0 };

	*c = (struct content){ .mac = "" };
	if (cni_json_read(doc, "", fields, CNI_ARRAY_SIZE(fields), c, NULL) < 0 || !fits(c->mtu) ||
	    !fits(c->txqlen))
		return -EBADMSG;
	if (*c->mac) {
		if (cni_mac_parse(c->mac, a.mac) < 0)
			return -EBADMSG;
		a.set |= CNI_LINK_MAC;
	}
	a.set |= c->mtu ? CNI_LINK_MTU : 0;
	a.set |= json_object_get(doc, "promisc") ? CNI_LINK_PROMISC : 0;
	a.set |= json_object_get(doc, "allmulti") ? CNI_LINK_ALLMULTI : 0;
	a.set |= json_object_get(doc, "txQLen") ? CNI_LINK_TXQLEN : 0;
	a.mtu = (unsigned int)c->mtu;
	a.txqlen = (uint32_t)c->txqlen;
	a.promisc = c->promisc;
	a.allmulti = c->allmulti;
	*ret = a;
	return 0;
}

/* The Go plugin's keys in its order, then ours. */
static char *print(const struct cni_link_backup *b, const struct cni_link_attrs *a)
{
	cni_auto(json) json_t *doc = json_object();
	char mac[CNI_MAC_STRLEN];

	if (a->set & CNI_LINK_MAC)
		json_object_set_new(doc, "mac", json_string(cni_mac_format(a->mac, mac)));
	if (a->set & CNI_LINK_PROMISC)
		json_object_set_new(doc, "promisc", json_boolean(a->promisc));
	if (a->set & CNI_LINK_MTU)
		json_object_set_new(doc, "mtu", json_integer(a->mtu));
	if (a->set & CNI_LINK_ALLMULTI)
		json_object_set_new(doc, "allmulti", json_boolean(a->allmulti));
	if (a->set & CNI_LINK_TXQLEN)
		json_object_set_new(doc, "txQLen", json_integer(a->txqlen));
	json_object_set_new(doc, "network", json_string(b->network));
	json_object_set_new(doc, "netns", json_integer((json_int_t)b->netns));
	json_object_set_new(doc, "ifindex", json_integer(b->ifindex));
	return cni_json_lacked_memory() ? NULL : json_dumps(doc, JSON_INDENT(1));
}

/* ---- saving ---- */

static int load(int dir, const char *name, const struct cni_link_backup *b,
		struct cni_link_attrs *ret)
{
	cni_auto(json) json_t *doc = NULL;
	struct content c = { 0 };
	int r;

	r = read_document(dir, name, &doc);
	if (r == 0)
		r = parse(doc, &c, ret);
	if (r == 0 && c.netns && b->netns &&
	    ((uint64_t)c.netns != b->netns || c.ifindex != b->ifindex))
		r = -ESTALE;
	return r < 0 ? r : c.netns && b->netns;
}

/* Values that are in `from` and not in `to`. */
static void add_missing(struct cni_link_attrs *to, const struct cni_link_attrs *from)
{
	struct cni_link_attrs older = *to;

	*to = *from;
	to->set |= older.set;
	if (older.set & CNI_LINK_MAC)
		memcpy(to->mac, older.mac, CNI_MAC_LEN);
	if (older.set & CNI_LINK_MTU)
		to->mtu = older.mtu;
	if (older.set & CNI_LINK_TXQLEN)
		to->txqlen = older.txqlen;
	if (older.set & CNI_LINK_PROMISC)
		to->promisc = older.promisc;
	if (older.set & CNI_LINK_ALLMULTI)
		to->allmulti = older.allmulti;
}

static int write_aside(int dir, const char *name, const char *text)
{
	size_t len = strlen(text);
	cni_auto(fd) int fd = -1;
	ssize_t n;

	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
	if (fd < 0)
		return -errno;
	n = write(fd, text, len);
	return n < 0 ? -errno : n == (ssize_t)len ? 0 : -ENOSPC;
}

static int save(int dir, const struct names *names, const struct cni_link_backup *b,
		const struct cni_link_attrs *attrs)
{
	cni_auto(free) char *text = print(b, attrs);
	int r;

	if (!text)
		return -ENOMEM;
	r = write_aside(dir, names->aside, text);
	if (r == 0 && renameat(dir, names->aside, dir, names->final) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dir, names->aside, 0);
	return r;
}

int cni_link_backup_save(const struct cni_link_backup *b, const struct cni_link_attrs *now,
			 struct cni_error *err)
{
	struct cni_link_attrs attrs = { 0 };
	cni_auto(names) struct names names = { 0 };
	cni_auto(fd) int dir = -1;
	bool known = false;
	int r;

	r = make_names(b->containerid, b->ifname, &names);
	if (r == 0)
		r = cni_dir_make(b->dir, DIR_MODE);
	if (r == 0) {
		dir = open_dir(b->dir);
		r = dir < 0 ? dir : 0;
	}
	if (r == 0) {
		/* Only of this very link: a Go plugin's may be of one that is long gone. */
		known = load(dir, names.final, b, &attrs) > 0;
		if (!known)
			attrs.set = 0;
		add_missing(&attrs, now);
		r = save(dir, &names, b, &attrs);
	}
	if (r < 0) {
		r = cni_fail(err, CNI_E_INTERNAL, -r, "failed to create backup file in %s", b->dir);
		cni_error_detail(err, "dataDir chooses another directory");
		return r;
	}
	return !known;
}

int cni_link_backup_read(const struct cni_link_backup *b, struct cni_link_attrs *ret)
{
	cni_auto(names) struct names names = { 0 };
	cni_auto(fd) int dir = open_dir(b->dir);
	int r = dir < 0 ? dir : make_names(b->containerid, b->ifname, &names);

	if (r == 0)
		r = load(dir, names.final, b, ret);
	return r < 0 ? r : 0;
}

/* ---- removing ---- */

/* What is there no more, or is no file, is nobody's backup. */
static int remove_file(int dir, const char *name)
{
	struct stat st;
	int r = unlinkat(dir, name, 0) < 0 ? -errno : 0;

	if (r == 0 || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode))
		return 0;
	return r;
}

int cni_link_backup_remove(const struct cni_link_backup *b, struct cni_error *err)
{
	cni_auto(names) struct names names = { 0 };
	cni_auto(fd) int dir = open_dir(b->dir);
	int r, aside;

	if (dir == -ENOENT || dir == -ENOTDIR)
		return 0;
	r = dir < 0 ? dir : make_names(b->containerid, b->ifname, &names);
	if (r == 0) {
		r = remove_file(dir, names.final);
		aside = remove_file(dir, names.aside);
		r = r < 0 ? r : aside;
	}
	return r < 0 ? cni_fail(err, CNI_E_INTERNAL, -r, "remove backup file in %s", b->dir) : 0;
}

static bool ends_in(const char *name, const char *end)
{
	size_t len = strlen(name), end_len = strlen(end);

	return len > end_len && strcmp(name + len - end_len, end) == 0;
}

/* The names of valid attachments' files, as the keys of an object. */
static json_t *valid_names(const struct cni_args *args)
{
	json_t *valid = json_object();
	struct cni_valid one;
	size_t at = 0;

	while (valid && cni_conf_next_valid(args, &at, &one)) {
		cni_auto(names) struct names names = { 0 };

		if (make_names(one.containerid, one.ifname, &names) < 0 ||
		    json_object_set_new_nocheck(valid, names.final, json_true()) < 0 ||
		    json_object_set_new_nocheck(valid, names.aside, json_true()) < 0) {
			json_decref(valid);
			return NULL;
		}
	}
	return valid;
}

static bool is_of_network(int dir, const char *name, const char *network)
{
	cni_auto(json) json_t *doc = NULL;
	const char *said;

	if (read_document(dir, name, &doc) < 0)
		return false;
	said = json_string_value(json_object_get(doc, "network"));
	return said && strcmp(said, network) == 0;
}

static int sweep(DIR *list, const struct cni_args *args)
{
	cni_auto(json) json_t *valid = valid_names(args);
	struct dirent *entry;
	int first = 0;

	if (!valid)
		return -ENOMEM;
	while ((entry = readdir(list))) {
		const char *name = entry->d_name;
		int r = 0;

		if ((ends_in(name, SUFFIX) || ends_in(name, SUFFIX NEW)) &&
		    !json_object_get(valid, name) && is_of_network(dirfd(list), name, args->name))
			r = remove_file(dirfd(list), name);
		first = first < 0 ? first : r;
	}
	return first;
}

int cni_link_backup_gc(const char *dir, const struct cni_args *args, struct cni_error *err)
{
	int fd = open_dir(dir), r;
	DIR *list;

	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	list = fd < 0 ? NULL : fdopendir(fd);
	r = fd < 0 ? fd : list ? sweep(list, args) : -errno;
	if (list)
		closedir(list);
	else if (fd >= 0)
		(void)close(fd);
	return r < 0 ? cni_fail(err, CNI_E_INTERNAL, -r, "remove backup files in %s", dir) : 0;
}
