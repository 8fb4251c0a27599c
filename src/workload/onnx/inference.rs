//! [`OnnxInference`]: a forward model whose weights are inputs, so that new ones go live between two pieces.

use super::arena::Arena;
use super::binding::Binding;
use super::device::Device;
use super::engine::{Engine, Ready};
use super::library::Library;
use super::model::Weight;
use super::node_times::{self, NodeTimes};
use super::provider::ProviderReport;
use super::session::{Port, Session, SessionOptions};
use super::step::expect_values;
use super::tensor::{Element, Tensor};
use super::threads::Refusals;
use super::transfer::{self, Transfer};
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
    /// Where new weights come from, in the order of [`weight_names`].
    pub swap: Option<swap::Receiver>,
    /// What the model may use of the machine.
    pub engine: Engine,
}

/// Copies to a device: the input of each minibatch size, and either set of weights.
struct OnDevice {
    x: Vec<Transfer>,
    weights: [Transfer; 2],
}

/// A forward model serving a stream. Its answer to a request is the index of the largest output.
pub struct OnnxInference {
    /// `[set][minibatch - 1]`: each size over each of the two sets of weights.
    bindings: [Vec<Binding>; 2],
    /// Either set as the host writes it: without a device the very tensors that are bound.
    weights: [Vec<Arc<Tensor>>; 2],
    on_device: Option<OnDevice>,
    session: Arc<Session>,
    providers: ProviderReport,
    /// Of the host.
    x: Arc<Tensor>,
    logits: Arc<Tensor>,
    row: usize,
    classes: usize,
    live: usize,
    version: u32,
    fill: Fill,
    swap: Option<swap::Receiver>,
}

/// Names of the model's weights: every input but `x`, in the model's order. Sets of new weights follow it.
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
    /// Loads `model` (input `x` of `[N, ...]`, the weights, output `logits` of `[N, classes]`), fills both
    /// sets of weights and runs every minibatch size once over each, so that no later run has anything to set
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
            engine,
        } = config;
        if minibatch == 0 || minibatch > limits::MINIBATCH {
            return Err(OnnxError::Minibatch(minibatch));
        }
        let ready = Ready::new(library, &engine)?;
        let options = SessionOptions {
            optimise: true,
            engine: &ready,
            profile: None,
        };
        let session = Arc::new(Session::new(library, &name, model, options)?);
        let device = ready.device();
        let device = device
            .map(|provider| Device::new(library, provider, &ready))
            .transpose()?;
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
        let arena = ready.arena.as_ref();
        let x = Tensor::new(library, arena, Element::F32, &with_minibatch(&x_dims, minibatch))?;
        let logits = Tensor::new(
            library,
            arena,
            Element::F32,
            &with_minibatch(&out_dims, minibatch),
        )?;
        let set = || -> Result<Vec<Arc<Tensor>>, OnnxError> {
            let ports = session.inputs.iter().filter(|port| port.name != "x");
            ports
                .map(|port| filled(library, arena, &name, port, &values))
                .collect()
        };
        let weights = [set()?, set()?];
        if let Some(swap) = &swap {
            let values = weights
                .iter()
                .flatten()
                .map(|tensor| tensor.f32().len())
                .sum::<usize>()
                / 2;
            expect_values(&name, swap.values(), values)?;
        }
        let names: Vec<&str> = session
            .inputs
            .iter()
            .map(|port| port.name.as_str())
            .filter(|it| *it != "x")
            .collect();
        // Where the engine reads them: the host's own without a device.
        let there = |tensor: &Arc<Tensor>| match &device {
            Some(device) => Tensor::on(device, tensor.element, &tensor.dims),
            None => Ok(Arc::clone(tensor)),
        };
        let run_x = there(&x)?;
        let run_set = |set: &Vec<Arc<Tensor>>| set.iter().map(there).collect::<Result<Vec<_>, _>>();
        let run_weights = [run_set(&weights[0])?, run_set(&weights[1])?];
        let on_device = device.is_some().then(|| -> Result<OnDevice, OnnxError> {
            let carrier = transfer::session(library, &ready, &[Element::F32])?;
            let size = |size: usize| {
                let dims = with_minibatch(&x_dims, size);
                Transfer::new(&carrier, vec![(x.prefix(&dims)?, run_x.prefix(&dims)?)])
            };
            let set = |index: usize| -> Result<Transfer, OnnxError> {
                let pairs = weights.iter().zip(&run_weights).nth(index);
                let pairs = pairs.map(|(from, to)| from.iter().cloned().zip(to.iter().cloned()).collect());
                Transfer::alone(library, &ready, pairs.unwrap_or_default())
            };
            Ok(OnDevice {
                x: (1..=minibatch).map(size).collect::<Result<_, _>>()?,
                weights: [set(0)?, set(1)?],
            })
        });
        let mut on_device = on_device.transpose()?;
        let bind = |session: &Arc<Session>, set: &Vec<Arc<Tensor>>, size: usize| {
            let (x, logits) = (
                run_x.prefix(&with_minibatch(&x_dims, size))?,
                logits.prefix(&with_minibatch(&out_dims, size))?,
            );
            Binding::new(session, |tensor| match tensor {
                "x" => Some(Arc::clone(&x)),
                "logits" => Some(Arc::clone(&logits)),
                other => {
                    let mut named = names.iter().zip(set);
                    named
                        .find(|(name, _)| **name == other)
                        .map(|(_, it)| Arc::clone(it))
                }
            })
        };
        let mut bindings = [Vec::new(), Vec::new()];
        for (bindings, set) in bindings.iter_mut().zip(&run_weights) {
            for size in 1..=minibatch {
                if let Some(copy) = on_device.as_mut().and_then(|it| it.x.get_mut(size - 1)) {
                    copy.run()?;
                }
                let mut binding = bind(&session, set, size)?;
                binding.run()?;
                bindings.push(binding);
            }
        }
        let mut placed = Vec::new();
        // Only a profile tells where nodes run.
        if device.is_some() {
            let options = SessionOptions {
                optimise: true,
                engine: &ready,
                profile: None,
            };
            let NodeTimes { providers, .. } =
                node_times::measure(library, options, &name, model, 0, |session| {
                    bind(session, &run_weights[0], minibatch)
                })?;
            placed = providers;
        }
        Ok(OnnxInference {
            bindings,
            weights,
            on_device,
            providers: ready.report(placed),
            session,
            x,
            logits,
            row,
            classes,
            live: 0,
            version: 0,
            fill,
            swap,
        })
    }

    /// The providers that were asked for, which of them are active, and where the nodes run.
    pub fn providers(&self) -> &ProviderReport {
        &self.providers
    }

    /// What the system refused to the engine's threads.
    pub fn refusals(&self) -> Refusals {
        self.session.refusals()
    }

    /// The version of the weights in use: 0 for the start values, then what the trainer's end of the swap
    /// counted.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Takes the newest weights into the idle set and exchanges the sets.
    fn exchange(&mut self) {
        let idle = 1 - self.live;
        let Some((swap, set)) = self.swap.as_mut().zip(self.weights.get(idle)) else {
            return;
        };
        let taken = swap.take_with(|values| {
            let mut rest = values;
            for tensor in set {
                let Some((part, others)) = rest.split_at_checked(tensor.f32().len()) else {
                    return;
                };
                tensor.f32_mut().copy_from_slice(part);
                rest = others;
            }
        });
        let Some(version) = taken else {
            return;
        };
        let copy = self.on_device.as_mut().and_then(|it| it.weights.get_mut(idle));
        // A set that did not reach the device stays idle; the next one is newer.
        if copy.is_none_or(|copy| copy.run().is_ok()) {
            self.live = idle;
            self.version = version;
        }
    }
}

impl Inference for OnnxInference {
    fn run(&mut self, requests: &[Request], answers: &mut [u64]) -> Result<(), WorkloadError> {
        self.exchange();
        let wrong = WorkloadError::Minibatch(requests.len() as u32);
        if answers.len() != requests.len() {
            return Err(wrong);
        }
        for (request, row) in requests.iter().zip(self.x.f32_mut().chunks_exact_mut(self.row)) {
            (self.fill)(request, row)?;
        }
        let size = requests.len().wrapping_sub(1);
        if let Some(copy) = self.on_device.as_mut().and_then(|it| it.x.get_mut(size)) {
            copy.run().map_err(|error| code(&error))?;
        }
        let bindings = self.bindings.get_mut(self.live).ok_or(wrong)?;
        let binding = bindings.get_mut(size).ok_or(wrong)?;
        binding.run().map_err(|error| code(&error))?;
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
}

/// Code of [`WorkloadError::Failed`] when ONNX Runtime refused a run.
const ENGINE: i32 = -1;

/// Code of [`WorkloadError::Failed`] when a run did not fit into its workload's own [`Arena`].
pub const OUT_OF_MEMORY: i32 = -3;

/// What a failed run is to the schedule.
pub(super) fn code(error: &OnnxError) -> WorkloadError {
    WorkloadError::Failed(match error {
        OnnxError::Memory { .. } => OUT_OF_MEMORY,
        _ => ENGINE,
    })
}

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

fn with_minibatch(dims: &[i64], minibatch: usize) -> Vec<i64> {
    let mut dims = dims.to_vec();
    if let Some(first) = dims.first_mut() {
        *first = minibatch as i64;
    }
    dims
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
