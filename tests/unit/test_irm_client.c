/*
 * test_irm_client.c - management calls to a daemon that answers what a test tells it to: in parts, with
 * nonsense, or not at all; and what is refused before anybody is asked.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <ouroboros/errno.h>
#include <ouroboros/irm.h>

#include "base/str.h"
#include "ctl/ctl.h"
#include "irm/program.h"
#include "pb/irm.pb-c.h"

#define ANSWERS_MAX 4

/* -- a daemon -------------------------------------------------------------- */

struct answer {
        uint8_t body[1024];
        size_t  len;
};

/* What the next request is answered with; all but the last with MORE. None: the connection is closed. */
static struct {
        pthread_mutex_t lock; /* the daemon's while it answers */
        struct answer   answer[ANSWERS_MAX];
        size_t          n;
        uint8_t         request[FRAME_MAX]; /* the last one, and how many there were */
        size_t          len;
        int             n_requests;
} script = {.lock = PTHREAD_MUTEX_INITIALIZER};

static char      dir[] = "/tmp/test_irm_client.XXXXXX";
static int       listener;
static pthread_t daemon_thread;

static void answer_hello(int sock, const struct frame *f)
{
        Irm__HelloReply hello = IRM__HELLO_REPLY__INIT;
        Irm__Reply      reply = IRM__REPLY__INIT;
        uint8_t         body[64];

        hello.version   = 1;
        reply.body_case = IRM__REPLY__BODY_HELLO;
        reply.hello     = &hello;
        ctl_send(sock, f, body, irm__reply__pack(&reply, body), NULL, 0, 0);
}

static bool answer_script(int sock, uint32_t id, const uint8_t *body, size_t len)
{
        bool answered;

        pthread_mutex_lock(&script.lock);
        memcpy(script.request, body, len);
        script.len = len;
        script.n_requests++;
        for (size_t i = 0; i < script.n; i++) {
                struct frame f = {id, i + 1 < script.n ? FRAME_MORE : 0};

                ctl_send(sock, &f, script.answer[i].body, script.answer[i].len, NULL, 0, 0);
        }
        answered = script.n > 0;
        pthread_mutex_unlock(&script.lock);
        return answered;
}

static void serve(int sock)
{
        static uint8_t buf[FRAME_MAX];
        int            fds[CTL_FDS_MAX];
        size_t         n_fds;
        ssize_t        len;
        bool           greeted = false;

        while ((len = ctl_recv(sock, buf, fds, &n_fds, 0)) > 0) {
                struct rd    r = {buf, buf + len, false};
                struct frame f;

                if (!frame_get(&r, &f))
                        break;
                if (!greeted)
                        answer_hello(sock, &(struct frame){f.id, 0});
                else if (!answer_script(sock, f.id, r.p, (size_t)(r.end - r.p)))
                        break;
                greeted = true;
        }
        close(sock);
}

static void *run_daemon(void *arg)
{
        struct pollfd p = {.fd = listener, .events = POLLIN};
        int           sock;

        (void)arg;
        while (poll(&p, 1, -1) > 0 && (sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
                serve(sock);
        return NULL;
}

static int start_daemon(void **state)
{
        char path[64];

        (void)state;
        assert_non_null(mkdtemp(dir));
        snprintf(path, sizeof(path), "%s/irm.sock", dir);
        setenv("OUROBOROS_RUNTIME_DIR", dir, 1);
        listener = ctl_listen(path);
        assert_true(listener >= 0);
        return pthread_create(&daemon_thread, NULL, run_daemon, NULL);
}

static int remove_files(void **state)
{
        char cmd[64];

        (void)state;
        snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
        return system(cmd);
}

/* -- scripts --------------------------------------------------------------- */

/* Waits until the daemon has done with the last request. */
static void script_settle(void)
{
        pthread_mutex_lock(&script.lock);
        pthread_mutex_unlock(&script.lock);
}

static void script_clear(void)
{
        script_settle();
        script.n          = 0;
        script.n_requests = 0;
}

static void script_reply(const Irm__Reply *reply)
{
        struct answer *a = &script.answer[script.n++];

        assert_true(irm__reply__get_packed_size(reply) <= sizeof(a->body));
        a->len = irm__reply__pack(reply, a->body);
}

static void script_result(int result, const char *reason)
{
        Irm__Reply reply = IRM__REPLY__INIT;

        reply.result = result;
        if (reason != NULL)
                reply.reason = (char *)reason;
        script_reply(&reply);
}

static void script_names(const char *const *names, size_t n, uint32_t lb)
{
        Irm__NameEntry   entry[4];
        Irm__NameEntry  *at[4];
        Irm__NameEntries entries = IRM__NAME_ENTRIES__INIT;
        Irm__Reply       reply   = IRM__REPLY__INIT;

        for (size_t i = 0; i < n; i++) {
                irm__name_entry__init(&entry[i]);
                entry[i].name   = (char *)names[i];
                entry[i].pol_lb = lb;
                at[i]           = &entry[i];
        }
        entries.n_entry = n;
        entries.entry   = at;
        reply.body_case = IRM__REPLY__BODY_NAMES;
        reply.names     = &entries;
        script_reply(&reply);
}

static void script_ipcp(const char *name, const char *layer, uint32_t type, uint32_t state)
{
        Irm__IpcpEntry   entry   = IRM__IPCP_ENTRY__INIT;
        Irm__IpcpEntry  *at      = &entry;
        Irm__IpcpEntries entries = IRM__IPCP_ENTRIES__INIT;
        Irm__Reply       reply   = IRM__REPLY__INIT;

        entry.pid       = 42;
        entry.name      = (char *)name;
        entry.layer     = (char *)layer;
        entry.type      = type;
        entry.state     = state;
        entries.n_entry = 1;
        entries.entry   = &at;
        reply.body_case = IRM__REPLY__BODY_IPCPS;
        reply.ipcps     = &entries;
        script_reply(&reply);
}

/* The request that the daemon got, for irm__request__free_unpacked(). */
static Irm__Request *last_request(void)
{
        Irm__Request *req;

        script_settle();
        req = irm__request__unpack(NULL, script.len, script.request);
        assert_non_null(req);
        return req;
}

static struct name_info name_info(const char *name)
{
        struct name_info info = {.pol_lb = LB_SPILL};

        assert_true(str_copy(info.name, sizeof(info.name), name));
        return info;
}

/* -- calls ----------------------------------------------------------------- */

static void a_call_says_what_it_was_told(void **state)
{
        struct name_info info   = name_info("a.name");
        char            *argv[] = {(char *)"-l", (char *)"--quiet"};
        Irm__Request    *req;

        (void)state;
        script_clear();
        script_result(0, NULL);
        assert_int_equal(irm_create_name(&info), 0);
        assert_string_equal(irm_reason(), "");
        req = last_request();
        assert_int_equal(req->verb_case, IRM__REQUEST__VERB_NAME_CREATE);
        assert_string_equal(req->name_create->name, "a.name");
        assert_int_equal(req->name_create->pol_lb, LB_SPILL);
        irm__request__free_unpacked(req, NULL);

        assert_int_equal(irm_bind_program("/bin/../bin/true", "a.name", BIND_AUTO, 2, argv), 0);
        req = last_request();
        assert_int_equal(req->verb_case, IRM__REQUEST__VERB_BIND_PROGRAM);
        assert_int_equal(req->bind_program->path[0], '/');
        assert_null(strstr(req->bind_program->path, ".."));
        assert_true(req->bind_program->auto_start);
        assert_int_equal(req->bind_program->n_args, 2);
        assert_string_equal(req->bind_program->args[1], "--quiet");
        irm__request__free_unpacked(req, NULL);
        assert_int_equal(script.n_requests, 2);
}

static void a_refusal_has_code_errno_and_reason(void **state)
{
        (void)state;
        script_clear();
        script_result(-ENAME, "there is no name 'x'");
        assert_int_equal(irm_destroy_name("x"), -ENAME);
        assert_int_equal(errno, ENOENT);
        assert_string_equal(irm_reason(), "there is no name 'x'");
        script_clear();
        script_result(0, NULL);
        assert_int_equal(irm_unreg_name("x", 1), 0);
        assert_string_equal(irm_reason(), "");
}

static void a_reason_cannot_hold_escapes(void **state)
{
        (void)state;
        script_clear();
        script_result(-EPERM, "\033[2Jgone");
        assert_int_equal(irm_destroy_name("x"), -EPERM);
        assert_string_equal(irm_reason(), "");
}

static void a_list_comes_in_parts(void **state)
{
        static const char *const first[]  = {"a", "b", "c"};
        static const char *const second[] = {"d"};
        struct name_info        *names;

        (void)state;
        script_clear();
        script_names(first, 3, LB_RR);
        script_names(NULL, 0, LB_RR);
        script_names(second, 1, LB_SPILL);
        assert_int_equal(irm_list_names(&names), 4);
        assert_string_equal(names[2].name, "c");
        assert_int_equal(names[2].pol_lb, LB_RR);
        assert_string_equal(names[3].name, "d");
        assert_int_equal(names[3].pol_lb, LB_SPILL);
        free(names);
}

static void an_empty_list_is_null(void **state)
{
        struct name_info *names = (struct name_info *)(void *)dir;

        (void)state;
        script_clear();
        script_names(NULL, 0, LB_RR);
        assert_int_equal(irm_list_names(&names), 0);
        assert_null(names);
}

static void a_list_that_fails_half_way_is_none(void **state)
{
        static const char *const first[] = {"a"};
        struct name_info        *names   = (struct name_info *)(void *)dir;

        (void)state;
        script_clear();
        script_names(first, 1, LB_RR);
        script_result(-ENOMEM, NULL);
        assert_int_equal(irm_list_names(&names), -ENOMEM);
        assert_null(names);
}

static void ipcps_are_listed_whole(void **state)
{
        struct ipcp_list_info *ipcps;

        (void)state;
        script_clear();
        script_ipcp("local", "home", IPCP_LOCAL, IPCP_OPERATIONAL);
        assert_int_equal(irm_list_ipcps(&ipcps), 1);
        assert_int_equal(ipcps[0].pid, 42);
        assert_int_equal(ipcps[0].type, IPCP_LOCAL);
        assert_int_equal(ipcps[0].state, IPCP_OPERATIONAL);
        assert_string_equal(ipcps[0].name, "local");
        assert_string_equal(ipcps[0].layer, "home");
        free(ipcps);
}

/* -- answers that make no sense -------------------------------------------- */

static void assert_ipcps_refused(void)
{
        struct ipcp_list_info *ipcps;

        assert_int_equal(irm_list_ipcps(&ipcps), -EPROTO);
        assert_null(ipcps);
        script_clear();
}

static void values_out_of_range_are_refused(void **state)
{
        char                     longest[NAME_SIZE + 2];
        static const char *const one[] = {"a"};
        struct name_info        *names;

        (void)state;
        memset(longest, 'x', sizeof(longest));
        longest[NAME_SIZE + 1] = '\0';
        script_clear();
        script_ipcp("a", "", IPCP_INVALID, IPCP_READY);
        assert_ipcps_refused();
        script_ipcp("a", "", IPCP_LOCAL, IPCP_OPERATIONAL + 1);
        assert_ipcps_refused();
        script_ipcp(longest, "", IPCP_LOCAL, IPCP_READY);
        assert_ipcps_refused();
        script_ipcp("a", longest, IPCP_LOCAL, IPCP_READY);
        assert_ipcps_refused();
        script_names(one, 1, LB_INVALID);
        assert_int_equal(irm_list_names(&names), -EPROTO);
        assert_null(names);
}

static void the_wrong_answer_is_refused(void **state)
{
        static const char *const one[] = {"a"};

        (void)state;
        script_clear();
        script_names(one, 1, LB_RR);
        assert_ipcps_refused();
        script_names(one, 1, LB_RR);
        assert_int_equal(irm_create_ipcp("x", IPCP_LOCAL), -EPROTO);
        script_clear();
        script_result(7, NULL); /* no code is positive */
        assert_int_equal(irm_destroy_name("x"), -EPROTO);
        script_clear();
        script_result(INT32_MIN, NULL); /* nor has a magnitude like this */
        assert_int_equal(irm_destroy_name("x"), -EPROTO);
}

static void bytes_that_are_no_message_are_refused(void **state)
{
        (void)state;
        script_clear();
        script.answer[0] = (struct answer){{0xff, 0xff, 0xff, 0xff}, 4};
        script.n         = 1;
        assert_int_equal(irm_destroy_name("x"), -EPROTO);
        script_clear();
        script_result(0, NULL); /* and the connection lives on */
        assert_int_equal(irm_destroy_name("x"), 0);
}

static void a_daemon_that_leaves_is_found_again(void **state)
{
        (void)state;
        script_clear(); /* no answer: the connection is closed */
        assert_int_equal(irm_destroy_name("x"), -EIRMD);
        assert_int_equal(errno, ECONNREFUSED);
        script_settle();
        assert_int_equal(script.n_requests, 1); /* what may have been done is not asked twice */
        script_result(0, NULL);
        assert_int_equal(irm_destroy_name("x"), 0);
}

/* -- what nobody is asked -------------------------------------------------- */

static void bad_arguments_are_refused_at_once(void **state)
{
        struct ipcp_config conf   = local_default_conf;
        struct name_info   info   = name_info("x");
        char              *argv[] = {NULL};

        (void)state;
        script_clear();
        assert_int_equal(irm_create_name(NULL), -EINVAL);
        assert_int_equal(irm_destroy_name(""), -EINVAL);
        assert_string_equal(irm_reason(), "the name is empty");
        assert_int_equal(irm_destroy_name("a/b"), -EINVAL);
        assert_string_equal(irm_reason(), "the name 'a/b' holds a '/'");
        assert_int_equal(irm_destroy_name("a\nb"), -EINVAL);
        assert_null(strchr(irm_reason(), '\n'));
        info.pol_lb = LB_INVALID;
        assert_int_equal(irm_create_name(&info), -EINVAL);
        assert_int_equal(irm_reg_name("x", 0), -EINVAL);
        assert_int_equal(irm_unreg_name(NULL, 1), -EINVAL);
        assert_int_equal(irm_bind_process(-1, "x"), -EINVAL);
        assert_int_equal(irm_unbind_process(1, "..x"), -EINVAL);
        assert_int_equal(irm_create_ipcp("x", IPCP_INVALID), -EIPCPTYPE);
        assert_int_equal(errno, EINVAL);
        assert_int_equal(irm_create_ipcp(NULL, IPCP_LOCAL), -EINVAL);
        assert_int_equal(irm_destroy_ipcp(0), -EINVAL);
        assert_int_equal(irm_bootstrap_ipcp(1, NULL), -EINVAL);
        assert_int_equal(irm_bootstrap_ipcp(1, &conf), -EINVAL); /* no layer */
        assert_int_equal(irm_list_ipcps(NULL), -EINVAL);
        assert_int_equal(irm_list_names(NULL), -EINVAL);
        assert_int_equal(irm_bind_program("/bin/true", "x", 0x80, 0, NULL), -EINVAL);
        assert_int_equal(irm_bind_program("/bin/true", "x", BIND_AUTO, 1, NULL), -EINVAL);
        assert_int_equal(irm_bind_program("/bin/true", "x", BIND_AUTO, 1, argv), -EINVAL);
        assert_int_equal(irm_bind_program("/bin/true", "x", BIND_AUTO, -1, argv), -EINVAL);
        assert_int_equal(irm_bind_program(NULL, "x", 0, 0, NULL), -EINVAL);
        assert_int_equal(script.n_requests, 0);
}

/* -- programs -------------------------------------------------------------- */

/* An executable file (or one that is not) called @name in the test's directory. */
static void make_file(const char *name, mode_t mode)
{
        char  path[128];
        FILE *f;

        snprintf(path, sizeof(path), "%s/%s", dir, name);
        f = fopen(path, "w");
        assert_non_null(f);
        fclose(f);
        assert_int_equal(chmod(path, mode), 0);
}

static void assert_program(const char *prog, const char *file)
{
        char path[PATH_MAX], want[128];

        snprintf(want, sizeof(want), "%s/%s", dir, file);
        assert_int_equal(irm_find_program(prog, path), 0);
        assert_string_equal(path, want);
}

static void programs_are_found_as_a_shell_does(void **state)
{
        char path[PATH_MAX], sub[64], search[256], other[128];

        (void)state;
        snprintf(sub, sizeof(sub), "%s/sub", dir);
        assert_int_equal(mkdir(sub, 0700), 0);
        make_file("prog", 0755);
        make_file("data", 0644);
        make_file("sub/data", 0755);
        make_file("sub/prog", 0755);
        snprintf(other, sizeof(other), "%s/link", dir);
        assert_int_equal(symlink("sub/prog", other), 0);
        snprintf(search, sizeof(search), "/nowhere:%s:%s", dir, sub);
        setenv("PATH", search, 1);
        assert_program("prog", "prog");     /* the first in PATH */
        assert_program("data", "sub/data"); /* the first that can be executed */
        assert_program("link", "sub/prog");
        assert_int_equal(irm_find_program("sub", path), -EACCES); /* a directory */
        assert_int_equal(irm_find_program("none", path), -ENOENT);
        assert_string_equal(irm_reason(), "there is no program 'none' in PATH");
        assert_int_equal(irm_find_program("", path), -EINVAL);
        assert_int_equal(chdir(dir), 0);
        assert_program("./prog", "prog");
        assert_program("sub/../prog", "prog");
        assert_int_equal(irm_find_program("./data", path), -EACCES);
        setenv("PATH", ":/nowhere", 1); /* empty: here */
        assert_program("prog", "prog");
        unsetenv("PATH");
        assert_int_equal(irm_find_program("sh", path), 0);
}

static void a_program_that_is_gone_can_be_unbound(void **state)
{
        char path[PATH_MAX];

        (void)state;
        assert_int_equal(irm_find_bound_program("/nowhere/prog", path), 0);
        assert_string_equal(path, "/nowhere/prog");
        assert_int_equal(irm_find_bound_program("nowhere/prog", path), -ENOENT);
        assert_int_equal(irm_find_bound_program(NULL, path), -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_call_says_what_it_was_told),
                cmocka_unit_test(a_refusal_has_code_errno_and_reason),
                cmocka_unit_test(a_reason_cannot_hold_escapes),
                cmocka_unit_test(a_list_comes_in_parts),
                cmocka_unit_test(an_empty_list_is_null),
                cmocka_unit_test(a_list_that_fails_half_way_is_none),
                cmocka_unit_test(ipcps_are_listed_whole),
                cmocka_unit_test(values_out_of_range_are_refused),
                cmocka_unit_test(the_wrong_answer_is_refused),
                cmocka_unit_test(bytes_that_are_no_message_are_refused),
                cmocka_unit_test(a_daemon_that_leaves_is_found_again),
                cmocka_unit_test(bad_arguments_are_refused_at_once),
                cmocka_unit_test(programs_are_found_as_a_shell_does),
                cmocka_unit_test(a_program_that_is_gone_can_be_unbound),
        };

        return cmocka_run_group_tests(tests, start_daemon, remove_files);
}
