//! The trainer behind a handle: a training graph, where its samples come from and where its weights go.

#![allow(unsafe_code)]

use super::{Engine, MARGIN, Model, User, code, or, read, weights, with_margin};
use crate::clock::{Clock, Monotonic};
use crate::ffi::fault::Fault;
use crate::ffi::feed::FeedHandle;
use crate::ffi::gate::Gate;
use crate::ffi::onnx_model::FULCRUM_ONNX_LOCK_MEMORY;
use crate::ffi::onnx_trainer::fulcrum_onnx_trainer_config_t;
use crate::ffi::sized;
use crate::ffi::status::{FULCRUM_ERR_MODEL_FILE, FULCRUM_ERR_NO_FUNCTION, FULCRUM_OK, fulcrum_status_t};
use crate::ffi::weights::fulcrum_score_t;
use crate::file;
use crate::limits;
use crate::units::Nanos;
use crate::workload::onnx::model::{decode, encode_weights};
use crate::workload::onnx::{Minibatches, OnnxTraining, Publish, Rate, TrainingConfig};
use crate::workload::swap::{self, Told};
use crate::workload::{Abort, Progress, Training, WorkloadError};
use core::ffi::c_void;
use std::path::Path;
use std::sync::Arc;

/// Every so many samples one is held out.
const HELD_OUT_EVERY: u32 = 4;

/// Held-out samples that weights are judged on, and of them in one piece.
const HELD_OUT: u32 = 32;
const JUDGED: u32 = 4;

/// What a `fulcrum_onnx_trainer_t` points to.
pub(in crate::ffi) struct Trainer {
    training: Gate<OnnxTraining>,
    aborter: Option<Arc<dyn Abort>>,
    rate: Rate,
    /// Of the model that takes its weights.
    told: Option<Told>,
    piece_ns: Box<[u64]>,
    gate_ns: [u64; 2],
    fills: u32,
    evals: u32,
    memory_bytes: u64,
    /// Of the weights file.
    names: Vec<String>,
}

impl Trainer {
    /// # Safety
    /// The pointers in `config` are as the struct says.
    pub(in crate::ffi) unsafe fn open(
        engine: &Engine,
        model: Option<&Model>,
        feed: Option<&FeedHandle>,
        config: &fulcrum_onnx_trainer_config_t,
    ) -> Result<Trainer, Fault> {
        if config.flags & !FULCRUM_ONNX_LOCK_MEMORY != 0 {
            return Err(Fault::TooNew(
                "config.flags has a flag this release of fulcrum does not know",
            ));
        }
        if config.reserved != 0 {
            return Err(Fault::TooNew("config.reserved must be 0"));
        }
        if config.row == 0 || !(config.lr > 0.0 && config.lr.is_finite()) {
            return Err(Fault::Argument(
                "config.row and config.lr must be above 0, and config.lr finite",
            ));
        }
        if feed.is_some_and(|feed| feed.row() != config.row as usize) {
            return Err(Fault::Argument("config.row is not the feed's number of values"));
        }
        let lacks = "config.weights is NULL; name the file of the weights that training starts from";
        if config.weights.is_null() {
            return Err(Fault::Argument(lacks));
        }
        // SAFETY: as the caller promises, for both.
        let (path, weights) = unsafe {
            (
                sized::path_of(config.step, "config.step is NULL")?,
                weights(config.weights)?,
            )
        };
        let (name, step) = read(&path)?;
        let fetch = fetch(&name, &step, feed, config)?;
        let names = weights.iter().map(|weight| weight.name.clone()).collect();
        let engine_of_job = engine.of_workload(config.memory_bytes, config.flags)?;
        // Last of what may be refused before the long work: from here on samples are held out.
        let publish = model.map(|model| publish(model, feed, config)).transpose()?;
        let mut training = OnnxTraining::new(
            &engine.library,
            &step,
            TrainingConfig {
                name,
                row: config.row as usize,
                weights,
                lr: config.lr,
                wanted_piece: (config.piece_ns > 0).then_some(Nanos(config.piece_ns)),
                finer: false,
                fetch,
                publish,
                engine: engine_of_job,
            },
        )?;
        if let Some(feed) = feed {
            training.keep_position(feed.position());
        }
        if config.fetch_rows > 0 {
            training.fetch_in_parts(config.fetch_rows as usize)?;
        }
        let margin = or(config.margin_permille, MARGIN);
        let (fill, eval) = training.gate_lengths();
        let lengths = training.piece_lengths().iter();
        Ok(Trainer {
            piece_ns: lengths.map(|length| with_margin(*length, margin)).collect(),
            gate_ns: [with_margin(fill, margin), with_margin(eval, margin)],
            fills: training.fill_pieces().into(),
            evals: training.eval_pieces().into(),
            memory_bytes: training.memory_bytes(),
            aborter: training.aborter(),
            rate: training.rate().clone(),
            training: Gate::new(training),
            told: model.and_then(|model| Some(model.sets.as_ref()?.0.clone())),
            names,
        })
    }

    pub(in crate::ffi) fn piece_ns(&self) -> &[u64] {
        &self.piece_ns
    }

    pub(in crate::ffi) fn gate_ns(&self) -> [u64; 2] {
        self.gate_ns
    }

    pub(in crate::ffi) fn fills(&self) -> u32 {
        self.fills
    }

    pub(in crate::ffi) fn evals(&self) -> u32 {
        self.evals
    }

    pub(in crate::ffi) fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    pub(in crate::ffi) fn run_piece(&self, piece: u32) -> Result<Result<Progress, fulcrum_status_t>, Fault> {
        let piece = u16::try_from(piece).map_err(|_| Fault::Argument("there is no such piece"))?;
        let mut training = self.training.enter().ok_or(Fault::Busy)?;
        Ok(match training.run_piece(piece) {
            // The number by which a callback says that a step came to nothing.
            Err(WorkloadError::NotANumber) => Ok(Progress::Stepped { loss: f32::NAN }),
            outcome => outcome.map_err(code),
        })
    }

    pub(in crate::ffi) fn set_rate(&self, rate: f32) -> bool {
        self.rate.set(rate)
    }

    pub(in crate::ffi) fn abort(&self) {
        if let Some(aborter) = &self.aborter {
            aborter.abort();
        }
    }

    pub(in crate::ffi) fn fill(&self, part: u32, set: usize) -> Result<fulcrum_status_t, Fault> {
        let Some(told) = &self.told else {
            return Ok(FULCRUM_ERR_NO_FUNCTION);
        };
        if part >= self.fills {
            return Err(Fault::Argument("there is no such part"));
        }
        let (part, set) = part_of(part, told, set)?;
        let mut training = self.training.enter().ok_or(Fault::Busy)?;
        Ok(training.fill(part, &set).map_or_else(code, |()| FULCRUM_OK))
    }

    pub(in crate::ffi) fn eval(
        &self,
        part: u32,
        set: usize,
    ) -> Result<Result<fulcrum_score_t, fulcrum_status_t>, Fault> {
        let Some(told) = &self.told else {
            return Ok(Err(FULCRUM_ERR_NO_FUNCTION));
        };
        let (part, set) = part_of(part, told, set)?;
        let mut training = self.training.enter().ok_or(Fault::Busy)?;
        let judged = training.eval(part, &set).map_err(code);
        Ok(judged.map(|score| fulcrum_score_t {
            loss: score.loss,
            right: score.right,
            samples: score.samples,
        }))
    }

    pub(in crate::ffi) fn save(
        &self,
        part: u32,
        into: &mut [u8],
    ) -> Result<Result<usize, fulcrum_status_t>, Fault> {
        let part = u16::try_from(part).map_err(|_| Fault::Argument("there is no such part"))?;
        let mut training = self.training.enter().ok_or(Fault::Busy)?;
        Ok(training.save(part, into).map_err(code))
    }

    pub(in crate::ffi) fn load(&self, part: u32, from: &[u8]) -> Result<fulcrum_status_t, Fault> {
        let part = u16::try_from(part).map_err(|_| Fault::Argument("there is no such part"))?;
        let mut training = self.training.enter().ok_or(Fault::Busy)?;
        Ok(training.load(part, from).map_or_else(code, |()| FULCRUM_OK))
    }

    pub(in crate::ffi) fn write(&self, path: &Path) -> Result<(), Fault> {
        let bytes = encode_weights(&self.training.enter().ok_or(Fault::Busy)?.weights(&self.names));
        file::replace([path], |_, out| out.write_all(&bytes)).map_err(|(path, error)| {
            Fault::Onnx(
                FULCRUM_ERR_MODEL_FILE,
                error.raw_os_error().unwrap_or(0),
                format!("{} could not be written: {error}", path.display()),
            )
        })
    }
}

/// A part and a set, as a callback has them.
fn part_of(part: u32, told: &Told, set: usize) -> Result<(u16, swap::Set<'_>), Fault> {
    let part = u16::try_from(part).map_err(|_| Fault::Argument("there is no such part"))?;
    let set = told.set(set).ok_or(Fault::Argument("there is no such set"))?;
    Ok((part, set))
}

/// Where the weights go, and the samples they are judged on.
fn publish(
    model: &Model,
    feed: Option<&FeedHandle>,
    config: &fulcrum_onnx_trainer_config_t,
) -> Result<Publish, Fault> {
    let (_, sets) = model.sets.as_ref().ok_or(Fault::Argument(
        "the model's weights do not change: open it with FULCRUM_ONNX_SWAPS",
    ))?;
    let feed = feed.ok_or(Fault::Argument(
        "weights are judged on samples held out from a feed: set config.feed",
    ))?;
    let held_out = or(config.held_out, HELD_OUT);
    if u128::from(held_out) * u128::from(config.row) * 4 > limits::FEED_BYTES as u128 {
        return Err(Fault::Argument(
            "config.held_out asks for more than 2 GiB; hold fewer samples",
        ));
    }
    Ok(Publish {
        sets: sets.clone(),
        held_out: feed.hold_out(or(config.held_out_every, HELD_OUT_EVERY), held_out as usize)?,
        minibatch: or(config.judged, JUDGED) as usize,
    })
}

/// Where the minibatches of the graph `step` come from.
fn fetch(
    name: &str,
    step: &[u8],
    feed: Option<&FeedHandle>,
    config: &fulcrum_onnx_trainer_config_t,
) -> Result<Minibatches, Fault> {
    let (user, row) = (User(config.user), config.row as usize);
    let Some(fetch) = config.fetch else {
        let feed = feed.ok_or(Fault::Argument("config.feed and config.fetch are both NULL"))?;
        let feed = feed.shared();
        // Somebody who draws from it this very moment has it for a moment only.
        return Ok(Minibatches::Classes(Box::new(move |x, y| {
            let inside = feed.enter();
            inside.is_some_and(|mut feed| feed.fetch(x, y, Monotonic.now()))
        })));
    };
    let call = move |x: &mut [f32], y: *mut c_void| {
        let samples = (x.len() / row) as u32;
        // SAFETY: both have room for so many samples; `fulcrum_onnx_fetch_t` states what the function may do.
        unsafe { fetch(user.get(), samples, x.as_mut_ptr(), y) == FULCRUM_OK }
    };
    let (_, graph) = decode(name, step)?;
    let mut inputs = graph.input.iter();
    let y = inputs.find(|input| input.name.as_deref() == Some("y"));
    /// TensorProto.DataType.FLOAT.
    const FLOAT: i32 = 1;
    let values = y
        .and_then(|y| y.tensor())
        .is_some_and(|(element, _)| element == FLOAT);
    Ok(if values {
        Minibatches::Values(Box::new(move |x, y| call(x, y.as_mut_ptr().cast())))
    } else {
        Minibatches::Classes(Box::new(move |x, y| call(x, y.as_mut_ptr().cast())))
    })
}
