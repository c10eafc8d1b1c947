// Preloaded into the trials: counts what a process does to the files of one folder, and breaks the Nth operation.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { COUNT, KILL, ENOSPC_ONCE, ENOSPC_FULL };
static char folder[4096];
static int mode;
static long nth, done, freed;
#define REAL(name) static typeof(&name) real; if (!real) real = (typeof(&name))dlsym(RTLD_NEXT, #name)

void faults_arm(const char *path, int how, long n) { strcpy(folder, path); mode = how; nth = n; done = freed = 0; }
long faults_done(void) { return done; }

static int ours(const char *path) { return folder[0] && path && !strncmp(path, folder, strlen(folder)); }

static int ours_fd(int fd) {
    char link[64], path[4096];
    if (!folder[0]) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    return n > 0 && (path[n] = 0, ours(path));
}

// Whether the disk is full for this write. With ENOSPC_FULL it stays so until something is deleted.
static int full(void) {
    if (mode != ENOSPC_ONCE && mode != ENOSPC_FULL) return 0;
    done++;
    if (mode == ENOSPC_ONCE ? done != nth : (done < nth || freed)) return 0;
    errno = ENOSPC;
    return 1;
}

static void happened(void) {
    if (mode > KILL) return;
    if (++done == nth && mode == KILL) kill(getpid(), SIGKILL);
}

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    if (!ours_fd(fd)) return real(fd, data, size);
    if (full()) return -1;
    if (mode == KILL && done + 1 == nth && size > 1) size /= 2;  // torn in the middle
    ssize_t wrote = real(fd, data, size);
    happened();
    return wrote;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev);
    if (!ours_fd(fd)) return real(fd, parts, count);
    if (full()) return -1;
    ssize_t wrote = real(fd, parts, mode == KILL && done + 1 == nth ? 1 : count);
    happened();
    return wrote;
}

int open64(const char *path, int flags, ...) {
    REAL(open64);
    va_list rest;
    va_start(rest, flags);
    int permissions = va_arg(rest, int);
    va_end(rest);
    if (!(flags & O_CREAT) || !ours(path)) return real(path, flags, permissions);
    if (full()) return -1;
    int fd = real(path, flags, permissions);
    happened();
    return fd;
}

FILE *fopen64(const char *path, const char *how) {
    REAL(fopen64);
    if (how[0] == 'r' || !ours(path)) return real(path, how);
    if (full()) return NULL;
    FILE *file = real(path, how);
    happened();
    return file;
}

int mkdir(const char *path, mode_t permissions) {
    REAL(mkdir);
    if (!ours(path)) return real(path, permissions);
    if (full()) return -1;
    int result = real(path, permissions);
    happened();
    return result;
}

int fsync(int fd) { REAL(fsync); int result = real(fd); if (ours_fd(fd)) happened(); return result; }
int rename(const char *from, const char *to) {
    REAL(rename);
    int result = real(from, to);
    if (ours(to)) happened();
    return result;
}
int unlink(const char *path) { REAL(unlink); int r = real(path); if (ours(path)) { freed = 1; happened(); } return r; }
int rmdir(const char *path) { REAL(rmdir); int result = real(path); if (ours(path)) happened(); return result; }
int unlinkat(int at, const char *path, int flags) {
    REAL(unlinkat);
    int counts = at == AT_FDCWD ? ours(path) : ours_fd(at);
    int result = real(at, path, flags);
    if (counts) { freed = 1; happened(); }
    return result;
}
