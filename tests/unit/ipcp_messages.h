/*
 * ipcp_messages.h - the messages of irmd to an IPCP, packed, for tests that play irmd. Each function returns the length of what it wrote to
 * @buf of IPCP_MESSAGE_MAX bytes.
 */
#ifndef O7S_TESTS_IPCP_MESSAGES_H
#define O7S_TESTS_IPCP_MESSAGES_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include <ouroboros/ipcp.h>
#include <ouroboros/qos.h>

#include "pb/convert.h"
#include "pb/ipcp.pb-c.h"

#define IPCP_MESSAGE_MAX 1024u

static inline size_t msg_pack(uint8_t *buf, const Ipcp__Message *m)
{
        assert(ipcp__message__get_packed_size(m) <= IPCP_MESSAGE_MAX);
        return ipcp__message__pack(m, buf);
}

static inline size_t msg_request(uint8_t *buf, Ipcp__Request *rq)
{
        Ipcp__Message m = IPCP__MESSAGE__INIT;

        m.kind_case = IPCP__MESSAGE__KIND_REQUEST;
        m.request   = rq;
        return msg_pack(buf, &m);
}

static inline size_t msg_bootstrap(uint8_t *buf, const char *layer, unsigned int algo, unsigned int type)
{
        Irm__IpcpConfig conf = IRM__IPCP_CONFIG__INIT;
        Ipcp__Bootstrap bs   = IPCP__BOOTSTRAP__INIT;
        Ipcp__Request   rq   = IPCP__REQUEST__INIT;

        conf.layer         = (char *)layer;
        conf.dir_hash_algo = algo;
        conf.type          = type;
        bs.config          = &conf;
        rq.verb_case       = IPCP__REQUEST__VERB_BOOTSTRAP;
        rq.bootstrap       = &bs;
        return msg_request(buf, &rq);
}

static inline size_t msg_name_reg(uint8_t *buf, const uint8_t *hash, size_t len)
{
        Ipcp__NameReg nr = IPCP__NAME_REG__INIT;
        Ipcp__Request rq = IPCP__REQUEST__INIT;

        nr.hash      = (ProtobufCBinaryData){len, (uint8_t *)hash};
        rq.verb_case = IPCP__REQUEST__VERB_NAME_REG;
        rq.name_reg  = &nr;
        return msg_request(buf, &rq);
}

static inline size_t msg_name_query(uint8_t *buf, const uint8_t *hash, size_t len)
{
        Ipcp__NameQuery nq = IPCP__NAME_QUERY__INIT;
        Ipcp__Request   rq = IPCP__REQUEST__INIT;

        nq.hash       = (ProtobufCBinaryData){.len = len, .data = (uint8_t *)hash};
        rq.verb_case  = IPCP__REQUEST__VERB_NAME_QUERY;
        rq.name_query = &nq;
        return msg_request(buf, &rq);
}

static inline size_t msg_name_unreg(uint8_t *buf, const uint8_t *hash, size_t len)
{
        Ipcp__NameUnreg nu = IPCP__NAME_UNREG__INIT;
        Ipcp__Request   rq = IPCP__REQUEST__INIT;

        nu.hash       = (ProtobufCBinaryData){len, (uint8_t *)hash};
        rq.verb_case  = IPCP__REQUEST__VERB_NAME_UNREG;
        rq.name_unreg = &nu;
        return msg_request(buf, &rq);
}

#define MSG_OAP "from irmd" /* what irmd has the layer carry, here */

static inline ProtobufCBinaryData msg_oap(void)
{
        return (ProtobufCBinaryData){sizeof(MSG_OAP) - 1, (uint8_t *)MSG_OAP};
}

static inline size_t msg_flow_alloc(uint8_t *buf, uint64_t flow_id, const uint8_t *hash, size_t len,
                                    const qosspec_t *qs)
{
        Irm__Qos        q;
        Ipcp__FlowAlloc fa = IPCP__FLOW_ALLOC__INIT;
        Ipcp__Request   rq = IPCP__REQUEST__INIT;

        pb_qos_put(&q, qs);
        fa.flow_id    = flow_id;
        fa.hash       = (ProtobufCBinaryData){len, (uint8_t *)hash};
        fa.qos        = &q;
        fa.oap        = msg_oap();
        rq.verb_case  = IPCP__REQUEST__VERB_FLOW_ALLOC;
        rq.flow_alloc = &fa;
        return msg_request(buf, &rq);
}

static inline size_t msg_flow_dealloc(uint8_t *buf, uint64_t flow_id)
{
        Ipcp__FlowDealloc fd = IPCP__FLOW_DEALLOC__INIT;
        Ipcp__Request     rq = IPCP__REQUEST__INIT;

        fd.flow_id      = flow_id;
        rq.verb_case    = IPCP__REQUEST__VERB_FLOW_DEALLOC;
        rq.flow_dealloc = &fd;
        return msg_request(buf, &rq);
}

static inline size_t msg_shutdown(uint8_t *buf)
{
        Ipcp__Shutdown sd = IPCP__SHUTDOWN__INIT;
        Ipcp__Request  rq = IPCP__REQUEST__INIT;

        rq.verb_case = IPCP__REQUEST__VERB_SHUTDOWN;
        rq.shutdown  = &sd;
        return msg_request(buf, &rq);
}

static inline size_t msg_reply(uint8_t *buf, int result, uint64_t flow_id)
{
        Ipcp__Reply   rp = IPCP__REPLY__INIT;
        Ipcp__Message m  = IPCP__MESSAGE__INIT;

        rp.result   = result;
        rp.flow_id  = flow_id;
        rp.oap      = msg_oap();
        m.kind_case = IPCP__MESSAGE__KIND_REPLY;
        m.reply     = &rp;
        return msg_pack(buf, &m);
}

#endif
