/* The largest value, or the mean rounded half away from zero, of what lies under the window. */
static void model_pool(const int8_t *input, int8_t *output, const model_window *w, int mean, int32_t low,
                       int32_t high)
{
    int32_t y;
    int32_t x;
    int32_t ky;
    int32_t kx;
    int32_t c;
    for (y = 0; y < w->out_height; ++y) {
        for (x = 0; x < w->out_width; ++x) {
            for (c = 0; c < w->channels; ++c) {
                int32_t largest = -128;
                int32_t sum = 0;
                int32_t count = 0;
                for (ky = 0; ky < w->kernel_height; ++ky) {
                    const int32_t in_y = y * w->stride_y + ky - w->pad_top;
                    if (in_y < 0 || in_y >= w->height) {
                        continue;
                    }
                    for (kx = 0; kx < w->kernel_width; ++kx) {
                        const int32_t in_x = x * w->stride_x + kx - w->pad_left;
                        if (in_x >= 0 && in_x < w->width) {
                            const int32_t value = input[(in_y * w->width + in_x) * w->channels + c];
                            largest = value > largest ? value : largest;
                            sum += value;
                            ++count;
                        }
                    }
                }
                if (mean) {
                    sum = sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
                }
                *output++ = model_clamped(mean ? sum : largest, low, high);
            }
        }
    }
}
