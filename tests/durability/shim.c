/* Preloaded into a process that runs a trial: counts its calls that change files below a folder, and at the k-th of them
 * kills the process, tears the write, or lets the call fail. Every such call can be logged, in order over all threads. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum mode { WATCH, KILL, TEAR, FAIL_ONCE, FAIL_ON };

static char folder[PATH_MAX];
static size_t folder_length; /* 0: not armed */
static atomic_long count;
static long at;
static int mode, error, log_fd = -1;

void shim_arm(const char *below, long k, int what, int number, int fd) {
    strcpy(folder, below);
    at = k, mode = what, error = number, log_fd = fd;
    atomic_store(&count, 0);
    folder_length = strlen(below);
}

long shim_count(void) { return atomic_load(&count); }

void shim_mark(void) { dprintf(log_fd, "mark\n"); }

static int mine(const char *path) { return folder_length && strncmp(path, folder, folder_length) == 0; }

static void absolute(int dir, const char *name, char *path) {
    char from[64], base[PATH_MAX];
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
        return;
    }
    if (dir == AT_FDCWD)
        snprintf(from, sizeof from, "/proc/self/cwd");
    else
        snprintf(from, sizeof from, "/proc/self/fd/%d", dir);
    ssize_t length = readlink(from, base, sizeof base - 1);
    base[length < 0 ? 0 : length] = 0;
    if (name[0])
        snprintf(path, PATH_MAX, "%s/%s", base, name);
    else
        snprintf(path, PATH_MAX, "%s", base);
}

/* What the call must do: 0 go on, 1 fail with `error`, 2 tear and die. */
static int step(const char *call, const char *path, const char *other, int fails) {
    if (!mine(path))
        return 0;
    long number = atomic_fetch_add(&count, 1) + 1;
    int hit = number == at || (mode == FAIL_ON && number > at);
    if (hit && mode == KILL)
        kill(getpid(), SIGKILL), pause();
    if (hit && mode == TEAR)
        return 2;
    if (hit && (mode == FAIL_ONCE || mode == FAIL_ON) && fails) {
        errno = error;
        return 1;
    }
    if (log_fd >= 0)
        dprintf(log_fd, "%s %s %s\n", call, path, other);
    return 0;
}

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define DIE() (kill(getpid(), SIGKILL), pause(), -1)

#define WRITES(name, signature, arguments, torn)                                                                                           \
    ssize_t name signature {                                                                                                               \
        REAL(name);                                                                                                                        \
        char path[PATH_MAX];                                                                                                               \
        if (folder_length) {                                                                                                               \
            absolute(fd, "", path);                                                                                                        \
            int what = step("write", path, "", 1);                                                                                         \
            if (what == 1)                                                                                                                 \
                return -1;                                                                                                                 \
            if (what == 2) {                                                                                                               \
                real torn;                                                                                                                 \
                return DIE();                                                                                                              \
            }                                                                                                                              \
        }                                                                                                                                  \
        return real arguments;                                                                                                             \
    }
WRITES(write, (int fd, const void *bytes, size_t size), (fd, bytes, size), (fd, bytes, size / 2))
WRITES(pwrite, (int fd, const void *bytes, size_t size, off_t place), (fd, bytes, size, place), (fd, bytes, size / 2, place))
WRITES(pwrite64, (int fd, const void *bytes, size_t size, off64_t place), (fd, bytes, size, place), (fd, bytes, size / 2, place))

#define ON_FILE(name, call, signature, arguments)                                                                                          \
    int name signature {                                                                                                                   \
        REAL(name);                                                                                                                        \
        char path[PATH_MAX];                                                                                                               \
        if (folder_length) {                                                                                                               \
            absolute(fd, "", path);                                                                                                        \
            int what = step(call, path, "", 1);                                                                                            \
            if (what)                                                                                                                      \
                return what == 1 ? -1 : DIE();                                                                                             \
        }                                                                                                                                  \
        return real arguments;                                                                                                             \
    }
ON_FILE(fsync, "sync", (int fd), (fd))
ON_FILE(fdatasync, "sync", (int fd), (fd))
ON_FILE(ftruncate, "write", (int fd, off_t size), (fd, size))
ON_FILE(ftruncate64, "write", (int fd, off64_t size), (fd, size))

#define ON_PATH(name, call, signature, arguments, dir, given, fails)                                                                       \
    int name signature {                                                                                                                   \
        REAL(name);                                                                                                                        \
        char path[PATH_MAX];                                                                                                               \
        if (folder_length) {                                                                                                               \
            absolute(dir, given, path);                                                                                                    \
            int what = step(call, path, "", fails);                                                                                        \
            if (what)                                                                                                                      \
                return what == 1 ? -1 : DIE();                                                                                             \
        }                                                                                                                                  \
        return real arguments;                                                                                                             \
    }
ON_PATH(unlink, "remove", (const char *name_), (name_), AT_FDCWD, name_, error != ENOSPC)
ON_PATH(unlinkat, "remove", (int dir, const char *name_, int flags), (dir, name_, flags), dir, name_, error != ENOSPC)
ON_PATH(rmdir, "remove", (const char *name_), (name_), AT_FDCWD, name_, error != ENOSPC)
ON_PATH(mkdir, "make", (const char *name_, mode_t bits), (name_, bits), AT_FDCWD, name_, 1)
ON_PATH(mkdirat, "make", (int dir, const char *name_, mode_t bits), (dir, name_, bits), dir, name_, 1)

#define RENAMES(name, signature, arguments, old_dir, old, new_dir, new)                                                                    \
    int name signature {                                                                                                                   \
        REAL(name);                                                                                                                        \
        char path[PATH_MAX], other[PATH_MAX];                                                                                              \
        if (folder_length) {                                                                                                               \
            absolute(old_dir, old, path);                                                                                                  \
            absolute(new_dir, new, other);                                                                                                 \
            int what = step("rename", path, other, 1);                                                                                     \
            if (what)                                                                                                                      \
                return what == 1 ? -1 : DIE();                                                                                             \
        }                                                                                                                                  \
        return real arguments;                                                                                                             \
    }
RENAMES(rename, (const char *old, const char *new), (old, new), AT_FDCWD, old, AT_FDCWD, new)
RENAMES(renameat, (int a, const char *old, int b, const char *new), (a, old, b, new), a, old, b, new)

#define OPENS(name, before, call_before, dir)                                                                                              \
    int name before {                                                                                                                      \
        REAL(name);                                                                                                                        \
        mode_t bits = 0;                                                                                                                   \
        if (flags & (O_CREAT | O_TMPFILE)) {                                                                                               \
            va_list rest;                                                                                                                  \
            va_start(rest, flags);                                                                                                         \
            bits = va_arg(rest, mode_t);                                                                                                   \
            va_end(rest);                                                                                                                  \
        }                                                                                                                                  \
        char path[PATH_MAX];                                                                                                               \
        if (folder_length && (flags & (O_CREAT | O_TRUNC))) {                                                                              \
            absolute(dir, given, path);                                                                                                    \
            struct stat known;                                                                                                             \
            const char *call = stat(path, &known) == 0 ? "reopen" : "create";                                                              \
            int what = step(call, path, "", 1);                                                                                            \
            if (what)                                                                                                                      \
                return what == 1 ? -1 : DIE();                                                                                             \
        }                                                                                                                                  \
        return real call_before;                                                                                                           \
    }
OPENS(open, (const char *given, int flags, ...), (given, flags, bits), AT_FDCWD)
OPENS(open64, (const char *given, int flags, ...), (given, flags, bits), AT_FDCWD)
OPENS(openat, (int from, const char *given, int flags, ...), (from, given, flags, bits), from)
OPENS(openat64, (int from, const char *given, int flags, ...), (from, given, flags, bits), from)
