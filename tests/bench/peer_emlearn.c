/* emlearn's network on the golden inputs, then on random ones, timed: on an emulated board as board.c does it,
   elsewhere (PEER_HOST) on 784 bytes a time from the standard input, giving a byte for the class. */

#include <stdint.h>

#include "net.h"

#if defined(PEER_HOST)

#include <stdio.h>

int main(void)
{
    static uint8_t grey[784];
    static float values[784];
    while (fread(grey, sizeof grey, 1, stdin) == 1) {
        int i;
        for (i = 0; i < 784; ++i) {
            values[i] = (float)grey[i] / 255.0f;
        }
        putchar(net_predict(values, 784));
    }
    return 0;
}

#else

#include "golden.h"

#define SYSTICK_CONTROL (*(volatile uint32_t *)0xE000E010)
#define SYSTICK_RELOAD (*(volatile uint32_t *)0xE000E014)
#define SYSTICK_CURRENT (*(volatile uint32_t *)0xE000E018)
#define COPROCESSORS (*(volatile uint32_t *)0xE000ED88)

extern uint32_t stack_top[];
void reset(void);

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {stack_top, (const void *)reset};

int *__errno(void)
{
    static int number;
    return &number;
}

static void semihost(int operation, const void *argument)
{
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void say(const char *text, uint32_t number)
{
    char digits[12];
    int place = 11;
    digits[place] = 0;
    do {
        digits[--place] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    semihost(4, text);
    semihost(4, digits + place);
    semihost(4, "\n");
}

static __attribute__((noinline, noreturn)) void run(void)
{
    static float values[MODEL_INPUT_SIZE];
    uint32_t state = 1;
    uint32_t ticks;
    int i;
    int k;
    for (i = 0; i < GOLDEN_COUNT; ++i) {
        for (k = 0; k < MODEL_INPUT_SIZE; ++k) {
            values[k] = (float)(golden_input[i][k] + 128) / 255.0f;
        }
        say("class ", (uint32_t)net_predict(values, MODEL_INPUT_SIZE));
    }
    for (k = 0; k < MODEL_INPUT_SIZE; ++k) {
        state = state * 1664525u + 1013904223u;
        values[k] = (float)(state >> 24) / 255.0f;
    }
    SYSTICK_RELOAD = 0xFFFFFF;
    SYSTICK_CURRENT = 0;
    SYSTICK_CONTROL = 5;
    net_predict(values, MODEL_INPUT_SIZE);
    ticks = 0xFFFFFF - SYSTICK_CURRENT;
    SYSTICK_CONTROL = 0;
    say("ticks ", ticks);
    semihost(0x18, (const void *)0x20026);
    for (;;) {
    }
}

void reset(void)
{
    COPROCESSORS |= 0xFu << 20; /* before a function that may begin by saving the floating-point registers */
    run();
}

#endif
