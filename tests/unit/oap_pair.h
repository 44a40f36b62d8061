/*
 * oap_pair.h - two hosts with the files of their credentials, and handshakes between them, for tests of the OAP engines.
 *
 *     host_open(client), host_open(server) -> pair_open -> pair_ask -> pair_serve -> pair_finish -> pair_close
 *
 * The message is in the test's hands at each arrow. Time stands still at PKI_NOW_NS unless a test moves it.
 */
#ifndef UNIT_OAP_PAIR_H
#define UNIT_OAP_PAIR_H

#include "oap/oap.h"

#include "pki.h"

#define PAIR_NAME  "time.example"
#define PAIR_ALICE "alice@example"

/* The authorities of a test: an anchor, an intermediate below it, and an anchor that nobody has. */
struct authorities {
        struct pki_cert root, middle, other;
};

const struct authorities *authorities(void); /* made once */

struct host_spec {
        bool                   credentials, anchors;
        const char            *own, *root; /* text of the identity's and the system's enc.cfg, or NULL */
        enum pki_key           key;
        const struct pki_spec *leaf; /* NULL: a good one for PAIR_NAME, or PAIR_ALICE */
        const struct pki_cert *by;   /* who has signed it; NULL: the intermediate */
        const struct pki_cert *revoked;
};

struct host {
        enum role           role;
        char               *dir;
        const struct creds *creds;
        struct pki_cert     leaf;
};

void host_open(struct host *h, enum role role, const struct host_spec *spec);
void host_close(struct host *h);

struct pair {
        const struct host *client_host, *server_host;
        bool               local; /* the kernel vouches for uid:1000 */
        const char        *data;  /* the client's */
        const char        *reply; /* the server's */
        const char        *name;  /* that the client asks for and the server has: PAIR_NAME */
        int64_t            now_ns;
        struct oap_client *client;
        struct oap_server *server;
        struct replay     *replay;
        struct chains     *chains[2];
        struct span        request, response;
        int64_t            keep_ns;
        bool               light[2];
};

void pair_open(struct pair *p, const struct host *client, const struct host *server);
void pair_close(struct pair *p);

/* A client with a new request. */
enum oap_reason pair_ask(struct pair *p);

/* A server that gets @msg, as far as it goes; with OAP_OK there is a response. */
enum oap_reason pair_serve(struct pair *p, struct span msg);

enum oap_reason pair_finish(struct pair *p, struct span msg);

/* All three; the first that is not OAP_OK. */
enum oap_reason pair_run(struct pair *p);

/* What the policy of a host makes of the flow, as the daemon finds it. */
enum oap_reason pair_stance(const struct pair *p, enum role role, struct stance *s,
                            const struct identity **id);

/* An engine of a given stance, in place of the one of the policy. */
enum oap_reason pair_ask_with(struct pair *p, const struct stance *s, const struct identity *id);
enum oap_reason pair_serve_with(struct pair *p, struct span msg, const struct stance *s,
                                const struct identity *id);

#endif
