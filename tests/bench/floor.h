/*
 * The floor under any plugin: what the kernel itself takes for a container's link, when one process that runs
 * already asks for no more than that by bare netlink, with no configuration, result, file or rule.
 */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include <stdbool.h>

/** Make the bridge that containers are put on, in the namespace of the caller. */
void floor_open(void);

/**
 * A veth pair, its end "eth0" born in the namespace at `netns`, the other on the bridge and up; an address
 * of each family asked for, up, a default route.
 * @param id  from 1, another one for each container that is there
 */
void floor_add(int id, const char *netns, bool ipv6);

/** The pair is deleted. */
void floor_del(int id);

#endif
