#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#define BAR 30

void progress(const char *what, size_t done, size_t of)
{
        static const char bar[] = "##############################";

        if (isatty(STDERR_FILENO))
                fprintf(stderr, "\r\033[K%-40s [%-*.*s] %zu/%zu", what, BAR, (int)(done * BAR / of), bar,
                        done, of);
}

void progress_done(void)
{
        if (isatty(STDERR_FILENO))
                fputs("\r\033[K", stderr);
}
