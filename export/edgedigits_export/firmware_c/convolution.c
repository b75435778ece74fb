/* A convolution: for each place, what lies under the kernel is laid out as a vector (the input's zero point
   where the kernel looks past the edge) and the filters are the rows of a matrix. */
static void model_convolution(const int8_t *input, int8_t *output, int8_t *patch, const model_window *w,
                              const int8_t *weights, const int32_t *bias, const int32_t *multipliers,
                              const int8_t *shifts, int32_t length, int32_t input_zero, int32_t zero,
                              int32_t low, int32_t high)
{
    int32_t y;
    int32_t x;
    int32_t ky;
    int32_t kx;
    for (y = 0; y < w->out_height; ++y) {
        for (x = 0; x < w->out_width; ++x) {
            int8_t *into = patch;
            for (ky = 0; ky < w->kernel_height; ++ky) {
                const int32_t in_y = y * w->stride_y + ky * w->dilation_y - w->pad_top;
                for (kx = 0; kx < w->kernel_width; ++kx) {
                    const int32_t in_x = x * w->stride_x + kx * w->dilation_x - w->pad_left;
                    if (in_y >= 0 && in_y < w->height && in_x >= 0 && in_x < w->width) {
                        memcpy(into, input + (in_y * w->width + in_x) * w->channels, (size_t)w->channels);
                    } else {
                        memset(into, (int)input_zero, (size_t)w->channels);
                    }
                    into += w->channels;
                }
            }
            model_dense(patch, output, weights, bias, multipliers, shifts, length, w->out_channels, zero, low,
                        high, 1);
            output += w->out_channels;
        }
    }
}
