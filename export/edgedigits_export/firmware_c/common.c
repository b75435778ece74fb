/* TFLite's fixed-point multiplication by a real number, multiplier / 2^31 * 2^shift. Its reference kernel for
   dense layers rounds once, half up; those for convolutions round twice, to 31 bits and then by the shift
   (gemmlowp's SaturatingRoundingDoublingHighMul and RoundingDivideByPOT), and differ by one now and then. */
static int32_t model_scaled(int32_t value, int32_t multiplier, int shift, int twice)
{
    if (twice) {
        const int right = shift < 0 ? -shift : 0;
        const int64_t product = (int64_t)value * ((int64_t)1 << (shift > 0 ? shift : 0)) * multiplier;
        const int64_t nudge = product >= 0 ? (int64_t)1 << 30 : 1 - ((int64_t)1 << 30);
        const int32_t high = (int32_t)((product + nudge) / ((int64_t)1 << 31));
        const int32_t mask = (int32_t)(((int64_t)1 << right) - 1);
        const int32_t threshold = (mask >> 1) + (high < 0 ? 1 : 0);
        return (high >> right) + ((high & mask) > threshold ? 1 : 0);
    } else {
        const int right = 31 - shift;
        const int64_t product = (int64_t)value * multiplier + ((int64_t)1 << (right - 1));
        return (int32_t)(product >> right);
    }
}

static int8_t model_clamped(int32_t value, int32_t low, int32_t high)
{
    return (int8_t)(value < low ? low : value > high ? high : value);
}
