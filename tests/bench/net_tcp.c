/* net_tcp.c - the yardsticks of flows in order: TCP (cubic, no delay), and TLS 1.3 over it by OpenSSL with the suite and the
 * credentials of the flows, both sides verified. No tickets, no resumption. */
#include "net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FDS       1024
#define PATH_SIZE 512

/* -- TCP ------------------------------------------------------------------------ */

static int tcp_socket(void)
{
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int on = 1;

        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) < 0)
                perror("cubic");
        return fd;
}

static struct sockaddr_in tcp_address(const char *host, uint16_t port)
{
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

        inet_pton(AF_INET, host, &a.sin_addr);
        return a;
}

static int tcp_listen(const struct net_conf *c)
{
        struct sockaddr_in a  = tcp_address(c->own, c->port);
        int                fd = tcp_socket();

        return bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 16) < 0 ? -1 : fd;
}

static int tcp_accept(const struct net_conf *c, int listener)
{
        (void)c;
        return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

static int tcp_open(const struct net_conf *c)
{
        struct sockaddr_in a  = tcp_address(c->peer, c->port);
        int                fd = tcp_socket();

        return connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -1 : fd;
}

static ssize_t tcp_send(int fd, void *buf, size_t len)
{
        return send(fd, buf, len, MSG_NOSIGNAL);
}

static ssize_t tcp_recv(int fd, void *buf, size_t len)
{
        return recv(fd, buf, len, 0);
}

static void tcp_close(int fd)
{
        close(fd);
}

/* -- TLS ------------------------------------------------------------------------ */

static SSL *sessions[FDS];

static bool load(SSL_CTX *ctx, const char *security, const char *folder, const char *name)
{
        char anchor[PATH_SIZE], cert[PATH_SIZE], key[PATH_SIZE];

        snprintf(anchor, sizeof(anchor), "%s/cacert/ca0.pem", security);
        snprintf(cert, sizeof(cert), "%s/%s/%s/cert", security, folder, name);
        snprintf(key, sizeof(key), "%s/%s/%s/key", security, folder, name);
        return SSL_CTX_load_verify_file(ctx, anchor) == 1 &&
               SSL_CTX_use_certificate_chain_file(ctx, cert) == 1 &&
               SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1;
}

/* Or the end of the program: there is nothing to compare. */
static SSL_CTX *context(const struct net_conf *c, bool server)
{
        SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());

        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 && SSL_CTX_set_num_tickets(ctx, 0) == 1 &&
            SSL_CTX_set_ciphersuites(ctx, "TLS_AES_256_GCM_SHA384") == 1 &&
            SSL_CTX_set1_groups_list(ctx, "X25519") == 1 &&
            load(ctx, c->security, server ? "server" : "client", server ? c->name : "default"))
                return ctx;
        ERR_print_errors_fp(stderr);
        exit(EXIT_FAILURE);
}

static int attach(SSL_CTX *ctx, int fd, const char *host)
{
        SSL *s = fd >= 0 && fd < FDS ? SSL_new(ctx) : NULL;

        if (s == NULL)
                return -1;
        SSL_set_fd(s, fd);
        sessions[fd] = s;
        if (host == NULL ? SSL_accept(s) == 1 : SSL_set1_host(s, host) == 1 && SSL_connect(s) == 1)
                return fd;
        ERR_print_errors_fp(stderr);
        return -1;
}

static int tls_accept(const struct net_conf *c, int listener)
{
        static SSL_CTX *ctx;

        if (ctx == NULL)
                ctx = context(c, true);
        return attach(ctx, tcp_accept(c, listener), NULL);
}

static int tls_open(const struct net_conf *c)
{
        static SSL_CTX *ctx;

        if (ctx == NULL)
                ctx = context(c, false);
        return attach(ctx, tcp_open(c), c->name);
}

static ssize_t tls_send(int fd, void *buf, size_t len)
{
        return SSL_write(sessions[fd], buf, (int)len);
}

static ssize_t tls_recv(int fd, void *buf, size_t len)
{
        return SSL_read(sessions[fd], buf, (int)len);
}

static void tls_close(int fd)
{
        SSL_free(sessions[fd]);
        sessions[fd] = NULL;
        ERR_clear_error();
        close(fd);
}

const struct net_way net_tcp = {"tcp", tcp_listen, tcp_accept, tcp_open, tcp_send, tcp_recv, tcp_close};
const struct net_way net_tls = {"tls", tcp_listen, tls_accept, tls_open, tls_send, tls_recv, tls_close};
