/* SPDX-License-Identifier: Apache-2.0 */
/* loader.c - join the parts of a program and run it: loader TARGET PART... -- ARG...
 *
 * For containers whose image has no shell and no libc, where the agent comes in pieces too small to
 * be more.  A program of its own, without any library: system calls alone. */
#include <stddef.h>

#if defined(__x86_64__)
enum {
    SYS_READ = 0,
    SYS_WRITE = 1,
    SYS_CLOSE = 3,
    SYS_EXECVE = 59,
    SYS_EXIT = 60,
    SYS_OPENAT = 257
};

static long call4(long number, long a, long b, long c, long d)
{
    register long r10 __asm__("r10") = d;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
    return result;
}

__asm__(".global _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall "
        "begin\n");
#elif defined(__aarch64__)
enum {
    SYS_READ = 63,
    SYS_WRITE = 64,
    SYS_CLOSE = 57,
    SYS_EXECVE = 221,
    SYS_EXIT = 93,
    SYS_OPENAT = 56
};

static long call4(long number, long a, long b, long c, long d)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;

    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
}

__asm__(".global _start\n_start:\n\tmov x29, #0\n\tmov x0, sp\n\tbl begin\n");
#else
#error "no system calls are known for this machine"
#endif

enum { HERE = -100, READ_ONLY = 0, WRITE_NEW = 01 | 0100 | 01000 | 02000000 };

void begin(long *stack) __attribute__((noreturn, used));

static size_t length_of(const char *text)
{
    size_t length = 0;

    while (text[length])
        length++;
    return length;
}

static void say(const char *text)
{
    call4(SYS_WRITE, 2, (long)text, (long)length_of(text), 0);
}

static void fail(const char *what, const char *path) __attribute__((noreturn));
static void fail(const char *what, const char *path)
{
    say("spillway: ");
    say(what);
    say(path);
    say("\n");
    for (;;)
        call4(SYS_EXIT, 1, 0, 0, 0);
}

static void write_all(int fd, const char *data, long length, const char *path)
{
    while (length > 0) {
        long done = call4(SYS_WRITE, fd, (long)data, length, 0);

        if (done <= 0)
            fail("cannot write ", path);
        data += done;
        length -= done;
    }
}

static void append(int to, const char *path, const char *target)
{
    static char piece[65536];
    int from = (int)call4(SYS_OPENAT, HERE, (long)path, READ_ONLY, 0);
    long got;

    if (from < 0)
        fail("cannot open ", path);
    while ((got = call4(SYS_READ, from, (long)piece, sizeof piece, 0)) > 0)
        write_all(to, piece, got, target);
    if (got < 0)
        fail("cannot read ", path);
    call4(SYS_CLOSE, from, 0, 0, 0);
}

static int is_end(const char *word)
{
    return word[0] == '-' && word[1] == '-' && !word[2];
}

/* The stack as the kernel leaves it: argc, argv, NULL, envp, NULL. */
void begin(long *stack)
{
    char **argv = (char **)(stack + 1), **env = argv + stack[0] + 1, **at = argv + 2;
    const char *target = stack[0] > 2 ? argv[1] : "";
    int to = (int)call4(SYS_OPENAT, HERE, (long)target, WRITE_NEW, 0755);

    if (to < 0)
        fail("cannot create ", target);
    for (; *at && !is_end(*at); at++)
        append(to, *at, target);
    call4(SYS_CLOSE, to, 0, 0, 0);
    if (!*at)
        fail("no -- after the parts of ", target);
    *at = (char *)target;
    call4(SYS_EXECVE, (long)target, (long)at, (long)env, 0);
    fail("cannot run ", target);
}
