//! A [`Transfer`]: copies between the host's memory and a device's, as a model of one Identity node a tensor.
//!
//! Version 17 of the C API has no copy of its own. A run takes its inputs from any memory and writes its
//! outputs to any, so the engine's own copies serve, whatever the device. An input that is *bound* would be
//! copied once, when it is bound, and never again; this is why transfers do not use bindings.

#![allow(unsafe_code)]

use super::OnnxError;
use super::bindings::OrtValue;
use super::engine::Ready;
use super::library::Library;
use super::model::{GraphProto, ModelProto, NodeProto, OperatorSetIdProto, ValueInfoProto};
use super::session::{Session, SessionOptions, c_name};
use super::tensor::{Element, Tensor};
use prost::Message;
use std::ffi::{CString, c_char};
use std::ptr;
use std::sync::Arc;

/// Copies that are made together.
pub(super) struct Transfer {
    session: Arc<Session>,
    /// Keep the memory and the names alive that the pointers below point to.
    _tensors: Vec<(Arc<Tensor>, Arc<Tensor>)>,
    _names: Vec<CString>,
    input_names: Vec<*const c_char>,
    output_names: Vec<*const c_char>,
    inputs: Vec<*const OrtValue>,
    outputs: Vec<*mut OrtValue>,
}

// SAFETY: the pointers point to what the transfer itself owns or shares, and are used by one thread at a
// time.
unsafe impl Send for Transfer {}

impl Transfer {
    /// Copies from the first of each pair to the second, by a session of [`carrier`] with as many tensors.
    pub(super) fn new(
        session: &Arc<Session>,
        tensors: Vec<(Arc<Tensor>, Arc<Tensor>)>,
    ) -> Result<Transfer, OnnxError> {
        let mut names = Vec::new();
        let ports = session.inputs.iter().zip(&session.outputs).zip(&tensors);
        for ((input, output), _) in ports {
            names.push(c_name(&input.name)?);
            names.push(c_name(&output.name)?);
        }
        let pointers = |first: usize| {
            names
                .iter()
                .skip(first)
                .step_by(2)
                .map(|name| name.as_ptr())
                .collect()
        };
        Ok(Transfer {
            session: Arc::clone(session),
            input_names: pointers(0),
            output_names: pointers(1),
            inputs: tensors.iter().map(|(from, _)| from.value()).collect(),
            outputs: tensors.iter().map(|(_, to)| to.value().cast_mut()).collect(),
            _tensors: tensors,
            _names: names,
        })
    }

    /// The same with a session of its own, made for the device of `engine`. Copies once, so that a later copy
    /// has nothing to set up.
    pub(super) fn alone(
        library: &Library,
        engine: &Ready,
        tensors: Vec<(Arc<Tensor>, Arc<Tensor>)>,
    ) -> Result<Transfer, OnnxError> {
        let elements: Vec<Element> = tensors.iter().map(|(from, _)| from.element).collect();
        let mut made = Transfer::new(&session(library, engine, &elements)?, tensors)?;
        made.run()?;
        Ok(made)
    }

    /// Copies now.
    pub(super) fn run(&mut self) -> Result<(), OnnxError> {
        let library = self.session.library();
        let Some(run) = library.api().Run else {
            return Err(OnnxError::Engine {
                doing: "copy".to_string(),
                message: "the library has no Run".to_string(),
            });
        };
        // SAFETY: as many names and values each, of which `Transfer::new` keeps the owners; the outputs are
        // given, so the engine writes into them and hands out none of its own. Null options are the default
        // ones.
        let status = unsafe {
            run(
                self.session.raw(),
                ptr::null(),
                self.input_names.as_ptr(),
                self.inputs.as_ptr(),
                self.inputs.len(),
                self.output_names.as_ptr(),
                self.output_names.len(),
                self.outputs.as_mut_ptr(),
            )
        };
        if status.is_null() {
            return self.session.fits();
        }
        library.check("copy between the host and the device", status)
    }
}

/// A session of [`carrier`] for `elements` on the device of `engine`.
pub(super) fn session(
    library: &Library,
    engine: &Ready,
    elements: &[Element],
) -> Result<Arc<Session>, OnnxError> {
    let options = SessionOptions {
        optimise: false,
        engine: &engine.for_copies(),
        profile: None,
    };
    Session::new(library, "copies", &carrier(elements), options).map(Arc::new)
}

/// A model that copies a tensor of each element type, of any shape.
pub(super) fn carrier(elements: &[Element]) -> Vec<u8> {
    let mut graph = GraphProto {
        name: Some("copies".to_string()),
        ..GraphProto::default()
    };
    for (index, element) in elements.iter().enumerate() {
        let (from, to) = (format!("from{index}"), format!("to{index}"));
        graph.node.push(NodeProto {
            input: vec![from.clone()],
            output: vec![to.clone()],
            op_type: Some("Identity".to_string()),
            ..NodeProto::default()
        });
        graph.input.push(ValueInfoProto::of(from, *element, None));
        graph.output.push(ValueInfoProto::of(to, *element, None));
    }
    model_of(graph)
}

/// `graph` as a file.
pub(super) fn model_of(graph: GraphProto) -> Vec<u8> {
    let opset = OperatorSetIdProto {
        domain: Some(String::new()),
        version: Some(17),
    };
    let model = ModelProto {
        ir_version: Some(8),
        producer_name: Some("fulcrum".to_string()),
        opset_import: vec![opset],
        graph: Some(graph),
        ..ModelProto::default()
    };
    model.encode_to_vec()
}
