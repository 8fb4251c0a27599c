//! [`Finite`]: whether tensors on a device hold a value that is no number, found out on the device.

use super::OnnxError;
use super::binding::Binding;
use super::engine::Ready;
use super::library::Library;
use super::model::{GraphProto, NodeProto, ValueInfoProto};
use super::session::{Session, SessionOptions};
use super::tensor::{Element, Tensor};
use super::transfer::model_of;
use std::sync::Arc;

/// A model that takes every value from itself and adds all up: zero if all are finite, else no number. Only
/// that one value comes to the host.
pub(super) struct Finite {
    binding: Binding,
    sum: Arc<Tensor>,
}

impl Finite {
    /// The check of `tensors`, which are float32 and not empty.
    pub(super) fn new(
        library: &Library,
        engine: &Ready,
        tensors: &[Arc<Tensor>],
    ) -> Result<Finite, OnnxError> {
        let arena = engine.arena.clone();
        let mut engine = engine.for_copies();
        // Unlike a copy it has buffers, as large as the state.
        engine.arena = arena;
        let options = SessionOptions {
            // Or what is taken from itself might be taken for zero.
            optimise: false,
            engine: &engine,
            profile: None,
        };
        let session = Arc::new(Session::new(
            library,
            "the check of the state",
            &check(tensors),
            options,
        )?);
        let dims = session.output("sum").map_or(Vec::new(), |port| port.dims.clone());
        let sum = Tensor::new(library, engine.arena.as_ref(), Element::F32, &dims)?;
        let names: Vec<String> = (0..tensors.len()).map(|index| format!("x{index}")).collect();
        let binding = Binding::new(&session, |name| {
            if name == "sum" {
                return Some(Arc::clone(&sum));
            }
            let mut named = names.iter().zip(tensors);
            named
                .find(|(known, _)| *known == name)
                .map(|(_, tensor)| Arc::clone(tensor))
        })?;
        let mut made = Finite { binding, sum };
        // The first run makes ONNX Runtime's own buffers; what it finds counts nothing yet.
        made.check()?;
        Ok(made)
    }

    pub(super) fn check(&mut self) -> Result<bool, OnnxError> {
        self.binding.run()?;
        Ok(self.sum.f32().first().is_some_and(|sum| sum.is_finite()))
    }
}

fn check(tensors: &[Arc<Tensor>]) -> Vec<u8> {
    let node = |kind: &str, input: &[&str], output: &str| NodeProto {
        input: input.iter().map(ToString::to_string).collect(),
        output: vec![output.to_string()],
        op_type: Some(kind.to_string()),
        ..NodeProto::default()
    };
    let mut graph = GraphProto {
        name: Some("check".to_string()),
        ..GraphProto::default()
    };
    let mut sums = Vec::new();
    for (index, tensor) in tensors.iter().enumerate() {
        let (x, zeros, sum) = (
            format!("x{index}"),
            format!("zeros{index}"),
            format!("sum{index}"),
        );
        // x - x is zero for a number; for an infinity and for what is no number it is not.
        graph.node.push(node("Sub", &[&x, &x], &zeros));
        graph.node.push(node("ReduceSum", &[&zeros], &sum));
        graph
            .input
            .push(ValueInfoProto::of(x, Element::F32, Some(&tensor.dims)));
        sums.push(sum);
    }
    let sums: Vec<&str> = sums.iter().map(String::as_str).collect();
    graph.node.push(node("Sum", &sums, "sum"));
    graph
        .output
        .push(ValueInfoProto::of("sum".to_string(), Element::F32, None));
    model_of(graph)
}
