/*
 * pubkey_clock.c - see pubkey_clock.h.
 *
 * What counts is making key pairs, agreement with the checks of the other's value, encapsulation, signature,
 * verification, and the verification of a chain. One of them may call another: only the outermost is timed.
 */
#include "pubkey_clock.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static struct pubkey_clock *the_clock;
static _Thread_local int    depth;

static int64_t cpu_ns(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
        return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static int64_t enter(void)
{
        return depth++ == 0 ? cpu_ns() : 0;
}

static void leave(int64_t since)
{
        if (--depth > 0 || the_clock == NULL)
                return;
        atomic_fetch_add(&the_clock->cpu_ns, cpu_ns() - since);
        atomic_fetch_add(&the_clock->operations, 1);
}

/* The next function called @name, looked up once. */
static void *next_of(_Atomic(void *) *next, const char *name)
{
        void *f = atomic_load(next);

        if (f == NULL) {
                f = dlsym(RTLD_NEXT, name);
                atomic_store(next, f);
        }
        return f;
}

/* Defines @name, which calls the next of that name and times it. */
#define TIMED(name, params, args)                                 \
        __attribute__((visibility("default"))) int name params    \
        {                                                         \
                static _Atomic(void *) next;                      \
                void                  *f = next_of(&next, #name); \
                __typeof__(name)      *call;                      \
                int64_t                since;                     \
                int                    r;                         \
                                                                  \
                memcpy(&call, &f, sizeof(call));                  \
                since = enter();                                  \
                r     = call args;                                \
                leave(since);                                     \
                return r;                                         \
        }

TIMED(EVP_PKEY_keygen, (EVP_PKEY_CTX * ctx, EVP_PKEY **key), (ctx, key))
TIMED(EVP_PKEY_generate, (EVP_PKEY_CTX * ctx, EVP_PKEY **key), (ctx, key))
TIMED(EVP_PKEY_public_check, (EVP_PKEY_CTX * ctx), (ctx))
TIMED(EVP_PKEY_set1_encoded_public_key, (EVP_PKEY * key, const unsigned char *p, size_t n), (key, p, n))
TIMED(EVP_PKEY_fromdata, (EVP_PKEY_CTX * ctx, EVP_PKEY **key, int selection, OSSL_PARAM *params),
      (ctx, key, selection, params))
TIMED(EVP_PKEY_derive_set_peer, (EVP_PKEY_CTX * ctx, EVP_PKEY *peer), (ctx, peer))
TIMED(EVP_PKEY_derive_set_peer_ex, (EVP_PKEY_CTX * ctx, EVP_PKEY *peer, int check), (ctx, peer, check))
TIMED(EVP_PKEY_derive, (EVP_PKEY_CTX * ctx, unsigned char *key, size_t *n), (ctx, key, n))
TIMED(EVP_PKEY_encapsulate,
      (EVP_PKEY_CTX * ctx, unsigned char *wrapped, size_t *wrapped_len, unsigned char *key, size_t *key_len),
      (ctx, wrapped, wrapped_len, key, key_len))
TIMED(EVP_PKEY_decapsulate,
      (EVP_PKEY_CTX * ctx, unsigned char *key, size_t *key_len, const unsigned char *wrapped,
       size_t wrapped_len),
      (ctx, key, key_len, wrapped, wrapped_len))
TIMED(EVP_DigestSign,
      (EVP_MD_CTX * ctx, unsigned char *sig, size_t *sig_len, const unsigned char *msg, size_t n),
      (ctx, sig, sig_len, msg, n))
TIMED(EVP_DigestSignFinal, (EVP_MD_CTX * ctx, unsigned char *sig, size_t *sig_len), (ctx, sig, sig_len))
TIMED(EVP_DigestVerify,
      (EVP_MD_CTX * ctx, const unsigned char *sig, size_t sig_len, const unsigned char *msg, size_t n),
      (ctx, sig, sig_len, msg, n))
TIMED(EVP_DigestVerifyFinal, (EVP_MD_CTX * ctx, const unsigned char *sig, size_t sig_len),
      (ctx, sig, sig_len))
TIMED(X509_verify_cert, (X509_STORE_CTX * ctx), (ctx))

__attribute__((constructor)) static void begin(void)
{
        const char *path = getenv(PUBKEY_CLOCK_ENV);
        int         fd   = path != NULL ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
        void       *p    = MAP_FAILED;

        if (fd < 0)
                return;
        if (ftruncate(fd, sizeof(*the_clock)) == 0)
                p = mmap(NULL, sizeof(*the_clock), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        if (p != MAP_FAILED)
                the_clock = p;
}
