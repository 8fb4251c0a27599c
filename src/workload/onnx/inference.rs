//! [`OnnxInference`]: a forward model whose weights are inputs, so that new ones go live between two pieces.

use super::OnnxError;
use super::binding::Binding;
use super::device::Device;
use super::engine::{Engine, Ready};
use super::library::Library;
use super::model::Weight;
use super::node_times::{self, NodeTimes};
use super::provider::ProviderReport;
use super::session::{Port, Session, SessionOptions};
use super::tensor::{Element, Tensor};
use super::threads::Refusals;
use super::transfer::{self, Transfer};
use super::weight_sets::{self, WeightSets, bind};
use crate::limits;
use crate::units::Nanos;
use crate::workload::{Inference, Request, WorkloadError, swap};
use std::sync::Arc;

/// Writes the input row of one request.
pub type Fill = Box<dyn FnMut(&Request, &mut [f32]) -> Result<(), WorkloadError> + Send>;

/// Makes the answer to one request of its output row.
pub type Read = Box<dyn FnMut(&Request, &[f32]) -> u64 + Send>;

/// Runs by which a minibatch is measured; the second longest counts, so that one interruption does not.
const MEASURED: usize = 40;

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
    /// What the model may use of the machine.
    pub engine: Engine,
}

/// A forward model serving a stream. Its answer to a request is the index of the largest output, unless
/// [`OnnxInference::read_with`] says otherwise.
pub struct OnnxInference {
    /// `[set][minibatch - 1]`: each size over each set of weights, so that a swap is a change of index.
    bindings: Vec<Vec<Binding>>,
    /// The input of each minibatch size to the device; none without one.
    send: Vec<Transfer>,
    session: Arc<Session>,
    engine: Arc<Ready>,
    providers: ProviderReport,
    /// Of the host.
    x: Arc<Tensor>,
    logits: Arc<Tensor>,
    row: usize,
    classes: usize,
    version: u32,
    fill: Fill,
    read: Read,
    swap: Option<swap::Serving>,
    sets: Option<WeightSets>,
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
            engine,
        } = config;
        if minibatch == 0 || minibatch > limits::MINIBATCH {
            return Err(OnnxError::Minibatch(minibatch));
        }
        let ready = Arc::new(Ready::new(library, &engine)?.with_one_memory(library));
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
        let tensor = |dims: &[i64]| Tensor::new(library, ready.arena.as_ref(), Element::F32, dims);
        let x = tensor(&with_minibatch(&x_dims, minibatch))?;
        let logits = tensor(&with_minibatch(&out_dims, minibatch))?;
        let names = session.inputs.iter().map(|port| port.name.clone());
        let names: Vec<String> = names.filter(|name| name != "x").collect();
        let sets = if swap.is_some() { swap::SETS } else { 1 };
        let tensors = weight_sets::start(&session, &ready, device.as_ref(), &values, sets)?;
        // Where the engine reads it: the host's own without a device.
        let (mut run_x, mut send) = (Arc::clone(&x), Vec::new());
        if let Some(device) = &device {
            run_x = Tensor::on(device, x.element, &x.dims)?;
            let carrier = transfer::session(library, &ready, &[Element::F32])?;
            for size in 1..=minibatch {
                let dims = with_minibatch(&x_dims, size);
                let mut copy = Transfer::new(&carrier, vec![(x.prefix(&dims)?, run_x.prefix(&dims)?)])?;
                copy.run()?;
                send.push(copy);
            }
        }
        let over = |session: &Arc<Session>, set: &[Arc<Tensor>], size: usize| {
            let x = run_x.prefix(&with_minibatch(&x_dims, size))?;
            let logits = logits.prefix(&with_minibatch(&out_dims, size))?;
            bind(session, &names, set, &x, &logits)
        };
        let sizes = |set: &Vec<Arc<Tensor>>| -> Result<Vec<Binding>, OnnxError> {
            let size = |size| {
                let mut binding = over(&session, set, size)?;
                binding.run()?;
                Ok(binding)
            };
            (1..=minibatch).map(size).collect()
        };
        let bindings = tensors.iter().map(sizes).collect::<Result<Vec<_>, _>>()?;
        let mut placed = Vec::new();
        // Only a profile tells where nodes run.
        if let Some(set) = tensors.first().filter(|_| device.is_some()) {
            let measured = node_times::measure(library, options, &name, model, 0, |session| {
                over(session, set, minibatch)
            });
            NodeTimes {
                providers: placed,
                ..
            } = measured?;
        }
        let mark = swap.as_ref().map(swap::Serving::mark);
        let sets = mark.map(|mark| WeightSets {
            session: Arc::clone(&session),
            engine: Arc::clone(&ready),
            device,
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
            send,
            providers: ready.report(placed),
            session,
            engine: ready,
            x,
            logits,
            row,
            classes,
            version: 0,
            fill,
            read: Box::new(largest),
            swap,
            sets,
        })
    }

    /// The sets of weights, for the trainer that hands new ones over; the first caller gets them. `None`
    /// without a swap.
    pub fn take_weight_sets(&mut self) -> Option<WeightSets> {
        self.sets.take()
    }

    /// Has `read` make the answers; for before the start. It is called on the dispatcher thread, right after the
    /// run.
    pub fn read_with(&mut self, read: Read) {
        self.read = read;
    }

    /// The upper time of the largest minibatch, input and answers apart: the processor's where it runs on the
    /// calling thread alone.
    pub fn measure(&mut self) -> Result<Nanos, WorkloadError> {
        let OnnxInference {
            bindings,
            send,
            engine,
            ..
        } = self;
        let size = bindings.first().map_or(0, Vec::len);
        let wrong = WorkloadError::Minibatch(size as u32);
        let last = bindings.first_mut().and_then(|sizes| sizes.last_mut());
        let (binding, mut copy) = (last.ok_or(wrong)?, send.last_mut());
        let mut times = [Nanos::ZERO; MEASURED];
        for time in &mut times {
            let start = engine.now();
            let sent = copy.as_deref_mut().map_or(Ok(()), Transfer::run);
            let ran = sent.and_then(|()| binding.run());
            ran.map_err(|error| code(&error))?;
            *time = engine.now() - start;
        }
        times.sort_unstable();
        Ok(times.iter().rev().nth(1).copied().unwrap_or_default())
    }

    /// Brings the rows of `requests` to the input and runs the session, and nothing else of an inference: what a bare loop
    /// over ONNX Runtime's C API costs, to compare with.
    pub fn run_alone(&mut self, requests: &[Request]) -> Result<(), WorkloadError> {
        self.fill_rows(requests)?;
        let sizes = self.bindings.first_mut();
        let binding = sizes.and_then(|sizes| sizes.get_mut(requests.len().wrapping_sub(1)));
        let binding = binding.ok_or(WorkloadError::Minibatch(requests.len() as u32))?;
        binding.run().map_err(|error| code(&error))
    }

    fn fill_rows(&mut self, requests: &[Request]) -> Result<(), WorkloadError> {
        for (request, row) in requests.iter().zip(self.x.f32_mut().chunks_exact_mut(self.row)) {
            (self.fill)(request, row)?;
        }
        Ok(())
    }

    /// The providers that were asked for, which of them are active, and where the nodes run.
    pub fn providers(&self) -> &ProviderReport {
        &self.providers
    }

    /// What the system refused to the engine's threads.
    pub fn refusals(&self) -> Refusals {
        self.session.refusals()
    }
}

impl Inference for OnnxInference {
    fn run(&mut self, requests: &[Request], answers: &mut [u64]) -> Result<(), WorkloadError> {
        let wrong = WorkloadError::Minibatch(requests.len() as u32);
        if answers.len() != requests.len() {
            return Err(wrong);
        }
        self.fill_rows(requests)?;
        let size = requests.len().wrapping_sub(1);
        if let Some(copy) = self.send.get_mut(size) {
            copy.run().map_err(|error| code(&error))?;
        }
        let running = self.swap.as_mut().map(swap::Serving::begin);
        let (set, version) = running.as_ref().map_or((0, 0), |it| (it.set, it.version));
        self.version = version;
        let sizes = self.bindings.get_mut(set).ok_or(wrong)?;
        let binding = sizes.get_mut(size).ok_or(wrong)?;
        binding.run().map_err(|error| code(&error))?;
        drop(running);
        let outputs = self.logits.f32().chunks_exact(self.classes);
        for ((answer, request), output) in answers.iter_mut().zip(requests).zip(outputs) {
            *answer = (self.read)(request, output);
        }
        Ok(())
    }

    /// The most that its tensors, its sets of weights and its runs took at once; 0 where it lives in a device's memory.
    fn memory_bytes(&self) -> u64 {
        self.engine.memory_bytes()
    }

    fn version(&self) -> u32 {
        self.version
    }
}

/// The index of the largest output.
fn largest(_: &Request, output: &[f32]) -> u64 {
    let all = output.iter().enumerate();
    let largest = all.max_by(|left, right| left.1.total_cmp(right.1));
    largest.map_or(0, |(index, _)| index as u64)
}

/// Code of [`WorkloadError::Failed`] when ONNX Runtime refused a run.
pub const ENGINE: i32 = -1;

/// Code of [`WorkloadError::Failed`] when a run did not fit into its workload's own [`Arena`](super::Arena).
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

/// `dims` with a minibatch of this size.
pub(super) fn with_minibatch(dims: &[i64], minibatch: usize) -> Vec<i64> {
    let mut dims = dims.to_vec();
    if let Some(first) = dims.first_mut() {
        *first = minibatch as i64;
    }
    dims
}
