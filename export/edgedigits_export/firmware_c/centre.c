#include "centre.h"

#include <string.h>

static const int8_t codes[256] = MODEL_INPUT_CODES;

/* What falls into each cell of the box, as whole numbers: only their ratio to the largest matters. */
static uint32_t cells[CENTRE_BOX][CENTRE_BOX];
static uint32_t columns[CENTRE_BOX];

typedef struct {
    int32_t left, top, width, height;
} centre_box;

static centre_box ink_box(const uint8_t *ink, int32_t width, int32_t height, int32_t stride)
{
    centre_box box = {0, 0, 0, 0};
    int32_t right = -1;
    int32_t bottom = -1;
    int32_t x;
    int32_t y;
    box.left = width;
    for (y = 0; y < height; ++y) {
        const uint8_t *const row = ink + (size_t)y * (size_t)stride;
        for (x = 0; x < width && row[x] == 0; ++x) {
        }
        if (x == width) {
            continue;
        }
        if (bottom < 0) {
            box.top = y;
        }
        bottom = y;
        box.left = x < box.left ? x : box.left;
        for (x = width - 1; x > right && row[x] == 0; --x) {
        }
        right = x > right ? x : right;
    }
    box.width = bottom < 0 ? 0 : right + 1 - box.left;
    box.height = bottom < 0 ? 0 : bottom + 1 - box.top;
    return box;
}

/* Adds a row of pixels up, each 20 units long, into columns that are `side` units long: a pixel meets two
   columns at most. The first pixel is at unit `start`. */
static void add_up(const uint8_t *pixels, int32_t count, int32_t start, uint32_t side)
{
    uint32_t column = (uint32_t)start / side;
    uint32_t left = side - (uint32_t)start % side; /* units of the column that are to come */
    uint32_t whole = 0;
    uint32_t part = 0;
    const uint8_t *const end = pixels + count;
    memset(columns, 0, sizeof columns);
    for (; pixels != end; ++pixels) {
        const uint32_t pixel = *pixels;
        if (left > CENTRE_BOX) {
            whole += pixel;
            left -= CENTRE_BOX;
        } else {
            columns[column++] = CENTRE_BOX * whole + part + left * pixel;
            left = CENTRE_BOX - left; /* of the pixel, for the next column */
            part = left * pixel;
            whole = 0;
            left = side - left;
        }
    }
    if (column < CENTRE_BOX) {
        columns[column] = CENTRE_BOX * whole + part;
    }
}

/* Area resampling: every pixel counts as much as it covers. */
static void shrink(const uint8_t *ink, int32_t stride, centre_box box, int32_t side)
{
    const int32_t start = CENTRE_BOX * ((side - box.width) / 2);
    int32_t unit = CENTRE_BOX * ((side - box.height) / 2);
    int32_t x;
    int32_t y;
    for (y = 0; y < box.height; ++y, unit += CENTRE_BOX, ink += stride) {
        const int32_t cell = unit / side;
        const int32_t left = (cell + 1) * side - unit;
        add_up(ink, box.width, start, (uint32_t)side);
        if (left >= CENTRE_BOX) {
            for (x = 0; x < CENTRE_BOX; ++x) {
                cells[cell][x] += CENTRE_BOX * columns[x];
            }
        } else {
            for (x = 0; x < CENTRE_BOX; ++x) {
                cells[cell][x] += (uint32_t)left * columns[x];
                cells[cell + 1][x] += (uint32_t)(CENTRE_BOX - left) * columns[x];
            }
        }
    }
}

/* The two pixels that a cell of an enlarged row lies between, and the weight of the next, of 2 * CENTRE_BOX;
   at the ends, the one that there is. */
typedef struct {
    int32_t first, next, weight;
} centre_between;

static centre_between between(int32_t cell, int32_t side)
{
    const int32_t position = (2 * cell + 1) * side - CENTRE_BOX; /* in units of 1 / (2 * CENTRE_BOX) pixel */
    centre_between found = {0, 0, 0};
    if (position > 0) {
        found.first = position / (2 * CENTRE_BOX);
        found.weight = position % (2 * CENTRE_BOX);
        found.next = found.first + 1;
        if (found.next >= side) {
            found.next = found.first = side - 1;
        }
    }
    return found;
}

static int32_t pixel_at(const uint8_t *ink, int32_t stride, centre_box box, int32_t x, int32_t y)
{
    return x >= 0 && x < box.width && y >= 0 && y < box.height ? ink[y * stride + x] : 0;
}

static int32_t mixed(int32_t first, int32_t next, int32_t weight)
{
    return (2 * CENTRE_BOX - weight) * first + weight * next;
}

/* Bilinear interpolation: there is no area to average over. */
static void enlarge(const uint8_t *ink, int32_t stride, centre_box box, int32_t side)
{
    const int32_t left = (side - box.width) / 2;
    const int32_t top = (side - box.height) / 2;
    int32_t cell_x;
    int32_t cell_y;
    for (cell_y = 0; cell_y < CENTRE_BOX; ++cell_y) {
        const centre_between y = between(cell_y, side);
        for (cell_x = 0; cell_x < CENTRE_BOX; ++cell_x) {
            const centre_between x = between(cell_x, side);
            const int32_t above = mixed(pixel_at(ink, stride, box, x.first - left, y.first - top),
                                        pixel_at(ink, stride, box, x.next - left, y.first - top), x.weight);
            const int32_t below = mixed(pixel_at(ink, stride, box, x.first - left, y.next - top),
                                        pixel_at(ink, stride, box, x.next - left, y.next - top), x.weight);
            cells[cell_y][cell_x] = (uint32_t)mixed(above, below, y.weight);
        }
    }
}

/* Makes the largest cell 255; rounds half to even, as the Python does. */
static void stretch(void)
{
    uint32_t largest = 0;
    int shift = 0;
    int32_t x;
    int32_t y;
    for (y = 0; y < CENTRE_BOX; ++y) {
        for (x = 0; x < CENTRE_BOX; ++x) {
            largest = cells[y][x] > largest ? cells[y][x] : largest;
        }
    }
    while (largest >> shift >= (uint32_t)1 << 24) { /* only ink of more than 256 pixels a side */
        ++shift;
    }
    largest >>= shift;
    for (y = 0; y < CENTRE_BOX; ++y) {
        for (x = 0; x < CENTRE_BOX; ++x) {
            const uint32_t value = 255 * (cells[y][x] >> shift);
            const uint32_t whole = value / largest;
            const uint32_t rest = 2 * (value - whole * largest);
            cells[y][x] = whole + (rest > largest || (rest == largest && whole % 2 == 1) ? 1 : 0);
        }
    }
}

/* The shift that brings the centre of mass, moment / mass, to CENTRE_SIDE / 2 and cuts no ink off that lies
   from `start` to `end`. */
static int32_t shift_of(int32_t moment, int32_t mass, int32_t start, int32_t end)
{
    /* C's division rounds towards 0 and this must be rounded down: CENTRE_BOX keeps it positive meanwhile. */
    int32_t shift = ((CENTRE_SIDE + 1 + 2 * CENTRE_BOX) * mass - 2 * moment) / (2 * mass) - CENTRE_BOX;
    if (shift > CENTRE_SIDE - 1 - end) {
        shift = CENTRE_SIDE - 1 - end;
    }
    return shift < -start ? -start : shift;
}

int centre_glyph(const uint8_t *ink, int32_t width, int32_t height, int32_t stride,
                 uint8_t glyph[CENTRE_SIZE])
{
    const centre_box box = ink_box(ink, width, height, stride);
    int32_t side = box.width > box.height ? box.width : box.height;
    int32_t mass = 0;
    int32_t moment_x = 0;
    int32_t moment_y = 0;
    int32_t first_x = CENTRE_BOX;
    int32_t first_y = CENTRE_BOX;
    int32_t last_x = 0;
    int32_t last_y = 0;
    int32_t to_x;
    int32_t to_y;
    int32_t x;
    int32_t y;
    memset(glyph, 0, CENTRE_SIZE);
    if (side == 0) {
        return CENTRE_NO_INK;
    }
    if (side > CENTRE_LARGEST) {
        return CENTRE_TOO_LARGE;
    }
    side = side < CENTRE_SMALLEST ? CENTRE_SMALLEST : side;
    ink += (size_t)box.top * (size_t)stride + (size_t)box.left;
    memset(cells, 0, sizeof cells);
    if (side >= CENTRE_BOX) {
        shrink(ink, stride, box, side);
    } else {
        enlarge(ink, stride, box, side);
    }
    stretch();
    for (y = 0; y < CENTRE_BOX; ++y) {
        for (x = 0; x < CENTRE_BOX; ++x) {
            const int32_t value = (int32_t)cells[y][x];
            if (value != 0) {
                mass += value;
                moment_x += x * value;
                moment_y += y * value;
                first_x = x < first_x ? x : first_x;
                first_y = y < first_y ? y : first_y;
                last_x = x > last_x ? x : last_x;
                last_y = y;
            }
        }
    }
    to_x = shift_of(moment_x, mass, first_x, last_x);
    to_y = shift_of(moment_y, mass, first_y, last_y);
    for (y = first_y; y <= last_y; ++y) {
        for (x = first_x; x <= last_x; ++x) {
            glyph[CENTRE_SIDE * (y + to_y) + x + to_x] = (uint8_t)cells[y][x];
        }
    }
    return CENTRE_DONE;
}

void centre_input(const uint8_t *glyph, int8_t *input)
{
    int i;
    for (i = 0; i < CENTRE_SIZE; ++i) {
        input[i] = codes[glyph[i]];
    }
}
