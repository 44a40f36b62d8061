/*
 * main.c - how irmd comes to run: options, the runtime directory, the spawner, and giving root up, in that
 * order. Everything after runs as an ordinary user.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "conf.h"
#include "irmd.h"
#include "keylog.h"
#include "spawner.h"

/* Who irmd will be: the user of the configuration if we are root, else who we are. */
static bool choose_user(const struct conf *conf, struct spawner_user *self)
{
        const struct passwd *pw;

        self->uid = geteuid();
        self->gid = getegid();
        if (self->uid != 0)
                return true;
        pw = getpwnam(conf->user);
        if (pw == NULL) {
                fprintf(stderr,
                        "irmd: there is no user '%s' to become; create it or choose one with --user\n",
                        conf->user);
                return false;
        }
        self->uid = pw->pw_uid;
        self->gid = pw->pw_gid;
        return true;
}

/* Makes a directory, and its parents. One that root makes belongs to the daemon's user. */
static bool make_dir(const char *dir, mode_t mode, const struct spawner_user *self)
{
        char path[CONF_DIR_MAX];

        for (size_t i = 1;; i++) {
                bool last = dir[i] == '\0';

                if (!last && dir[i] != '/')
                        continue;
                memcpy(path, dir, i);
                path[i] = '\0';
                if (mkdir(path, last ? mode : 0755) == 0) {
                        if (last && geteuid() == 0 && lchown(path, self->uid, self->gid) < 0)
                                break;
                } else if (errno != EEXIST) {
                        break;
                }
                if (last)
                        return true;
        }
        fprintf(stderr, "irmd: %s: %s\n", path, strerror(errno));
        return false;
}

/* As who started us: root's file stays root's. The spawner is another process already and does not get it. */
static bool open_key_log(struct conf *conf)
{
        if (conf->key_log != NULL)
                conf->key_log_fd = keylog_open(conf->key_log);
        return conf->key_log == NULL || conf->key_log_fd >= 0;
}

static bool drop_root(const struct conf *conf, const struct spawner_user *self)
{
        if (geteuid() != 0)
                return true;
        if (self->uid == 0) {
                log_warn("runs as root, as it was told to; whatever finds a way into it has the machine");
                return true;
        }
        if (initgroups(conf->user, self->gid) == 0 && setresgid(self->gid, self->gid, self->gid) == 0 &&
            setresuid(self->uid, self->uid, self->uid) == 0)
                return true;
        fprintf(stderr, "irmd: cannot become user '%s': %s\n", conf->user, strerror(errno));
        return false;
}

/*
 * Private keys and secrets of flows are in our memory: no core file, and nobody of our user may look into it. A
 * sanitizer has to.
 */
static void hide_memory(void)
{
#ifndef __SANITIZE_ADDRESS__
        if (prctl(PR_SET_DUMPABLE, 0) < 0)
                log_warn("cannot keep others from reading our memory: %s", strerror(errno));
#endif
}

int main(int argc, char **argv)
{
        static struct conf  conf;
        struct spawner_user self;
        int                 spawner;

        switch (conf_parse(&conf, argc, argv)) {
        case CONF_DONE: return EXIT_SUCCESS;
        case CONF_USAGE: return 2;
        case CONF_RUN: break;
        }
        if (conf.to_stdout)
                dup2(STDOUT_FILENO, STDERR_FILENO);
        log_init("irmd", conf.log_level);
        signal(SIGPIPE, SIG_IGN);
        signal(SIGXFSZ, SIG_IGN); /* an audit log as large as a file may be is a write that fails */
        if (!choose_user(&conf, &self) || !make_dir(conf.runtime_dir, 0755, &self) ||
            !make_dir(conf.state_dir, 0700, &self))
                return EXIT_FAILURE;
        self.ipcp_dir = conf.ipcp_dir;
        spawner       = spawner_fork(&self);
        if (spawner < 0) {
                fprintf(stderr, "irmd: cannot start the spawner: %s\n", strerror(-spawner));
                return EXIT_FAILURE;
        }
        fd_raise_limit(FDS_WANTED); /* while we may */
        if (!open_key_log(&conf))
                return EXIT_FAILURE;
        if (!drop_root(&conf, &self))
                return EXIT_FAILURE;
        hide_memory();
        return irmd_run(&conf, spawner);
}
