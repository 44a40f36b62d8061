/* cdefs.h - what every public header needs to compile as C11 and as C++. */
#ifndef OUROBOROS_CDEFS_H
#define OUROBOROS_CDEFS_H

#ifdef __cplusplus
#define O7S_BEGIN_DECLS extern "C" {
#define O7S_END_DECLS   }
#else
#define O7S_BEGIN_DECLS
#define O7S_END_DECLS
#endif

/* Marks what libouroboros exports; everything else is hidden. */
#if defined(__GNUC__)
#define O7S_API __attribute__((visibility("default")))
#else
#define O7S_API
#endif

#endif
