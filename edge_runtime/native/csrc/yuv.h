// yuv.h: where the samples of a picture lie, and the fixed-point arithmetic that makes BGR of them.
//
// Portable, AVX2, AVX-512, NEON, CUDA and numpy (tests/twins/yuv.py) give the same bits by this one definition:
//   sample   a chroma sample counts for all pixels that share it, as in swscale's conversion of 4:2:0 and 4:2:2
//   product  (byte * factor) >> 8, with factors in 1 / 16384: its unit is 1 / 64
//   channel  the sum of the products and the offset, not below 0, >> 6, not above 255
// The letterbox then treats these bytes like those of an image. The shift rounds down, because swscale's fast conversion
// adds numbers that are rounded down: to round to nearest would be up to 3 from it, and this is 2 at most.
// Sums stay within 16 bits without a sign: the largest is 53,476.
#pragma once

#include "edge.h"

namespace edge {

struct Colour {  // as Python writes it: 8 words
  int32_t y, bu, gu, gv, rv;  // factors
  int32_t b, g, r;            // offsets; those of blue and red are subtracted
};

// The samples Y, U or V. Sample of pixel (x, y): rows[(y >> shift_y) * stride + first + (x >> shift_x) * step].
struct Component {
  const uint8_t* rows;
  int64_t stride;
  int32_t first, step, shift_x, shift_y;
  int64_t bytes;  // of a row that may be read

  EDGE_HD const uint8_t* row(int y) const { return rows + (y >> shift_y) * stride; }
  EDGE_HD int at(int x) const { return first + (x >> shift_x) * step; }
};

EDGE_HD inline int product(int byte, int factor) { return byte * factor >> 8; }
EDGE_HD inline int channel(int sum) { return sum < 0 ? 0 : sum >> 6 < 255 ? sum >> 6 : 255; }

EDGE_HD inline void to_bgr(const Colour& c, int y, int u, int v, int bgr[3]) {
  const int luma = product(y, c.y);
  bgr[0] = channel(luma + product(u, c.bu) - c.b);
  bgr[1] = channel(luma + c.g - (product(u, c.gu) + product(v, c.gv)));
  bgr[2] = channel(luma + product(v, c.rv) - c.r);
}

}  // namespace edge
