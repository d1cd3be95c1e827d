/*
 * An index beside the leases of a network; see lease_index.h.
 *
 * The file: a header page; a hash table of entries by owner, in pages of 128; a hash table of chunks,
 * each a bitmap of 256 neighbouring addresses, in pages of 64 chunks, neighbours side by side. Numbers
 * are in the host's byte order: the index never leaves the machine and the boot.
 */
#include "lease_index.h"
#include "boot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#define MAGIC "ccniIDX1"
#define INDEX_MODE 0600
/* How far in the past the directory's stamp lies: no change made from now on can bear it. */
#define STAMP_AGE 2

#define PER_PAGE (CNI_INDEX_PAGE / sizeof(struct cni_index_entry))
#define CHUNKS (CNI_INDEX_PAGE / sizeof(struct chunk))
#define CHUNK_BITS 256

enum { EMPTY, USED, GONE };

struct chunk {
	uint8_t state, family;
	uint8_t unused[6];
	uint8_t base[16]; /* of the first address */
	uint8_t bits[CHUNK_BITS / 8];
	uint8_t unused_too[8];
};

_Static_assert(sizeof(struct cni_index_entry) == 32, "128 entries fill a page");
_Static_assert(sizeof(struct chunk) == 64, "64 chunks fill a page");

/* ---- numbers ---- */

static uint64_t mix(uint64_t h, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len-- > 0)
		h = (h ^ *p++) * 0x100000001b3; /* FNV-1a */
	return h;
}

static uint64_t finish(uint64_t h)
{
	h = (h ^ h >> 33) * 0xff51afd7ed558ccd;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53;
	return h ^ h >> 33;
}

uint64_t cni_index_owner(const char *containerid, const char *ifname)
{
	uint64_t h = mix(0xcbf29ce484222325, containerid, strlen(containerid) + 1);

	h = finish(ifname ? mix(h, ifname, strlen(ifname) + 1) : h);
	return h ? h : 1;
}

/* Bytes of the address, right-aligned in 16, so that both families count alike. */
static void to_number(const struct cni_ip *ip, uint8_t ret[static 16])
{
	size_t size = cni_ip_size(ip);

	memset(ret, 0, 16);
	memcpy(ret + 16 - size, ip->b, size);
}

static struct cni_ip from_number(uint8_t family, const uint8_t number[static 16])
{
	struct cni_ip ip = { .family = family };
	size_t size = cni_ip_size(&ip);

	memcpy(ip.b, number + 16 - size, size);
	return ip;
}

/* Slot where the chunk of an address is looked for first: 64 neighbours share a page. */
static uint64_t chunk_slot(uint8_t family, const uint8_t number[static 16])
{
	uint8_t group[16];

	memcpy(group, number, sizeof(group));
	group[15] = 0;
	group[14] &= 0xc0;
	return finish(mix(mix(0xcbf29ce484222325, &family, 1), group, 15)) * CHUNKS +
	       (number[14] & 0x3f);
}

/* ---- pages ---- */

static void drop(struct cni_index *ix)
{
	if (ix->fd >= 0)
		(void)close(ix->fd);
	ix->fd = -1;
	ix->changed = false;
}

void cni_index_give_up(struct cni_index *ix)
{
	if (ix->fd >= 0)
		(void)!ftruncate(ix->fd, 0); /* the directory may still have the index's stamp */
	drop(ix);
}

static void *load(struct cni_index *ix, uint64_t page)
{
	if (ix->image)
		return ix->image + page * CNI_INDEX_PAGE;
	if (ix->fd < 0)
		return NULL;
	if (page != ix->page_at && pread(ix->fd, ix->page, CNI_INDEX_PAGE,
					 (off_t)(page * CNI_INDEX_PAGE)) != CNI_INDEX_PAGE) {
		ix->page_at = 0;
		cni_index_give_up(ix);
		return NULL;
	}
	ix->page_at = page;
	return ix->page;
}

/* Write back `len` bytes of the page in memory that start at `from`. */
static void store(struct cni_index *ix, const void *from, size_t len)
{
	off_t at;

	ix->changed = true;
	if (ix->image)
		return;
	at = (off_t)(ix->page_at * CNI_INDEX_PAGE) + ((const uint8_t *)from - ix->page);
	if (ix->fd >= 0 && pwrite(ix->fd, from, len, at) != (ssize_t)len)
		cni_index_give_up(ix);
}

/* ---- opening, closing ---- */

static bool is_power_of_two(uint32_t n)
{
	return n && !(n & (n - 1));
}

/* Whether the header is one of ours, of this boot, and of the directory as it is now. */
static bool in_step(struct cni_index *ix)
{
	const struct cni_index_header *h = &ix->header;
	struct stat dir, file;
	char boot_id[40];

	return memcmp(h->magic, MAGIC, sizeof(h->magic)) == 0 && is_power_of_two(h->owner_pages) &&
	       is_power_of_two(h->chunk_pages) && fstat(ix->dir, &dir) == 0 &&
	       dir.st_ino == h->dir_ino && dir.st_mtim.tv_sec == h->stamp_sec &&
	       dir.st_mtim.tv_nsec == (long)h->stamp_nsec && fstat(ix->fd, &file) == 0 &&
	       file.st_size ==
		       (off_t)(1 + (uint64_t)h->owner_pages + h->chunk_pages) * CNI_INDEX_PAGE &&
	       cni_boot_id(boot_id) && memcmp(boot_id, h->boot_id, sizeof(boot_id)) == 0;
}

bool cni_index_open(struct cni_index *ix, int dir)
{
	ix->dir = dir;
	ix->changed = false;
	ix->page_at = 0;
	ix->fd = openat(dir, CNI_INDEX_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (ix->fd >= 0 &&
	    pread(ix->fd, &ix->header, sizeof(ix->header), 0) == (ssize_t)sizeof(ix->header) &&
	    in_step(ix))
		return true;
	cni_index_give_up(ix);
	return false;
}

/* A time in the past, with nanoseconds that guard against a clock that is set back. */
static void make_stamp(struct timespec times[static 2])
{
	uint32_t nsec = 0;

	times[0] = (struct timespec){ .tv_nsec = UTIME_OMIT };
	clock_gettime(CLOCK_REALTIME, &times[1]);
	(void)!getrandom(&nsec, sizeof(nsec), 0);
	times[1].tv_sec -= STAMP_AGE;
	times[1].tv_nsec = nsec % 500000000 * 2 + 1; /* odd, so that rounding shows */
}

bool cni_index_possible(int dir)
{
	struct timespec times[2];
	struct stat st;

	make_stamp(times);
	return futimens(dir, times) == 0 && fstat(dir, &st) == 0 &&
	       st.st_mtim.tv_nsec == times[1].tv_nsec;
}

/* The header says which time the directory will have; then the directory gets it. */
static void stamp(struct cni_index *ix)
{
	struct timespec times[2];

	make_stamp(times);
	ix->header.stamp_sec = times[1].tv_sec;
	ix->header.stamp_nsec = (uint32_t)times[1].tv_nsec;
	if (pwrite(ix->fd, &ix->header, sizeof(ix->header), 0) == (ssize_t)sizeof(ix->header))
		(void)!futimens(ix->dir, times);
}

void cni_index_close(struct cni_index *ix)
{
	if (ix->fd >= 0 && ix->changed)
		stamp(ix);
	drop(ix);
}

/* ---- entries by owner ---- */

struct cni_index_entry cni_index_entry(uint64_t owner, const struct cni_ip *ip)
{
	struct cni_index_entry entry = { .owner = owner,
					 .state = USED,
					 .family = (uint8_t)ip->family };

	to_number(ip, entry.ip);
	return entry;
}

/* Walk the pages where entries of an owner may be, until one that never was full. */
static struct cni_index_entry *owner_page(struct cni_index *ix, uint64_t owner, uint64_t step)
{
	return step < ix->header.owner_pages
		       ? load(ix, 1 + ((owner + step) & (ix->header.owner_pages - 1)))
		       : NULL;
}

static bool has_empty(const struct cni_index_entry *page)
{
	for (size_t i = 0; i < PER_PAGE; i++)
		if (page[i].state == EMPTY)
			return true;
	return false;
}

int cni_index_find(struct cni_index *ix, uint64_t owner, struct cni_ip *ret, int max)
{
	struct cni_index_entry *page;
	int n = 0;

	for (uint64_t step = 0; (page = owner_page(ix, owner, step)); step++) {
		for (size_t i = 0; i < PER_PAGE; i++) {
			if (page[i].state != USED || page[i].owner != owner)
				continue;
			if (n == max)
				return -1;
			ret[n++] = from_number(page[i].family, page[i].ip);
		}
		if (has_empty(page))
			break;
	}
	return cni_index_usable(ix) ? n : -1;
}

static void add_owner(struct cni_index *ix, uint64_t owner, const struct cni_ip *ip)
{
	struct cni_index_entry *page;

	for (uint64_t step = 0; (page = owner_page(ix, owner, step)); step++) {
		for (size_t i = 0; i < PER_PAGE; i++) {
			if (page[i].state == USED)
				continue;
			if (page[i].state == EMPTY)
				ix->header.owners++;
			page[i] = cni_index_entry(owner, ip);
			store(ix, &page[i], sizeof(page[i]));
			return;
		}
	}
	cni_index_give_up(ix); /* full: must not be, and is then found stale */
}

static void remove_owner(struct cni_index *ix, uint64_t owner, const struct cni_ip *ip)
{
	struct cni_index_entry *page;
	uint8_t number[16];

	to_number(ip, number);
	for (uint64_t step = 0; (page = owner_page(ix, owner, step)); step++) {
		for (size_t i = 0; i < PER_PAGE; i++) {
			if (page[i].state != USED || page[i].owner != owner ||
			    page[i].family != ip->family || memcmp(page[i].ip, number, 16) != 0)
				continue;
			/* A page that was full once stays without an empty slot: walks go on. */
			page[i].state = has_empty(page) ? EMPTY : GONE;
			if (page[i].state == EMPTY)
				ix->header.owners--;
			store(ix, &page[i], sizeof(page[i]));
			return;
		}
		if (has_empty(page))
			return;
	}
}

/* ---- addresses by chunk ---- */

/* The chunk of an address, or the empty slot where it belongs; NULL on trouble. */
static struct chunk *find_chunk(struct cni_index *ix, uint8_t family,
				const uint8_t number[static 16])
{
	uint64_t slots = (uint64_t)ix->header.chunk_pages * CHUNKS,
		 first = chunk_slot(family, number);

	for (uint64_t step = 0; step < slots; step++) {
		uint64_t slot = (first + step) & (slots - 1);
		struct chunk *page = load(ix, 1 + ix->header.owner_pages + slot / CHUNKS);
		struct chunk *c = page ? &page[slot % CHUNKS] : NULL;

		if (!c || c->state == EMPTY ||
		    (c->family == family && memcmp(c->base, number, 15) == 0))
			return c;
	}
	return NULL;
}

static void set_taken(struct cni_index *ix, const struct cni_ip *ip, bool taken)
{
	uint8_t number[16], bit;
	struct chunk *c;

	to_number(ip, number);
	c = find_chunk(ix, (uint8_t)ip->family, number);
	if (!c) {
		cni_index_give_up(ix);
		return;
	}
	if (c->state == EMPTY) {
		if (!taken)
			return;
		ix->header.chunks++;
		*c = (struct chunk){ .state = USED, .family = (uint8_t)ip->family };
		memcpy(c->base, number, 15);
	}
	bit = (uint8_t)(1 << (number[15] & 7));
	if (taken)
		c->bits[number[15] >> 3] |= bit;
	else
		c->bits[number[15] >> 3] &= (uint8_t)~bit;
	store(ix, c, sizeof(*c));
}

/* First zero bit from `from` on; CHUNK_BITS if there is none. */
static unsigned int first_zero(const struct chunk *c, unsigned int from)
{
	while (from < CHUNK_BITS && c->bits[from >> 3] & 1 << (from & 7))
		from += c->bits[from >> 3] == 0xff ? 8 - (from & 7) : 1;
	return from;
}

/* The first address of the next chunk; false past the last address there is. */
static bool next_chunk(uint8_t number[static 16], size_t size)
{
	number[15] = 0;
	for (size_t i = 15; i-- > 16 - size;)
		if (++number[i] != 0)
			return true;
	return false;
}

struct cni_ip cni_index_next_free(struct cni_index *ix, const struct cni_ip *from,
				  const struct cni_ip *last)
{
	uint8_t at[16], end[16];

	to_number(from, at);
	to_number(last, end);
	while (memcmp(at, end, 16) <= 0) {
		struct chunk *c = find_chunk(ix, (uint8_t)from->family, at);
		unsigned int bit = c && c->state == USED ? first_zero(c, at[15]) : at[15];

		if (!c)
			return *from; /* trouble: the files tell */
		if (bit < CHUNK_BITS) {
			at[15] = (uint8_t)bit;
			if (memcmp(at, end, 16) > 0)
				break;
			return from_number((uint8_t)from->family, at);
		}
		if (!next_chunk(at, cni_ip_size(from)))
			break;
	}
	return (struct cni_ip){ 0 };
}

/* ---- building ---- */

static uint32_t pages_for(size_t n, size_t per_page)
{
	uint32_t pages = 1;

	while (pages * per_page < 2 * n)
		pages *= 2;
	return pages;
}

/* Parts of the slots in use, in quarters: at most so many in a new index; above, a larger one is made. */
#define ROOMY 2
#define CROWDED 3

static bool is_fuller(const struct cni_index *ix, unsigned int quarters)
{
	const struct cni_index_header *h = &ix->header;

	return h->owners * UINT64_C(4) > h->owner_pages * PER_PAGE * quarters ||
	       h->chunks * UINT64_C(4) > h->chunk_pages * CHUNKS * quarters;
}

static void insert(struct cni_index *ix, const struct cni_index_entry *entry)
{
	struct cni_ip ip = from_number(entry->family, entry->ip);

	add_owner(ix, entry->owner, &ip);
	set_taken(ix, &ip, true);
}

/* Fill an image with the entries; chunks may turn out to be too few, and are then doubled. */
static size_t fill_image(struct cni_index *ix, const struct cni_index_entry *entries, size_t n)
{
	for (uint32_t chunk_pages = pages_for(n / 32, CHUNKS);; chunk_pages *= 2) {
		uint32_t owner_pages = pages_for(n, PER_PAGE);
		size_t size = (1 + (size_t)owner_pages + chunk_pages) * CNI_INDEX_PAGE;

		ix->header.owner_pages = owner_pages;
		ix->header.chunk_pages = chunk_pages;
		ix->header.owners = ix->header.chunks = 0;
		ix->image = calloc(1, size);
		if (!ix->image)
			return 0;
		for (size_t i = 0; i < n && !is_fuller(ix, ROOMY); i++)
			insert(ix, &entries[i]);
		if (!is_fuller(ix, ROOMY))
			return size;
		free(ix->image);
		ix->image = NULL;
	}
}

static bool write_image(struct cni_index *ix, size_t size)
{
	return ftruncate(ix->fd, 0) == 0 && pwrite(ix->fd, ix->image, size, 0) == (ssize_t)size;
}

bool cni_index_build(struct cni_index *ix, const struct cni_index_entry *entries, size_t n)
{
	struct stat dir;
	bool good = false;
	size_t size;

	cni_index_give_up(ix);
	ix->page_at = 0;
	ix->header = (struct cni_index_header){ 0 };
	memcpy(ix->header.magic, MAGIC, sizeof(ix->header.magic));
	ix->fd = openat(ix->dir, CNI_INDEX_FILE,
			O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, INDEX_MODE);
	if (ix->fd < 0)
		return false;
	size = fill_image(ix, entries, n);
	if (size > 0 && cni_boot_id(ix->header.boot_id) && fstat(ix->dir, &dir) == 0 &&
	    fchmod(ix->fd, INDEX_MODE) == 0) {
		ix->header.dir_ino = dir.st_ino;
		good = write_image(ix, size);
	}
	free(ix->image);
	ix->image = NULL;
	ix->changed = true;
	if (!good) {
		(void)unlinkat(ix->dir, CNI_INDEX_FILE, 0); /* a full disk: give its room back */
		cni_index_give_up(ix);
	}
	return good;
}

/* All entries, for a larger table. @return a list to free, NULL on trouble */
static struct cni_index_entry *all_entries(struct cni_index *ix, size_t *n)
{
	struct cni_index_entry *list = calloc(ix->header.owner_pages, CNI_INDEX_PAGE), *page;

	*n = 0;
	for (uint64_t p = 0; list && p < ix->header.owner_pages; p++) {
		page = load(ix, 1 + p);
		for (size_t i = 0; page && i < PER_PAGE; i++)
			if (page[i].state == USED)
				list[(*n)++] = page[i];
	}
	return list;
}

void cni_index_add(struct cni_index *ix, uint64_t owner, const struct cni_ip *ip)
{
	if (!cni_index_usable(ix))
		return;
	if (is_fuller(ix, CROWDED)) {
		size_t n;
		struct cni_index_entry *list = all_entries(ix, &n);

		if (list && cni_index_usable(ix))
			(void)cni_index_build(ix, list, n);
		free(list);
	}
	add_owner(ix, owner, ip);
	set_taken(ix, ip, true);
}

void cni_index_remove(struct cni_index *ix, uint64_t owner, const struct cni_ip *ip)
{
	if (!cni_index_usable(ix))
		return;
	remove_owner(ix, owner, ip);
	set_taken(ix, ip, false);
}
