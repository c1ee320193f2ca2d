// undo.h: maps boxes back from the model's pixels to the image's.
#pragma once

#include "decode.h"

namespace edge {

// A score may exceed 1 so far: an INT8 file whose boxes and scores have one step (1.25 at an input of 320) has scores of
// 0 and 1.25. They become 1. A higher score shows that the file is of another kind. It is left, for detect/results.py.
constexpr float kHighestScore = 2.0f;

// Undoes model_px = image_px * scale + pad in double, then clips, then rounds to float.
struct Frame {
  double scale_x, scale_y, pad_x, pad_y, image_width, image_height;
};

EDGE_HD inline float into_image(float model, double scale, double pad, double size) {
  const double image = (model - pad) / scale;
  return (float)(image < 0.0 ? 0.0 : image > size ? size : image);
}

// Writes one row of the result: x1, y1, x2, y2, score, class. Returns false if no part of the box is in the image.
EDGE_HD inline bool write_row(const Box& box, const Frame& frame, float score, int class_id, float* row) {
  row[0] = into_image(box.x1, frame.scale_x, frame.pad_x, frame.image_width);
  row[1] = into_image(box.y1, frame.scale_y, frame.pad_y, frame.image_height);
  row[2] = into_image(box.x2, frame.scale_x, frame.pad_x, frame.image_width);
  row[3] = into_image(box.y2, frame.scale_y, frame.pad_y, frame.image_height);
  row[4] = score > 1.0f && score <= kHighestScore ? 1.0f : score;
  row[5] = (float)class_id;
  return row[2] > row[0] && row[3] > row[1];
}

}  // namespace edge
