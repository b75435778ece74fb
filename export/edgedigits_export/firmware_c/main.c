/* Runs the golden inputs and says whether this processor computes what the host computed; then centres the
   golden pictures and reads them.

   Compiled with MODEL_STDIN it reads inputs from the standard input instead, as many as there are, and
   writes the outputs to the standard output: both int8, one after another. */

#include <stdio.h>
#include <string.h>

#include "centre.h"
#include "golden.h"
#include "model.h"

#if defined(MODEL_STDIN)

int main(void)
{
    static int8_t input[MODEL_INPUT_SIZE];
    int8_t output[MODEL_OUTPUT_SIZE];
    while (fread(input, 1, sizeof input, stdin) == sizeof input) {
        model_invoke(input, output);
        if (fwrite(output, 1, sizeof output, stdout) != sizeof output) {
            return 1;
        }
    }
    return 0;
}

#else

/* From a picture to the number of its label, as an application would do it; -1 where the glyph is not centred
   as on the host, within one grey level. */
static int read_picture(const golden_picture *picture)
{
    static uint8_t glyph[CENTRE_SIZE];
    static int8_t input[MODEL_INPUT_SIZE];
    int8_t output[MODEL_OUTPUT_SIZE];
    int best = 0;
    int i;
    if (centre_glyph(picture->ink, picture->side, picture->side, picture->side, glyph) != CENTRE_DONE) {
        return -1;
    }
    for (i = 0; i < CENTRE_SIZE; ++i) {
        const int difference = glyph[i] - picture->glyph[i];
        if (difference < -1 || difference > 1) {
            return -1;
        }
    }
    centre_input(glyph, input);
    model_invoke(input, output);
    for (i = 1; i < MODEL_OUTPUT_SIZE; ++i) {
        best = output[i] > output[best] ? i : best;
    }
    return best;
}

int main(void)
{
    int8_t output[MODEL_OUTPUT_SIZE];
    int exact = 0;
    int read = 0;
    int i;
    for (i = 0; i < GOLDEN_COUNT; ++i) {
        model_invoke(golden_input[i], output);
        exact += memcmp(output, golden_output[i], sizeof output) == 0;
    }
    printf("%s: %d of %d golden outputs are exact\n", MODEL_NAME, exact, GOLDEN_COUNT);
    for (i = 0; i < GOLDEN_PICTURES; ++i) {
        read += read_picture(&golden_pictures[i]) == golden_pictures[i].label;
    }
    printf("%s: %d of %d golden pictures are read as on the host\n", MODEL_NAME, read, GOLDEN_PICTURES);
    return exact == GOLDEN_COUNT && read == GOLDEN_PICTURES ? 0 : 1;
}

#endif
