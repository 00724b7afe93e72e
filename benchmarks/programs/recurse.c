/* recurse: 10,000 frames of native recursion, for a debugger's own `bt`. Compiled
 * without -g, at -O0, as programs are that a debugger unwinds quickest. */
#include <stdlib.h>

volatile int sink;

__attribute__((noinline)) void bottom(void)
{
    for (;;)
        sink++;
}

__attribute__((noinline)) int down(int depth)
{
    if (depth == 0)
        bottom();
    else
        sink = 1 + down(depth - 1);
    return sink;
}

int main(int argc, char **argv) { return down(argc > 1 ? atoi(argv[1]) : 10000); }
