/* puppet.c - lines in, threads, lines out; the verbs are in the other files. */
#include "puppet.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ouroboros/errno.h>

struct job {
        char *id;
        char *line;
};

static const struct verb *verb_find(const char *name)
{
        static const struct verb *const tables[] = {flow_verbs, set_verbs, bulk_verbs, fault_verbs};

        for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
                for (const struct verb *v = tables[i]; v->name != NULL; v++)
                        if (strcmp(v->name, name) == 0)
                                return v;
        return NULL;
}

static int call_split(struct call *c, char *line)
{
        char *save;

        for (char *w = strtok_r(line, " \n", &save); w != NULL && c->argc < ARGS_MAX;
             w       = strtok_r(NULL, " \n", &save))
                c->argv[c->argc++] = w;
        return c->argc;
}

char *call_run(char *line)
{
        const struct verb *v;
        struct call        c   = {0};
        char              *out = NULL, *more = NULL;
        size_t             len;
        long               r   = -EINVAL;
        int                err = EINVAL;
        char              *verb, *save;

        verb   = strtok_r(line, " \n", &save);
        c.more = open_memstream(&more, &len);
        v      = verb == NULL ? NULL : verb_find(verb);
        if (v != NULL && call_split(&c, save) >= v->argc_min) {
                errno = 0;
                r     = v->fn(&c);
                err   = errno;
        } else {
                fprintf(c.more, ", \"fault\": \"no such verb, or too few arguments\"");
        }
        fclose(c.more);
        if (asprintf(&out, "\"r\": %ld, \"errno\": %d%s", r, err, more) < 0)
                abort();
        free(more);
        return out;
}

long call_long(const struct call *c, int i)
{
        return i < c->argc ? strtol(c->argv[i], NULL, 0) : 0;
}

const struct timespec *call_time(const struct call *c, int i, struct timespec *ts)
{
        long ms;

        if (i >= c->argc || strcmp(c->argv[i], "none") == 0)
                return NULL;
        if (strcmp(c->argv[i], "bad") == 0) {
                *ts = (struct timespec){0, 2000000000};
                return ts;
        }
        ms  = call_long(c, i);
        *ts = (struct timespec){ms / 1000, ms % 1000 * 1000000};
        return ts;
}

void call_put_hex(struct call *c, const void *buf, size_t len)
{
        const unsigned char *p = buf;

        fprintf(c->more, ", \"data\": \"");
        for (size_t i = 0; i < len; i++)
                fprintf(c->more, "%02x", p[i]);
        fprintf(c->more, "\"");
}

/* One write, so that replies of several threads do not mix; the lock is for those longer than a pipe takes at
 * once. */
static void reply(const char *text, size_t len)
{
        static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

        pthread_mutex_lock(&lock);
        while (len > 0) {
                ssize_t n = write(STDOUT_FILENO, text, len);

                if (n <= 0)
                        _exit(1); /* nobody listens any more */
                text += n;
                len -= (size_t)n;
        }
        pthread_mutex_unlock(&lock);
}

static void *job_run(void *arg)
{
        struct job *j      = arg;
        char       *result = call_run(j->line);
        char       *text   = NULL;
        int         len    = asprintf(&text, "{\"id\": %s, %s}\n", j->id, result);

        if (len > 0)
                reply(text, (size_t)len);
        free(text);
        free(result);
        free(j->id);
        free(j);
        return NULL;
}

/* The job owns the line; its id is the first word. */
static void job_start(const char *line)
{
        struct job *j = calloc(1, sizeof(*j));
        pthread_t   thread;

        if (j == NULL || (j->id = strdup(line)) == NULL)
                abort();
        j->line = strchr(j->id, ' ');
        if (j->line == NULL)
                abort(); /* puppet.py always sends a verb */
        *j->line++ = '\0';
        if (pthread_create(&thread, NULL, job_run, j) != 0)
                abort();
        pthread_detach(thread);
}

int main(void)
{
        char  *line = NULL;
        size_t size = 0;

        while (getline(&line, &size, stdin) > 0) {
                if (strcmp(line, "quit\n") == 0)
                        break;
                job_start(line);
        }
        free(line);
        /* As a program that returns from main() while its threads are still inside the library. */
        return 0;
}
