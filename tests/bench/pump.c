/* The fastest that TLS 1.3 goes on this machine without xmig: OpenSSL's bytes from one process to
 * another over the loopback interface, and nothing else. tests/bench/tls starts it.
 *
 *     bench-pump memory|sockets LANES MIB [CIPHER [BUFFER_KIB]]
 *
 * Every lane is a connection with a process at each end. With "memory" these two make the bytes and
 * drop them. With "sockets" the bytes come from a third process and go to a fourth, each through a
 * unix socket: so a hypervisor gives a lane its bytes, and so `openssl s_client` and `s_server` get
 * theirs, by a pipe. Prints the seconds from the first connection until all bytes have come, and
 * the CPU seconds of all.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

static const char *cipher = "TLS_AES_256_GCM_SHA384"; /* what xmig's ends agree on */
static size_t bytes, buffer_size = 256 * 1024;
static bool has_sockets;

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void need(bool ok)
{
    if (!ok) {
        perror("bench-pump");
        exit(1);
    }
}

/* A key and a certificate, for nobody to check. */
static void make_key(SSL_CTX *context)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();

    need(key && certificate);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    need(X509_sign(certificate, key, EVP_sha256()) > 0);
    need(SSL_CTX_use_certificate(context, certificate) > 0);
    need(SSL_CTX_use_PrivateKey(context, key) > 0);
}

static SSL *begin(const SSL_METHOD *method, bool serves, int fd)
{
    const int on = 1;
    SSL_CTX *context = SSL_CTX_new(method);
    SSL *ssl;

    need(context && SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) &&
         SSL_CTX_set_ciphersuites(context, cipher));
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, 128 * 1024);
    SSL_CTX_set_num_tickets(context, 0); /* nobody would read them */
    if (serves)
        make_key(context);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    ssl = SSL_new(context);
    need(ssl && SSL_set_fd(ssl, fd) && (serves ? SSL_accept(ssl) : SSL_connect(ssl)) > 0);
    return ssl;
}

static char *new_buffer(void)
{
    char *buffer = calloc(1, buffer_size);

    need(buffer);
    return buffer;
}

static void put(int fd, const char *buffer, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t count = write(fd, buffer + done, size - done);

        need(count > 0);
        done += (size_t)count;
    }
}

/* ---- who makes the bytes, and who drops them ---- */

static void make(int fd)
{
    char *buffer = new_buffer();

    for (size_t done = 0; done < bytes; done += buffer_size)
        put(fd, buffer, bytes - done < buffer_size ? bytes - done : buffer_size);
}

static void drop(int fd)
{
    char *buffer = new_buffer();
    size_t done = 0;
    ssize_t count;

    while ((count = read(fd, buffer, buffer_size)) > 0)
        done += (size_t)count;
    need(done == bytes);
}

/* A process that does it, at the other end of a unix socket; -1: there is none. */
static int start_other(void (*does)(int fd))
{
    const int room = 1024 * 1024; /* as xmig asks for */
    int both[2];

    if (!has_sockets)
        return -1;
    need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) == 0);
    (void)setsockopt(both[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    (void)setsockopt(both[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    if (fork() == 0) {
        close(both[0]);
        does(both[1]);
        _exit(0);
    }
    close(both[1]);
    return both[0];
}

static void await_other(int fd)
{
    int status = 0;

    if (fd < 0)
        return;
    close(fd);
    need(wait(&status) > 0 && status == 0);
}

/* ---- the ends of the connection ---- */

/* As many records as have come, for one call of the system. 0: the end. */
static size_t take(SSL *ssl, char *buffer)
{
    size_t done = 0, count = 0;

    do {
        if (SSL_read_ex(ssl, buffer + done, buffer_size - done, &count) <= 0)
            break;
        done += count;
    } while (done < buffer_size && SSL_has_pending(ssl));
    return done;
}

static void receive(int listener)
{
    int to = start_other(drop);
    SSL *ssl = begin(TLS_server_method(), true, accept(listener, NULL, NULL));
    char *buffer = new_buffer();
    size_t done = 0, count;

    while ((count = take(ssl, buffer)) > 0) {
        if (to >= 0)
            put(to, buffer, count);
        done += count;
    }
    need(done == bytes);
    await_other(to);
}

static void send_all(const struct sockaddr_in *address)
{
    int from = start_other(make);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char *buffer = new_buffer();
    SSL *ssl;

    need(fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0);
    ssl = begin(TLS_client_method(), false, fd);
    for (size_t done = 0, count; done < bytes; done += count) {
        size_t size = bytes - done < buffer_size ? bytes - done : buffer_size;
        ssize_t got = from < 0 ? (ssize_t)size : read(from, buffer, size);

        need(got > 0 && SSL_write_ex(ssl, buffer, (size_t)got, &count) > 0);
    }
    SSL_shutdown(ssl);
    await_other(from);
}

static void start_lane(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    need(listener >= 0 && bind(listener, (struct sockaddr *)&address, size) == 0 &&
         listen(listener, 1) == 0 &&
         getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    if (fork() == 0) {
        receive(listener);
        _exit(0);
    }
    if (fork() == 0) {
        send_all(&address);
        _exit(0);
    }
    close(listener);
}

int main(int argc, char **argv)
{
    int lanes = argc > 3 ? atoi(argv[2]) : 0, status;
    double begun = now();
    struct rusage usage;

    if (lanes < 1)
        return 2;
    has_sockets = strcmp(argv[1], "sockets") == 0;
    bytes = (size_t)atoi(argv[3]) * 1024 * 1024;
    if (argc > 4)
        cipher = argv[4];
    if (argc > 5)
        buffer_size = (size_t)atoi(argv[5]) * 1024;
    for (int i = 0; i < lanes; i++)
        start_lane();
    while (wait(&status) > 0)
        if (status)
            return 1;
    getrusage(RUSAGE_CHILDREN, &usage);
    printf("{\"seconds\": %.6f, \"cpu\": %.3f}\n", now() - begun,
           (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    return 0;
}
