// letterbox_yuv_lanes.h: the vector form of letterbox_yuv.h, once for each instruction set. Not for other use.
//
// Before it are defined: EDGE_TARGET, kOutputs (pixels in a register, two lanes of 16 bits each), Lanes, and
//   splat(number)                    the number in each lane
//   window(row, offsets)             kWindow bytes from each of the offsets of kOutputs / kBlock blocks
//   picked(windows, masks)           bytes << 8, or 0
//   either(a, b)                     a | b
//   times(bytes, factor)             bytes * factor >> 16, without sign
//   add(a, b), subtract(a, b)        wrapping
//   add_most(a, b), minus(a, b)      without sign, not above 65535 and not below 0
//   whole(sums), high(a)             sums >> 6, a << 7
//   multiply(difference, weight)     mulhrs
//   store(out, values, weights, scale, bias)   the sums of each two lanes, scaled
//   store_single(out, values, scale, bias)     16384 times each lane, scaled
//   store_bgr(out, b, g, r)                    the lanes as bytes, in turn
//
// A sum of yuv.h with 49152 added saturates at 65535 if it is above 255: that is its upper limit.

struct Chroma {
  Lanes blue, green, red;
};

struct Pixels {
  Lanes channels[3];
};

constexpr int kRoom = 49152;

struct Constants {
  Lanes y, bu, gu, gv, rv, b, g, r, room, weight;

  EDGE_TARGET explicit Constants(const YuvJob& job)
      : y(splat(job.colour.y)), bu(splat(job.colour.bu)), gu(splat(job.colour.gu)), gv(splat(job.colour.gv)),
        rv(splat(job.colour.rv)), b(splat(kRoom - job.colour.b)), g(splat(kRoom + job.colour.g)),
        r(splat(kRoom - job.colour.r)), room(splat(kRoom)), weight(splat(job.weight)) {}
};

// Samples of a row in a block's windows, `windows` of them.
EDGE_TARGET inline Lanes samples(const uint8_t* row, const Taps& taps, int windows, int blocks, int block) {
  Lanes found = picked(window(row, taps.offsets + block), taps.masks + kWindow * block);
  for (int at = block + blocks; at < block + windows * blocks; at += blocks) {
    found = either(found, picked(window(row, taps.offsets + at), taps.masks + kWindow * at));
  }
  return found;
}

// U and V that lie in the same windows.
EDGE_TARGET inline void both(const YuvRow& row, const YuvJob& job, int windows, int block, Lanes* u, Lanes* v) {
  const auto bytes = window(row.samples[1], job.taps[1].offsets + block);
  *u = picked(bytes, job.taps[1].masks + kWindow * block);
  *v = picked(bytes, job.taps[2].masks + kWindow * block);
  for (int at = block + job.blocks; at < block + windows * job.blocks; at += job.blocks) {
    const auto more = window(row.samples[1], job.taps[1].offsets + at);
    *u = either(*u, picked(more, job.taps[1].masks + kWindow * at));
    *v = either(*v, picked(more, job.taps[2].masks + kWindow * at));
  }
}

// kMany: blocks have several windows.
template <bool kMany, bool kPaired>
EDGE_TARGET inline Chroma chroma(const YuvRow& row, const YuvJob& job, const Constants& c, int block) {
  const int windows = kMany ? job.chroma_windows : 1;
  Lanes u, v;
  if (kPaired) {
    both(row, job, windows, block, &u, &v);
  } else {
    u = samples(row.samples[1], job.taps[1], windows, job.blocks, block);
    v = samples(row.samples[2], job.taps[2], windows, job.blocks, block);
  }
  return {add(times(u, c.bu), c.b), subtract(c.g, add(times(u, c.gu), times(v, c.gv))), add(times(v, c.rv), c.r)};
}

template <bool kMany>
EDGE_TARGET inline Pixels pixels(const YuvRow& row, const Chroma& with, const YuvJob& job, const Constants& c,
                                 int block) {
  const int windows = kMany ? job.luma_windows : 1;
  const Lanes luma = times(samples(row.samples[0], job.taps[0], windows, job.blocks, block), c.y);
  return {{whole(minus(add_most(luma, with.blue), c.room)), whole(minus(add_most(luma, with.green), c.room)),
           whole(minus(add_most(luma, with.red), c.room))}};
}

// kSingle: one sample for each pixel of the result. Else four: in one row, or in two that may share their chroma.
enum Rows { kSingle, kOne, kSameChroma, kTwo };

template <bool kMany, bool kPaired, Rows kRows>
EDGE_TARGET inline void step(const YuvJob& job, const Constants& c, int x, float* const out[3]) {
  const int block = x / (kRows == kSingle ? 2 * kBlock : kBlock);
  const Chroma with = chroma<kMany, kPaired>(job.a, job, c, block);
  const Pixels a = pixels<kMany>(job.a, with, job, c, block);
  Pixels b = a;
  if (kRows == kSameChroma) b = pixels<kMany>(job.b, with, job, c, block);
  if (kRows == kTwo) b = pixels<kMany>(job.b, chroma<kMany, kPaired>(job.b, job, c, block), job, c, block);
  for (int k = 0; k < 3; ++k) {
    const float scale = job.planes[k].scale, bias = job.planes[k].bias;
    Lanes values = high(a.channels[k]);
    if (kRows >= kSameChroma) {
      values = add(values, multiply(high(subtract(b.channels[k], a.channels[k])), c.weight));
    }
    if (kRows == kSingle) {
      store_single(out[k], values, scale, bias);
    } else {
      store(out[k], values, job.weights + 2 * x, scale, bias);
    }
  }
}

// Fetches what the step at the same place needs in the next row of the result. Hardware prefetchers stop at pages.
template <bool kPaired>
EDGE_TARGET inline void fetch(const YuvJob& job, int block) {
  for (const YuvRow& row : job.next) {
    for (int k = 0; k < (kPaired ? 2 : 3); ++k) __builtin_prefetch(row.samples[k] + job.taps[k].offsets[block]);
  }
}

template <bool kMany, bool kPaired, Rows kRows>
EDGE_TARGET void mix_rows(const YuvJob& from, int width) {
  constexpr int kStep = kRows == kSingle ? 2 * kOutputs : kOutputs;
  const YuvJob job = from;  // a local one: what is written cannot change it
  const Constants c(job);
  int x = 0;
  for (; x + kStep <= width; x += kStep) {
    float* const out[] = {job.planes[0].row + x, job.planes[1].row + x, job.planes[2].row + x};
    fetch<kPaired>(job, x / (kRows == kSingle ? 2 * kBlock : kBlock));
    step<kMany, kPaired, kRows>(job, c, x, out);
  }
  if (x == width) return;
  float last[3][kStep];
  float* const out[] = {last[0], last[1], last[2]};
  step<kMany, kPaired, kRows>(job, c, x, out);
  for (int k = 0; k < 3; ++k)
    for (int at = x; at < width; ++at) job.planes[k].row[at] = last[k][at - x];
}

template <bool kMany, bool kPaired>
EDGE_TARGET void mix_windows(const YuvJob& job, int width) {
  if (job.single) return mix_rows<kMany, kPaired, kSingle>(job, width);
  if (job.weight == 0) return mix_rows<kMany, kPaired, kOne>(job, width);
  const bool same = job.a.samples[1] == job.b.samples[1] && job.a.samples[2] == job.b.samples[2];
  if (same) return mix_rows<kMany, kPaired, kSameChroma>(job, width);
  mix_rows<kMany, kPaired, kTwo>(job, width);
}

template <bool kMany>
EDGE_TARGET void mix_any(const YuvJob& job, int width) {
  if (job.paired) return mix_windows<kMany, true>(job, width);
  mix_windows<kMany, false>(job, width);
}

EDGE_TARGET void mix(const YuvJob& job, int width) {
  if (job.luma_windows == 1 && job.chroma_windows == 1) return mix_any<false>(job, width);
  mix_any<true>(job, width);
}

template <bool kMany, bool kPaired>
EDGE_TARGET void convert_row(const YuvJob& from, int width, uint8_t* out) {
  constexpr int kStep = 2 * kOutputs;
  const YuvJob job = from;
  const Constants c(job);
  for (int x = 0; x < width; x += kStep, out += 3 * kStep) {
    const int block = x / (2 * kBlock);
    const Pixels p = pixels<kMany>(job.a, chroma<kMany, kPaired>(job.a, job, c, block), job, c, block);
    if (x + kStep <= width) {
      store_bgr(out, p.channels[0], p.channels[1], p.channels[2]);
    } else {
      uint8_t last[3 * kStep];
      store_bgr(last, p.channels[0], p.channels[1], p.channels[2]);
      std::copy(last, last + 3 * (width - x), out);
    }
  }
}

template <bool kMany>
EDGE_TARGET void convert_any(const YuvJob& job, int width, uint8_t* out) {
  if (job.paired) return convert_row<kMany, true>(job, width, out);
  convert_row<kMany, false>(job, width, out);
}

EDGE_TARGET void convert(const YuvJob& job, int width, uint8_t* out) {
  if (job.luma_windows == 1 && job.chroma_windows == 1) return convert_any<false>(job, width, out);
  convert_any<true>(job, width, out);
}
