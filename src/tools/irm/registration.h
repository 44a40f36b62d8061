/* registration.h - making names reachable in layers, many at once. Verbs of cmd_name.c; they return how irm
 * ends. */
#ifndef O7S_TOOLS_IRM_REGISTRATION_H
#define O7S_TOOLS_IRM_REGISTRATION_H

struct args;

int registration_add(const struct args *a);
int registration_remove(const struct args *a);

#endif
