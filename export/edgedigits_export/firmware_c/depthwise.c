/* A depthwise convolution: every channel has kernels of its own, `out_channels / channels` of them. */
static void model_depthwise(const int8_t *input, int8_t *output, const model_window *w, const int8_t *weights,
                            const int32_t *bias, const int32_t *multipliers, const int8_t *shifts,
                            int32_t input_zero, int32_t zero, int32_t low, int32_t high)
{
    const int32_t depth = w->out_channels / w->channels;
    int32_t y;
    int32_t x;
    int32_t ky;
    int32_t kx;
    int32_t c;
    for (y = 0; y < w->out_height; ++y) {
        for (x = 0; x < w->out_width; ++x) {
            for (c = 0; c < w->out_channels; ++c) {
                int32_t sum = bias[c];
                for (ky = 0; ky < w->kernel_height; ++ky) {
                    const int32_t in_y = y * w->stride_y + ky * w->dilation_y - w->pad_top;
                    if (in_y < 0 || in_y >= w->height) {
                        continue;
                    }
                    for (kx = 0; kx < w->kernel_width; ++kx) {
                        const int32_t in_x = x * w->stride_x + kx * w->dilation_x - w->pad_left;
                        if (in_x < 0 || in_x >= w->width) {
                            continue;
                        }
                        sum += weights[(ky * w->kernel_width + kx) * w->out_channels + c] *
                               (input[(in_y * w->width + in_x) * w->channels + c / depth] - input_zero);
                    }
                }
                sum = model_scaled(sum, multipliers[c], shifts[c], 1);
                *output++ = model_clamped(sum + zero, low, high);
            }
        }
    }
}
