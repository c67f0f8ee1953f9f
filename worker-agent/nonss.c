/* SPDX-License-Identifier: Apache-2.0 */
/* nonss.c - c-ares could ask for services by name, which we never do.
 *
 * Defined here, glibc's own forms stay out of the executable, and with them all of NSS, which a
 * static program can only load where the image has the same glibc. */
#include <netdb.h>

struct servent *getservbyname(const char *name, const char *protocol)
{
    (void)name;
    (void)protocol;
    return NULL;
}

int getservbyport_r(int port, const char *protocol, struct servent *entry, char *text, size_t size,
                    struct servent **result)
{
    (void)port;
    (void)protocol;
    (void)entry;
    (void)text;
    (void)size;
    *result = NULL;
    return 0;
}
