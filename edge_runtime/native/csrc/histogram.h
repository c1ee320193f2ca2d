// histogram.h: range and histogram of the values of a tensor.
#pragma once

#include <cstdint>

namespace edge {

struct Extremes {
  float low, high;  // of the finite values; low > high if there are none
  int64_t bad;      // number of values that are not finite
};

Extremes extremes(const float* values, int64_t count);

// Bin i of 2 * half counts the values in [(i - half) * width, (i - half + 1) * width). Values outside count in the last
// bin on their side. Returns how many values are not finite. If any is not finite, nothing is counted.
int64_t histogram(const float* values, int64_t count, float width, int64_t half, int64_t* counts);

}  // namespace edge
