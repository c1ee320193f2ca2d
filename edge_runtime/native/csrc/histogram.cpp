// histogram.cpp: written so that the compiler can find the bins with vector instructions, and so that counting never
// waits for its own last store. Neighbouring values often fall into the same bin (the zeros of a rectifier).
#include "histogram.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace edge {

namespace {

constexpr int kWide = 16, kLanes = 4;
constexpr int64_t kBlock = 1024;  // values whose bins are found together

inline bool finite(float value) { return std::abs(value) <= std::numeric_limits<float>::max(); }  // false for NaN

// Finds the bin of each value. It computes floor() by truncation, because a baseline x86-64 would call a function for
// every value. For any value the result is an existing bin. A negative value may be so small that its product is -0. It
// still counts below zero, because its bin must not depend on the width. Returns how many values are not finite.
int32_t places(const float* values, int64_t count, float inverse, float half, int32_t* place) {
  int32_t bad = 0;
  for (int64_t i = 0; i < count; ++i) {
    const float scaled = std::min(std::max(-half, values[i] * inverse), half - 1.0f);  // NaN becomes -half
    const int32_t whole = static_cast<int32_t>(scaled);
    const bool below = (static_cast<float>(whole) > scaled) | ((whole == 0) & (values[i] < 0.0f));
    place[i] = whole - below + static_cast<int32_t>(half);
    bad += !finite(values[i]);
  }
  return bad;
}

struct Lanes {
  float low[kWide], high[kWide];
  int32_t bad[kWide] = {};
  Lanes() {
    std::fill_n(low, kWide, std::numeric_limits<float>::infinity());
    std::fill_n(high, kWide, -std::numeric_limits<float>::infinity());
  }
};

inline void look(const float* values, int count, Lanes* found) {
  for (int lane = 0; lane < count; ++lane) {
    const float value = values[lane];
    found->low[lane] = finite(value) & (value < found->low[lane]) ? value : found->low[lane];
    found->high[lane] = finite(value) & (value > found->high[lane]) ? value : found->high[lane];
    found->bad[lane] += !finite(value);
  }
}

}  // namespace

Extremes extremes(const float* values, int64_t count) {
  Lanes found;
  int64_t i = 0;
  for (; i + kWide <= count; i += kWide) look(values + i, kWide, &found);
  look(values + i, static_cast<int>(count - i), &found);
  return {*std::min_element(found.low, found.low + kWide), *std::max_element(found.high, found.high + kWide),
          std::accumulate(found.bad, found.bad + kWide, int64_t{0})};
}

int64_t histogram(const float* values, int64_t count, float width, int64_t half, int64_t* counts) {
  const int64_t bins = 2 * half;
  const float inverse = 1.0f / width;  // exact: the width is a power of two
  std::vector<int32_t> lanes(kLanes * bins, 0);
  std::array<int32_t, kBlock> place;
  int64_t bad = 0;
  for (int64_t done = 0; done < count; done += kBlock) {
    const int64_t size = std::min(kBlock, count - done);
    bad += places(values + done, size, inverse, static_cast<float>(half), place.data());
    for (int64_t i = 0; i < size; ++i) ++lanes[(i % kLanes) * bins + place[i]];
  }
  for (int64_t b = 0; b < bins && !bad; ++b)
    for (int lane = 0; lane < kLanes; ++lane) counts[b] += lanes[lane * bins + b];
  return bad;
}

}  // namespace edge
