/*
 * bench_record.c - what encryption costs a flow: one sender and one receiver, on a processor each, through
 * flow_write() and flow_read(), against what AES-256-GCM alone does there: sealing on the sender's processor
 * and opening on the receiver's, both at once, since processors of one machine may well be unequally fast. The
 * slower of the two is what a flow could reach. No daemon is needed.
 *
 *     bench_record [ROUNDS]
 *
 * The contestants take turns within each round, since the machine may be another one the next moment; each
 * line gives the medians over the rounds.
 */
#include <math.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/evp.h>

#include <ouroboros/dev.h>

#include "base/clock.h"
#include "crypt/record.h"
#include "shm/bell.h"
#include "shm/port.h"

#include "../unit/pair.h"

#define ROUNDS_MAX 101
#define SLICE_NS   (40 * NS_PER_MS)
#define BATCH      64 /* messages between two looks at the clock */

static const size_t sizes[] = {64, 1408, 16384};

static void die(const char *what)
{
        fprintf(stderr, "bench_record: %s\n", what);
        exit(1);
}

static void pin(int cpu)
{
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        if (sched_setaffinity(0, sizeof(set), &set) < 0)
                die("needs two processors");
}

/* -- AES alone -------------------------------------------------------------- */

struct aes {
        EVP_CIPHER     *cipher;
        EVP_CIPHER_CTX *seal;
        EVP_CIPHER_CTX *open;
        uint8_t         nonce[12], tag[RECORD_TAG];
        uint8_t         plain[16384];
        uint8_t         sealed[16384];
};

static void seal_one(struct aes *a, size_t n)
{
        int len;

        a->nonce[0]++;
        if (!EVP_EncryptInit_ex2(a->seal, NULL, NULL, a->nonce, NULL) ||
            !EVP_EncryptUpdate(a->seal, NULL, &len, a->nonce, RECORD_HDR) ||
            !EVP_EncryptUpdate(a->seal, a->sealed, &len, a->plain, (int)n) ||
            !EVP_EncryptFinal_ex(a->seal, a->sealed, &len) ||
            !EVP_CIPHER_CTX_ctrl(a->seal, EVP_CTRL_AEAD_GET_TAG, RECORD_TAG, a->tag))
                die("sealing failed");
}

static void open_one(struct aes *a, size_t n)
{
        int len;

        if (!EVP_DecryptInit_ex2(a->open, NULL, NULL, a->nonce, NULL) ||
            !EVP_DecryptUpdate(a->open, NULL, &len, a->nonce, RECORD_HDR) ||
            !EVP_DecryptUpdate(a->open, a->plain, &len, a->sealed, (int)n) ||
            !EVP_CIPHER_CTX_ctrl(a->open, EVP_CTRL_AEAD_SET_TAG, RECORD_TAG, a->tag) ||
            EVP_DecryptFinal_ex(a->open, a->plain, &len) <= 0)
                die("opening failed");
}

static void aes_init(struct aes *a)
{
        static const uint8_t key[32] = "any key is as fast as any other";

        a->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
        a->seal   = EVP_CIPHER_CTX_new();
        a->open   = EVP_CIPHER_CTX_new();
        if (!EVP_EncryptInit_ex2(a->seal, a->cipher, key, NULL, NULL) ||
            !EVP_DecryptInit_ex2(a->open, a->cipher, key, NULL, NULL))
                die("no AES-256-GCM");
}

/* Bytes per ns, which is GB/s. */
static double aes_run(struct aes *a, size_t n, void (*fn)(struct aes *a, size_t n))
{
        int64_t  start = clock_now_ns();
        int64_t  now;
        uint64_t bytes = 0;

        do {
                for (int i = 0; i < BATCH; i++)
                        fn(a, n);
                bytes += BATCH * n;
                now = clock_now_ns();
        } while (now - start < SLICE_NS);
        return (double)bytes / (double)(now - start);
}

/* -- flows ------------------------------------------------------------------ */

enum { PLAIN, SEALED, N_FLOWS };

/* What the receiver is asked for: a slice of a flow, or AES alone. */
struct order {
        int    flow; /* N_FLOWS: AES */
        size_t size;
};

/* The last message of a slice begins with this, no other does. */
#define LAST 0xff

static double receive(int fd, uint8_t *buf)
{
        int64_t  start = 0;
        uint64_t bytes = 0;
        ssize_t  n;

        do {
                n = flow_read(fd, buf, 16384);
                if (n <= 0)
                        die("the flow ended");
                if (start == 0) /* the first one only says that it begins */
                        start = clock_now_ns();
                else
                        bytes += (uint64_t)n;
        } while (buf[0] != LAST);
        return (double)bytes / (double)(clock_now_ns() - start);
}

/* What the slice before left in the cipher's hands does not matter: a record is opened again and again. */
static double open_run(size_t n)
{
        static struct aes a;

        if (a.cipher == NULL)
                aes_init(&a);
        seal_one(&a, n);
        return aes_run(&a, n, open_one);
}

/* The receiver: tells the result of each order. */
static void serve(const int fd[N_FLOWS], int in, int out)
{
        static uint8_t buf[16384];
        struct order   o;

        pin(1);
        while (read(in, &o, sizeof(o)) == (ssize_t)sizeof(o)) {
                double gbs = o.flow == N_FLOWS ? open_run(o.size) : receive(fd[o.flow], buf);

                if (write(out, &gbs, sizeof(gbs)) < 0)
                        break;
        }
}

static void order(int out, int flow, size_t n)
{
        struct order o = {flow, n};

        if (write(out, &o, sizeof(o)) < 0)
                die("the receiver is gone");
}

static double result(int in)
{
        double gbs;

        if (read(in, &gbs, sizeof(gbs)) != (ssize_t)sizeof(gbs))
                die("the receiver is gone");
        return gbs;
}

static double flow_run(const int fd[N_FLOWS], int which, size_t n, int in, int out)
{
        static uint8_t buf[16384];
        int64_t        end = clock_now_ns() + SLICE_NS;

        buf[0] = 0;
        order(out, which, n);
        do {
                for (int i = 0; i < BATCH; i++) {
                        if (flow_write(fd[which], buf, n) != (ssize_t)n)
                                die("the flow ended");
                }
        } while (clock_now_ns() < end);
        buf[0] = LAST;
        flow_write(fd[which], buf, n);
        return result(in);
}

/* A port for each flow, and its bells: what both processes inherit, and each makes its own side of. */
struct wire {
        int         memfd;
        struct bell bell[2];
};

static void wire_create(struct wire *w)
{
        w->memfd = port_create();
        if (w->memfd < 0 || bell_create(&w->bell[0]) < 0 || bell_create(&w->bell[1]) < 0)
                die("no memory");
}

static void join(const struct wire w[N_FLOWS], unsigned side, int fd[N_FLOWS])
{
        static const struct pair_side plain[2];

        for (int i = 0; i < N_FLOWS; i++) {
                fd[i] = pair_put(w[i].memfd, side, w[i].bell[side].own, w[i].bell[!side].other,
                                 i == PLAIN ? &plain[side] : &pair_sealed[side]);
                if (fd[i] < 0)
                        die("no flow");
        }
}

/* -- the table -------------------------------------------------------------- */

enum { AES_SEAL, AES_OPEN, FLOW_PLAIN, FLOW_SEALED, N_COLUMNS };

static int compare(const void *a, const void *b)
{
        double x = *(const double *)a;
        double y = *(const double *)b;

        return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
        qsort(v, n, sizeof(*v), compare);
        return v[n / 2];
}

static void row(struct aes *a, const int fd[N_FLOWS], size_t size, size_t rounds, int in, int out)
{
        static double v[N_COLUMNS][ROUNDS_MAX];
        static double share[ROUNDS_MAX];
        double        m[N_COLUMNS];

        for (size_t i = 0; i < rounds; i++) {
                order(out, N_FLOWS, size);
                v[AES_SEAL][i]    = aes_run(a, size, seal_one);
                v[AES_OPEN][i]    = result(in);
                v[FLOW_SEALED][i] = flow_run(fd, SEALED, size, in, out);
                v[FLOW_PLAIN][i]  = flow_run(fd, PLAIN, size, in, out);
                share[i]          = v[FLOW_SEALED][i] / fmin(v[AES_SEAL][i], v[AES_OPEN][i]);
        }
        for (int c = 0; c < N_COLUMNS; c++)
                m[c] = median(v[c], rounds);
        printf("%8zu %10.3f %10.3f %12.3f %12.3f %9.0f %%\n", size, m[AES_SEAL], m[AES_OPEN], m[FLOW_PLAIN],
               m[FLOW_SEALED], 100 * median(share, rounds));
}

int main(int argc, char **argv)
{
        static struct aes  a;
        static struct wire w[N_FLOWS];
        size_t             rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 15;
        int                fd[N_FLOWS];
        int                to[2], from[2];
        pid_t              pid;

        if (rounds == 0 || rounds > ROUNDS_MAX || pipe(to) < 0 || pipe(from) < 0)
                die("ROUNDS is 1 to 101");
        for (int i = 0; i < N_FLOWS; i++)
                wire_create(&w[i]);
        pid = fork();
        if (pid < 0)
                die("no process");
        join(w, pid == 0, fd);
        if (pid == 0) {
                close(to[1]);
                serve(fd, to[0], from[1]);
                _exit(0);
        }
        pin(0);
        aes_init(&a);
        printf("GB/s, medians of %zu rounds\n%8s %10s %10s %12s %12s %11s\n", rounds, "bytes", "seal", "open",
               "plain flow", "encrypted", "of the AES");
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
                row(&a, fd, sizes[i], rounds, from[0], to[1]);
        close(to[1]);
        waitpid(pid, NULL, 0);
        return 0;
}
