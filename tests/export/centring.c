/* Centres what comes in on the standard input, one glyph after another: width, height and stride as int32, then
   height * stride bytes. Gives a byte that says how it went and the 784 of the glyph for each. */

#include <stdio.h>
#include <stdlib.h>

#include "centre.h"

int main(void)
{
    int32_t header[3];
    uint8_t glyph[CENTRE_SIZE];
    while (fread(header, sizeof header, 1, stdin) == 1) {
        const size_t size = (size_t)header[1] * (size_t)header[2];
        /* Exactly as large as it must be, for the address sanitizer to see a step too far. */
        uint8_t *const ink = malloc(size > 0 ? size : 1);
        uint8_t status;
        if (ink == NULL || fread(ink, 1, size, stdin) != size) {
            return 1;
        }
        status = (uint8_t)centre_glyph(ink, header[0], header[1], header[2], glyph);
        free(ink);
        if (fwrite(&status, 1, 1, stdout) != 1 || fwrite(glyph, 1, sizeof glyph, stdout) != sizeof glyph) {
            return 1;
        }
    }
    return 0;
}
