// letterbox_yuv.cpp: tables, row loop and the portable kernel. letterbox_yuv_{x86,neon}.cpp have the fast ones.
#include "letterbox_yuv.h"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace edge {
namespace {

constexpr int kSpare = 32;  // pixels that a vector may lie beyond the row

void convert(const YuvJob& job, const YuvRow& row, int place, int bgr[3]) {
  int byte[3];
  for (int k = 0; k < 3; ++k) byte[k] = row.samples[k][job.taps[k].places[place]];
  to_bgr(job.colour, byte[0], byte[1], byte[2], bgr);
}

void mix_portable(const YuvJob& job, int width) {
  for (int x = 0; x < width; ++x) {
    int a[2][3], b[2][3];
    for (int side = 0; side < 2; ++side) {
      convert(job, job.a, 2 * x + side, a[side]);
      convert(job, job.b, 2 * x + side, b[side]);
    }
    for (int c = 0; c < 3; ++c) {
      const int left = blend(a[0][c], b[0][c], job.weight), right = blend(a[1][c], b[1][c], job.weight);
      const int sum = mix(left, right, job.weights[2 * x], job.weights[2 * x + 1]);
      job.planes[c].row[x] = normalise(sum, job.planes[c].scale, job.planes[c].bias);
    }
  }
}

bool paired(const YuvPicture& picture) {
  const Component &u = picture.samples[1], &v = picture.samples[2];
  return u.rows == v.rows && u.stride == v.stride && u.step == v.step && u.bytes == v.bytes;
}

void convert_portable(const YuvJob& job, int width, uint8_t* out) {
  for (int x = 0; x < width; ++x) {
    int bgr[3];
    convert(job, job.a, 2 * x, bgr);
    for (int c = 0; c < 3; ++c) *out++ = uint8_t(bgr[c]);
  }
}

using Key = std::array<int64_t, 16>;

Key key_of(int source, int size, const YuvPicture& picture, bool single) {
  Key key = {source, size};
  key[14] = paired(picture);
  key[15] = single;
  for (int k = 0; k < 3; ++k) {
    const Component& c = picture.samples[k];
    const int64_t part[] = {c.first, c.step, c.shift_x, c.bytes};
    std::copy(part, part + 4, key.begin() + 2 + 4 * k);
  }
  return key;
}

// The tables of one component; see Taps.
struct Table {
  std::vector<int32_t> places, offsets;
  std::vector<uint8_t> masks;

  void place(const Component& c, const std::vector<int32_t>& indices, int source) {
    places.resize(2 * indices.size());
    for (size_t x = 0; x < indices.size(); ++x) {
      places[2 * x] = c.at(indices[x]);
      places[2 * x + 1] = c.at(std::min(indices[x] + 1, source - 1));
    }
  }

  // Do so many windows reach all samples of a block: those at every `every`th place? `lead` is added to the places to
  // begin windows. Rows that are too short for a window do not.
  bool fit_windows(int64_t bytes, int windows, int every, int blocks, int lead) {
    const size_t share = 2 * kBlock / windows, samples = places.size() / every;
    offsets.assign(size_t(windows) * blocks, 0);
    masks.assign(size_t(windows) * blocks * kWindow, 0x80);
    for (int window = 0; window < windows; ++window) {
      for (int block = 0; block < blocks; ++block) {
        const size_t first = 2 * kBlock * block + share * window, last = std::min(first + share, samples);
        if (first >= last) continue;
        const int32_t* own = &places[every * first];  // they do not decrease
        const int32_t start = int32_t(std::min<int64_t>(own[0] + lead, bytes - kWindow));
        if (start < 0 || places[every * (last - 1)] - start >= kWindow) return false;
        const size_t number = size_t(window) * blocks + block;
        offsets[number] = start;
        uint8_t* mask = &masks[number * kWindow + 2 * share * window];
        for (size_t k = 0; k < last - first; ++k) mask[2 * k + 1] = uint8_t(own[every * k] - start);
      }
    }
    return true;
  }
};

// The tables of one thread. They only grow, and are kept while the layout and the sizes stay the same.
struct Workspace {
  Key key = {};
  int luma_windows = 0, chroma_windows = 0, blocks = 0, source_h = 0, height = 0;
  Table tables[3];
  std::vector<int32_t> columns, rows;
  std::vector<int16_t> column_weights, row_weights;

  void fit_columns(int source, int size, const YuvPicture& picture, bool single) {
    const Key wanted = key_of(source, size, picture, single);
    if (wanted == key) return;
    key = {};  // marks the tables as not valid, if an allocation below throws
    columns.resize(size);
    column_weights.assign(2 * size_t(size + kSpare), 0);
    for (int x = 0; x < size; ++x) {
      const Tap t = tap(x, size, source);
      columns[x] = t.index;
      column_weights[2 * x + 1] = int16_t(horizontal_weight(t.rest, size));
      column_weights[2 * x] = int16_t(16384 - column_weights[2 * x + 1]);
    }
    for (int k = 0; k < 3; ++k) tables[k].place(picture.samples[k], columns, source);
    blocks = (size + kSpare) / kBlock;
    luma_windows = fit_windows(picture, 0, 1, single ? 2 : 1);
    chroma_windows = fit_windows(picture, 1, 3, single ? 2 : 1);
    key = wanted;
  }

  // Returns the least number of windows for the components from `first` to `last`; 0 if rows are too short.
  int fit_windows(const YuvPicture& picture, int first, int last, int every) {
    for (int windows = 1; windows <= 2 * kBlock; windows *= 2) {
      bool fit = true;
      for (int k = first; k < last; ++k) {  // those of V begin like those of U, if both are in one row
        const int lead = k == 2 && paired(picture) ? picture.samples[1].first - picture.samples[2].first : 0;
        fit = fit && tables[k].fit_windows(picture.samples[k].bytes, windows, every, blocks, lead);
      }
      if (fit) return windows;
    }
    return 0;
  }

  YuvJob job(const YuvPicture& picture, bool single) const {
    YuvJob job = {{}, {}, {}, 0, picture.colour, {}, paired(picture), single, luma_windows, chroma_windows, blocks,
                  column_weights.data(), {}};
    for (int k = 0; k < 3; ++k) {
      job.taps[k] = {tables[k].places.data(), tables[k].offsets.data(), tables[k].masks.data()};
    }
    return job;
  }

  void fit_rows(int source, int size) {
    if (source == source_h && size == height) return;
    source_h = 0;
    rows.resize(size);
    row_weights.resize(size);
    for (int y = 0; y < size; ++y) {
      const Tap t = tap(y, size, source);
      rows[y] = t.index;
      row_weights[y] = int16_t(vertical_weight(t.rest, size));
    }
    source_h = source;
    height = size;
  }
};

constexpr YuvKernel kPortableYuv = {"portable", mix_portable, convert_portable};

YuvKernel pick(const std::string& simd, bool windows) {
  static const std::vector<std::string> levels = letterbox_simd_levels();  // it allocates
  const std::string name = simd.empty() ? levels.front() : simd;
  if (std::find(levels.begin(), levels.end(), name) == levels.end())
    throw std::invalid_argument("this processor has no letterbox named " + name);
  static const std::vector<YuvKernel> kernels = simd_yuv_kernels();
  for (const YuvKernel& kernel : kernels)
    if (windows && name == kernel.name) return kernel;
  return kPortableYuv;
}

// Then the first of the samples is the only one with a weight.
bool odd_times(int source, int size) { return source % size == 0 && source / size % 2 == 1; }

YuvRow row_of(const YuvPicture& picture, int y) {
  return {{picture.samples[0].row(y), picture.samples[1].row(y), picture.samples[2].row(y)}};
}

}  // namespace

#if !defined(__x86_64__) && !defined(__aarch64__)
std::vector<YuvKernel> simd_yuv_kernels() { return {}; }
#endif

void letterbox_yuv(const LetterboxJob& job, const YuvPicture& picture, const std::string& simd) {
  check(job);
  thread_local Workspace space;
  const bool single = odd_times(job.src_w, job.width) && odd_times(job.src_h, job.height);
  space.fit_columns(job.src_w, job.width, picture, single);
  space.fit_rows(job.src_h, job.height);
  const YuvKernel kernel = pick(simd, space.luma_windows && space.chroma_windows);

  YuvJob work = space.job(picture, single);
  prepare_planes(job, work.planes);
  const auto rows = [&](int y, YuvRow* a, YuvRow* b) {
    const int index = space.rows[y], next = std::min(index + 1, job.src_h - 1);
    *a = row_of(picture, index);
    *b = space.row_weights[y] ? row_of(picture, next) : *a;
  };
  rows(0, &work.next[0], &work.next[1]);
  for (int y = 0; y < job.height; ++y) {
    work.a = work.next[0], work.b = work.next[1], work.weight = space.row_weights[y];
    rows(std::min(y + 1, job.height - 1), &work.next[0], &work.next[1]);
    kernel.mix(work, job.width);
    for (Plane& plane : work.planes) plane.row += job.out_w;
  }
}

void to_bgr(const YuvPicture& picture, int width, int height, uint8_t* out, const std::string& simd) {
  thread_local Workspace space;
  space.fit_columns(width, width, picture, true);
  const YuvKernel kernel = pick(simd, space.luma_windows && space.chroma_windows);
  YuvJob work = space.job(picture, true);
  for (int y = 0; y < height; ++y, out += 3 * size_t(width)) {
    work.a = row_of(picture, y);
    kernel.convert(work, width, out);
  }
}

}  // namespace edge
