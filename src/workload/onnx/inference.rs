//! [`OnnxInference`]: a forward model whose weights are inputs, so that new ones go live between two pieces.

use super::binding::Binding;
use super::library::Library;
use super::model::Weight;
use super::session::{Port, Session, SessionOptions};
use super::tensor::{Element, Tensor};
use super::{OnnxError, model};
use crate::limits;
use crate::workload::{Inference, Request, WorkloadError, swap};
use std::sync::Arc;

/// Writes the input row of one request.
pub type Fill = Box<dyn FnMut(&Request, &mut [f32]) -> Result<(), WorkloadError> + Send>;

/// How a model serves a stream.
pub struct InferenceConfig {
    /// For messages, a file name for example.
    pub name: String,
    /// The largest minibatch; every size from 1 up is prepared and run once.
    pub minibatch: usize,
    /// Values of one request's input row.
    pub row: usize,
    /// Outputs of one request.
    pub classes: usize,
    /// Start values of the weights, by name; others than the model's are ignored.
    pub weights: Vec<Weight>,
    /// Writes the input row of one request.
    pub fill: Fill,
    /// Which set of weights serves, if they are to change; one set is all there is else.
    pub swap: Option<swap::Serving>,
}

/// A forward model serving a stream. Its answer to a request is the index of the largest output.
pub struct OnnxInference {
    /// `[set][minibatch - 1]`: each size over each set of weights, so that a swap is a change of index.
    bindings: Vec<Vec<Binding>>,
    x: Arc<Tensor>,
    logits: Arc<Tensor>,
    row: usize,
    classes: usize,
    version: u32,
    fill: Fill,
    swap: Option<swap::Serving>,
    sets: Option<WeightSets>,
}

/// The sets of weights that go round, for the trainer that fills and judges them. Who writes and reads which,
/// when, is what the swap says.
pub struct WeightSets {
    pub(super) session: Arc<Session>,
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

fn bind(
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

impl OnnxInference {
    /// Loads `model` (input `x` of `[N, ...]`, the weights, output `logits` of `[N, classes]`), fills every
    /// set of weights and runs every minibatch size once over each, so that no later run has anything to set
    /// up.
    pub fn new(library: &Library, model: &[u8], config: InferenceConfig) -> Result<OnnxInference, OnnxError> {
        let InferenceConfig {
            name,
            minibatch,
            row,
            classes,
            weights: values,
            fill,
            swap,
        } = config;
        if minibatch == 0 || minibatch > limits::MINIBATCH {
            return Err(OnnxError::Minibatch(minibatch));
        }
        let options = SessionOptions {
            optimise: true,
            profile: None,
        };
        let session = Arc::new(Session::new(library, &name, model, options)?);
        let port = |found: Option<&Port>, tensor: &str, role| {
            let missing = OnnxError::NoTensor {
                model: name.clone(),
                name: tensor.to_string(),
                role,
            };
            found.cloned().ok_or(missing)
        };
        let x_port = port(session.input("x"), "x", "input (a request's data)")?;
        let out_port = port(session.output("logits"), "logits", "output")?;
        let x_dims = expect_rows(&name, &x_port, row)?;
        let out_dims = expect_rows(&name, &out_port, classes)?;
        let x = Tensor::new(library, Element::F32, &with_minibatch(&x_dims, minibatch))?;
        let logits = Tensor::new(library, Element::F32, &with_minibatch(&out_dims, minibatch))?;
        let weights = session.inputs.iter().filter(|port| port.name != "x");
        let names: Vec<String> = weights.clone().map(|port| port.name.clone()).collect();
        let set = |_| -> Result<Vec<Arc<Tensor>>, OnnxError> {
            let filled = |port| filled(library, &name, port, &values);
            weights.clone().map(filled).collect()
        };
        let sets = if swap.is_some() { swap::SETS } else { 1 };
        let tensors = (0..sets).map(set).collect::<Result<Vec<_>, _>>()?;
        let sizes = |set: &Vec<Arc<Tensor>>| -> Result<Vec<Binding>, OnnxError> {
            let size = |size| {
                let x = x.prefix(&with_minibatch(&x_dims, size))?;
                let logits = logits.prefix(&with_minibatch(&out_dims, size))?;
                let mut binding = bind(&session, &names, set, &x, &logits)?;
                binding.run()?;
                Ok(binding)
            };
            (1..=minibatch).map(size).collect()
        };
        let bindings = tensors.iter().map(sizes).collect::<Result<Vec<_>, _>>()?;
        let mark = swap.as_ref().map(swap::Serving::mark);
        let sets = mark.map(|mark| WeightSets {
            session,
            names,
            tensors,
            mark,
            row,
            classes,
            x_dims,
            logits_dims: out_dims,
        });
        Ok(OnnxInference {
            bindings,
            x,
            logits,
            row,
            classes,
            version: 0,
            fill,
            swap,
            sets,
        })
    }

    /// The sets of weights, for the trainer that hands new ones over; the first caller gets them. `None`
    /// without a swap.
    pub fn take_weight_sets(&mut self) -> Option<WeightSets> {
        self.sets.take()
    }
}

impl Inference for OnnxInference {
    fn run(&mut self, requests: &[Request], answers: &mut [u64]) -> Result<(), WorkloadError> {
        let wrong = WorkloadError::Minibatch(requests.len() as u32);
        if answers.len() != requests.len() {
            return Err(wrong);
        }
        for (request, row) in requests.iter().zip(self.x.f32_mut().chunks_exact_mut(self.row)) {
            (self.fill)(request, row)?;
        }
        let running = self.swap.as_mut().map(swap::Serving::begin);
        let (set, version) = running.as_ref().map_or((0, 0), |it| (it.set, it.version));
        self.version = version;
        let sizes = self.bindings.get_mut(set).ok_or(wrong)?;
        let binding = requests
            .len()
            .checked_sub(1)
            .and_then(|index| sizes.get_mut(index))
            .ok_or(wrong)?;
        binding.run().map_err(|_| WorkloadError::Failed(ENGINE))?;
        drop(running);
        for (answer, logits) in answers
            .iter_mut()
            .zip(self.logits.f32().chunks_exact(self.classes))
        {
            let largest = logits
                .iter()
                .enumerate()
                .max_by(|left, right| left.1.total_cmp(right.1));
            *answer = largest.map_or(0, |(index, _)| index as u64);
        }
        Ok(())
    }

    fn version(&self) -> u32 {
        self.version
    }
}

/// Code of [`WorkloadError::Failed`] when ONNX Runtime refused a run.
pub(super) const ENGINE: i32 = -1;

/// Checks that `port` is float32 with `row` values behind an open first size; returns its sizes.
fn expect_rows(model: &str, port: &Port, row: usize) -> Result<Vec<i64>, OnnxError> {
    let mut behind = port.dims.get(1..).unwrap_or_default().iter();
    let values = behind.try_fold(1_usize, |product, dim| {
        product.checked_mul(usize::try_from(*dim).ok()?)
    });
    let open = port.dims.first().is_some_and(|first| *first < 0);
    if port.element == Element::F32 && open && values == Some(row) {
        return Ok(port.dims.clone());
    }
    Err(OnnxError::WrongTensor {
        model: model.to_string(),
        name: port.name.clone(),
        expected: format!("float32 [N, ...] with N left open and {row} values a row"),
        found: port.describe(),
    })
}

/// `dims` with a minibatch of this size.
pub(super) fn with_minibatch(dims: &[i64], minibatch: usize) -> Vec<i64> {
    let mut dims = dims.to_vec();
    if let Some(first) = dims.first_mut() {
        *first = minibatch as i64;
    }
    dims
}

/// A tensor for the weight `port`, with its start value.
pub(super) fn filled(
    library: &Library,
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
    let tensor = Tensor::new(library, Element::F32, &port.dims)?;
    tensor.f32_mut().copy_from_slice(&weight.values);
    Ok(tensor)
}
