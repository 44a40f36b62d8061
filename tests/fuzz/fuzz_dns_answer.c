/*
 * fuzz_dns_answer.c - what a DNS server, or who pretends to be one, sends: whether it fits, which hosts it
 * names, and whether it is believed. The first byte says whether the header and question that fit are put
 * in front.
 */
#include <sys/mman.h>
#include <sys/stat.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ipcpd/udp/dns_verdict.h"

#include "input.h"

#define NOW_S  1800000000
#define NAME   "mzxw6ytboi.ouroboros.internal"
#define SECRET "hmac-sha256:key:c2VjcmV0IG9mIHRoaXJ0eS10d28gYnl0ZXMsIG5vIGxlc3M="
#define ROOM   8192u
#define FLAGS  6u /* flags and counts, which the input says */

struct scene {
        struct dns_message find[2], update;
        struct dns_key    *key;
        struct dns_mac     mac;
};

static void make_key(struct scene *s)
{
        char        path[64];
        const char *why;
        int         fd = memfd_create("key", 0);

        MUST(write(fd, SECRET, strlen(SECRET)) == (ssize_t)strlen(SECRET) && fchmod(fd, 0600) == 0);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        MUST(dns_key_read(&s->key, path, &why) == 0);
        close(fd);
}

static const struct scene *scene(void)
{
        static struct scene      s;
        const struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

        if (s.key != NULL)
                return &s;
        MUST(dns_message_find(&s.find[0], 1, NAME, AF_INET) == 0);
        MUST(dns_message_find(&s.find[1], 1, NAME, AF_INET6) == 0);
        MUST(dns_message_update(&s.update, 1, "ouroboros.internal", NAME,
                                (const struct sockaddr_storage *)&own, true) == 0);
        make_key(&s);
        MUST(dns_tsig_sign(s.key, &s.update, NOW_S, &s.mac) == 0);
        return &s;
}

/* The answer to @m with flags and counts of the input's, and behind the question what else that has. */
static size_t frame(uint8_t *out, const struct dns_message *m, const uint8_t *data, size_t size)
{
        size_t head = DNS_HEADER + m->question;

        memcpy(out, m->b, head);
        if (size < FLAGS + 1 || size > ROOM - DNS_HEADER - DNS_MESSAGE_MAX)
                return head;
        out[2]  = (uint8_t)((m->b[2] & 0x78) | 0x80 | (data[0] & 7));
        out[3]  = data[1];
        out[7]  = data[2]; /* answers */
        out[9]  = data[3];
        out[10] = data[4] & 1; /* additional: some hundred at most */
        out[11] = data[5];
        memcpy(out + head, data + FLAGS, size - FLAGS);
        return head + size - FLAGS;
}

static void check_hosts(const uint8_t *p, size_t len, int family)
{
        struct sockaddr_storage hosts[5];
        int                     n = dns_message_hosts(p, len, hosts, 5);

        MUST(n <= 5);
        for (int i = 0; i < n; i++) {
                MUST(hosts[i].ss_family == family);
                for (int k = 0; k < i; k++)
                        MUST(memcmp(&hosts[i], &hosts[k], sizeof(hosts[i])) != 0);
        }
}

static void check_verdict(const struct scene *s, const struct dns_key *k, const uint8_t *p, size_t len)
{
        const char *why    = "";
        int         result = 1;
        bool        ok     = dns_verdict(k, &s->mac, p, len, NOW_S, &result, &why);

        MUST(k == NULL || !ok); /* nobody guesses a MAC */
        MUST(!ok || result <= 0);
        MUST((why == NULL) == (ok && result == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const struct scene *s = scene();
        uint8_t             p[ROOM];
        size_t              len;

        if (size == 0)
                return 0;
        for (int i = 0; i < 2; i++) {
                const uint8_t *answer = data[0] & 1 ? p : data + 1;

                len = data[0] & 1 ? frame(p, &s->find[i], data + 1, size - 1) : size - 1;
                if (dns_message_fits(&s->find[i], answer, len))
                        check_hosts(answer, len, i == 0 ? AF_INET : AF_INET6);
                len = data[0] & 1 ? frame(p, &s->update, data + 1, size - 1) : size - 1;
                if (dns_message_fits(&s->update, answer, len))
                        check_verdict(s, i == 0 ? s->key : NULL, answer, len);
        }
        return 0;
}
