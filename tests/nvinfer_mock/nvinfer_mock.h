// A MOCK of the part of TensorRT's classes that the shim calls, so that the shim can be compiled and called
// without TensorRT. It says nothing about TensorRT itself: names and signatures are those of its public
// documentation, the layout is not its own.
#pragma once

#include <cstddef>
#include <cstdint>

#define NV_TENSORRT_MAJOR 10
#define NV_TENSORRT_VERSION 100300

using cudaStream_t = void *;

namespace nvinfer1 {

struct Dims {
  int32_t nbDims;
  int64_t d[8];
};

enum class DataType : int32_t { kFLOAT = 0 };
enum class TensorIOMode : int32_t { kNONE = 0, kINPUT = 1, kOUTPUT = 2 };
enum class ExecutionContextAllocationStrategy : int32_t {
  kSTATIC = 0,
  kON_PROFILE_CHANGE = 1,
  kUSER_MANAGED = 2
};

class ILogger {
 public:
  enum class Severity : int32_t { kINTERNAL_ERROR = 0, kERROR = 1, kWARNING = 2, kINFO = 3, kVERBOSE = 4 };
  virtual void log(Severity severity, const char *text) noexcept = 0;

 protected:
  virtual ~ILogger() = default;
};

class IExecutionContext {
 public:
  virtual ~IExecutionContext() noexcept = default;
  virtual void setDeviceMemoryV2(void *memory, int64_t bytes) noexcept = 0;
  virtual bool setTensorAddress(const char *name, void *address) noexcept = 0;
  virtual bool setInputShape(const char *name, const Dims &dims) noexcept = 0;
  virtual bool enqueueV3(cudaStream_t stream) noexcept = 0;
};

class ICudaEngine {
 public:
  virtual ~ICudaEngine() noexcept = default;
  virtual int32_t getNbIOTensors() const noexcept = 0;
  virtual const char *getIOTensorName(int32_t index) const noexcept = 0;
  virtual Dims getTensorShape(const char *name) const noexcept = 0;
  virtual DataType getTensorDataType(const char *name) const noexcept = 0;
  virtual TensorIOMode getTensorIOMode(const char *name) const noexcept = 0;
  virtual int64_t getDeviceMemorySizeV2() const noexcept = 0;
  virtual IExecutionContext *createExecutionContext(ExecutionContextAllocationStrategy strategy) noexcept = 0;
};

class IRuntime {
 public:
  virtual ~IRuntime() noexcept = default;
  virtual ICudaEngine *deserializeCudaEngine(const void *bytes, size_t length) noexcept = 0;
};

}  // namespace nvinfer1
