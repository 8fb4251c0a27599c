// A MOCK of libnvinfer: its only plan is the text "double"; it reads `x` and writes twice that into `y`, both
// of N floats of ordinary memory, N being set by the caller, at once and on no stream. The last N lies in the
// "device memory".

#include "NvInfer.h"

#include <cstring>

using namespace nvinfer1;

namespace {

class Context final : public IExecutionContext {
 public:
  void setDeviceMemoryV2(void *memory, int64_t bytes) noexcept override {
    memory_ = bytes >= 8 ? static_cast<int64_t *>(memory) : nullptr;
  }
  bool setTensorAddress(const char *name, void *address) noexcept override {
    if (std::strcmp(name, "x") == 0) {
      x_ = static_cast<float *>(address);
    } else if (std::strcmp(name, "y") == 0) {
      y_ = static_cast<float *>(address);
    } else {
      return false;
    }
    return true;
  }
  bool setInputShape(const char *name, const Dims &dims) noexcept override {
    count_ = dims.d[0];
    return std::strcmp(name, "x") == 0 && dims.nbDims == 1 && count_ > 0;
  }
  bool enqueueV3(cudaStream_t) noexcept override {
    if (x_ == nullptr || y_ == nullptr || memory_ == nullptr || count_ < 1) {
      return false;
    }
    for (int64_t index = 0; index < count_; ++index) {
      y_[index] = 2 * x_[index];
    }
    *memory_ = count_;
    return true;
  }

 private:
  float *x_ = nullptr;
  float *y_ = nullptr;
  int64_t *memory_ = nullptr;
  int64_t count_ = 0;
};

class Engine final : public ICudaEngine {
 public:
  int32_t getNbIOTensors() const noexcept override { return 2; }
  const char *getIOTensorName(int32_t index) const noexcept override { return index == 0 ? "x" : "y"; }
  Dims getTensorShape(const char *) const noexcept override { return Dims{1, {-1}}; }
  DataType getTensorDataType(const char *) const noexcept override { return DataType::kFLOAT; }
  TensorIOMode getTensorIOMode(const char *name) const noexcept override {
    return *name == 'x' ? TensorIOMode::kINPUT : TensorIOMode::kOUTPUT;
  }
  int64_t getDeviceMemorySizeV2() const noexcept override { return 8; }
  IExecutionContext *createExecutionContext(ExecutionContextAllocationStrategy strategy) noexcept override {
    return strategy == ExecutionContextAllocationStrategy::kUSER_MANAGED ? new Context : nullptr;
  }
};

class Runtime final : public IRuntime {
 public:
  ICudaEngine *deserializeCudaEngine(const void *bytes, size_t length) noexcept override {
    return length == 6 && std::memcmp(bytes, "double", 6) == 0 ? new Engine : nullptr;
  }
};

}  // namespace

extern "C" void *createInferRuntime_INTERNAL(void *logger, int version) {
  return logger != nullptr && version == NV_TENSORRT_VERSION ? new Runtime : nullptr;
}
