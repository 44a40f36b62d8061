/*
 * spray.c - throws packets at an IPCP that it did not ask for: random ones, and mutated copies of ones that were sent in
 * earnest.
 *
 *     spray udp ADDRESS PORT COUNT SEED RATE CORPUS    from eight sockets
 *     spray eth DEVICE MAC COUNT SEED RATE CORPUS      to that MAC, from sixteen that nobody has and those of the corpus
 *
 * CORPUS is a file of packets (udp: payloads, eth: whole frames), each after its length in two bytes, big-endian. RATE is
 * in packets a second. What goes out depends on the seed alone. Prints {"sent": N, "refused": N}.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PACKET_MAX  1500u
#define ITEMS_MAX   4096u
#define SOCKETS     8u
#define ETH_HEAD    14u
#define BURST       32
#define INTERESTING 48u /* bytes at the start of which mutations are most likely: headers */

struct packet {
        uint8_t b[PACKET_MAX];
        size_t  len;
};

struct spray {
        bool          eth;
        int           fd[SOCKETS];
        size_t        n_fds;
        uint8_t       mac[6];
        struct packet item[ITEMS_MAX];
        size_t        n_items;
        uint64_t      random;
        long          sent, refused;
};

static void die(const char *what)
{
        fprintf(stderr, "spray: %s: %s\n", what, strerror(errno));
        exit(2);
}

/* SplitMix64 (Steele, Lea and Flood, 2014). */
static uint64_t draw(struct spray *s)
{
        uint64_t z = (s->random += UINT64_C(0x9E3779B97F4A7C15));

        z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
        z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
        return z ^ z >> 31;
}

static size_t below(struct spray *s, size_t n)
{
        return n == 0 ? 0 : (size_t)(draw(s) % n);
}

/* -- what is sent ----------------------------------------------------------- */

static void corpus_read(struct spray *s, const char *path)
{
        FILE   *f = fopen(path, "re");
        uint8_t head[2];

        if (f == NULL)
                die(path);
        while (s->n_items < ITEMS_MAX && fread(head, 1, 2, f) == 2) {
                struct packet *p   = &s->item[s->n_items];
                size_t         len = (size_t)head[0] << 8 | head[1];

                if (len > PACKET_MAX || fread(p->b, 1, len, f) != len) {
                        errno = EINVAL;
                        die(path);
                }
                p->len = len;
                s->n_items++;
        }
        fclose(f);
}

static void randomise(struct spray *s, struct packet *p)
{
        p->len = below(s, PACKET_MAX + 1);
        for (size_t i = 0; i < p->len; i++)
                p->b[i] = (uint8_t)draw(s);
}

/* A place, most often in the headers. */
static size_t place(struct spray *s, const struct packet *p)
{
        return below(s, p->len > INTERESTING && draw(s) % 8 != 0 ? INTERESTING : p->len);
}

static void alter_byte(struct spray *s, struct packet *p)
{
        static const uint8_t edges[] = {0, 1, 2, 3, 9, 10, 0x3c, 63, 64, 65, 0x7f, 0x80, 0xfe, 0xff};
        size_t               at      = place(s, p);

        if (p->len == 0)
                return;
        if (draw(s) % 2 == 0)
                p->b[at] = edges[below(s, sizeof(edges))];
        else
                p->b[at] ^= (uint8_t)(1u << draw(s) % 8);
}

static void extend(struct spray *s, struct packet *p)
{
        size_t more = below(s, PACKET_MAX - p->len + 1);

        memset(p->b + p->len, (int)(draw(s) & 0xff), more);
        p->len += more;
}

/* The rest comes from another packet. */
static void splice(struct spray *s, struct packet *p)
{
        const struct packet *other = &s->item[below(s, s->n_items)];
        size_t               at    = below(s, (p->len < other->len ? p->len : other->len) + 1);

        memcpy(p->b + at, other->b + at, other->len - at);
        p->len = other->len;
}

static void mutate(struct spray *s, struct packet *p)
{
        *p = s->item[below(s, s->n_items)];
        for (size_t n = 1 + below(s, 4); n > 0; n--) {
                switch (draw(s) % 8) {
                case 0: p->len = below(s, p->len + 1); break;
                case 1: extend(s, p); break;
                case 2: splice(s, p); break;
                default: alter_byte(s, p); break;
                }
        }
}

/* For the kernel and the interface it is a frame to that station; one in eight goes to all. */
static void address(struct spray *s, struct packet *p)
{
        if (p->len < ETH_HEAD) {
                memset(p->b + p->len, 0, ETH_HEAD - p->len);
                p->len = ETH_HEAD;
        }
        if (draw(s) % 8 == 0)
                memset(p->b, 0xff, 6);
        else
                memcpy(p->b, s->mac, 6);
        if (draw(s) % 2 == 0)
                memcpy(p->b + 6, (uint8_t[6]){2, 0, 0, 0, 0, (uint8_t)(draw(s) % 16)}, 6);
        if (draw(s) % 8 != 0)
                memcpy(p->b + 12, s->item[0].b + 12, 2);
}

/* -- sending ---------------------------------------------------------------- */

static void udp_open(struct spray *s, const char *host, const char *port)
{
        struct addrinfo  hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
        struct addrinfo *to;

        if (getaddrinfo(host, port, &hints, &to) != 0)
                die(host);
        for (s->n_fds = 0; s->n_fds < SOCKETS; s->n_fds++) {
                int fd = socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

                if (fd < 0 || connect(fd, to->ai_addr, to->ai_addrlen) < 0)
                        die("socket");
                s->fd[s->n_fds] = fd;
        }
        freeaddrinfo(to);
}

static void eth_open(struct spray *s, const char *dev, const char *mac)
{
        struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(dev)};
        uint8_t           *m  = s->mac;

        if (sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5]) != 6)
                die(mac);
        s->fd[0] = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
        s->n_fds = 1;
        if (s->fd[0] < 0 || bind(s->fd[0], (struct sockaddr *)&to, sizeof(to)) < 0)
                die(dev);
}

/* Nobody need listen there (ECONNREFUSED), and a packet may be none for the kernel (EINVAL); a full queue empties. */
static void send_one(struct spray *s, const struct packet *p)
{
        while (send(s->fd[below(s, s->n_fds)], p->b, p->len, 0) < 0) {
                if (errno == ENOBUFS || errno == EAGAIN) {
                        usleep(100);
                        continue;
                }
                if (errno != ECONNREFUSED && errno != EINVAL && errno != EMSGSIZE)
                        die("send");
                s->refused++;
                return;
        }
        s->sent++;
}

static int64_t now_ns(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void run(struct spray *s, long count, long rate)
{
        int64_t       start = now_ns();
        struct packet p;

        for (long i = 0; i < count; i++) {
                int64_t early = start + i * 1000000000 / rate - now_ns();

                if (i % BURST == 0 && early > 0)
                        usleep((useconds_t)(early / 1000));
                if (s->n_items == 0 || draw(s) % 4 == 0)
                        randomise(s, &p);
                else
                        mutate(s, &p);
                if (s->eth)
                        address(s, &p);
                send_one(s, &p);
        }
}

int main(int argc, char *argv[])
{
        static struct spray s;

        if (argc != 8 || (strcmp(argv[1], "udp") != 0 && strcmp(argv[1], "eth") != 0) || atol(argv[6]) <= 0) {
                fprintf(stderr, "usage: spray udp ADDRESS PORT COUNT SEED RATE CORPUS\n"
                                "       spray eth DEVICE MAC COUNT SEED RATE CORPUS\n");
                return 2;
        }
        s.eth    = argv[1][0] == 'e';
        s.random = strtoull(argv[5], NULL, 0);
        corpus_read(&s, argv[7]);
        if (s.eth)
                eth_open(&s, argv[2], argv[3]);
        else
                udp_open(&s, argv[2], argv[3]);
        run(&s, strtol(argv[4], NULL, 0), strtol(argv[6], NULL, 0));
        printf("{\"sent\": %ld, \"refused\": %ld}\n", s.sent, s.refused);
        return 0;
}
