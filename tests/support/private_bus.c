#include "support/private_bus.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	abort();
}

static void write_conf(const struct private_bus *b)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/bus.conf", b->dir);
	f = fopen(path, "w");
	if (!f)
		die(path);
	fprintf(f,
		"<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration "
		"1.0//EN\" "
		"\"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
		"<busconfig><type>session</type><listen>%s</listen><auth>EXTERNAL</auth>"
		"<policy context=\"default\"><allow send_destination=\"*\" "
		"eavesdrop=\"true\"/><allow eavesdrop=\"true\"/>"
		"<allow own=\"*\"/><allow user=\"*\"/></policy></busconfig>\n",
		b->address);
	if (fclose(f) != 0)
		die(path);
}

/* The daemon writes its address to the pipe when it listens. */
void private_bus_restart(struct private_bus *b)
{
	char conf[128], line[256];
	int fds[2];

	snprintf(conf, sizeof(conf), "--config-file=%s/bus.conf", b->dir);
	if (pipe(fds) != 0)
		die("pipe");
	b->pid = fork();
	if (b->pid < 0)
		die("fork");
	if (b->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		execlp("dbus-daemon", "dbus-daemon", conf, "--nofork", "--print-address=1",
			(char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	if (read(fds[0], line, sizeof(line)) <= 0)
		die("dbus-daemon");
	close(fds[0]);
}

void private_bus_start(struct private_bus *b)
{
	snprintf(b->dir, sizeof(b->dir), "/tmp/enr-bus-XXXXXX");
	if (!mkdtemp(b->dir))
		die("mkdtemp");
	snprintf(b->address, sizeof(b->address), "unix:path=%s/bus", b->dir);
	write_conf(b);
	private_bus_restart(b);
}

void private_bus_kill(struct private_bus *b)
{
	if (b->pid > 0) {
		kill(b->pid, SIGKILL);
		waitpid(b->pid, NULL, 0);
	}
	b->pid = 0;
}

void private_bus_stop(struct private_bus *b)
{
	char path[128];

	private_bus_kill(b);
	snprintf(path, sizeof(path), "%s/bus.conf", b->dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/bus", b->dir);
	unlink(path);
	rmdir(b->dir);
}
