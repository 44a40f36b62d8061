/* guarded.h - memory between pages that nobody may touch, so that a step outside ends the test. */
#ifndef UNIT_GUARDED_H
#define UNIT_GUARDED_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define GUARDED_PAGE 4096u

/* @size zero bytes, a multiple of the page. Ends the process when there are none. */
static inline void *guarded_alloc(size_t size)
{
        uint8_t *all = mmap(NULL, size + 2 * GUARDED_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (all == MAP_FAILED || mprotect(all + GUARDED_PAGE, size, PROT_READ | PROT_WRITE) < 0)
                abort();
        return all + GUARDED_PAGE;
}

static inline void guarded_free(void *mem, size_t size)
{
        munmap((uint8_t *)mem - GUARDED_PAGE, size + 2 * GUARDED_PAGE);
}

#endif
