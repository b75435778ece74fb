/* A glyph's ink to 28x28 as MNIST made it, for microcontrollers: integers only, no heap.

   The recipe is the reconstruction published with QMNIST (Yadav and Bottou 2019, "Cold Case: The Lost MNIST
   Digits", section 2): the ink's bounding box padded to a square, area resampling to 20x20 with the greys
   kept, a stretch so that the brightest pixel is 255, and a shift by whole pixels that puts the centre of
   mass at pixel index 14 of the 28x28. It gives what edgedigits' Python gives, within one grey level a pixel;
   but a shape whose centre of mass lies on the very border of two pixels, as that of a bar one pixel wide may,
   can come out a pixel aside: the Python computes in floats. */

#ifndef CENTRE_H
#define CENTRE_H

#include <stdint.h>

#include "model.h"

#define CENTRE_SIDE 28
#define CENTRE_SIZE (CENTRE_SIDE * CENTRE_SIDE)
#define CENTRE_BOX 20 /* longest side of the ink within it */
#define CENTRE_SMALLEST 10 /* a speck of fewer pixels a side is not blown up to the size of a digit */
#define CENTRE_LARGEST 4096 /* longest side of the ink that is taken; sums of larger ones leave 32 bits */
#define CENTRE_MEMORY (4 * CENTRE_BOX * (CENTRE_BOX + 1)) /* bytes of static memory, whatever the size */

#define CENTRE_DONE 0
#define CENTRE_NO_INK 1
#define CENTRE_TOO_LARGE 2

#ifdef __cplusplus
extern "C" {
#endif

/* Centre one glyph: `ink` is bright, up to 255, on a background of exactly 0; `stride` is the distance from
   one row to the next in bytes, so that a window of a larger picture will do. Returns one of the three above;
   `glyph` is all 0 unless it is CENTRE_DONE. One call at a time: it works in static memory. */
int centre_glyph(const uint8_t *ink, int32_t width, int32_t height, int32_t stride,
                 uint8_t glyph[CENTRE_SIZE]);

/* Turn grey levels into the codes that model_invoke takes; both may be the same memory. */
void centre_input(const uint8_t *glyph, int8_t *input);

#ifdef __cplusplus
}
#endif

#endif
