//! A [`Device`]: memory of an execution provider, in which tensors stay from piece to piece.

#![allow(unsafe_code)]

use super::OnnxError;
use super::bindings::{
    OrtAllocator, OrtAllocatorType_OrtDeviceAllocator, OrtMemType_OrtMemTypeDefault, OrtMemoryInfo,
};
use super::engine::Ready;
use super::library::{Library, call};
use super::provider::Provider;
use super::session::Session;
use super::tensor::Element;
use super::transfer;
use std::ptr;
use std::sync::Arc;

/// Memory of a device.
pub(super) struct Device {
    /// Its provider owns the memory, so it lives as long.
    session: Arc<Session>,
    info: *mut OrtMemoryInfo,
    allocator: *mut OrtAllocator,
}

// SAFETY: allocators of ONNX Runtime lock for themselves, and nothing changes the description.
unsafe impl Send for Device {}
// SAFETY: as above.
unsafe impl Sync for Device {}

impl Device {
    /// The memory of `provider`, the first one of `engine`. It is had through a session, and all sessions
    /// there share it.
    pub(super) fn new(
        library: &Library,
        provider: Provider,
        engine: &Ready,
    ) -> Result<Arc<Device>, OnnxError> {
        let session = transfer::session(library, engine, &[Element::F32])?;
        let name = match provider {
            Provider::TensorRt | Provider::Cuda => c"Cuda",
            Provider::Cpu => c"Cpu",
        };
        let mut made = Device {
            session: Arc::clone(&session),
            info: ptr::null_mut(),
            allocator: ptr::null_mut(),
        };
        // SAFETY: the session is loaded, the name a C string, and both objects are released by `drop`.
        unsafe {
            call!(
                library,
                "describe the device's memory",
                CreateMemoryInfo(
                    name.as_ptr(),
                    OrtAllocatorType_OrtDeviceAllocator,
                    engine.device_id(),
                    OrtMemType_OrtMemTypeDefault,
                    &raw mut made.info,
                )
            )?;
            call!(
                library,
                "find the device's allocator",
                CreateAllocator(session.raw(), made.info, &raw mut made.allocator)
            )?;
        }
        Ok(Arc::new(made))
    }

    pub(super) fn library(&self) -> &Library {
        self.session.library()
    }

    pub(super) fn info(&self) -> *const OrtMemoryInfo {
        self.info
    }

    pub(super) fn allocator(&self) -> *mut OrtAllocator {
        self.allocator
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let api = self.session.library().api();
        // SAFETY: made by `new`, released once; every tensor in this memory holds a share of the device and
        // so is gone.
        unsafe {
            if let (Some(release), false) = (api.ReleaseAllocator, self.allocator.is_null()) {
                release(self.allocator);
            }
            if let (Some(release), false) = (api.ReleaseMemoryInfo, self.info.is_null()) {
                release(self.info);
            }
        }
    }
}
