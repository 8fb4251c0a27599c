//! A [`Binding`] is a session with memory for every input and output: one run, prepared.

#![allow(unsafe_code)]

use super::OnnxError;
use super::bindings::OrtIoBinding;
use super::library::call;
use super::run_options::RunOptions;
use super::session::{Port, Session, c_name};
use super::tensor::Tensor;
use std::ptr;
use std::sync::Arc;

/// A session with memory for every input and output. A run allocates nothing on our side.
pub(super) struct Binding {
    session: Arc<Session>,
    binding: *mut OrtIoBinding,
    options: Arc<RunOptions>,
    /// Keep the memory alive as long as the binding points to it.
    tensors: Vec<Arc<Tensor>>,
}

// SAFETY: a binding is used by one thread at a time, as `&mut self` of `run` demands, but not always the same one.
unsafe impl Send for Binding {}

impl Binding {
    /// Has the runs of this binding end when `options` are told to.
    pub(super) fn set_options(&mut self, options: Arc<RunOptions>) {
        self.options = options;
    }

    /// Binds each input and output of `session` to the tensor that `find` gives for its name. An output that shares
    /// memory with an input is refused: the engine would run it without any error and train wrongly.
    pub(super) fn new(
        session: &Arc<Session>,
        mut find: impl FnMut(&str) -> Option<Arc<Tensor>>,
    ) -> Result<Binding, OnnxError> {
        let library = session.library();
        let doing = format!("bind memory to {}", session.name);
        let mut made = Binding {
            session: Arc::clone(session),
            options: Arc::new(RunOptions::new(library)?),
            binding: ptr::null_mut(),
            tensors: Vec::new(),
        };
        // SAFETY: the session is loaded; the object is released by `drop`.
        unsafe {
            call!(
                library,
                &doing,
                CreateIoBinding(session.raw(), &raw mut made.binding)
            )?;
        }
        let mut inputs: Vec<(&Port, Arc<Tensor>)> = Vec::new();
        let mut outputs: Vec<(&Port, Arc<Tensor>)> = Vec::new();
        for port in &session.inputs {
            let tensor =
                find(&port.name).ok_or_else(|| missing(session, &port.name, "memory for the input"))?;
            // SAFETY: the binding holds a share of the tensor for as long as it lives.
            unsafe {
                let name = c_name(&port.name)?;
                call!(
                    library,
                    &doing,
                    BindInput(made.binding, name.as_ptr(), tensor.value())
                )?;
            }
            inputs.push((port, Arc::clone(&tensor)));
            made.tensors.push(tensor);
        }
        for port in &session.outputs {
            let tensor =
                find(&port.name).ok_or_else(|| missing(session, &port.name, "memory for the output"))?;
            if let Some((input, _)) = inputs.iter().find(|(_, input)| input.overlaps(&tensor)) {
                return Err(OnnxError::Aliased {
                    output: port.name.clone(),
                    input: input.name.clone(),
                });
            }
            if let Some((other, _)) = outputs.iter().find(|(_, other)| other.overlaps(&tensor)) {
                let (output, input) = (port.name.clone(), other.name.clone());
                return Err(OnnxError::Aliased { output, input });
            }
            outputs.push((port, Arc::clone(&tensor)));
            // SAFETY: as above.
            unsafe {
                let name = c_name(&port.name)?;
                call!(
                    library,
                    &doing,
                    BindOutput(made.binding, name.as_ptr(), tensor.value())
                )?;
            }
            made.tensors.push(tensor);
        }
        Ok(made)
    }

    /// Runs the model once over the bound memory.
    pub(super) fn run(&mut self) -> Result<(), OnnxError> {
        let library = self.session.library();
        let Some(run) = library.api().RunWithBinding else {
            let message = "the library has no RunWithBinding".to_string();
            return Err(OnnxError::Engine {
                doing: format!("run {}", self.session.name),
                message,
            });
        };
        // SAFETY: session, options and binding are alive, and `&mut self` keeps a second run of this binding away.
        let status = unsafe { run(self.session.raw(), self.options.raw(), self.binding) };
        // The name is made into a text only if something went wrong: the good path must not allocate.
        if status.is_null() {
            self.session.fits()
        } else {
            library.check(format!("run {}", self.session.name), status)
        }
    }
}

fn missing(session: &Session, name: &str, role: &'static str) -> OnnxError {
    OnnxError::NoTensor {
        model: session.name.clone(),
        name: name.to_string(),
        role,
    }
}

impl Drop for Binding {
    fn drop(&mut self) {
        let api = self.session.library().api();
        // SAFETY: made by `new` and released once; the tensors go after.
        unsafe {
            if let (Some(release), false) = (api.ReleaseIoBinding, self.binding.is_null()) {
                release(self.binding);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::engine::Ready;
    use super::super::session::SessionOptions;
    use super::super::{Engine, Library, OnnxError};
    use super::*;

    const STEP: &[u8] = include_bytes!("../../../tests/fixtures/tiny_step.onnx");

    fn bind(in_place: bool) -> Result<Binding, OnnxError> {
        let library = Library::open().unwrap_or_else(|error| panic!("{error}"));
        let options = SessionOptions {
            optimise: false,
            engine: &Ready::new(&library, &Engine::default())?,
            profile: None,
        };
        let session = Arc::new(Session::new(&library, "step", STEP, options)?);
        let mut made: Vec<(String, Arc<Tensor>)> = Vec::new();
        let ports: Vec<_> = session.inputs.iter().chain(&session.outputs).cloned().collect();
        Binding::new(&session, |name| {
            let known = made
                .iter()
                .find(|(known, _)| Some(known.as_str()) == name.strip_suffix("_out"));
            if let (true, Some((_, tensor))) = (in_place, known) {
                return Some(Arc::clone(tensor));
            }
            let port = ports.iter().find(|port| port.name == name)?;
            let tensor = Tensor::new(&library, None, port.element, &port.dims).ok()?;
            made.push((name.to_string(), Arc::clone(&tensor)));
            Some(tensor)
        })
    }

    #[test]
    fn an_output_over_its_own_input_is_refused_because_it_would_train_wrongly() {
        assert!(bind(false).is_ok());
        let refused = bind(true).err().unwrap();
        assert!(
            matches!(&refused, OnnxError::Aliased { output, input } if *output == format!("{input}_out")),
            "{refused}"
        );
    }

    #[test]
    fn memory_that_nobody_gives_is_an_error_that_names_the_tensor() {
        let library = Library::open().unwrap_or_else(|error| panic!("{error}"));
        let options = SessionOptions {
            optimise: false,
            engine: &Ready::new(&library, &Engine::default()).unwrap(),
            profile: None,
        };
        let session = Arc::new(Session::new(&library, "step", STEP, options).unwrap());
        let refused = Binding::new(&session, |_| None).err().unwrap();
        assert!(
            matches!(&refused, OnnxError::NoTensor { name, .. } if name == "x"),
            "{refused}"
        );
    }
}
