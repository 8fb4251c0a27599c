//! A [`Session`] is one model, loaded.

#![allow(unsafe_code)]

use super::OnnxError;
use super::arena::Arena;
use super::bindings::*;
use super::engine::Ready;
use super::library::{Library, call};
use super::settings::Settings;
use super::tensor::Element;
use super::threads::{Pool, Refusals};
use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::sync::Arc;

/// An input or output of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) name: String,
    pub(super) element: Element,
    /// Sizes; -1 where the model leaves one open.
    pub(super) dims: Vec<i64>,
}

impl Port {
    /// `float32 [4, 1, 8, 8]`; an open size is `?`.
    pub(super) fn describe(&self) -> String {
        let size = |dim: &i64| {
            if *dim < 0 {
                "?".to_string()
            } else {
                dim.to_string()
            }
        };
        format!(
            "{} [{}]",
            self.element,
            self.dims.iter().map(size).collect::<Vec<_>>().join(", ")
        )
    }
}

/// How a session is made.
#[derive(Clone, Copy)]
pub(super) struct SessionOptions<'a> {
    /// All graph optimisations, or none: a graph and its cuts give the same bits only if none is rewritten.
    pub(super) optimise: bool,
    /// What it may use of the machine.
    pub(super) engine: &'a Ready,
    /// Where to write a profile, as a file name's beginning.
    pub(super) profile: Option<&'a CStr>,
}

/// One model, loaded.
pub(super) struct Session {
    library: Library,
    session: *mut OrtSession,
    /// Outlives the session: its threads are joined when that is released, in `drop`.
    pool: Arc<Pool>,
    /// Its memory outlives it likewise.
    arena: Option<Arena>,
    pub(super) name: String,
    pub(super) inputs: Vec<Port>,
    pub(super) outputs: Vec<Port>,
}

// SAFETY: ONNX Runtime documents sessions as usable from any thread.
unsafe impl Send for Session {}
// SAFETY: as above.
unsafe impl Sync for Session {}

impl Session {
    /// Loads `model`, a serialised ONNX file; `name` is for messages.
    pub(super) fn new(
        library: &Library,
        name: &str,
        model: &[u8],
        options: SessionOptions<'_>,
    ) -> Result<Session, OnnxError> {
        let mut session = ptr::null_mut();
        let settings = Settings::new(library, options)?;
        let arena = options.engine.arena.as_ref();
        let mut make = || {
            // SAFETY: the model's bytes are read during the call only; the options live until `settings`
            // drops.
            unsafe {
                call!(
                    library,
                    format!("load {name}"),
                    CreateSessionFromArray(
                        library.env(),
                        model.as_ptr().cast(),
                        model.len(),
                        settings.options,
                        &raw mut session,
                    )
                )
            }
        };
        match arena {
            Some(arena) => arena.around(make)?,
            None => make()?,
        }
        let mut loaded = Session {
            library: library.clone(),
            session,
            pool: Arc::clone(&settings.pool),
            arena: options.engine.arena.clone(),
            name: name.to_string(),
            inputs: Vec::new(),
            outputs: Vec::new(),
        };
        loaded.fits()?;
        loaded.inputs = loaded.ports(true)?;
        loaded.outputs = loaded.ports(false)?;
        Ok(loaded)
    }

    pub(super) fn library(&self) -> &Library {
        &self.library
    }

    pub(super) fn raw(&self) -> *mut OrtSession {
        self.session
    }

    pub(super) fn input(&self, name: &str) -> Option<&Port> {
        self.inputs.iter().find(|port| port.name == name)
    }

    pub(super) fn output(&self, name: &str) -> Option<&Port> {
        self.outputs.iter().find(|port| port.name == name)
    }

    /// Whether everything since the last call did fit into the session's arena. Asked after each run.
    pub(super) fn fits(&self) -> Result<(), OnnxError> {
        let refusal = self.arena.as_ref().and_then(Arena::refusal);
        refusal.map_or(Ok(()), Err)
    }

    /// What the system refused to this session's threads; complete once it has run.
    pub(super) fn refusals(&self) -> Refusals {
        self.pool.refusals()
    }

    /// Ends profiling and returns the profile's path.
    pub(super) fn end_profiling(&self) -> Result<String, OnnxError> {
        let mut path = ptr::null_mut();
        // SAFETY: the session is ours; the text comes from the allocator that `take_text` gives it back to.
        unsafe {
            let allocator = self.allocator()?;
            call!(
                self.library,
                "end profiling",
                SessionEndProfiling(self.session, allocator, &raw mut path)
            )?;
            self.take_text(allocator, path)
        }
    }

    fn allocator(&self) -> Result<*mut OrtAllocator, OnnxError> {
        let mut allocator = ptr::null_mut();
        // SAFETY: the out pointer is valid; the default allocator is never released.
        unsafe {
            call!(
                self.library,
                "find its allocator",
                GetAllocatorWithDefaultOptions(&raw mut allocator)
            )?
        };
        Ok(allocator)
    }

    /// Copies a text that ONNX Runtime allocated, and frees it.
    ///
    /// # Safety
    /// `text` is a C string from `allocator`, not used after.
    unsafe fn take_text(&self, allocator: *mut OrtAllocator, text: *mut c_char) -> Result<String, OnnxError> {
        // SAFETY: promised by the caller.
        unsafe {
            let copy = CStr::from_ptr(text).to_string_lossy().into_owned();
            call!(self.library, "free a text", AllocatorFree(allocator, text.cast()))?;
            Ok(copy)
        }
    }

    fn ports(&self, inputs: bool) -> Result<Vec<Port>, OnnxError> {
        let doing = format!("describe {}", self.name);
        let mut count = 0;
        // SAFETY: the session is ours, every out pointer is valid, and what is handed out is freed or
        // released here.
        unsafe {
            if inputs {
                call!(
                    self.library,
                    &doing,
                    SessionGetInputCount(self.session, &raw mut count)
                )?;
            } else {
                call!(
                    self.library,
                    &doing,
                    SessionGetOutputCount(self.session, &raw mut count)
                )?;
            }
            let allocator = self.allocator()?;
            (0..count)
                .map(|index| {
                    let (mut text, mut info) = (ptr::null_mut(), ptr::null_mut());
                    if inputs {
                        call!(
                            self.library,
                            &doing,
                            SessionGetInputName(self.session, index, allocator, &raw mut text)
                        )?;
                        call!(
                            self.library,
                            &doing,
                            SessionGetInputTypeInfo(self.session, index, &raw mut info)
                        )?;
                    } else {
                        call!(
                            self.library,
                            &doing,
                            SessionGetOutputName(self.session, index, allocator, &raw mut text)
                        )?;
                        call!(
                            self.library,
                            &doing,
                            SessionGetOutputTypeInfo(self.session, index, &raw mut info)
                        )?;
                    }
                    let name = self.take_text(allocator, text);
                    let described = self.describe(&doing, info);
                    if let Some(release) = self.library.api().ReleaseTypeInfo {
                        release(info);
                    }
                    let (element, dims) = described?;
                    Ok(Port {
                        name: name?,
                        element,
                        dims,
                    })
                })
                .collect()
        }
    }

    /// # Safety
    /// `info` is a type description that lives for the call.
    unsafe fn describe(
        &self,
        doing: &str,
        info: *const OrtTypeInfo,
    ) -> Result<(Element, Vec<i64>), OnnxError> {
        let (mut tensor, mut element, mut rank) = (ptr::null(), 0, 0);
        // SAFETY: promised by the caller; `tensor` borrows from `info`.
        unsafe {
            call!(
                self.library,
                doing,
                CastTypeInfoToTensorInfo(info, &raw mut tensor)
            )?;
            if tensor.is_null() {
                return Ok((Element(0), Vec::new()));
            }
            call!(
                self.library,
                doing,
                GetTensorElementType(tensor, &raw mut element)
            )?;
            call!(self.library, doing, GetDimensionsCount(tensor, &raw mut rank))?;
            let mut dims = vec![0; rank];
            call!(
                self.library,
                doing,
                GetDimensions(tensor, dims.as_mut_ptr(), rank)
            )?;
            Ok((Element(element), dims))
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(release) = self.library.api().ReleaseSession {
            // SAFETY: the session is ours and released once; its bindings hold a share and so are gone.
            unsafe { release(self.session) };
        }
    }
}

/// `name` as a C string. A name inside a model cannot hold a NUL byte and still have been loaded.
pub(super) fn c_name(name: &str) -> Result<CString, OnnxError> {
    CString::new(name).map_err(|_| OnnxError::Decode {
        what: format!("the name {name:?}"),
        reason: "it holds a NUL byte".to_string(),
    })
}
