/*
 * tls.c - the yardstick of authenticated flows: TCP with TLS 1.3 over the loopback, by OpenSSL, doing the same.
 *
 * The same certificates and authority as the daemon's, both sides verify, the client checks the server's name. One
 * cipher suite and one group, so that nothing is negotiated; no tickets and no resumption, a new connection each.
 *
 * A flow is allocated when the server has authenticated the client and has accepted. A TLS 1.3 client may send one
 * flight earlier, without knowing whether the server will have it. Both are measured: "tls" waits for a byte that the
 * server writes once its handshake is complete, "tls-connect" leaves that for close(), outside of the time that is
 * taken.
 *
 * Environment: O7S_BENCH_SECURITY (directory of the credentials, as irmd's), O7S_BENCH_SERVER (the name that the
 * server's certificate is for), O7S_BENCH_GROUP (P-384, X25519).
 */
#include "transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glob.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ouroboros/errno.h>

#define BACKLOG   128 /* as irmd's default for a name */
#define PORT      20000
#define FDS       4096
#define PATH_SIZE 512

/* The session of each connection, by its descriptor, which belongs to one thread at a time. */
static SSL *sessions[FDS];

static const char *setting(const char *name)
{
        const char *v = getenv(name);

        if (v == NULL) {
                fprintf(stderr, "o7s_bench: tls needs %s\n", name);
                exit(2);
        }
        return v;
}

/* -- credentials ------------------------------------------------------------ */

static bool load_anchors(SSL_CTX *ctx)
{
        char   pattern[PATH_SIZE];
        glob_t found = {0};
        bool   ok;

        snprintf(pattern, sizeof(pattern), "%s/cacert/*.pem", setting("O7S_BENCH_SECURITY"));
        ok = glob(pattern, 0, NULL, &found) == 0;
        for (size_t i = 0; ok && i < found.gl_pathc; i++)
                ok = SSL_CTX_load_verify_file(ctx, found.gl_pathv[i]) == 1;
        globfree(&found);
        return ok;
}

static bool load_identity(SSL_CTX *ctx, const char *folder, const char *name)
{
        char cert[PATH_SIZE], key[PATH_SIZE];

        snprintf(cert, sizeof(cert), "%s/%s/%s/cert", setting("O7S_BENCH_SECURITY"), folder, name);
        snprintf(key, sizeof(key), "%s/%s/%s/key", setting("O7S_BENCH_SECURITY"), folder, name);
        return SSL_CTX_use_certificate_chain_file(ctx, cert) == 1 &&
               SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1 &&
               SSL_CTX_check_private_key(ctx) == 1;
}

static bool set_up(SSL_CTX *ctx, bool server)
{
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_security_level(ctx, 2); /* as irmd */
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
               SSL_CTX_set_num_tickets(ctx, 0) == 1 &&
               SSL_CTX_set_ciphersuites(ctx, "TLS_AES_256_GCM_SHA384") == 1 &&
               SSL_CTX_set1_groups_list(ctx, setting("O7S_BENCH_GROUP")) == 1 && load_anchors(ctx) &&
               (server ? load_identity(ctx, "server", setting("O7S_BENCH_SERVER"))
                       : load_identity(ctx, "client", "default"));
}

/* Or the end of the program: there is nothing to measure. */
static SSL_CTX *make_context(bool server)
{
        SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());

        if (ctx == NULL || !set_up(ctx, server)) {
                ERR_print_errors_fp(stderr);
                fprintf(stderr, "o7s_bench: tls: no usable credentials\n");
                exit(2);
        }
        return ctx;
}

static SSL_CTX *server_ctx, *client_ctx;

static void make_client(void)
{
        client_ctx = make_context(false);
}

/* -- connections ------------------------------------------------------------ */

/*
 * An address of the loopback network for "o7s-bench.PID.N": PID in its lower 24 bits, which are as many as a process
 * id has, and N in the port. So two runs at once do not meet.
 */
static struct sockaddr_in address_of(const char *address)
{
        struct sockaddr_in a   = {.sin_family = AF_INET};
        unsigned           pid = 0, n = 0;

        (void)sscanf(address, "o7s-bench.%u.%u", &pid, &n);
        a.sin_addr.s_addr = htonl(UINT32_C(127) << 24 | (pid & 0xffffff));
        a.sin_port        = htons((uint16_t)(PORT + n));
        return a;
}

static void set_option(int fd, int level, int option, int value)
{
        (void)setsockopt(fd, level, option, &value, sizeof(value));
}

/* Gives the connection @fd a session. On failure @fd is closed. */
static int attach(SSL_CTX *ctx, int fd)
{
        SSL *s = fd < FDS ? SSL_new(ctx) : NULL;

        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        if (s == NULL || SSL_set_fd(s, fd) != 1) {
                SSL_free(s);
                close(fd);
                return -ENOMEM;
        }
        sessions[fd] = s;
        return fd;
}

/*
 * The client ends a connection that is over by a reset: none of the two sockets stays behind in TIME_WAIT. The server
 * has nothing left to read then.
 */
static void tls_close(int fd)
{
        SSL_free(sessions[fd]);
        sessions[fd] = NULL;
        ERR_clear_error();
        close(fd);
}

static int tls_listen(const char *address)
{
        struct sockaddr_in a  = address_of(address);
        int                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        server_ctx = make_context(true);
        if (fd < 0)
                return -errno;
        set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        if (bind(fd, (const struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, BACKLOG) == 0)
                return fd;
        close(fd);
        return -errno;
}

/* The handshake as a server, and the word that it is complete. */
static bool serve(SSL *s)
{
        return SSL_accept(s) == 1 && SSL_write(s, "", 1) == 1;
}

/* A client whose handshake fails is none: the next one is waited for. */
static int tls_accept(int listener)
{
        for (;;) {
                int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

                if (fd < 0)
                        return -errno;
                fd = attach(server_ctx, fd);
                if (fd < 0)
                        return fd;
                if (serve(sessions[fd]))
                        return fd;
                tls_close(fd);
        }
}

static void tls_forget(const char *address)
{
        (void)address;
}

static int connected(const char *address)
{
        const struct linger reset = {.l_onoff = 1};
        struct sockaddr_in  a     = address_of(address);
        int                 fd    = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int                 r;

        if (fd < 0)
                return -errno;
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
                return attach(client_ctx, fd);
        r = -errno;
        close(fd);
        return r;
}

static int tls_connect_early(const char *address)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        int                   fd;

        pthread_once(&once, make_client);
        fd = connected(address);
        if (fd < 0)
                return fd;
        if (SSL_set1_host(sessions[fd], setting("O7S_BENCH_SERVER")) == 1 && SSL_connect(sessions[fd]) == 1)
                return fd;
        ERR_print_errors_fp(stderr);
        tls_close(fd);
        return -EAUTH;
}

/* Waits until the server has said that it has accepted. */
static bool is_accepted(int fd)
{
        char byte;

        return SSL_read(sessions[fd], &byte, 1) == 1;
}

static int tls_connect(const char *address)
{
        int fd = tls_connect_early(address);

        if (fd < 0 || is_accepted(fd))
                return fd;
        tls_close(fd);
        return -EAUTH;
}

static void tls_close_early(int fd)
{
        if (!SSL_is_server(sessions[fd]))
                (void)is_accepted(fd);
        tls_close(fd);
}

const struct transport transport_tls = {
        .name    = "tls",
        .listen  = tls_listen,
        .accept  = tls_accept,
        .forget  = tls_forget,
        .connect = tls_connect,
        .close   = tls_close,
};

const struct transport transport_tls_connect = {
        .name    = "tls-connect",
        .listen  = tls_listen,
        .accept  = tls_accept,
        .forget  = tls_forget,
        .connect = tls_connect_early,
        .close   = tls_close_early,
};
