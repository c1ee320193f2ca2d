// pixel.h: one pixel of the network's input, by the arithmetic of letterbox.h.
#pragma once

#include "letterbox.h"
#include "yuv.h"

namespace edge {

// One picture of a batch, as Python writes it: 23 words.
struct Image {
  const uint8_t* pixels;  // BGR, `step` bytes a pixel; or Y
  int64_t width, height, stride;
  int64_t resized_width, resized_height, pad_x, pad_y;
  int64_t step;
  const uint8_t *u, *v;  // of the first pixel; nullptr for BGR
  int64_t u_stride, v_stride, chroma_step, chroma_shift;  // `chroma_shift`: 1 if two rows share a sample
  int64_t colour[8];

  // The bytes of one pixel, blue first.
  EDGE_HD void bgr(int x, int y, int bytes[3]) const {
    const uint8_t* at = pixels + y * stride + x * step;
    if (u == nullptr) {
      for (int c = 0; c < 3; ++c) bytes[c] = at[c];
      return;
    }
    const int64_t row = y >> chroma_shift, column = (x >> 1) * chroma_step;
    const int64_t* w = colour;
    const Colour c = {(int)w[0], (int)w[1], (int)w[2], (int)w[3], (int)w[4], (int)w[5], (int)w[6], (int)w[7]};
    to_bgr(c, at[0], u[row * u_stride + column], v[row * v_stride + column], bytes);
  }
};

struct Normalisation {  // per source channel: scale_of, bias_of
  float scale[3], bias[3];
};

// Calls put(source channel, value) for the channels of pixel (x, y).
template <typename Put>
EDGE_HD void pixel(const Image& image, const Normalisation& n, int pad_value, int x, int y, const Put& put) {
  const int inner_x = x - (int)image.pad_x, inner_y = y - (int)image.pad_y;
  const bool inside = inner_x >= 0 && inner_y >= 0 && inner_x < image.resized_width && inner_y < image.resized_height;
  if (!inside) {
    for (int c = 0; c < 3; ++c) put(c, normalise(pad_value * kOne, n.scale[c], n.bias[c]));
    return;
  }
  const Tap column = tap(inner_x, (int)image.resized_width, (int)image.width);
  const Tap row = tap(inner_y, (int)image.resized_height, (int)image.height);
  const int weight = vertical_weight(row.rest, (int)image.resized_height);
  const int u1 = horizontal_weight(column.rest, (int)image.resized_width), u0 = 16384 - u1;
  const int right = column.index + 1 < image.width ? column.index + 1 : column.index;
  const int below = row.index + 1 < image.height ? row.index + 1 : row.index;
  int from[4][3];
  image.bgr(column.index, row.index, from[0]);
  image.bgr(right, row.index, from[1]);
  image.bgr(column.index, below, from[2]);
  image.bgr(right, below, from[3]);
  for (int c = 0; c < 3; ++c) {
    const int sum = mix(blend(from[0][c], from[2][c], weight), blend(from[1][c], from[3][c], weight), u0, u1);
    put(c, normalise(sum, n.scale[c], n.bias[c]));
  }
}

}  // namespace edge
