// suppress.h: NMS by the threads of one block, with the order and the rules of nms.h. Only for the device.
//
// The next best candidates are a window. Those of it that no kept box suppresses are a tile, which is decided at once.
#pragma once

#include "tile.h"

namespace edge {

__device__ inline bool struck(const Suppression& s, const Box& box, int class_id, int kept) {
  const float own = area(box), id = (float)class_id;
  for (int k = 0; k < kept; ++k) {
    const float* row = s.rows + 6 * k;
    if (row[5] != id) continue;
    const Box other = {row[0], row[1], row[2], row[3]};
    if (overlaps(other, area(other), box, own, s.iou)) return true;
  }
  return false;
}

__device__ inline void offer(const Suppression& s, Tile& tile, int place, int kept) {
  const Candidate c = s.candidates[place];
  if (!finite(c.box) || struck(s, c.box, s.class_of(c.key), kept)) return;
  const int k = atomicAdd(&tile.found, 1);
  if (k >= kSorted) return;
  tile.window.key[k] = c.key;
  tile.window.place[k] = place;
}

// Finds the candidates from `least` up to `below` that no kept box suppresses. If they are a few of all,
// they are listed first, so that every thread of a warp has one to compare.
__device__ inline void gather(const Suppression& s, Tile& tile, uint64_t least, uint64_t below, int kept, bool few) {
  const int rivals = s.suppress ? kept : 0;
  const bool listing = few && rivals > 0;
  for (int k = threadIdx.x; k < s.count; k += blockDim.x) {
    const uint64_t key = s.candidates[k].key;
    if (key < least || key >= below) continue;
    if (listing)
      tile.window.listed[atomicAdd(&tile.listed, 1)] = k;
    else
      offer(s, tile, k, rivals);
  }
  __syncthreads();
  if (!listing) return;
  for (int k = threadIdx.x; k < tile.listed; k += blockDim.x) offer(s, tile, tile.window.listed[k], rivals);
  __syncthreads();
}

// Maps the rows into the image, where they are, and closes the gaps of those outside. Returns how many are left.
__device__ inline int finish(const Suppression& s, Tile& tile, int kept) {
  int written = 0;
  for (int first = 0, turn = 0; first < kept; first += blockDim.x, turn = (turn + 1) % 3) {
    const int k = first + threadIdx.x, own = threadIdx.x / 32;
    const uint32_t bit = 1u << threadIdx.x % 32;
    const float* from = s.rows + 6 * k;
    float row[6];
    const bool shown = k < kept && write_row({from[0], from[1], from[2], from[3]}, s.frame, from[4], (int)from[5], row);
    if (shown) atomicOr(&tile.shown[turn][own], bit);
    if (threadIdx.x < kThreads / 32) tile.shown[(turn + 1) % 3][threadIdx.x] = 0;
    __syncthreads();
    int before = __popc(tile.shown[turn][own] & (bit - 1)), all = 0;
    for (int word = 0; word < kThreads / 32; ++word) {
      const int count = __popc(tile.shown[turn][word]);
      before += word < own ? count : 0;
      all += count;
    }
    for (int part = 0; shown && part < 6; ++part) s.rows[6 * (written + before) + part] = row[part];
    written += all;
  }
  return written;
}

// How many of `left` candidates are to be compared with the kept boxes before the next tile.
__device__ inline int window_size(int left, int kept, int most) {
  const int pairs = kept > 0 ? kPairs / kept : most;
  if (left <= pairs && most == kWindow) return left;
  const int size = pairs < most ? pairs : most;
  return size > kTile ? size : kTile;
}

// NMS for any number of candidates. Returns how many rows were written.
__device__ inline int suppress(const Suppression& s) {
  __shared__ Tile tile;
  uint64_t floor = candidate_key(s.conf, ~0u), below = (uint64_t)1 << 63;
  int left = s.count, most = kTile, kept = 0;  // `left` may be too high, not too low
  bool crowded = !s.suppress;                  // whether larger windows left too many for a tile
  if (threadIdx.x < kThreads / 32) tile.shown[0][threadIdx.x] = 0;
  reset(tile);
  __syncthreads();
  if (left > kMaxCandidates) {
    floor = cut(s.candidates, s.count, tile.bins, floor, below, kMaxCandidates, true);
    left = kMaxCandidates;
    reset(tile);
    __syncthreads();
  }
  while (left > 0 && below > floor && kept < s.max_det) {
    const int size = window_size(left, kept, most);
    const bool all = left <= size || left <= kSorted;
    uint64_t least = all ? floor : cut(s.candidates, s.count, tile.bins, floor, below, size, false);
    gather(s, tile, least, below, kept, !all);
    const int found = tile.found, decided = found < kTile ? found : kTile;
    if (found > kSorted) {
      most = kTile, crowded = true;
      __syncthreads();
      reset(tile);
      __syncthreads();
      continue;
    }
    sort(s, tile, found);
    if (found > kTile) least = tile.last;
    compare(s, tile, decided);
    if (threadIdx.x < kLanes) decide(tile, decided, s.max_det - kept);
    __syncthreads();
    kept = append(s, tile, decided, kept);
    below = least, left -= decided;
    if (!crowded && kept > 0)
      most = kWindow;
    else if (found <= kTile / 2 && most < kWindow)
      most *= 2;
  }
  return finish(s, tile, kept);
}

}  // namespace edge
