/* test_ipcp_config.c - the configuration of an IPCP, to a message and back. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <ouroboros/errno.h>

#include "pb/ipcp_config.h"

/* Through the bytes, as between two processes. */
static int through(const struct ipcp_config *conf, struct ipcp_config *back)
{
        struct pb_ipcp_config c;
        uint8_t               buf[4096];
        size_t                len;
        Irm__IpcpConfig      *m;
        int                   r;

        pb_ipcp_config_put(&c, conf);
        assert_true(irm__ipcp_config__get_packed_size(&c.m) <= sizeof(buf));
        len = irm__ipcp_config__pack(&c.m, buf);
        m   = irm__ipcp_config__unpack(NULL, len, buf);
        assert_non_null(m);
        r = pb_ipcp_config_get(m, back, NULL);
        irm__ipcp_config__free_unpacked(m, NULL);
        return r;
}

static struct ipcp_config config(enum ipcp_type type)
{
        struct ipcp_config conf = {.type = type};

        strcpy(conf.layer_info.name, "home");
        conf.layer_info.dir_hash_algo = DIR_HASH_SHA3_512;
        return conf;
}

static void test_local(void **state)
{
        struct ipcp_config conf = config(IPCP_LOCAL), back;

        (void)state;
        assert_int_equal(through(&conf, &back), 0);
        assert_string_equal(back.layer_info.name, "home");
        assert_int_equal(back.layer_info.dir_hash_algo, DIR_HASH_SHA3_512);
        assert_int_equal(back.type, IPCP_LOCAL);
}

static void test_eth(void **state)
{
        struct ipcp_config conf = config(IPCP_ETH_DIX), back;

        (void)state;
        strcpy(conf.eth.dev, "enp0s31f6.4094");
        conf.eth.ethertype = 0xA000;
        assert_int_equal(through(&conf, &back), 0);
        assert_string_equal(back.eth.dev, conf.eth.dev);
        assert_int_equal(back.eth.ethertype, 0xA000);
        conf.eth.ethertype = 0x05FF;
        assert_int_equal(through(&conf, &back), -EINVAL);
        conf.eth.ethertype = 0xFFFF;
        assert_int_equal(through(&conf, &back), -EINVAL);
        conf.type = IPCP_ETH_LLC;
        assert_int_equal(through(&conf, &back), -EINVAL);
        conf.eth.ethertype = 0;
        assert_int_equal(through(&conf, &back), 0);
        conf.eth.dev[0] = '\0';
        assert_int_equal(through(&conf, &back), -EINVAL);
}

static void test_udp4(void **state)
{
        struct ipcp_config conf = config(IPCP_UDP4), back;

        (void)state;
        conf.udp4.port = 3435;
        assert_int_equal(through(&conf, &back), -EINVAL); /* no address */
        inet_pton(AF_INET, "192.0.2.1", &conf.udp4.ip_addr);
        assert_int_equal(through(&conf, &back), 0);
        assert_int_equal(back.udp4.dns_addr.s_addr, 0);
        inet_pton(AF_INET, "192.0.2.53", &conf.udp4.dns_addr);
        assert_int_equal(through(&conf, &back), -EINVAL); /* no zone */
        strcpy(conf.udp4.dns.zone, UDP_DEFAULT_ZONE);
        strcpy(conf.udp4.dns.key, "key");
        assert_int_equal(through(&conf, &back), -EINVAL); /* where would that be? */
        strcpy(conf.udp4.dns.key, "/etc/ouroboros/key");
        conf.udp4.n_peers = UDP_PEERS_MAX;
        for (size_t i = 0; i < UDP_PEERS_MAX; i++)
                conf.udp4.peers[i] = (struct udp4_peer){conf.udp4.ip_addr, (uint16_t)i};
        assert_int_equal(through(&conf, &back), 0);
        assert_memory_equal(&back.udp4, &conf.udp4, sizeof(conf.udp4));
        conf.udp4.port = 0;
        assert_int_equal(through(&conf, &back), -EINVAL);
}

static void test_udp6(void **state)
{
        struct ipcp_config conf = config(IPCP_UDP6), back;

        (void)state;
        conf.udp6.port = 1;
        inet_pton(AF_INET6, "2001:db8::1", &conf.udp6.ip_addr);
        conf.udp6.n_peers       = 1;
        conf.udp6.peers[0].port = 65535;
        assert_int_equal(through(&conf, &back), -EINVAL); /* a peer without address */
        inet_pton(AF_INET6, "2001:db8::2", &conf.udp6.peers[0].addr);
        assert_int_equal(through(&conf, &back), 0);
        assert_memory_equal(&back.udp6, &conf.udp6, sizeof(conf.udp6));
}

/* An address of the other kind, a port that is none, a peer too many: from a process that does not use our library. */
static void test_lies(void **state)
{
        struct ipcp_config    conf = config(IPCP_UDP4), back;
        struct pb_ipcp_config c;
        Irm__UdpPeer         *peers[UDP_PEERS_MAX + 1];
        const char           *why = NULL;

        (void)state;
        conf.udp4.port = 3435;
        inet_pton(AF_INET, "192.0.2.1", &conf.udp4.ip_addr);
        conf.udp4.n_peers  = 1;
        conf.udp4.peers[0] = (struct udp4_peer){conf.udp4.ip_addr, 1};
        pb_ipcp_config_put(&c, &conf);
        assert_int_equal(pb_ipcp_config_get(&c.m, &back, &why), 0);
        assert_null(why);
        c.m.type = IPCP_UDP6;
        assert_int_equal(pb_ipcp_config_get(&c.m, &back, &why), -EINVAL);
        assert_non_null(why);
        c.m.type = IPCP_ETH_DIX;
        assert_int_equal(pb_ipcp_config_get(&c.m, &back, &why), -EINVAL);
        c.m.type       = IPCP_UDP4;
        c.peer[0].port = 65536;
        assert_int_equal(pb_ipcp_config_get(&c.m, &back, &why), -EINVAL);
        c.peer[0].port = 1;
        c.udp.port     = 65536;
        assert_int_equal(pb_ipcp_config_get(&c.m, &back, &why), -EINVAL);
        c.udp.port   = 1;
        c.udp.peer   = peers;
        c.udp.n_peer = UDP_PEERS_MAX + 1;
        for (size_t i = 0; i <= UDP_PEERS_MAX; i++)
                peers[i] = &c.peer[0];
        assert_int_equal(pb_ipcp_config_get(&c.m, &back, &why), -EINVAL);
        c.udp.n_peer = UDP_PEERS_MAX;
        assert_int_equal(pb_ipcp_config_get(&c.m, &back, &why), 0);
}

static void test_the_rest(void **state)
{
        struct ipcp_config conf = local_default_conf;
        Irm__IpcpConfig    m    = IRM__IPCP_CONFIG__INIT;
        char               name[NAME_SIZE + 2];

        (void)state;
        assert_int_equal(pb_ipcp_config_get(NULL, &conf, NULL), -EINVAL);
        assert_int_equal(pb_ipcp_config_get(&m, &conf, NULL), -EINVAL); /* no layer */
        m.layer = (char *)"a/b";
        assert_int_equal(pb_ipcp_config_get(&m, &conf, NULL), -EINVAL);
        memset(name, 'x', sizeof(name));
        name[NAME_SIZE + 1] = '\0';
        m.layer             = name;
        assert_int_equal(pb_ipcp_config_get(&m, &conf, NULL), -EINVAL);
        name[NAME_SIZE] = '\0';
        assert_int_equal(pb_ipcp_config_get(&m, &conf, NULL), 0);
        assert_int_equal(strlen(conf.layer_info.name), NAME_SIZE);
        m.dir_hash_algo = DIR_HASH_SHA3_512 + 1;
        assert_int_equal(pb_ipcp_config_get(&m, &conf, NULL), -EINVAL);
        m.dir_hash_algo = DIR_HASH_SHA3_512;
        m.type          = IPCP_INVALID;
        assert_int_equal(pb_ipcp_config_get(&m, &conf, NULL), -EIPCPTYPE);
        m.type = UINT32_MAX;
        assert_int_equal(pb_ipcp_config_get(&m, &conf, NULL), -EIPCPTYPE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_local), cmocka_unit_test(test_eth),  cmocka_unit_test(test_udp4),
                cmocka_unit_test(test_udp6),  cmocka_unit_test(test_lies), cmocka_unit_test(test_the_rest),
        };

        return cmocka_run_group_tests_name("ipcp_config", tests, NULL, NULL);
}
