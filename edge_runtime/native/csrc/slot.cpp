#include "slot.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

namespace edge {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kLine = 64;  // planes begin at multiples of it
constexpr size_t kShort = 4 << 20;  // bytes that are copied in about half a millisecond, or less

size_t whole_lines(size_t bytes) { return (bytes + kLine - 1) / kLine * kLine; }

size_t plane_bytes(const Layout& layout, int number) { return layout.rows[number] * layout.row_bytes[number]; }

size_t dense_bytes(const Layout& layout) {
  size_t sum = 0;
  for (int k = 0; k < layout.planes; ++k) sum += whole_lines(plane_bytes(layout, k));
  return sum;
}

int64_t stride(const Source& source, int k) {  // of one row any stride may be given
  return source.layout->rows[k] == 1 ? static_cast<int64_t>(source.layout->row_bytes[k]) : source.planes[k].stride;
}

// From the first byte to the last.
size_t extent(const Source& source, int k) {
  return (source.layout->rows[k] - 1) * static_cast<size_t>(stride(source, k)) + source.layout->row_bytes[k];
}

void copy_rows(uint8_t* to, const Source& source, int k) {
  const size_t rows = source.layout->rows[k], row = source.layout->row_bytes[k];
  const int64_t step = stride(source, k);
  const uint8_t* from = source.planes[k].first;
  if (step == static_cast<int64_t>(row)) {
    std::memcpy(to, from, rows * row);
    return;
  }
  for (size_t y = 0; y < rows; ++y, from += step, to += row) std::memcpy(to, from, row);
}

void write(const Layout& layout, const Address* addresses, const int64_t* strides, int64_t* words) {
  std::memcpy(words, layout.words, sizeof layout.words);
  words[0] += static_cast<int64_t>(addresses[0]);
  words[3] = strides[0];
  if (layout.u < 0) return;
  words[9] += static_cast<int64_t>(addresses[layout.u]);
  words[10] += static_cast<int64_t>(addresses[layout.v]);
  words[11] = strides[layout.u];
  words[12] = strides[layout.v];
}

}  // namespace

// The lent memory in which a whole picture lies, if it can be read there.
std::shared_ptr<Pinned> Slot::in_place(const Source& source) const {
  std::shared_ptr<Pinned> found;
  for (int k = 0; k < source.layout->planes; ++k) {
    const int64_t row = static_cast<int64_t>(source.layout->row_bytes[k]), step = stride(source, k);
    if (mapped_ ? step < row : step != row) return nullptr;  // copies to the GPU are of whole planes
    std::shared_ptr<Pinned> holding = gpu_->lent(source.planes[k].first, extent(source, k));
    if (holding == nullptr || (k > 0 && holding != found) || (mapped_ && holding->device() == 0)) return nullptr;
    found = std::move(holding);
  }
  return found;
}

void Slot::grow(Place& place, size_t bytes) {
  const size_t more = bytes + bytes / 2;  // so that pictures a little larger find room
  if (!place.held && place.host_room < bytes) {
    place.host_room = 0;
    place.host.reset();
    place.host = std::make_unique<Pinned>(gpu_, more, mapped_);
    place.host_room = more;
  }
  if (!mapped_ && place.device_room < bytes) {
    place.device_room = 0;
    place.device.reset();
    place.device = std::make_unique<DeviceMemory>(gpu_, more);
    place.device_room = more;
  }
}

void Slot::fill(Place& place, const Source& source, int64_t* words) {
  const Layout& layout = *source.layout;
  place.held = in_place(source);
  grow(place, dense_bytes(layout));
  Address addresses[kMostPlanes];
  int64_t strides[kMostPlanes];
  size_t at = 0;
  for (int k = 0; k < layout.planes; ++k) {
    const uint8_t* first = source.planes[k].first;
    if (mapped_ && place.held) {
      addresses[k] = place.held->device() + static_cast<size_t>(first - place.held->host());
      strides[k] = stride(source, k);
      continue;
    }
    addresses[k] = (mapped_ ? place.host->device() : place.device->address()) + at;
    strides[k] = static_cast<int64_t>(layout.row_bytes[k]);
    if (place.held)
      copies_.push_back({addresses[k], first, plane_bytes(layout, k)});
    else
      copy_rows(place.host->host() + at, source, k);
    at += whole_lines(plane_bytes(layout, k));
  }
  if (!mapped_ && !place.held) copies_.push_back({addresses[0], place.host->host(), at});
  write(layout, addresses, strides, words);
}

Slot::Slot(std::shared_ptr<Gpu> gpu, void* stream, int64_t* words, double* frames, int batch, bool mapped)
    : gpu_(std::move(gpu)), begun_(gpu_), copied_(gpu_), done_(gpu_), stream_(stream), words_(words), frames_(frames),
      mapped_(mapped), places_(static_cast<size_t>(batch)) {
  copies_.reserve(places_.size() * kMostPlanes);
}

// The stream may be gone already, so it waits for its own events.
Slot::~Slot() {
  Current::quietly(*gpu_, [&](const Driver& driver) {
    for (const Event* event : {&copied_, &done_}) driver.cuEventSynchronize(event->handle());
  });
}

void Slot::enqueue(const Source* sources, int count) {
  if (running_) wait();
  const auto begun = Clock::now();
  const Current current(*gpu_);
  copies_.clear();
  for (int k = 0; k < count; ++k) {
    fill(places_[k], sources[k], words_ + k * kImageWords);
    std::memcpy(frames_ + k * kFrameNumbers, sources[k].layout->frame, sizeof sources[k].layout->frame);
  }
  for (int k = count; k < batch(); ++k) {  // the last picture takes the places of those that are missing
    std::memcpy(words_ + k * kImageWords, words_ + (count - 1) * kImageWords, kImageWords * sizeof *words_);
    std::memcpy(frames_ + k * kFrameNumbers, frames_ + (count - 1) * kFrameNumbers, kFrameNumbers * sizeof *frames_);
  }
  times_.filled_ms = std::chrono::duration<double, std::milli>(Clock::now() - begun).count();
  try {
    put();
  } catch (...) {
    gpu_->driver.cuStreamSynchronize(stream_);  // what was started still reads the pictures
    throw;
  }
}

void Slot::put() {
  const Driver& driver = gpu_->driver;
  EDGE_CUDA(driver, cuEventRecord, begun_.handle(), stream_);
  for (const Copy& one : copies_) EDGE_CUDA(driver, cuMemcpyHtoDAsync, one.to, one.from, one.bytes, stream_);
  EDGE_CUDA(driver, cuEventRecord, copied_.handle(), stream_);
  if (graph_ == nullptr) return;
  EDGE_CUDA(driver, cuGraphLaunch, graph_, stream_);
  EDGE_CUDA(driver, cuEventRecord, done_.handle(), stream_);
  running_ = true;
}

bool Slot::brief(const Source* sources, int count) const {
  size_t copied = 0;
  return !running_ && std::all_of(sources, sources + count, [&](const Source& source) {
    const Place& place = places_[static_cast<size_t>(&source - sources)];
    const size_t bytes = dense_bytes(*source.layout);
    const bool there = in_place(source) != nullptr;
    copied += there ? 0 : bytes;
    return copied <= kShort && (there || bytes <= place.host_room) && (mapped_ || bytes <= place.device_room);
  });
}

void Slot::started() {
  const Current current(*gpu_);
  EDGE_CUDA(gpu_->driver, cuEventRecord, done_.handle(), stream_);
  running_ = true;
}

bool Slot::ready() const {
  if (!running_) return true;
  const Current current(*gpu_);
  const int code = gpu_->driver.cuEventQuery(done_.handle());
  if (code != kNotReady) gpu_->driver.check(code, "cuEventQuery");
  return code == 0;
}

Times Slot::wait() {
  if (!running_) return times_;
  const Driver& driver = gpu_->driver;
  const Current current(*gpu_);
  running_ = false;  // also if it fails: nobody could wait for it again
  EDGE_CUDA(driver, cuEventSynchronize, done_.handle());
  for (Place& place : places_) place.held.reset();
  float copied, ran;
  EDGE_CUDA(driver, cuEventElapsedTime, &copied, begun_.handle(), copied_.handle());
  EDGE_CUDA(driver, cuEventElapsedTime, &ran, copied_.handle(), done_.handle());
  times_.copied_ms = copied, times_.ran_ms = ran;
  return times_;
}

}  // namespace edge
