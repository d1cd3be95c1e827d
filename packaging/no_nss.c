/*
 * For the static build: libnl refers to name resolution in functions that we never call. glibc's would
 * bring NSS with it, which loads shared libraries of the host; these bring nothing, and find nothing.
 */
#include <netdb.h>
#include <stddef.h>

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **ret)
{
	(void)node, (void)service, (void)hints, (void)ret;
	return EAI_FAIL;
}

void freeaddrinfo(struct addrinfo *ai)
{
	(void)ai;
}

const char *gai_strerror(int code)
{
	(void)code;
	return "names are not resolved";
}

int getnameinfo(const struct sockaddr *addr, socklen_t addrlen, char *host, socklen_t hostlen,
		char *service, socklen_t servicelen, int flags)
{
	(void)addr, (void)addrlen, (void)host, (void)hostlen, (void)service, (void)servicelen,
		(void)flags;
	return EAI_FAIL;
}

struct protoent *getprotobyname(const char *name)
{
	(void)name;
	return NULL;
}

struct protoent *getprotobynumber(int number)
{
	(void)number;
	return NULL;
}
