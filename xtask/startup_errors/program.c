/* A program that makes next to no call of its own, so that whatever is missing is the runtime's:
   with an argument it ends with status 42, without one it waits. */

static long make(long number, long argument)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(argument) : "rcx", "r11", "memory");
    return result;
}

void begin(long *stack)
{
    if (stack[0] > 1) {
        make(231, 42); /* exit_group */
        make(60, 42);  /* exit */
    }
    for (;;)
        make(34, 0); /* pause */
}

__asm__(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call begin\n");
