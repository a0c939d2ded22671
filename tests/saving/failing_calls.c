/* Fails one system call under a folder, for tests of saving: build with `cc -shared -fPIC`, load by LD_PRELOAD.
 *
 *   FAIL_UNDER   the folder, absolute; calls on its files and on names in it are counted
 *   FAIL_AT      the number of the call that fails, from 0
 *   FAIL_WITH    the errno it fails with; 0 makes a write short and lets the rest pass
 *   FAIL_REPORT  a file outside the folder, which gets the name of the call that failed
 *
 * Only the one call fails, or with FAIL_ON=1 that and each later one that takes up room, as on a disk that stays full.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static long counted = 0; /* the programs that are tested save from one thread */
static int has_failed = 0;

static int is_under(const char* path) {
  const char* under = getenv("FAIL_UNDER");
  return under && strncmp(path, under, strlen(under)) == 0;
}

static int is_name_under(const char* name) {
  char cwd[PATH_MAX];
  if (!name) return 0;
  if (name[0] == '/') return is_under(name);
  return getcwd(cwd, sizeof cwd) && is_under(cwd);
}

static int is_file_under(int file) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return 0;
  path[length] = '\0';
  return is_under(path);
}

/* Whether this call is the one that fails; errno is set. */
static int fails(const char* call, int takes_room) {
  const char *at = getenv("FAIL_AT"), *with = getenv("FAIL_WITH"), *on = getenv("FAIL_ON");
  if (!at || !with) return 0;
  int is_turn = counted++ == atol(at);
  if (!is_turn && !(has_failed && on && takes_room)) return 0;
  if (!has_failed && getenv("FAIL_REPORT")) {
    int report = (int)syscall(SYS_openat, AT_FDCWD, getenv("FAIL_REPORT"), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (report >= 0) {
      syscall(SYS_write, report, call, strlen(call));
      syscall(SYS_close, report);
    }
  }
  has_failed = 1;
  errno = atoi(with);
  return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define ON_FILE(call, takes_room, file) (is_file_under(file) && fails(call, takes_room))
#define ON_NAME(call, takes_room, name) (is_name_under(name) && fails(call, takes_room))

ssize_t write(int file, const void* data, size_t size) {
  if (ON_FILE("write", 1, file)) {
    if (errno) return -1;
    size = size > 1 ? size / 2 : size;
  }
  return REAL(write)(file, data, size);
}

ssize_t pwrite(int file, const void* data, size_t size, off_t at) {
  if (ON_FILE("pwrite", 1, file)) {
    if (errno) return -1;
    size = size > 1 ? size / 2 : size;
  }
  return REAL(pwrite)(file, data, size, at);
}

ssize_t pwrite64(int file, const void* data, size_t size, off64_t at) {
  if (ON_FILE("pwrite", 1, file)) {
    if (errno) return -1;
    size = size > 1 ? size / 2 : size;
  }
  return REAL(pwrite64)(file, data, size, at);
}

ssize_t writev(int file, const struct iovec* parts, int count) {
  if (ON_FILE("writev", 1, file)) {
    if (errno) return -1;
    for (int k = 0; k < count; ++k)
      if (parts[k].iov_len > 0) {
        size_t size = parts[k].iov_len;
        return REAL(write)(file, parts[k].iov_base, size > 1 ? size / 2 : size);
      }
  }
  return REAL(writev)(file, parts, count);
}

int fsync(int file) { return ON_FILE("fsync", 0, file) && errno ? -1 : REAL(fsync)(file); }
int fdatasync(int file) { return ON_FILE("fdatasync", 0, file) && errno ? -1 : REAL(fdatasync)(file); }
int ftruncate(int file, off_t size) { return ON_FILE("ftruncate", 1, file) && errno ? -1 : REAL(ftruncate)(file, size); }
int ftruncate64(int file, off64_t size) {
  return ON_FILE("ftruncate", 1, file) && errno ? -1 : REAL(ftruncate64)(file, size);
}

int close(int file) {
  if (ON_FILE("close", 0, file) && errno) {
    int error = errno;
    syscall(SYS_close, file); /* a failed close frees the descriptor all the same */
    errno = error;
    return -1;
  }
  return REAL(close)(file);
}

int rename(const char* from, const char* to) {
  return ON_NAME("rename", 0, to) && errno ? -1 : REAL(rename)(from, to);
}
int renameat(int a, const char* from, int b, const char* to) {
  return ON_NAME("rename", 0, to) && errno ? -1 : REAL(renameat)(a, from, b, to);
}
int renameat2(int a, const char* from, int b, const char* to, unsigned flags) {
  return ON_NAME("rename", 0, to) && errno ? -1 : REAL(renameat2)(a, from, b, to, flags);
}
int link(const char* from, const char* to) { return ON_NAME("link", 1, to) && errno ? -1 : REAL(link)(from, to); }
int linkat(int a, const char* from, int b, const char* to, int flags) {
  return ON_NAME("link", 1, to) && errno ? -1 : REAL(linkat)(a, from, b, to, flags);
}

/* The C library writes its own streams past the `write` above: they get one that calls it. */
static ssize_t write_of_stream(void* file, const char* data, size_t size) {
  size_t written = 0; /* as the C library does it: a short write is followed by another */
  while (written < size) {
    ssize_t count = write((int)(long)file, data + written, size - written);
    if (count < 0) break;
    written += (size_t)count;
  }
  return (ssize_t)written;
}
static int seek_of_stream(void* file, off64_t* at, int from) {
  off64_t found = lseek64((int)(long)file, *at, from);
  return found < 0 ? -1 : (*at = found, 0);
}
static int close_of_stream(void* file) { return close((int)(long)file); }

static FILE* stream = NULL; /* the last one, for C++, which writes past its stream */
static int stream_file = -1;
int fileno(FILE* of) { return of && of == stream ? stream_file : REAL(fileno)(of); }

FILE* fopen64(const char* name, const char* mode) {
  if (mode[0] != 'w' || strchr(mode, '+') || !getenv("FAIL_AT") || !is_name_under(name))
    return REAL(fopen64)(name, mode);
  int file = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  cookie_io_functions_t calls = {.write = write_of_stream, .seek = seek_of_stream, .close = close_of_stream};
  if (file < 0) return NULL;
  stream_file = file;
  return stream = fopencookie((void*)(long)file, mode, calls);
}
FILE* fopen(const char* name, const char* mode) { return fopen64(name, mode); }
