/* big: a process with 1 GiB of executable memory and 100 thunk blocks in it.
 *
 *     big dense     random bytes all over, the blocks at random pages
 *     big sparse    reserved only: but for the blocks' pages nothing was ever touched
 *
 * The blocks are the emitter's own, each written for the page it stands on. A debugger
 * stops at `ready`; where the area begins, and the process' number, are printed. */
#include "../../fixtures/emit.c" /* the emitter's functions are static */

#include <inttypes.h>
#include <unistd.h>

enum { BLOCKS = 100, PAGE_SIZE = 4096 };

static uint64_t random_state = 0x9e3779b97f4a7c15u;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* The interpreter's symbol, so that the proof of a block knows it. Never called. */
void interpreter(void) __asm__(
    "_ZN2Js21InterpreterStackFrame16InterpreterThunkEPNS_25JavascriptCallStackLayoutE");
void interpreter(void) {}

__attribute__((noinline)) void ready(void) { __asm__ volatile("nop"); }

static void write_block(uint8_t *page)
{
    struct BlockPlan plan = plan_block(&emitter, page);
    FillBuffer(emitter.variant, &plan);
}

int main(int argc, char **argv)
{
    if (argc != 2 || (strcmp(argv[1], "dense") != 0 && strcmp(argv[1], "sparse") != 0)) {
        fputs("usage: big dense|sparse\n", stderr);
        return 2;
    }
    emitter.variant = &variants[0];
    emitter.block_size = PAGE_SIZE;
    emitter.interpreter = (uintptr_t)interpreter;
    size_t area_size = (size_t)1 << 30;
    uint8_t *area = mmap(NULL, area_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (area == MAP_FAILED) {
        perror("big: mmap");
        return 1;
    }
    /* A huge page would make one touched page into five hundred. */
    madvise(area, area_size, MADV_NOHUGEPAGE);
    if (strcmp(argv[1], "dense") == 0)
        for (size_t i = 0; i < area_size; i += sizeof(uint64_t))
            *(uint64_t *)(area + i) = next_random();
    size_t apart = area_size / PAGE_SIZE / BLOCKS;
    for (size_t i = 0; i < BLOCKS; i++)
        write_block(area + (i * apart + next_random() % apart) * PAGE_SIZE);
    make_executable(area, area_size);
    printf("%d %#" PRIxPTR "\n", getpid(), (uintptr_t)area);
    fflush(stdout);
    ready();
    return 0;
}
