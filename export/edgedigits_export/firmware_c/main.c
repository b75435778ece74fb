/* Runs the golden inputs and says whether this processor computes what the host computed.

   Compiled with MODEL_STDIN it reads inputs from the standard input instead, as many as there are, and
   writes the outputs to the standard output: both int8, one after another. */

#include <stdio.h>
#include <string.h>

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

int main(void)
{
    int8_t output[MODEL_OUTPUT_SIZE];
    int exact = 0;
    int i;
    for (i = 0; i < GOLDEN_COUNT; ++i) {
        model_invoke(golden_input[i], output);
        exact += memcmp(output, golden_output[i], sizeof output) == 0;
    }
    printf("%s: %d of %d golden outputs are exact\n", MODEL_NAME, exact, GOLDEN_COUNT);
    return exact == GOLDEN_COUNT ? 0 : 1;
}

#endif
