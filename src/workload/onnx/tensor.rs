//! A [`Tensor`] is caller-owned memory that ONNX Runtime reads and writes in place.

#![allow(unsafe_code, non_upper_case_globals)]

use super::OnnxError;
use super::arena::{Arena, Taken};
use super::bindings::*;
use super::device::Device;
use super::library::{Library, call};
use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

/// Element type of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element(pub(super) ONNXTensorElementDataType);

impl Element {
    pub(super) const F32: Element = Element(ONNXTensorElementDataType_ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
    pub(super) const I64: Element = Element(ONNXTensorElementDataType_ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64);

    /// Bytes of one element; `None` for strings and types a training graph has no use for.
    pub(super) fn bytes(self) -> Option<usize> {
        match self.0 {
            ONNXTensorElementDataType_ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL
            | ONNXTensorElementDataType_ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8
            | ONNXTensorElementDataType_ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8 => Some(1),
            ONNXTensorElementDataType_ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16 => Some(2),
            ONNXTensorElementDataType_ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT
            | ONNXTensorElementDataType_ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32 => Some(4),
            ONNXTensorElementDataType_ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE
            | ONNXTensorElementDataType_ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64 => Some(8),
            _ => None,
        }
    }
}

impl std::fmt::Display for Element {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Element::F32 => f.write_str("float32"),
            Element::I64 => f.write_str("int64"),
            Element(other) => write!(f, "element type {other}"),
        }
    }
}

/// One cache line; a vector of them is aligned as ONNX Runtime's kernels like it.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Memory that outlives every binding to it, since each holds a share.
struct Memory(UnsafeCell<Box<[Line]>>);

// SAFETY: the memory is plain bytes; who reads or writes it is ordered by the rules of `Tensor`.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

/// Memory of a device, owned by the value that was made with it.
struct OnDevice {
    device: Arc<Device>,
    library: Library,
    value: *mut OrtValue,
    start: *mut c_void,
}

// SAFETY: only the address is used here, and only handed to the engine.
unsafe impl Send for OnDevice {}
// SAFETY: as above.
unsafe impl Sync for OnDevice {}

impl Drop for OnDevice {
    fn drop(&mut self) {
        if let (Some(release), false) = (self.library.api().ReleaseValue, self.value.is_null()) {
            // SAFETY: ours, released once; the tensors over it hold a share, so there is none any more.
            unsafe { release(self.value) };
        }
    }
}

/// Where a tensor lies.
#[derive(Clone)]
enum Storage {
    Host(Arc<Memory>),
    Arena(Arc<Taken>),
    Device(Arc<OnDevice>),
}

/// Memory with an element type and a shape, known to ONNX Runtime. The engine's structs own their tensors
/// alone and are used through `&mut self`, so a slice handed out here never meets a run or another slice of
/// the same memory. Inference and trainer share the sets of weights of a swap alone, which says when a set is
/// the trainer's to write ([`Set::is_spare`](crate::workload::swap::Set::is_spare)) and keeps it from every
/// run until it is published.
pub(super) struct Tensor {
    library: Library,
    memory: Storage,
    value: *mut OrtValue,
    pub(super) element: Element,
    pub(super) dims: Vec<i64>,
    bytes: usize,
}

// SAFETY: an OrtValue over caller memory has no thread of its own; the memory is `Send`.
unsafe impl Send for Tensor {}
// SAFETY: no method changes the value, and the memory follows the rule above.
unsafe impl Sync for Tensor {}

impl Tensor {
    /// A zeroed tensor, in `arena` if there is one. All `dims` are at least 0.
    pub(super) fn new(
        library: &Library,
        arena: Option<&Arena>,
        element: Element,
        dims: &[i64],
    ) -> Result<Arc<Tensor>, OnnxError> {
        let bytes = size(element, dims)?;
        if let Some(arena) = arena {
            let storage = Storage::Arena(Arc::new(arena.take(bytes.max(1))?));
            return Tensor::over(library, storage, element, dims, bytes);
        }
        let lines = vec![Line([0; 64]); bytes.div_ceil(64).max(1)].into_boxed_slice();
        Tensor::over(
            library,
            Storage::Host(Arc::new(Memory(UnsafeCell::new(lines)))),
            element,
            dims,
            bytes,
        )
    }

    /// A tensor on `device`, its values left open; [`f32`](Tensor::f32) and its like are empty for it.
    pub(super) fn on(device: &Arc<Device>, element: Element, dims: &[i64]) -> Result<Arc<Tensor>, OnnxError> {
        let library = device.library();
        let bytes = size(element, dims)?;
        let mut made = OnDevice {
            device: Arc::clone(device),
            library: library.clone(),
            value: ptr::null_mut(),
            start: ptr::null_mut(),
        };
        // SAFETY: the allocator lives as long as the device, of which the value's owner holds a share; the
        // shape has `dims.len()` entries.
        unsafe {
            let (shape, rank) = (dims.as_ptr(), dims.len());
            call!(
                library,
                "make a tensor on the device",
                CreateTensorAsOrtValue(device.allocator(), shape, rank, element.0, &raw mut made.value)
            )?;
            call!(
                library,
                "find a tensor's memory",
                GetTensorMutableData(made.value, &raw mut made.start)
            )?;
        }
        Tensor::over(library, Storage::Device(Arc::new(made)), element, dims, bytes)
    }

    /// A tensor on `device`, or in the host's memory and zeroed without one.
    pub(super) fn at(
        device: Option<&Arc<Device>>,
        library: &Library,
        arena: Option<&Arena>,
        element: Element,
        dims: &[i64],
    ) -> Result<Arc<Tensor>, OnnxError> {
        match device {
            Some(device) => Tensor::on(device, element, dims),
            None => Tensor::new(library, arena, element, dims),
        }
    }

    /// The beginning of `self`'s memory under another shape: a smaller minibatch of the same rows.
    pub(super) fn prefix(&self, dims: &[i64]) -> Result<Arc<Tensor>, OnnxError> {
        self.view(self.element, dims)
    }

    /// The beginning of `self`'s memory as a tensor of another kind.
    pub(super) fn view(&self, element: Element, dims: &[i64]) -> Result<Arc<Tensor>, OnnxError> {
        let bytes = size(element, dims)?.min(self.bytes);
        Tensor::over(&self.library, self.memory.clone(), element, dims, bytes)
    }

    /// Whether another tensor lies in the same memory.
    pub(super) fn is_shared(&self) -> bool {
        let tensors = match &self.memory {
            Storage::Host(memory) => Arc::strong_count(memory),
            Storage::Arena(memory) => Arc::strong_count(memory),
            Storage::Device(memory) => Arc::strong_count(memory),
        };
        tensors > 1
    }

    fn over(
        library: &Library,
        memory: Storage,
        element: Element,
        dims: &[i64],
        bytes: usize,
    ) -> Result<Arc<Tensor>, OnnxError> {
        let mut value = ptr::null_mut();
        // SAFETY: the memory holds at least `bytes` bytes and lives as long as this tensor, which releases
        // the value first; the shape has `dims.len()` entries.
        unsafe {
            let (info, start): (_, *mut c_void) = match &memory {
                Storage::Host(memory) => (library.memory(), (*memory.0.get()).as_mut_ptr().cast()),
                Storage::Arena(memory) => (library.memory(), memory.start),
                Storage::Device(memory) => (memory.device.info(), memory.start),
            };
            call!(
                library,
                "make a tensor over our memory",
                CreateTensorWithDataAsOrtValue(
                    info,
                    start,
                    bytes,
                    dims.as_ptr(),
                    dims.len(),
                    element.0,
                    &raw mut value,
                )
            )?;
        }
        let library = library.clone();
        Ok(Arc::new(Tensor {
            library,
            memory,
            value,
            element,
            dims: dims.to_vec(),
            bytes,
        }))
    }

    pub(super) fn value(&self) -> *const OrtValue {
        self.value
    }

    /// Size in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the two share a byte.
    pub(super) fn overlaps(&self, other: &Tensor) -> bool {
        let same = match (&self.memory, &other.memory) {
            (Storage::Host(left), Storage::Host(right)) => Arc::ptr_eq(left, right),
            (Storage::Arena(left), Storage::Arena(right)) => Arc::ptr_eq(left, right),
            (Storage::Device(left), Storage::Device(right)) => Arc::ptr_eq(left, right),
            _ => false,
        };
        same && self.bytes > 0 && other.bytes > 0
    }

    /// Address and bytes for the host; none of a tensor on a device.
    fn host<T>(&self) -> (*mut T, usize) {
        match &self.memory {
            // SAFETY: only the address is taken; the boxed slice itself is never replaced.
            Storage::Host(memory) => (unsafe { (*memory.0.get()).as_mut_ptr().cast() }, self.bytes),
            Storage::Arena(memory) => (memory.start.cast(), self.bytes),
            Storage::Device(_) => (ptr::NonNull::dangling().as_ptr(), 0),
        }
    }

    /// The elements, which must be float32.
    pub(super) fn f32(&self) -> &[f32] {
        debug_assert_eq!(self.element, Element::F32);
        let (start, bytes) = self.host();
        // SAFETY: aligned to 64, `bytes` long, every bit pattern is a float; no run or writer meets it (see
        // `Tensor`).
        unsafe { std::slice::from_raw_parts(start, bytes / 4) }
    }

    /// The elements to write, which must be float32.
    #[allow(clippy::mut_from_ref)]
    pub(super) fn f32_mut(&self) -> &mut [f32] {
        debug_assert_eq!(self.element, Element::F32);
        let (start, bytes) = self.host();
        // SAFETY: as in `f32`.
        unsafe { std::slice::from_raw_parts_mut(start, bytes / 4) }
    }

    /// Whether each element, which must be float32, is a number.
    pub(super) fn has_finite_values(&self) -> bool {
        self.f32().iter().all(|value| value.is_finite())
    }

    /// Values in it.
    pub(super) fn values(&self) -> usize {
        self.dims.iter().product::<i64>().try_into().unwrap_or(0)
    }

    /// Sets every value to zero; of a tensor that is float32 or int64.
    pub(super) fn clear(&self) {
        if self.element == Element::F32 {
            self.f32_mut().fill(0.0);
        } else {
            self.i64_mut().fill(0);
        }
    }

    /// The elements to write, which must be int64.
    #[allow(clippy::mut_from_ref)]
    pub(super) fn i64_mut(&self) -> &mut [i64] {
        debug_assert_eq!(self.element, Element::I64);
        let (start, bytes) = self.host();
        // SAFETY: as in `f32`, for 8-byte integers.
        unsafe { std::slice::from_raw_parts_mut(start, bytes / 8) }
    }
}

impl Drop for Tensor {
    fn drop(&mut self) {
        if let Some(release) = self.library.api().ReleaseValue {
            // SAFETY: the value is ours and is released once; bindings hold a share of the tensor, so none
            // uses it now.
            unsafe { release(self.value) };
        }
    }
}

/// Bytes of a tensor.
pub(super) fn size(element: Element, dims: &[i64]) -> Result<usize, OnnxError> {
    let elements = dims.iter().try_fold(1_usize, |product, dim| {
        product.checked_mul(usize::try_from(*dim).ok()?)
    });
    let bytes = elements.and_then(|count| count.checked_mul(element.bytes()?));
    bytes
        .filter(|bytes| *bytes <= isize::MAX as usize)
        .ok_or_else(|| OnnxError::Engine {
            doing: format!("make a tensor of {element} {dims:?}"),
            message: "its size is not known, or too large".to_string(),
        })
}
