/*
 * dnstool - the DNS directory of a UDP layer without the layer around it, for test_dns.py.
 *
 *     dnstool SERVER PORT OWN ZONE KEY|- COMMAND...
 *
 *     find:HEX   publish:HEX   unpublish:HEX   each asked at once
 *     wait       for the outcomes of all that were asked before
 *     close      the directory, with what is under way
 *
 * Outcomes come on stdout, a line each: "found N ADDRESS...", "published N RESULT"; N counts the commands
 * from 0. Exits with 0; or 1 and "open RESULT" where there is no directory with that.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "crypt/hash.h"
#include "ipcpd/common/ops.h"
#include "ipcpd/udp/dns.h"

struct tool {
        uv_loop_t   loop;
        struct dns *dns;
        unsigned    open; /* questions */
};

static void on_found(void *ctx, uint32_t ask, const struct sockaddr_storage *hosts, size_t n)
{
        struct tool *t = ctx;
        char         text[INET6_ADDRSTRLEN];

        printf("found %u", ask);
        for (size_t i = 0; i < n; i++) {
                uv_ip_name((const struct sockaddr *)&hosts[i], text, sizeof(text));
                printf(" %s", text);
        }
        printf("\n");
        t->open--;
}

static void on_published(void *ctx, uint32_t ask, int result)
{
        struct tool *t = ctx;

        printf("published %u %d\n", ask, result);
        t->open--;
}

static struct sockaddr_storage address(const char *text, int port)
{
        struct sockaddr_storage a = {0};

        if (uv_ip4_addr(text, port, (struct sockaddr_in *)&a) < 0 &&
            uv_ip6_addr(text, port, (struct sockaddr_in6 *)&a) < 0) {
                fprintf(stderr, "dnstool: %s is no address\n", text);
                exit(2);
        }
        return a;
}

static size_t unhex(const char *s, uint8_t out[HASH_MAX])
{
        size_t       n = 0;
        unsigned int v;

        for (; n < HASH_MAX && sscanf(s, "%2x", &v) == 1; s += 2)
                out[n++] = (uint8_t)v;
        return n;
}

static void wait_all(struct tool *t)
{
        while (t->open > 0)
                uv_run(&t->loop, UV_RUN_ONCE);
}

static void publish(struct tool *t, uint32_t ask, const char *hex, bool there)
{
        uint8_t hash[HASH_MAX];
        size_t  len = unhex(hex, hash);
        int     r   = dns_publish(t->dns, ask, hash, len, there);

        if (r == IPCP_LATER)
                t->open++;
        else
                printf("published %u %d\n", ask, r);
}

static void find(struct tool *t, uint32_t ask, const char *hex)
{
        uint8_t hash[HASH_MAX];
        size_t  len = unhex(hex, hash);

        t->open++;
        dns_find(t->dns, ask, hash, len);
}

static void command(struct tool *t, uint32_t ask, const char *what)
{
        const char *hex = strchr(what, ':');

        if (strcmp(what, "wait") == 0) {
                wait_all(t);
        } else if (strcmp(what, "close") == 0) {
                dns_close(t->dns);
                t->dns  = NULL;
                t->open = 0;
        } else if (hex == NULL) {
                fprintf(stderr, "dnstool: what is %s?\n", what);
                exit(2);
        } else if (what[0] == 'f') {
                find(t, ask, hex + 1);
        } else {
                publish(t, ask, hex + 1, what[0] == 'p');
        }
}

int main(int argc, char *argv[])
{
        struct tool       t    = {0};
        struct dns_up     up   = {&t, on_found, on_published};
        struct dns_config conf = {0};
        int               r;

        if (argc < 6)
                return 2;
        log_init("dnstool", LOG_DEBUG);
        setvbuf(stdout, NULL, _IOLBF, 0);
        uv_loop_init(&t.loop);
        conf.server   = address(argv[1], atoi(argv[2]));
        conf.own      = address(argv[3], 0);
        conf.family   = conf.own.ss_family;
        conf.zone     = argv[4];
        conf.key_file = strcmp(argv[5], "-") == 0 ? NULL : argv[5];
        r             = dns_open(&t.dns, &t.loop, &conf, &up);
        if (r < 0)
                printf("open %d\n", r);
        for (int i = 6; r == 0 && i < argc; i++)
                command(&t, (uint32_t)(i - 6), argv[i]);
        wait_all(&t);
        dns_close(t.dns);
        uv_run(&t.loop, UV_RUN_DEFAULT);
        return uv_loop_close(&t.loop) == 0 && r == 0 ? 0 : 1;
}
