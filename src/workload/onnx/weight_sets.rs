//! The [`WeightSets`] of a forward model: as many as go round in a swap, each prepared for every run.

use super::arena::Arena;
use super::binding::Binding;
use super::device::Device;
use super::engine::Ready;
use super::library::Library;
use super::model::Weight;
use super::session::{Port, Session};
use super::tensor::{Element, Tensor};
use super::transfer::Transfer;
use super::{OnnxError, model};
use crate::workload::swap;
use std::sync::Arc;

/// The sets of weights that go round, for the trainer that fills and judges them. Who writes and reads which,
/// when, is what the swap says. Cheap to clone; the clones are the same sets.
#[derive(Clone)]
pub struct WeightSets {
    pub(super) session: Arc<Session>,
    /// Of the forward model.
    pub(super) engine: Arc<Ready>,
    /// Whose memory the sets lie in, if not the host's.
    pub(super) device: Option<Arc<Device>>,
    /// Of the weights, in the order of each set.
    pub(super) names: Vec<String>,
    /// `[set][weight]`.
    pub(super) tensors: Vec<Vec<Arc<Tensor>>>,
    pub(super) mark: swap::Mark,
    pub(super) row: usize,
    pub(super) classes: usize,
    pub(super) x_dims: Vec<i64>,
    pub(super) logits_dims: Vec<i64>,
}

impl WeightSets {
    /// The forward model over one of the sets.
    pub(super) fn bind(
        &self,
        set: &[Arc<Tensor>],
        x: &Arc<Tensor>,
        logits: &Arc<Tensor>,
    ) -> Result<Binding, OnnxError> {
        bind(&self.session, &self.names, set, x, logits)
    }
}

/// The forward model in `session` over the weights `set`, called `names`.
pub(super) fn bind(
    session: &Arc<Session>,
    names: &[String],
    set: &[Arc<Tensor>],
    x: &Arc<Tensor>,
    logits: &Arc<Tensor>,
) -> Result<Binding, OnnxError> {
    Binding::new(session, |tensor| match tensor {
        "x" => Some(Arc::clone(x)),
        "logits" => Some(Arc::clone(logits)),
        other => {
            let mut weights = names.iter().zip(set);
            weights
                .find(|(name, _)| name.as_str() == other)
                .map(|(_, weight)| Arc::clone(weight))
        }
    })
}

/// So many sets of weights for `session`, all with the start values, where its engine reads them.
pub(super) fn start(
    session: &Session,
    engine: &Ready,
    device: Option<&Arc<Device>>,
    values: &[Weight],
    sets: usize,
) -> Result<Vec<Vec<Arc<Tensor>>>, OnnxError> {
    let (library, name) = (session.library(), &session.name);
    let of_host = |arena: Option<&Arena>| -> Result<Vec<Arc<Tensor>>, OnnxError> {
        let ports = session.inputs.iter().filter(|port| port.name != "x");
        ports
            .map(|port| filled(library, arena, name, port, values))
            .collect()
    };
    let Some(device) = device else {
        return (0..sets).map(|_| of_host(engine.arena.as_ref())).collect();
    };
    // These are gone again after the copies, so the workload's own memory need not hold them.
    let start = of_host(None)?;
    let on_device = |_| -> Result<Vec<Arc<Tensor>>, OnnxError> {
        let set = start.iter().map(|it| Tensor::on(device, it.element, &it.dims));
        let set = set.collect::<Result<Vec<_>, _>>()?;
        let pairs = start.iter().cloned().zip(set.iter().cloned()).collect();
        Transfer::alone(library, engine, pairs)?;
        Ok(set)
    };
    (0..sets).map(on_device).collect()
}

/// Names of the model's weights: every input but `x`, in the model's order.
pub fn weight_names(what: &str, model: &[u8]) -> Result<Vec<String>, OnnxError> {
    let (_, graph) = model::decode(what, model)?;
    Ok(graph
        .input
        .into_iter()
        .filter_map(|input| input.name)
        .filter(|name| name != "x")
        .collect())
}

/// A tensor for the weight `port`, with its start value.
pub(super) fn filled(
    library: &Library,
    arena: Option<&Arena>,
    model: &str,
    port: &Port,
    values: &[Weight],
) -> Result<Arc<Tensor>, OnnxError> {
    let weight = values
        .iter()
        .find(|weight| weight.name == port.name)
        .ok_or_else(|| OnnxError::NoTensor {
            model: format!("the weights file for {model}"),
            name: port.name.clone(),
            role: "weight",
        })?;
    if port.element != Element::F32 || weight.dims != port.dims {
        return Err(OnnxError::WrongTensor {
            model: format!("the weights file for {model}"),
            name: port.name.clone(),
            expected: port.describe(),
            found: format!("float32 {:?}", weight.dims),
        });
    }
    let tensor = Tensor::new(library, arena, Element::F32, &port.dims)?;
    tensor.f32_mut().copy_from_slice(&weight.values);
    Ok(tensor)
}
