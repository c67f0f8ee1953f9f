/* SPDX-License-Identifier: Apache-2.0 */
/* fault.h - the kinds of fault that Spillway tells apart.
 *
 * The kind decides what happens next (another flavor, another site, wait, tell the operator, which HTTP
 * status, which exit code); the words that go with it are for a person.  The first eight are what a site
 * can answer (docs/architecture.md, "Faults"), the last two are the broker's own. */
#ifndef SPILLWAY_FAULT_H
#define SPILLWAY_FAULT_H

enum fault {
    FAULT_NONE = 0,
    FAULT_QUOTA,       /* the site's quota does not allow it now */
    FAULT_NO_CAPACITY, /* within quota, but the site has no room ("No valid host") */
    FAULT_AUTH,        /* credential refused, expired or not allowed to do this */
    FAULT_NOT_FOUND,   /* what was named does not exist, or not for this caller */
    FAULT_INVALID,     /* the request itself is wrong; repeating it cannot help */
    FAULT_THROTTLED,   /* too many requests; try again later */
    FAULT_UNAVAILABLE, /* the other side cannot serve now (down, disk full, 5xx) */
    FAULT_TIMEOUT,     /* no answer before the deadline: the outcome is unknown */
    FAULT_CONFLICT,    /* the thing is not in a state that allows this */
    FAULT_INTERNAL,    /* a defect or a broken invariant on our side */
    FAULT_COUNT
};

/* "quota", "no_capacity", ...; never NULL. */
const char *fault_name(enum fault fault);
/* FAULT_COUNT when `name` is none of them. */
enum fault fault_find(const char *name);

#endif
