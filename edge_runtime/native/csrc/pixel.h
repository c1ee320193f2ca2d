// pixel.h: one pixel of the network's input, by the arithmetic of letterbox.h.
#pragma once

#include "letterbox.h"

namespace edge {

// One image of a batch, as Python writes it: 8 words.
struct Image {
  const uint8_t* pixels;  // BGR rows, 3 bytes a pixel
  int64_t width, height, stride;
  int64_t resized_width, resized_height, pad_x, pad_y;
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
  const uint8_t* a = image.pixels + row.index * image.stride + 3 * column.index;
  const uint8_t* b = row.index + 1 < image.height ? a + image.stride : a;
  const int next = column.index + 1 < image.width ? 3 : 0;
  for (int c = 0; c < 3; ++c) {
    const int sum = mix(blend(a[c], b[c], weight), blend(a[next + c], b[next + c], weight), u0, u1);
    put(c, normalise(sum, n.scale[c], n.bias[c]));
  }
}

}  // namespace edge
