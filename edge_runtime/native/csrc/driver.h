// driver.h: the CUDA driver's own functions, found in its library at run time, and the primary context of a GPU.
//
// Nothing of CUDA is needed to build this. A call that fails throws DriverError, with its name and CUDA's name for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>

namespace edge {

using Address = unsigned long long;  // CUdeviceptr

class DriverError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Name of the function here, its arguments, and its names in the library, newest first.
#define EDGE_DRIVER_CALLS(X)                                                                                 \
  X(cuInit, (unsigned), "cuInit")                                                                            \
  X(cuDeviceGet, (int*, int), "cuDeviceGet")                                                                 \
  X(cuDevicePrimaryCtxRetain, (void**, int), "cuDevicePrimaryCtxRetain")                                     \
  X(cuDevicePrimaryCtxRelease, (int), "cuDevicePrimaryCtxRelease_v2", "cuDevicePrimaryCtxRelease")           \
  X(cuCtxPushCurrent, (void*), "cuCtxPushCurrent_v2")                                                        \
  X(cuCtxPopCurrent, (void**), "cuCtxPopCurrent_v2")                                                         \
  X(cuMemHostAlloc, (void**, size_t, unsigned), "cuMemHostAlloc")                                            \
  X(cuMemHostGetDevicePointer, (Address*, void*, unsigned), "cuMemHostGetDevicePointer_v2")                  \
  X(cuMemFreeHost, (void*), "cuMemFreeHost")                                                                 \
  X(cuMemAlloc, (Address*, size_t), "cuMemAlloc_v2")                                                         \
  X(cuMemFree, (Address), "cuMemFree_v2")                                                                    \
  X(cuMemcpyHtoDAsync, (Address, const void*, size_t, void*), "cuMemcpyHtoDAsync_v2")                        \
  X(cuEventCreate, (void**, unsigned), "cuEventCreate")                                                      \
  X(cuEventDestroy, (void*), "cuEventDestroy_v2")                                                            \
  X(cuEventRecord, (void*, void*), "cuEventRecord")                                                          \
  X(cuEventQuery, (void*), "cuEventQuery")                                                                   \
  X(cuEventSynchronize, (void*), "cuEventSynchronize")                                                       \
  X(cuEventElapsedTime, (float*, void*, void*), "cuEventElapsedTime_v2", "cuEventElapsedTime")               \
  X(cuStreamSynchronize, (void*), "cuStreamSynchronize")                                                     \
  X(cuGraphLaunch, (void*, void*), "cuGraphLaunch")                                                          \
  X(cuGetErrorName, (int, const char**), "cuGetErrorName")

struct Driver {
#define EDGE_DRIVER_MEMBER(name, arguments, ...) int(*name) arguments = nullptr;
  EDGE_DRIVER_CALLS(EDGE_DRIVER_MEMBER)
#undef EDGE_DRIVER_MEMBER

  // Throws DriverError if the library does not load or lacks a function.
  explicit Driver(const std::string& library);

  // Throws DriverError unless `code` is that of success.
  void check(int code, const char* call) const {
    if (code != 0) fail(code, call);
  }

 private:
  [[noreturn]] void fail(int code, const char* call) const;
};

// Calls a function of the driver, and throws if it fails.
#define EDGE_CUDA(driver, name, ...) (driver).check((driver).name(__VA_ARGS__), #name)

constexpr int kNotReady = 600;  // CUDA_ERROR_NOT_READY, of cuEventQuery

class Pinned;

// The primary context of a GPU, kept as long as this lives: what needs the context shares this object.
class Gpu {
 public:
  Gpu(const std::string& library, int number);
  ~Gpu();
  Gpu(const Gpu&) = delete;
  Gpu& operator=(const Gpu&) = delete;

  const Driver driver;

  // Remembers memory that pictures may lie in, so that they are read there.
  void lend(const std::shared_ptr<Pinned>& memory);
  // The lent memory that holds these bytes; nullptr for any other memory.
  std::shared_ptr<Pinned> lent(const uint8_t* first, size_t bytes) const;

 private:
  friend class Current;
  friend class Pinned;
  void forget(const uint8_t* first);

  int device_ = 0;
  void* context_ = nullptr;
  mutable std::mutex lock_;
  std::map<const uint8_t*, std::weak_ptr<Pinned>> lent_;  // by first byte
};

// The context is the current one of this thread as long as this lives.
class Current {
 public:
  explicit Current(const Gpu& gpu) : driver_(gpu.driver) { EDGE_CUDA(driver_, cuCtxPushCurrent, gpu.context_); }
  ~Current() {
    void* popped;
    driver_.cuCtxPopCurrent(&popped);
  }
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;

  // Runs `clean`, whose errors do not count: after a failed kernel every call fails, but all must be made.
  template <typename Clean>
  static void quietly(const Gpu& gpu, const Clean& clean) noexcept {
    void* popped;
    if (gpu.driver.cuCtxPushCurrent(gpu.context_) != 0) return;  // the context is gone, and all its memory with it
    clean(gpu.driver);
    gpu.driver.cuCtxPopCurrent(&popped);
  }

 private:
  const Driver& driver_;
};

// Host memory that the GPU copies from without the processor or, `mapped`, reads in place.
class Pinned {
 public:
  Pinned(std::shared_ptr<Gpu> gpu, size_t bytes, bool mapped);
  ~Pinned();
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;

  uint8_t* host() const { return host_; }
  Address device() const { return device_; }  // of the first byte; 0 unless mapped
  size_t bytes() const { return bytes_; }

 private:
  std::shared_ptr<Gpu> gpu_;
  uint8_t* host_ = nullptr;
  Address device_ = 0;
  size_t bytes_;
};

// Memory of the GPU.
class DeviceMemory {
 public:
  DeviceMemory(std::shared_ptr<Gpu> gpu, size_t bytes);
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  Address address() const { return address_; }

 private:
  std::shared_ptr<Gpu> gpu_;
  Address address_ = 0;
};

// An event to wait for, asleep, and to measure time with.
class Event {
 public:
  explicit Event(std::shared_ptr<Gpu> gpu);
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void* handle() const { return handle_; }

 private:
  std::shared_ptr<Gpu> gpu_;
  void* handle_ = nullptr;
};

}  // namespace edge
