/* What a function of one value at a time gives, by its table: that of code q is entry q + 128. */
static void model_lookup(const int8_t *input, int8_t *output, const int8_t *table, int32_t count)
{
    int32_t i;
    for (i = 0; i < count; ++i) {
        output[i] = table[input[i] + 128];
    }
}
