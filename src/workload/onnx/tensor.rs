//! A [`Tensor`] is caller-owned memory that ONNX Runtime reads and writes in place.

#![allow(unsafe_code, non_upper_case_globals)]

use super::OnnxError;
use super::bindings::*;
use super::library::{Library, call};
use std::cell::UnsafeCell;
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

/// Memory with an element type and a shape, known to ONNX Runtime. The engine's structs own their tensors
/// alone and are used through `&mut self`, so a slice handed out here never meets a run or another slice of
/// the same memory. Inference and trainer share the sets of weights of a swap alone, which says when a set is
/// the trainer's to write ([`Set::is_spare`](crate::workload::swap::Set::is_spare)) and keeps it from every
/// run until it is published.
pub(super) struct Tensor {
    library: Library,
    memory: Arc<Memory>,
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
    /// A zeroed tensor. All `dims` are at least 0.
    pub(super) fn new(library: &Library, element: Element, dims: &[i64]) -> Result<Arc<Tensor>, OnnxError> {
        let bytes = size(element, dims)?;
        let lines = vec![Line([0; 64]); bytes.div_ceil(64).max(1)].into_boxed_slice();
        Tensor::over(
            library,
            Arc::new(Memory(UnsafeCell::new(lines))),
            element,
            dims,
            bytes,
        )
    }

    /// The beginning of `self`'s memory under another shape: a smaller minibatch of the same rows.
    pub(super) fn prefix(&self, dims: &[i64]) -> Result<Arc<Tensor>, OnnxError> {
        let bytes = size(self.element, dims)?.min(self.bytes);
        Tensor::over(&self.library, Arc::clone(&self.memory), self.element, dims, bytes)
    }

    fn over(
        library: &Library,
        memory: Arc<Memory>,
        element: Element,
        dims: &[i64],
        bytes: usize,
    ) -> Result<Arc<Tensor>, OnnxError> {
        let mut value = ptr::null_mut();
        // SAFETY: the memory holds at least `bytes` bytes and lives as long as this tensor, which releases the value
        // first; the shape has `dims.len()` entries.
        unsafe {
            let start = (*memory.0.get()).as_mut_ptr();
            call!(
                library,
                "make a tensor over our memory",
                CreateTensorWithDataAsOrtValue(
                    library.memory(),
                    start.cast(),
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
        Arc::ptr_eq(&self.memory, &other.memory) && self.bytes > 0 && other.bytes > 0
    }

    fn start<T>(&self) -> *mut T {
        // SAFETY: only the address is taken; the boxed slice itself is never replaced.
        unsafe { (*self.memory.0.get()).as_mut_ptr().cast() }
    }

    /// The elements, which must be float32.
    pub(super) fn f32(&self) -> &[f32] {
        debug_assert_eq!(self.element, Element::F32);
        // SAFETY: aligned to 64, `bytes` long, every bit pattern is a float; no run or writer meets it (see `Tensor`).
        unsafe { std::slice::from_raw_parts(self.start(), self.bytes / 4) }
    }

    /// The elements to write, which must be float32.
    #[allow(clippy::mut_from_ref)]
    pub(super) fn f32_mut(&self) -> &mut [f32] {
        debug_assert_eq!(self.element, Element::F32);
        // SAFETY: as in `f32`.
        unsafe { std::slice::from_raw_parts_mut(self.start(), self.bytes / 4) }
    }

    /// The elements to write, which must be int64.
    #[allow(clippy::mut_from_ref)]
    pub(super) fn i64_mut(&self) -> &mut [i64] {
        debug_assert_eq!(self.element, Element::I64);
        // SAFETY: as in `f32`, for 8-byte integers.
        unsafe { std::slice::from_raw_parts_mut(self.start(), self.bytes / 8) }
    }
}

impl Drop for Tensor {
    fn drop(&mut self) {
        if let Some(release) = self.library.api().ReleaseValue {
            // SAFETY: the value is ours and is released once; bindings hold a share of the tensor, so none uses it now.
            unsafe { release(self.value) };
        }
    }
}

fn size(element: Element, dims: &[i64]) -> Result<usize, OnnxError> {
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
