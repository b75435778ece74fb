/* What the rows of a matrix give for a vector. `length` is a multiple of four (rows are padded with zeros),
   and the input's zero point is part of the bias. Four rows are done at a time, so that every input is
   fetched once for the four; their weights lie four by four: 0…3 of the first row, 0…3 of the second, …,
   4…7 of the first. The last rows, fewer than four, lie one after the other. */

#if defined(MODEL_SMLAD)
/* Arm's DSP extension: two products at a time. The bytes of a word are taken apart into halfwords, 0 and 2,
   and 1 and 3; the order of a sum is of no matter. */
#if !defined(__ARM_FEATURE_DSP)
#error "MODEL_SMLAD needs a processor with Arm's DSP extension (Cortex-M4, M7, M33, M55)"
#endif
static inline int32_t model_two(uint32_t a, uint32_t b, int32_t sum)
{
    int32_t result;
    __asm__("smlad %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
    return result;
}
static inline uint32_t model_even(uint32_t word)
{
    uint32_t result;
    __asm__("sxtb16 %0, %1" : "=r"(result) : "r"(word));
    return result;
}
static inline uint32_t model_odd(uint32_t word)
{
    uint32_t result;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(result) : "r"(word));
    return result;
}
static inline uint32_t model_word(const int8_t *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, 4);
    return word;
}
#define MODEL_FETCH                                            \
    const uint32_t given = model_word(x);                      \
    const uint32_t even = model_even(given);                   \
    const uint32_t odd = model_odd(given)
#define MODEL_FOUR(sum, w)                                     \
    do {                                                       \
        const uint32_t word = model_word(w);                   \
        (sum) = model_two(model_even(word), even, (sum));      \
        (sum) = model_two(model_odd(word), odd, (sum));        \
    } while (0)
#else
#define MODEL_FETCH                                            \
    const int32_t x0 = x[0];                                   \
    const int32_t x1 = x[1];                                   \
    const int32_t x2 = x[2];                                   \
    const int32_t x3 = x[3]
#define MODEL_FOUR(sum, w)                                     \
    do {                                                       \
        (sum) += x0 * (w)[0];                                  \
        (sum) += x1 * (w)[1];                                  \
        (sum) += x2 * (w)[2];                                  \
        (sum) += x3 * (w)[3];                                  \
    } while (0)
#endif

static void model_dense(const int8_t *input, int8_t *output, const int8_t *weights, const int32_t *bias,
                        const int32_t *multipliers, const int8_t *shifts, int32_t length, int32_t rows,
                        int32_t zero, int32_t low, int32_t high, int twice)
{
    const int8_t *const end = input + length;
    const int8_t *w = weights;
    int32_t row = 0;
    while (row < rows) {
        const int8_t *x = input;
        int32_t sums[4] = {0, 0, 0, 0};
        int32_t block = 1;
        int32_t k;
        if (rows - row >= 4) {
            int32_t sum0 = 0;
            int32_t sum1 = 0;
            int32_t sum2 = 0;
            int32_t sum3 = 0;
            for (; x != end; x += 4, w += 16) {
                MODEL_FETCH;
                MODEL_FOUR(sum0, w);
                MODEL_FOUR(sum1, w + 4);
                MODEL_FOUR(sum2, w + 8);
                MODEL_FOUR(sum3, w + 12);
            }
            sums[0] = sum0;
            sums[1] = sum1;
            sums[2] = sum2;
            sums[3] = sum3;
            block = 4;
        } else {
            for (; x != end; x += 4, w += 4) {
                MODEL_FETCH;
                MODEL_FOUR(sums[0], w);
            }
        }
        for (k = 0; k < block; ++k, ++row) {
            const int32_t scaled = model_scaled(sums[k] + bias[row], multipliers[row], shifts[row], twice);
            output[row] = model_clamped(scaled + zero, low, high);
        }
    }
}
