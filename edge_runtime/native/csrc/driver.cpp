#include "driver.h"

#include <dlfcn.h>

#include <initializer_list>
#include <utility>

namespace edge {
namespace {

constexpr unsigned kMapped = 2;    // CU_MEMHOSTALLOC_DEVICEMAP
constexpr unsigned kBlocking = 1;  // CU_EVENT_BLOCKING_SYNC: who waits for the event sleeps

void* find(void* library, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (void* found = dlsym(library, name)) return found;
  throw DriverError(std::string("this CUDA driver has no ") + *(names.end() - 1));
}

}  // namespace

// The library is never unloaded: others use it too, and what they hold must stay valid.
Driver::Driver(const std::string& library) {
  void* opened = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (opened == nullptr) throw DriverError("there is no CUDA driver: " + library + " does not load");
#define EDGE_DRIVER_FIND(name, arguments, ...) name = reinterpret_cast<int(*) arguments>(find(opened, {__VA_ARGS__}));
  EDGE_DRIVER_CALLS(EDGE_DRIVER_FIND)
#undef EDGE_DRIVER_FIND
}

void Driver::fail(int code, const char* call) const {
  const char* name = nullptr;
  const bool known = cuGetErrorName(code, &name) == 0 && name != nullptr;
  throw DriverError(std::string(call) + " failed: " + (known ? name : "CUresult " + std::to_string(code)));
}

Gpu::Gpu(const std::string& library, int number) : driver(library) {
  EDGE_CUDA(driver, cuInit, 0);
  EDGE_CUDA(driver, cuDeviceGet, &device_, number);
  EDGE_CUDA(driver, cuDevicePrimaryCtxRetain, &context_, device_);
}

Gpu::~Gpu() { driver.cuDevicePrimaryCtxRelease(device_); }

void Gpu::lend(const std::shared_ptr<Pinned>& memory) {
  const std::lock_guard<std::mutex> guard(lock_);
  lent_[memory->host()] = memory;
}

std::shared_ptr<Pinned> Gpu::lent(const uint8_t* first, size_t bytes) const {
  std::shared_ptr<Pinned> found;  // outlives the guard: if it is the last owner, it asks for the lock
  const std::lock_guard<std::mutex> guard(lock_);
  auto next = lent_.upper_bound(first);
  if (next == lent_.begin()) return nullptr;
  found = (--next)->second.lock();
  const size_t before = static_cast<size_t>(first - next->first);
  return found && before <= found->bytes() && bytes <= found->bytes() - before ? found : nullptr;
}

void Gpu::forget(const uint8_t* first) {
  const std::lock_guard<std::mutex> guard(lock_);
  lent_.erase(first);
}

Event::Event(std::shared_ptr<Gpu> gpu) : gpu_(std::move(gpu)) {
  const Current current(*gpu_);
  EDGE_CUDA(gpu_->driver, cuEventCreate, &handle_, kBlocking);
}

Event::~Event() {
  Current::quietly(*gpu_, [&](const Driver& driver) { driver.cuEventDestroy(handle_); });
}

Pinned::Pinned(std::shared_ptr<Gpu> gpu, size_t bytes, bool mapped) : gpu_(std::move(gpu)), bytes_(bytes) {
  const Current current(*gpu_);
  void* host;
  EDGE_CUDA(gpu_->driver, cuMemHostAlloc, &host, bytes, mapped ? kMapped : 0);
  host_ = static_cast<uint8_t*>(host);
  const int code = mapped ? gpu_->driver.cuMemHostGetDevicePointer(&device_, host, 0) : 0;
  if (code != 0) gpu_->driver.cuMemFreeHost(host);
  gpu_->driver.check(code, "cuMemHostGetDevicePointer");
}

Pinned::~Pinned() {
  gpu_->forget(host_);
  Current::quietly(*gpu_, [&](const Driver& driver) { driver.cuMemFreeHost(host_); });
}

DeviceMemory::DeviceMemory(std::shared_ptr<Gpu> gpu, size_t bytes) : gpu_(std::move(gpu)) {
  const Current current(*gpu_);
  EDGE_CUDA(gpu_->driver, cuMemAlloc, &address_, bytes);
}

DeviceMemory::~DeviceMemory() {
  Current::quietly(*gpu_, [&](const Driver& driver) { driver.cuMemFree(address_); });
}

}  // namespace edge
