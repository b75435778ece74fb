/* What an emulated Cortex-M board runs: the golden inputs, then random ones, timed; the golden pictures from
   picture to digit, their centring timed.

   No C library's start-up and no printf: the vectors, the semihosting calls and SysTick by hand. With
   `-icount shift=0` the emulator lets a nanosecond pass for each instruction, so SysTick counts them. */

#include <stdint.h>
#include <string.h>

#include "centre.h"
#include "golden.h"
#include "model.h"

#define SYSTICK_CONTROL (*(volatile uint32_t *)0xE000E010)
#define SYSTICK_RELOAD (*(volatile uint32_t *)0xE000E014)
#define SYSTICK_CURRENT (*(volatile uint32_t *)0xE000E018)
#define COPROCESSORS (*(volatile uint32_t *)0xE000ED88)
#define TIMED 16

extern uint32_t stack_top[];
void reset(void);

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {stack_top, (const void *)reset};

static int semihost(int operation, const void *argument)
{
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
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

static uint32_t centre_pictures(void)
{
    static uint8_t glyph[CENTRE_SIZE];
    static int8_t input[MODEL_INPUT_SIZE];
    static int8_t output[MODEL_OUTPUT_SIZE];
    uint32_t read = 0;
    int i;
    int k;
    for (i = 0; i < GOLDEN_PICTURES; ++i) {
        const golden_picture *const picture = &golden_pictures[i];
        int best = 0;
        int far = 0;
        uint32_t ticks;
        SYSTICK_CURRENT = 0;
        SYSTICK_CONTROL = 5;
        far += centre_glyph(picture->ink, picture->side, picture->side, picture->side, glyph) != CENTRE_DONE;
        ticks = 0xFFFFFF - SYSTICK_CURRENT;
        SYSTICK_CONTROL = 0;
        for (k = 0; k < CENTRE_SIZE; ++k) {
            const int difference = glyph[k] - picture->glyph[k];
            far += difference < -1 || difference > 1;
        }
        centre_input(glyph, input);
        model_invoke(input, output);
        for (k = 1; k < MODEL_OUTPUT_SIZE; ++k) {
            best = output[k] > output[best] ? k : best;
        }
        read += far == 0 && best == picture->label;
        say("side ", (uint32_t)picture->side);
        say("centring ", ticks);
    }
    return read;
}

void reset(void)
{
    static int8_t input[MODEL_INPUT_SIZE];
    static int8_t output[MODEL_OUTPUT_SIZE];
    uint32_t exact = 0;
    uint32_t state = 1;
    uint32_t ticks = 0;
    uint32_t sum = 0;
    int i;
    int k;
#if __ARM_ARCH >= 7
    COPROCESSORS |= 0xFu << 20;
#endif
    for (i = 0; i < GOLDEN_COUNT; ++i) {
        model_invoke(golden_input[i], output);
        exact += memcmp(output, golden_output[i], sizeof output) == 0;
    }
    SYSTICK_RELOAD = 0xFFFFFF;
    for (i = 0; i < TIMED; ++i) {
        for (k = 0; k < MODEL_INPUT_SIZE; ++k) {
            state = state * 1664525u + 1013904223u;
            input[k] = (int8_t)(state >> 24);
        }
        SYSTICK_CURRENT = 0;
        SYSTICK_CONTROL = 5;
        model_invoke(input, output);
        ticks += 0xFFFFFF - SYSTICK_CURRENT;
        SYSTICK_CONTROL = 0;
        for (k = 0; k < MODEL_OUTPUT_SIZE; ++k) {
            sum = sum * 31u + (uint8_t)output[k];
        }
    }
    say("golden ", GOLDEN_COUNT);
    say("exact ", exact);
    say("checksum ", sum);
    say("ticks ", ticks / TIMED);
    say("pictures ", GOLDEN_PICTURES);
    say("read ", centre_pictures());
    semihost(0x18, (const void *)0x20026);
    for (;;) {
    }
}
