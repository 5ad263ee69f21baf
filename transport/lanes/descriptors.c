/* Passing descriptors by SCM_RIGHTS, unix(7). */
#include "transport/lanes/descriptors.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for the two descriptors that a message may carry. */
union rights {
    struct cmsghdr header;
    char space[CMSG_SPACE(2 * sizeof(int))];
};

static void put_rights(struct msghdr *message, union rights *rights, const int fds[], size_t count)
{
    if (count == 0)
        return;
    memset(rights, 0, sizeof(*rights));
    rights->header.cmsg_level = SOL_SOCKET;
    rights->header.cmsg_type = SCM_RIGHTS;
    rights->header.cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(&rights->header), fds, count * sizeof(int));
    message->msg_control = rights;
    message->msg_controllen = CMSG_SPACE(count * sizeof(int));
}

/* The first two go to `fds`, where there is room; more are closed. */
static void keep_rights(struct msghdr *message, int fds[2])
{
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < count; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
            if (fds[0] < 0)
                fds[0] = fd;
            else if (fds[1] < 0)
                fds[1] = fd;
            else
                close(fd);
        }
    }
}

ssize_t descriptors_send(int fd, const char *text, const int fds[], size_t count)
{
    struct iovec bytes = { .iov_base = (char *)text, .iov_len = strlen(text) };
    struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1 };
    union rights rights;

    put_rights(&message, &rights, fds, count);
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

ssize_t descriptors_receive(int fd, char *text, size_t size, int fds[2])
{
    struct iovec bytes = { .iov_base = text, .iov_len = size };
    union rights rights;
    struct msghdr message = {
        .msg_iov = &bytes,
        .msg_iovlen = 1,
        .msg_control = &rights,
        .msg_controllen = sizeof(rights),
    };
    ssize_t got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);

    if (got >= 0)
        keep_rights(&message, fds);
    return got;
}
