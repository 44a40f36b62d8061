/* units.h - large numbers for people: four digits and a k, M, G or T. */
#ifndef O7S_TOOLS_OPERF_UNITS_H
#define O7S_TOOLS_OPERF_UNITS_H

#define UNITS_ROOM 48

/* "12.35 Mbit" of 12345678 and "bit". Returns @buf, which has UNITS_ROOM bytes; @what has at most 8. */
const char *units_put(char *buf, double v, const char *what);

#endif
