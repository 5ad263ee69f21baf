/* What the Linux guest of the Xen lab needs besides tests/guest/init.c, which it
 * becomes: a network, and the programs that the kernel runs when the hypervisor
 * asks the guest to shut down. Kernel parameter: net=ADDRESS/BITS for eth0, where
 * TCP port 7 then echoes.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <unistd.h>

static void set_address(int fd, unsigned long what, uint32_t address)
{
    struct ifreq request = { .ifr_name = "eth0" };
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = address };

    memcpy(&request.ifr_addr, &in, sizeof(in));
    if (ioctl(fd, what, &request) < 0)
        perror("lab guest: eth0");
}

/* Waits for the driver first: the other program loads it. */
static void start_network(const char *address, unsigned bits)
{
    struct ifreq up = { .ifr_name = "eth0", .ifr_flags = IFF_UP };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    while (ioctl(fd, SIOCGIFINDEX, &(struct ifreq){ .ifr_name = "eth0" }) < 0)
        usleep(50000);
    set_address(fd, SIOCSIFADDR, inet_addr(address));
    set_address(fd, SIOCSIFNETMASK, htonl(~0u << (32 - bits)));
    ioctl(fd, SIOCSIFFLAGS, &up);
    close(fd);
}

static void echo(int peer)
{
    char buffer[1024];
    ssize_t got;

    while ((got = read(peer, buffer, sizeof(buffer))) > 0)
        if (write(peer, buffer, (size_t)got) != got)
            break;
    _exit(0);
}

static void serve_echo(void)
{
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(7) };
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (bind(server, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(server, 8) < 0)
        perror("lab guest: port 7");
    for (;;) {
        int peer = accept(server, NULL, NULL);

        if (peer >= 0 && fork() == 0)
            echo(peer);
        close(peer);
    }
}

/* True: this process is to serve the network. */
static int wants_network(char *address, unsigned *bits)
{
    char words[4096] = "";
    const char *net;
    int fd;

    mount("proc", "/proc", "proc", 0, NULL);
    fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read(fd, words, sizeof(words) - 1) < 0)
        perror("lab guest: /proc/cmdline");
    close(fd);
    umount("/proc");
    net = strstr(words, " net=");
    return net && sscanf(net, " net=%15[0-9.]/%u", address, bits) == 2;
}

int main(int argc, char **argv)
{
    char address[16];
    unsigned bits;

    if (getpid() != 1) {
        sync();
        return reboot(argc && strstr(argv[0], "reboot") ? RB_AUTOBOOT : RB_POWER_OFF);
    }
    signal(SIGCHLD, SIG_IGN); /* survives the exec: no zombies */
    if (wants_network(address, &bits) && fork() == 0) {
        start_network(address, bits);
        serve_echo();
    }
    execl("/init", "/init", NULL);
    perror("lab guest: /init");
    return 1;
}
