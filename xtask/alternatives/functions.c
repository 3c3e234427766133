/* Functions of the C library, each called by itself between two marks, so that the system calls
 * which it makes can be distinguished from those of start-up and of preparation. `cargo xtask
 * alternatives` compiles this file with several C libraries and compares. Without an argument it
 * lists the functions; with one it calls that function, in an empty directory with one file,
 * "file". A failure is no fault: the calls that a function makes until then count.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <iconv.h>
#include <ifaddrs.h>
#include <limits.h>
#include <locale.h>
#include <mqueue.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <pwd.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <syslog.h>
#include <termios.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>
#include <wchar.h>

/* A call that no library makes by itself. */
#define MARK(number) syscall(SYS_io_destroy, number)
#define BEGIN MARK(0xbe9)
#define END MARK(0xe4d)

#define MOST 512
static struct { const char *name; void (*call)(void); } functions[MOST];
static int count;
static void add(const char *name, void (*call)(void)) {
    if (count == MOST) abort();
    functions[count].name = name;
    functions[count++].call = call;
}

/* A function of the library that is called after some preparation. */
#define CASE(name) \
    static void name##_case(void); \
    __attribute__((constructor)) static void name##_add(void) { add(#name, name##_case); } \
    static void name##_case(void)
/* A function that needs no preparation. */
#define CALL(name, expression) CASE(name) { BEGIN; ignore((long)(expression)); END; }

static void ignore(long result) { (void)result; }

/* Takes a while, by a call of which no other follows. */
static int word;
static void wait_a_little(void) { struct timespec time = { 0, 20000000 }; syscall(SYS_futex, &word, 0, 0, &time); }

static char buffer[65536];
static struct stat state;
static const struct timespec short_time = { 0, 1000000 };
static const struct timeval short_interval = { 0, 1000 };

/* Output and input by streams */
CALL(puts, (puts("text"), fflush(stdout)))
CALL(printf, (printf("%d\n", 7), fflush(stdout)))
CALL(fputs_stderr, fputs("text\n", stderr))
CALL(fprintf_stderr, fprintf(stderr, "%s and %d\n", "text", 7))
CALL(perror, (errno = ENOENT, perror("text"), 0))
CALL(putchar_unbuffered, (setvbuf(stdout, 0, _IONBF, 0), putchar('t')))
CALL(fwrite_large, fwrite(buffer, 1, sizeof buffer, stdout))
CALL(fwrite_two, (fwrite(buffer, 1, 100, stdout), fwrite(buffer, 1, 60000, stdout), fflush(stdout)))
CALL(wprintf, (wprintf(L"%d\n", 7), fflush(stdout)))
CALL(dprintf, dprintf(1, "%s\n", "text"))
CALL(getchar, getchar())
CALL(fgets, fgets(buffer, 100, stdin))
CALL(fread, fread(buffer, 1, 3, stdin))
CASE(fread_own_buffer) { setvbuf(stdin, buffer + 1000, _IOFBF, 4096); BEGIN; ignore(fread(buffer, 1, 3, stdin)); END; }
CALL(fread_large, fread(buffer, 1, 60000, stdin))
CALL(scanf, scanf("%1s", buffer))
CASE(getline) { char *line = 0; size_t size = 0; BEGIN; ignore(getline(&line, &size, stdin)); END; }
CALL(fopen_read, fopen("file", "r"))
CALL(fopen_write, fopen("new", "w"))
CALL(fopen_append, fopen("file", "a"))
CALL(fopen_close_on_exec, fopen("file", "re"))
CASE(fclose) { FILE *file = fopen("file", "r"); BEGIN; fclose(file); END; }
CASE(fclose_written) { FILE *file = fopen("new", "w"); fputs("text", file); BEGIN; fclose(file); END; }
CASE(fseek) { FILE *file = fopen("file", "r"); getc(file); BEGIN; fseek(file, 0, SEEK_END); ftell(file); END; }
CASE(rewind) { FILE *file = fopen("file", "r"); getc(file); BEGIN; rewind(file); END; }
CALL(freopen, freopen("file", "r", stdin))
CALL(fdopen, fdopen(0, "r"))
CALL(fdopen_append, fdopen(1, "a"))
CALL(tmpfile, tmpfile())
CALL(fmemopen, fmemopen(buffer, 10, "r"))
CASE(tcgetattr) { struct termios modes; BEGIN; tcgetattr(0, &modes); isatty(0); END; }
CALL(remove_file, remove("file"))
CALL(remove_folder, (mkdir("folder", 0700), BEGIN, remove("folder")))
CALL(mkstemp, (mkstemp(strcpy(buffer, "nameXXXXXX"))))
CALL(mkdtemp, (mkdtemp(strcpy(buffer, "nameXXXXXX"))))
CALL(tempnam, tempnam(".", "name"))
CALL(popen, pclose(popen("exit 0", "r")))
CASE(popen_read) { FILE *file = popen("exit 0", "r"); BEGIN; ignore(getc(file)); END; pclose(file); }
CALL(system, system("exit 0"))

/* Files by descriptors */
CALL(open, open("file", O_RDONLY))
CALL(creat, creat("new", 0600))
CALL(openat, openat(AT_FDCWD, "file", O_RDONLY | O_CLOEXEC))
CALL(close, close(0))
CALL(read, read(0, buffer, 1))
CALL(write, write(1, buffer, 1))
CASE(readv) { struct iovec parts[2] = { { buffer, 1 }, { buffer + 9, 1 } }; BEGIN; ignore(readv(0, parts, 2)); END; }
CASE(writev) { struct iovec parts[2] = { { buffer, 1 }, { buffer + 9, 1 } }; BEGIN; ignore(writev(1, parts, 2)); END; }
CALL(pread, pread(0, buffer, 1, 1))
CALL(pwrite, pwrite(1, buffer, 1, 1))
CASE(preadv) { struct iovec part = { buffer, 1 }; BEGIN; ignore(preadv(0, &part, 1, 0)); END; }
CASE(pwritev) { struct iovec part = { buffer, 1 }; BEGIN; ignore(pwritev(1, &part, 1, 0)); END; }
CALL(lseek, lseek(0, 0, SEEK_END))
CALL(dup, dup(0))
CALL(dup2, dup2(0, 20))
CALL(dup2_same, dup2(0, 0))
CALL(dup3, dup3(0, 20, O_CLOEXEC))
CASE(pipe) { int ends[2]; BEGIN; ignore(pipe(ends)); END; }
CASE(pipe2) { int ends[2]; BEGIN; ignore(pipe2(ends, O_CLOEXEC)); END; }
CALL(fcntl_flags, fcntl(0, F_GETFL))
CALL(fcntl_duplicate, fcntl(0, F_DUPFD_CLOEXEC, 10))
CALL(fcntl_owner, fcntl(0, F_GETOWN))
CALL(lockf, lockf(1, F_LOCK, 1))
CALL(fcntl_lock, fcntl(1, F_SETLK, &(struct flock){ .l_type = F_WRLCK }))
CALL(fsync, fsync(1))
CALL(fdatasync, fdatasync(1))
CALL(sync, (sync(), 0))
CALL(ftruncate, ftruncate(1, 10))
CALL(truncate, truncate("file", 10))
CALL(posix_fadvise, posix_fadvise(0, 0, 0, POSIX_FADV_DONTNEED))
CALL(posix_fallocate, posix_fallocate(1, 0, 10))
CALL(readahead, readahead(0, 0, 10))
CALL(sendfile, sendfile(1, 0, 0, 1))
CALL(copy_file_range, copy_file_range(0, 0, 1, 0, 1, 0))
CALL(ioctl, ioctl(0, FIONREAD, buffer))
CALL(isatty, isatty(0))
CALL(ttyname, ttyname(0))
CALL(posix_openpt, posix_openpt(O_RDWR | O_NOCTTY))
CASE(openpty) { int one, other; BEGIN; ignore(openpty(&one, &other, 0, 0, 0)); END; }
CASE(ptsname) { int master = posix_openpt(O_RDWR); BEGIN; grantpt(master); unlockpt(master); ignore((long)ptsname(master)); END; }

/* The file system */
CALL(stat, stat("file", &state))
CALL(lstat, lstat("file", &state))
CALL(fstat, fstat(0, &state))
CALL(fstatat, fstatat(AT_FDCWD, "file", &state, AT_SYMLINK_NOFOLLOW))
CALL(fstatat_empty, fstatat(0, "", &state, AT_EMPTY_PATH))
CALL(access, access("file", R_OK))
CALL(eaccess, eaccess("file", R_OK))
CALL(faccessat, faccessat(AT_FDCWD, "file", R_OK, 0))
CALL(faccessat_effective, faccessat(AT_FDCWD, "file", R_OK, AT_EACCESS))
CALL(readlink, readlink("link", buffer, 100))
CALL(readlinkat, readlinkat(AT_FDCWD, "link", buffer, 100))
CALL(rename, rename("file", "new"))
CALL(renameat, renameat(AT_FDCWD, "file", AT_FDCWD, "new"))
CALL(mkdir, mkdir("folder", 0700))
CALL(mkdirat, mkdirat(AT_FDCWD, "folder", 0700))
CALL(rmdir, (mkdir("folder", 0700), BEGIN, rmdir("folder")))
CALL(unlink, unlink("file"))
CALL(unlinkat, unlinkat(AT_FDCWD, "file", 0))
CALL(link, link("file", "new"))
CALL(linkat, linkat(AT_FDCWD, "file", AT_FDCWD, "new", 0))
CALL(symlink, symlink("file", "link"))
CALL(symlinkat, symlinkat("file", AT_FDCWD, "link"))
CALL(chmod, chmod("file", 0600))
CALL(fchmod, fchmod(0, 0600))
CALL(fchmodat, fchmodat(AT_FDCWD, "file", 0600, 0))
CALL(fchmodat_link, fchmodat(AT_FDCWD, "file", 0600, AT_SYMLINK_NOFOLLOW))
CALL(lchmod, lchmod("file", 0600))
CALL(chown, chown("file", 0, 0))
CALL(lchown, lchown("file", 0, 0))
CALL(fchown, fchown(0, 0, 0))
CALL(fchownat, fchownat(AT_FDCWD, "file", 0, 0, 0))
CALL(mknod, mknod("pipe", S_IFIFO | 0600, 0))
CALL(mkfifo, mkfifo("pipe", 0600))
CALL(utime, utime("file", 0))
CALL(utimes, utimes("file", 0))
CALL(futimes, futimes(0, 0))
CALL(lutimes, lutimes("file", 0))
CALL(futimesat, futimesat(AT_FDCWD, "file", 0))
CALL(utimensat, utimensat(AT_FDCWD, "file", 0, 0))
CALL(futimens, futimens(0, 0))
CALL(umask, umask(022))
CALL(chdir, chdir("."))
CALL(getcwd, getcwd(buffer, sizeof buffer))
CALL(get_current_dir_name, get_current_dir_name())
CALL(realpath, realpath("file", 0))
CASE(statvfs) { struct statvfs system; BEGIN; ignore(statvfs(".", &system)); END; }
CASE(fstatvfs) { struct statvfs system; BEGIN; ignore(fstatvfs(0, &system)); END; }
CALL(pathconf, pathconf(".", _PC_NAME_MAX))
CALL(opendir, opendir("."))
CASE(readdir) { DIR *folder = opendir("."); BEGIN; while (readdir(folder)); END; }
CASE(rewinddir) { DIR *folder = opendir("."); readdir(folder); BEGIN; rewinddir(folder); closedir(folder); END; }
CASE(scandir) { struct dirent **entries; BEGIN; ignore(scandir(".", &entries, 0, alphasort)); END; }
static int visit(const char *path, const struct stat *data, int kind, struct FTW *place) { return 0; }
CALL(nftw, nftw(".", visit, 10, FTW_PHYS))
CALL(nftw_change_folder, nftw(".", visit, 10, FTW_CHDIR))
CASE(glob) { glob_t found; BEGIN; ignore(glob("f*", 0, 0, &found)); END; }
CALL(getxattr, getxattr("file", "user.name", buffer, 10))
CALL(fgetxattr, fgetxattr(0, "user.name", buffer, 10))
CALL(setxattr, setxattr("file", "user.name", "x", 1, 0))
CALL(listxattr, listxattr("file", buffer, 10))
CALL(removexattr, removexattr("file", "user.name"))
CALL(inotify_init, inotify_init())
CALL(inotify_init1, inotify_init1(IN_CLOEXEC))
CASE(inotify_add_watch) { int watcher = inotify_init1(0); BEGIN; ignore(inotify_add_watch(watcher, ".", IN_CREATE)); END; }

/* Waiting for descriptors */
static struct pollfd polled = { 0, POLLIN, 0 };
CALL(poll, poll(&polled, 1, 0))
CALL(ppoll, ppoll(&polled, 1, &short_time, 0))
CASE(select) { fd_set set; struct timeval time = short_interval; FD_ZERO(&set); BEGIN; ignore(select(1, &set, 0, 0, &time)); END; }
CASE(pselect) { fd_set set; FD_ZERO(&set); BEGIN; ignore(pselect(1, &set, 0, 0, &short_time, 0)); END; }
CALL(epoll_create, epoll_create(1))
CALL(epoll_create1, epoll_create1(EPOLL_CLOEXEC))
CASE(epoll_wait) { int set = epoll_create1(0); struct epoll_event event; BEGIN; ignore(epoll_wait(set, &event, 1, 0)); END; }
CASE(epoll_pwait) { int set = epoll_create1(0); struct epoll_event event; BEGIN; ignore(epoll_pwait(set, &event, 1, 0, 0)); END; }
CASE(epoll_ctl) { int set = epoll_create1(0), ends[2]; struct epoll_event event = { 0 }; ignore(pipe(ends)); BEGIN; ignore(epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event)); END; }
CALL(eventfd, eventfd(0, 0))
CASE(eventfd_read) { int counter = eventfd(1, 0); eventfd_t value; BEGIN; eventfd_read(counter, &value); eventfd_write(counter, 1); END; }
CASE(signalfd) { sigset_t set; sigemptyset(&set); BEGIN; ignore(signalfd(-1, &set, 0)); END; }
CALL(timerfd_create, timerfd_create(CLOCK_MONOTONIC, 0))

/* Sockets */
static int listener(struct sockaddr_in *address) {
    socklen_t size = sizeof *address;
    int server = socket(AF_INET, SOCK_STREAM, 0);
    memset(address, 0, sizeof *address);
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(server, (struct sockaddr *)address, sizeof *address) || listen(server, 4)) abort();
    getsockname(server, (struct sockaddr *)address, &size);
    return server;
}
static int connected(void) {
    struct sockaddr_in address;
    int server = listener(&address), client = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(client, (struct sockaddr *)&address, sizeof address)) abort();
    return server;
}
CALL(socket, socket(AF_INET, SOCK_STREAM, 0))
CALL(socket_flags, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0))
CASE(socketpair) { int ends[2]; BEGIN; ignore(socketpair(AF_UNIX, SOCK_STREAM, 0, ends)); END; }
CASE(bind_and_listen) { struct sockaddr_in address; BEGIN; ignore(listener(&address)); END; }
CASE(accept) { int server = connected(); BEGIN; ignore(accept(server, 0, 0)); END; }
CASE(accept4) { int server = connected(); BEGIN; ignore(accept4(server, 0, 0, SOCK_CLOEXEC)); END; }
#define PAIR int ends[2]; ignore(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends)); ignore(write(ends[1], "text", 4))
#define MESSAGE struct iovec part = { buffer, 4 }; struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 }
CASE(send) { PAIR; BEGIN; ignore(send(ends[0], "text", 4, 0)); END; }
CASE(recv) { PAIR; BEGIN; ignore(recv(ends[0], buffer, 4, 0)); END; }
CASE(sendto) { PAIR; BEGIN; ignore(sendto(ends[0], "text", 4, 0, 0, 0)); END; }
CASE(recvfrom) { PAIR; BEGIN; ignore(recvfrom(ends[0], buffer, 4, 0, 0, 0)); END; }
CASE(sendmsg) { PAIR; MESSAGE; BEGIN; ignore(sendmsg(ends[0], &message, 0)); END; }
CASE(recvmsg) { PAIR; MESSAGE; BEGIN; ignore(recvmsg(ends[0], &message, 0)); END; }
CASE(sendmmsg) { PAIR; MESSAGE; struct mmsghdr one = { message, 0 }; BEGIN; ignore(sendmmsg(ends[0], &one, 1, 0)); END; }
CASE(recvmmsg) { PAIR; MESSAGE; struct mmsghdr one = { message, 0 }; BEGIN; ignore(recvmmsg(ends[0], &one, 1, 0, 0)); END; }
CASE(shutdown) { PAIR; BEGIN; ignore(shutdown(ends[0], SHUT_RDWR)); END; }
CASE(setsockopt) { PAIR; int one = 1; BEGIN; ignore(setsockopt(ends[0], SOL_SOCKET, SO_REUSEADDR, &one, sizeof one)); END; }
CASE(setsockopt_timeout) { PAIR; BEGIN; ignore(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &short_interval, sizeof short_interval)); END; }
CASE(sockatmark) { int server = connected(); BEGIN; ignore(sockatmark(server)); END; }
CASE(getaddrinfo_number) { struct addrinfo *found; BEGIN; ignore(getaddrinfo("127.0.0.1", "80", 0, &found)); END; }
CASE(getaddrinfo_localhost) { struct addrinfo *found; BEGIN; ignore(getaddrinfo("localhost", 0, 0, &found)); END; }
CALL(gethostbyname, gethostbyname("localhost"))
CASE(getnameinfo) { struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } }; BEGIN; ignore(getnameinfo((struct sockaddr *)&address, sizeof address, buffer, 100, 0, 0, 0)); END; }
CALL(getservbyname, getservbyname("http", "tcp"))
CALL(getprotobyname, getprotobyname("tcp"))
CASE(getifaddrs) { struct ifaddrs *found; BEGIN; ignore(getifaddrs(&found)); END; }
CALL(if_nametoindex, if_nametoindex("lo"))
CALL(if_indextoname, if_indextoname(1, buffer))
CALL(if_nameindex, if_nameindex())
CALL(syslog, (syslog(LOG_INFO | LOG_USER, "text"), 0))
CALL(openlog, (openlog("name", LOG_NDELAY | LOG_PID, LOG_USER), 0))

/* Processes */
static char *const arguments[] = { "sh", "-c", "exit 0", 0 };
extern char **environ;
CASE(fork) { BEGIN; pid_t child = fork(); if (!child) _exit(0); END; waitpid(child, 0, 0); }
CASE(vfork) { BEGIN; pid_t child = vfork(); if (!child) _exit(0); END; waitpid(child, 0, 0); }
/* Its own calls are over then. */
static void await_end(pid_t child) { siginfo_t story; waitid(P_PID, child, &story, WEXITED | WNOWAIT); }
CASE(waitpid) { pid_t child = fork(); if (!child) _exit(0); await_end(child); BEGIN; waitpid(child, 0, 0); END; }
CASE(wait) { pid_t child = fork(); if (!child) _exit(0); await_end(child); BEGIN; wait(0); END; }
CASE(wait3) { pid_t child = fork(); if (!child) _exit(0); await_end(child); BEGIN; wait3(0, 0, 0); END; }
CASE(waitid) { pid_t child = fork(); siginfo_t story; if (!child) _exit(0); await_end(child); BEGIN; waitid(P_PID, child, &story, WEXITED); END; }
CASE(posix_spawn) { pid_t child; BEGIN; ignore(posix_spawn(&child, "/bin/false", 0, 0, arguments, environ)); END; waitpid(child, 0, 0); }
CASE(posix_spawn_actions) {
    pid_t child; posix_spawn_file_actions_t actions; posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions); posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, 5, "file", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, 0, 6); posix_spawn_file_actions_addclose(&actions, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_RESETIDS);
    BEGIN; ignore(posix_spawnp(&child, "false", &actions, &attributes, arguments, environ)); END; waitpid(child, 0, 0);
}
CALL(execvp_missing, execvp("no-such-program", arguments))
CALL(execve_missing, execve("no-such-program", arguments, environ))
CASE(fexecve_missing) { int file = open("file", O_RDONLY); BEGIN; fexecve(file, arguments, environ); END; }
static int in_clone(void *nothing) { return 0; }
CASE(clone) { BEGIN; pid_t child = clone(in_clone, buffer + sizeof buffer, SIGCHLD, 0); END; waitpid(child, 0, 0); }
CALL(daemon, daemon(1, 0))
CALL(getpid, getpid())
CALL(gettid, syscall(SYS_gettid))
CALL(getppid, getppid())
CALL(setsid, setsid())
CALL(setpgrp, setpgrp())
CALL(getpgrp, getpgrp())
CALL(setuid, setuid(0))
CALL(setgid, setgid(0))
CALL(seteuid, seteuid(0))
CALL(setegid, setegid(0))
CALL(setreuid, setreuid(0, 0))
CALL(setresuid, setresuid(0, 0, 0))
CALL(setgroups, setgroups(0, 0))
CASE(initgroups) { BEGIN; ignore(initgroups("root", 0)); END; }
CASE(getgrouplist) { gid_t groups[10]; int size = 10; BEGIN; ignore(getgrouplist("root", 0, groups, &size)); END; }
CALL(getpwnam, getpwnam("root"))
CALL(getpwuid, getpwuid(0))
CALL(getpwent, getpwent())
CALL(getgrnam, getgrnam("root"))
CALL(getlogin, getlogin())
CALL(nice, nice(0))
CALL(getpriority, getpriority(PRIO_PROCESS, 0))
CASE(getrlimit) { struct rlimit limit; BEGIN; ignore(getrlimit(RLIMIT_NOFILE, &limit)); END; }
CASE(setrlimit) { struct rlimit limit; getrlimit(RLIMIT_NOFILE, &limit); BEGIN; ignore(setrlimit(RLIMIT_NOFILE, &limit)); END; }
CASE(getrusage) { struct rusage usage; BEGIN; ignore(getrusage(RUSAGE_SELF, &usage)); END; }
CASE(times) { struct tms usage; BEGIN; ignore(times(&usage)); END; }
CALL(sysconf_open_max, sysconf(_SC_OPEN_MAX))
CALL(sysconf_child_max, sysconf(_SC_CHILD_MAX))
CALL(sysconf_arg_max, sysconf(_SC_ARG_MAX))
CALL(sysconf_processors_online, sysconf(_SC_NPROCESSORS_ONLN))
CALL(sysconf_processors, sysconf(_SC_NPROCESSORS_CONF))
CALL(sysconf_pages, sysconf(_SC_PHYS_PAGES))
CALL(sysconf_free_pages, sysconf(_SC_AVPHYS_PAGES))
CALL(get_nprocs, get_nprocs())
CASE(sysinfo) { struct sysinfo information; BEGIN; ignore(sysinfo(&information)); END; }
CASE(getloadavg) { double load[3]; BEGIN; ignore(getloadavg(load, 3)); END; }
CASE(uname) { struct utsname name; BEGIN; ignore(uname(&name)); END; }
CALL(gethostname, gethostname(buffer, 100))
CALL(getdomainname, getdomainname(buffer, 100))
CALL(gethostid, gethostid())
CALL(getpagesize, getpagesize())
CALL(getentropy, getentropy(buffer, 16))
CALL(getrandom, getrandom(buffer, 16, 0))
CASE(sched_getaffinity) { cpu_set_t set; BEGIN; ignore(sched_getaffinity(0, sizeof set, &set)); END; }
CASE(sched_setaffinity) { cpu_set_t set; sched_getaffinity(0, sizeof set, &set); BEGIN; ignore(sched_setaffinity(0, sizeof set, &set)); END; }
CASE(sched_setscheduler) { struct sched_param parameters = { 0 }; BEGIN; ignore(sched_setscheduler(0, SCHED_OTHER, &parameters)); END; }
CALL(sched_getscheduler, sched_getscheduler(0))
CALL(sched_getcpu, sched_getcpu())
CALL(sched_yield, sched_yield())

/* Signals and timers */
static void on_signal(int number) {}
CALL(signal, signal(SIGUSR1, on_signal))
CALL(sigaction, sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = on_signal }, 0))
CALL(raise, (signal(SIGUSR1, on_signal), BEGIN, raise(SIGUSR1)))
CALL(kill, kill(getpid(), 0))
CASE(abort) { signal(SIGABRT, SIG_DFL); BEGIN; abort(); }
CASE(sigprocmask) { sigset_t set; sigemptyset(&set); BEGIN; ignore(sigprocmask(SIG_BLOCK, &set, 0)); END; }
CASE(sigsuspend) { sigset_t set; sigemptyset(&set); signal(SIGALRM, on_signal); ualarm(20000, 0); BEGIN; sigsuspend(&set); END; }
CASE(pause) { signal(SIGALRM, on_signal); ualarm(20000, 0); BEGIN; pause(); END; }
CASE(sigwait) { sigset_t set; int number; sigemptyset(&set); sigaddset(&set, SIGUSR1); sigprocmask(SIG_BLOCK, &set, 0); raise(SIGUSR1); BEGIN; sigwait(&set, &number); END; }
CASE(sigtimedwait) { sigset_t set; sigemptyset(&set); BEGIN; ignore(sigtimedwait(&set, 0, &short_time)); END; }
CASE(sigqueue) { union sigval value = { 0 }; signal(SIGUSR1, on_signal); BEGIN; ignore(sigqueue(getpid(), SIGUSR1, value)); END; }
CASE(sigaltstack) { stack_t stack = { .ss_sp = buffer, .ss_size = sizeof buffer }; BEGIN; ignore(sigaltstack(&stack, 0)); END; }
CASE(siginterrupt) { signal(SIGUSR1, on_signal); BEGIN; ignore(siginterrupt(SIGUSR1, 1)); END; }
CALL(alarm, alarm(0))
CALL(ualarm, ualarm(0, 0))
CASE(setitimer) { struct itimerval timer = { 0 }; BEGIN; ignore(setitimer(ITIMER_REAL, &timer, 0)); END; }
CASE(getitimer) { struct itimerval timer = { 0 }; BEGIN; ignore(getitimer(ITIMER_REAL, &timer)); END; }
CASE(timer_create) { timer_t timer; struct itimerspec span = { 0 }; BEGIN; ignore(timer_create(CLOCK_MONOTONIC, 0, &timer)); timer_settime(timer, 0, &span, 0); timer_delete(timer); END; }
static void on_timer(union sigval value) {}
CASE(timer_create_thread) { timer_t timer; struct sigevent event = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_timer }; BEGIN; ignore(timer_create(CLOCK_MONOTONIC, &event, &timer)); wait_a_little(); END; }

/* Time */
CALL(sleep, (signal(SIGALRM, on_signal), ualarm(20000, 0), BEGIN, sleep(1)))
CALL(usleep, usleep(1000))
CALL(nanosleep, nanosleep(&short_time, 0))
CALL(clock_nanosleep, clock_nanosleep(CLOCK_MONOTONIC, 0, &short_time, 0))
CALL(thrd_sleep, thrd_sleep(&short_time, 0))
CALL(time, time(0))
CASE(gettimeofday) { struct timeval now; BEGIN; ignore(gettimeofday(&now, 0)); END; }
CASE(clock_gettime) { struct timespec now; BEGIN; ignore(clock_gettime(CLOCK_REALTIME, &now)); END; }
CASE(clock_gettime_processor) { struct timespec now; BEGIN; ignore(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now)); END; }
CASE(clock_getres) { struct timespec now; BEGIN; ignore(clock_getres(CLOCK_REALTIME, &now)); END; }
CASE(clock_getcpuclockid) { clockid_t id; BEGIN; ignore(clock_getcpuclockid(0, &id)); END; }
CALL(clock, clock())
CASE(timespec_get) { struct timespec now; BEGIN; ignore(timespec_get(&now, TIME_UTC)); END; }
CASE(localtime) { time_t now = 0; BEGIN; ignore((long)localtime(&now)); END; }
CASE(localtime_zone) { time_t now = 0; setenv("TZ", "Europe/Berlin", 1); BEGIN; ignore((long)localtime(&now)); END; }
CASE(mktime) { struct tm when = { .tm_year = 100, .tm_mday = 1 }; BEGIN; ignore(mktime(&when)); END; }
CASE(adjtime) { struct timeval old; BEGIN; ignore(adjtime(0, &old)); END; }

/* Memory */
CALL(malloc_small, malloc(100))
CALL(malloc_large, malloc(1 << 20))
CALL(malloc_many, ({ for (int i = 0; i < 2000; i++) *(char *)malloc(1000) = 1; 0; }))
CALL(calloc_large, calloc(1 << 20, 1))
CALL(aligned_alloc, aligned_alloc(4096, 1 << 20))
CASE(free_large) { char *volatile memory = malloc(1 << 20); BEGIN; free(memory); END; }
CASE(free_many) { static char *memory[400]; for (int i = 0; i < 400; i++) memory[i] = malloc(4000); BEGIN; for (int i = 399; i >= 0; i--) free(memory[i]); END; }
CASE(realloc_large) { char *volatile memory = malloc(1 << 20); BEGIN; ignore((long)realloc(memory, 1 << 24)); END; }
CASE(realloc_smaller) { char *volatile memory = malloc(1 << 24); BEGIN; ignore((long)realloc(memory, 1 << 20)); END; }
CALL(sbrk, sbrk(0))
CALL(mmap, mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
CASE(munmap) { void *memory = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); BEGIN; ignore(munmap(memory, 4096)); END; }
CASE(mremap) { void *memory = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); BEGIN; ignore((long)mremap(memory, 4096, 8192, MREMAP_MAYMOVE)); END; }
CASE(posix_madvise) { void *memory = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); BEGIN; ignore(posix_madvise(memory, 4096, POSIX_MADV_WILLNEED)); END; }
CALL(mlock, mlock(buffer, 1))
CALL(mlockall, mlockall(MCL_CURRENT))
CALL(memfd_create, memfd_create("name", 0))
/* Runs go on beside each other. */
static const char *own_name(void) { sprintf(buffer, "/tracer-alternatives-%d", getpid()); return buffer; }
CASE(shm_open) { const char *name = own_name(); BEGIN; ignore(shm_open(name, O_RDWR | O_CREAT, 0600)); END; shm_unlink(name); }
CASE(shm_unlink) { const char *name = own_name(); BEGIN; ignore(shm_unlink(name)); END; }
CASE(sem_open) { const char *name = own_name(); BEGIN; ignore((long)sem_open(name, O_CREAT, 0600, 1)); END; sem_unlink(name); }
CASE(sem_unlink) { const char *name = own_name(); BEGIN; ignore(sem_unlink(name)); END; }
CASE(mq_open) { const char *name = own_name(); BEGIN; ignore(mq_open(name, O_RDONLY)); END; }
CALL(shmget, shmctl(shmget(IPC_PRIVATE, 10, IPC_CREAT | 0600), IPC_RMID, 0))
CALL(semget, semctl(semget(IPC_PRIVATE, 1, IPC_CREAT | 0600), 0, IPC_RMID))
CASE(semop) { int set = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600); struct sembuf step = { 0, 1, 0 }; BEGIN; ignore(semop(set, &step, 1)); END; semctl(set, 0, IPC_RMID); }
CASE(msgget) { BEGIN; ignore(msgctl(msgget(IPC_PRIVATE, IPC_CREAT | 0600), IPC_RMID, 0)); END; }

/* Threads */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static void nothing_once(void) {}
static sem_t semaphore;
static void *idle(void *nothing) { return 0; }
static void *hold(void *nothing) { pthread_mutex_lock(&mutex); sem_post(&semaphore); wait_a_little(); pthread_mutex_unlock(&mutex); return 0; }
static int never[2];
static void *forever(void *nothing) { char byte; while (read(never[0], &byte, 1)); return 0; }
static pthread_t thread;
static void start_forever(void) { if (pipe(never)) abort(); pthread_create(&thread, 0, forever, 0); wait_a_little(); }
static void *wake(void *nothing) { pthread_mutex_lock(&mutex); pthread_cond_signal(&condition); pthread_mutex_unlock(&mutex); return 0; }
static void *allocate(void *nothing) { for (int i = 0; i < 200; i++) *(char *)malloc(4000) = 1; return 0; }
CASE(pthread_create) { BEGIN; pthread_create(&thread, 0, idle, 0); pthread_join(thread, 0); END; }
CASE(pthread_create_detached) { pthread_attr_t attributes; pthread_attr_init(&attributes); pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED); pthread_attr_setstacksize(&attributes, 1 << 20); BEGIN; pthread_create(&thread, &attributes, idle, 0); wait_a_little(); END; }
CASE(pthread_create_scheduled) {
    pthread_attr_t attributes; struct sched_param parameters = { 0 }; pthread_attr_init(&attributes);
    pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED); pthread_attr_setschedparam(&attributes, &parameters);
    BEGIN; if (!pthread_create(&thread, &attributes, idle, 0)) pthread_join(thread, 0); END;
}
CASE(thrd_create) { thrd_t other; BEGIN; thrd_create(&other, (thrd_start_t)in_clone, 0); thrd_join(other, 0); END; }
CASE(malloc_in_thread) { BEGIN; pthread_create(&thread, 0, allocate, 0); pthread_join(thread, 0); END; }
CASE(pthread_join) { pthread_create(&thread, 0, hold, 0); BEGIN; pthread_join(thread, 0); END; }
CASE(pthread_mutex_lock) { sem_init(&semaphore, 0, 0); pthread_create(&thread, 0, hold, 0); sem_wait(&semaphore); BEGIN; pthread_mutex_lock(&mutex); END; }
CASE(pthread_mutex_timedlock) { struct timespec now; sem_init(&semaphore, 0, 0); pthread_create(&thread, 0, hold, 0); sem_wait(&semaphore); clock_gettime(CLOCK_REALTIME, &now); BEGIN; pthread_mutex_timedlock(&mutex, &now); END; }
CASE(pthread_cond_wait) { pthread_mutex_lock(&mutex); pthread_create(&thread, 0, wake, 0); BEGIN; pthread_cond_wait(&condition, &mutex); END; }
CASE(pthread_cond_timedwait) { struct timespec now; clock_gettime(CLOCK_REALTIME, &now); pthread_mutex_lock(&mutex); BEGIN; pthread_cond_timedwait(&condition, &mutex, &now); END; }
CASE(pthread_cond_broadcast) { BEGIN; pthread_cond_broadcast(&condition); END; }
CASE(pthread_rwlock_timedwrlock) { struct timespec soon; clock_gettime(CLOCK_REALTIME, &soon); soon.tv_sec += 0; pthread_rwlock_rdlock(&lock); BEGIN; pthread_rwlock_timedwrlock(&lock, &soon); END; }
CASE(pthread_once) { BEGIN; pthread_once(&once, nothing_once); END; }
CASE(pthread_kill) { signal(SIGUSR1, on_signal); BEGIN; pthread_kill(pthread_self(), SIGUSR1); END; }
CASE(pthread_cancel) { start_forever(); BEGIN; pthread_cancel(thread); pthread_join(thread, 0); END; }
CASE(pthread_sigmask) { sigset_t set; sigemptyset(&set); BEGIN; pthread_sigmask(SIG_BLOCK, &set, 0); END; }
CASE(pthread_getattr_np) { pthread_attr_t attributes; BEGIN; pthread_getattr_np(pthread_self(), &attributes); END; }
CASE(pthread_setname_np) { BEGIN; pthread_setname_np(pthread_self(), "name"); END; }
CASE(pthread_setname_other) { start_forever(); BEGIN; pthread_setname_np(thread, "name"); END; }
CASE(pthread_setaffinity_np) { cpu_set_t set; sched_getaffinity(0, sizeof set, &set); BEGIN; pthread_setaffinity_np(pthread_self(), sizeof set, &set); END; }
CASE(pthread_getcpuclockid) { clockid_t id; BEGIN; pthread_getcpuclockid(pthread_self(), &id); END; }
CASE(pthread_setschedparam) { struct sched_param parameters = { 0 }; BEGIN; pthread_setschedparam(pthread_self(), SCHED_OTHER, &parameters); END; }
CASE(pthread_mutexattr_setprotocol) { pthread_mutexattr_t attributes; pthread_mutexattr_init(&attributes); BEGIN; pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT); END; }
CASE(pthread_mutexattr_setrobust) { pthread_mutexattr_t attributes; pthread_mutex_t robust; pthread_mutexattr_init(&attributes); BEGIN; pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST); pthread_mutex_init(&robust, &attributes); pthread_mutex_lock(&robust); END; }
CASE(sem_timedwait) { struct timespec now; clock_gettime(CLOCK_REALTIME, &now); sem_init(&semaphore, 0, 0); BEGIN; sem_timedwait(&semaphore, &now); END; }
CASE(sem_post) { sem_init(&semaphore, 0, 0); BEGIN; sem_post(&semaphore); END; }
CASE(setuid_with_threads) { start_forever(); BEGIN; ignore(setuid(0)); END; }
CASE(fork_with_threads) { start_forever(); BEGIN; pid_t child = fork(); if (!child) _exit(0); END; waitpid(child, 0, 0); }

/* Languages */
CALL(setlocale, setlocale(LC_ALL, "C.UTF-8"))
CALL(setlocale_missing, setlocale(LC_ALL, "xx_YY.UTF-8"))
CALL(iconv_open, iconv_open("UTF-8", "ISO-8859-1"))
CALL(strerror, strerror(ENOENT))
CALL(strsignal, strsignal(SIGSEGV))
CASE(qsort_large) { BEGIN; qsort(buffer, sizeof buffer / 8, 8, (int (*)(const void *, const void *))strcmp); END; }

/* The end */
CASE(exit) { BEGIN; exit(0); }
CASE(exit_written) { fputs("text", stdout); BEGIN; exit(0); }
CASE(exit_read) { ignore(getchar()); BEGIN; exit(0); }

int main(int argc, char **argv) {
    for (int i = 0; i < count; i++) {
        if (argc < 2) puts(functions[i].name);
        else if (!strcmp(argv[1], functions[i].name)) functions[i].call();
    }
    /* Threads may never end. */
    if (argc > 1) _exit(0);
    return 0;
}
