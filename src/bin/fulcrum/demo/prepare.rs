//! What comes before a run: the models are read, profiled on this machine, and a plan is made for the simulated board.

use super::Arguments;
use crate::camera::{self, Camera, Light, PIXELS};
use crate::models::Models;
use crate::processor::DISPATCHER;
use fulcrum::board::Board;
use fulcrum::bound::Rule;
use fulcrum::clock::{Clock, Monotonic, thread_time};
use fulcrum::file;
use fulcrum::plan::{self, Plan, Problem};
use fulcrum::predict::Table;
use fulcrum::profile::{Kind, Profile, RawRow, Row, measure};
use fulcrum::runtime::realtime::set_fifo;
use fulcrum::twin::{HostTime, Twin};
use fulcrum::units::{Milliwatts, Nanos};
use fulcrum::workload::onnx::model::encode_weights;
use fulcrum::workload::{Inference, Progress, Request, Training};
use std::error::Error;
use std::path::Path;

/// The workloads' names in the profile.
pub(super) const SEE: &str = "see";
pub(super) const LEARN: &str = "learn";

/// Minibatch sizes the plan may choose.
const MINIBATCHES: [u32; 4] = [1, 2, 3, 4];

/// Thousandths added to measured times: the host is shared, and a profile of a second is short.
const MARGIN: u32 = 150;

/// What the run needs to know of machine, models and plan.
pub(super) struct Prepared {
    pub(super) twin: Twin,
    pub(super) plan: Plan,
    /// Rows measured on this machine, which stands for the board's top mode.
    pub(super) profile: Profile,
    /// Longest inference minibatch in the planned mode, with its margin.
    pub(super) cost: Nanos,
    /// The same on this machine, without the margin.
    pub(super) host_cost: Nanos,
    /// Longest training piece wanted on this machine.
    pub(super) wanted: Nanos,
    /// What is allowed for this machine's other work; see [`Allowance`].
    pub(super) allowance: Allowance,
}

/// What this machine, unlike a robot's, takes from the runtime now and then: other programs and a scheduler without
/// guarantees. Part of the bound, so that the bound holds here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    /// How late a frame may be handed in.
    pub(super) jitter: Nanos,
    /// How late a piece may end.
    pub(super) late: Nanos,
    /// From a decision to the work.
    pub(super) switch: Nanos,
}

impl Allowance {
    /// Twice the worst of 300 wake-ups on this machine, between 8 and 12 ms: a shared machine stands still for some
    /// milliseconds now and then, rarely enough that no measurement of a second sees it. What is longer is told apart by
    /// [`crate::stalls`].
    fn measure() -> Allowance {
        let wake_ups = || {
            // As the dispatcher will be, where the machine allows it.
            let _ = set_fifo(DISPATCHER);
            let late = |_| {
                let wanted = Monotonic.now() + Nanos::from_millis(1);
                Monotonic.sleep_until(wanted);
                Monotonic.now() - wanted
            };
            (0..300).map(late).max().unwrap_or(Nanos::ZERO)
        };
        // A thread that could not be made says the same as one that was very late.
        let worst = std::thread::spawn(wake_ups).join().unwrap_or(Nanos::MAX);
        let each = worst
            .times(2)
            .clamp(Nanos::from_millis(8), Nanos::from_millis(12));
        Allowance {
            jitter: each,
            late: each,
            switch: Nanos(each.0 / 5),
        }
    }
}

impl Prepared {
    pub(super) fn new(arguments: &Arguments, models: &Models) -> Result<Prepared, Box<dyn Error>> {
        let twin = Twin::open(&arguments.board, arguments.seed)?;
        eprintln!(
            "{}; measuring {} on this machine ...",
            twin.facts(),
            models.engine()
        );
        let allowance = Allowance::measure();
        let mut host = measure_inference(models, arguments.seed)?;
        let whole = models.training(None, camera::day_minibatches(arguments.seed), None)?;
        let step = whole.step_length();
        let samples = u32::try_from(whole.minibatch()).unwrap_or(u32::MAX);
        host.push(HostTime {
            workload: LEARN.into(),
            kind: Kind::Training,
            minibatch: samples,
            time: step,
        });
        let profile = Profile {
            board: twin.facts().name().to_string(),
            rows: rows(&twin, &host)?,
        };
        let table = Table::new(twin.table(&host)?);
        // The cut depends on the mode and the mode a little on the cut: plan as if the cut were perfect, cut for that
        // mode, then plan with what came of it.
        let piece = Nanos((arguments.piece_ms * 1e6) as u64);
        let ideal = thousandths(piece, step.times(2));
        let first = search(arguments, &twin, &table, samples, ideal, allowance)?;
        let wanted = on_host(piece, twin.ratio(&first.mode, Kind::Training));
        let cut = models.training(Some(wanted), |_, _| false, None)?;
        let longest = cut.piece_lengths().iter().copied().max().unwrap_or(step);
        let plan = search(
            arguments,
            &twin,
            &table,
            samples,
            thousandths(longest, step),
            allowance,
        )?;
        let host_cost = host
            .iter()
            .find(|time| time.kind == Kind::Inference && time.minibatch == plan.minibatch)
            .map_or(plan.demand, |time| time.time);
        let cost = table
            .at(&plan.mode, SEE, Kind::Inference, plan.minibatch)
            .map_or(plan.demand, |entry| with_margin(entry.time.value));
        eprintln!(
            "plan: mode {} of the simulated board, minibatch {}, bound {}, power {}; binding: {}",
            plan.mode, plan.minibatch, plan.bound, plan.power, plan.binding,
        );
        eprintln!(
            "training step of {:.1} ms there, cut into {} pieces of at most {:.1} ms; together {:.2} of the whole step; {} KiB \
             of buffers",
            in_mode(&twin, &plan, step).as_millis_f64(),
            cut.segments(),
            in_mode(&twin, &plan, longest).as_millis_f64(),
            cut.step_length().as_millis_f64() / step.as_millis_f64(),
            cut.buffer_bytes() / 1024,
        );
        Ok(Prepared {
            twin,
            plan,
            profile,
            cost,
            host_cost,
            wanted,
            allowance,
        })
    }

    /// The announced length of a piece that took `host` on this machine.
    pub(super) fn announced(&self, host: Nanos) -> Nanos {
        with_margin(in_mode(&self.twin, &self.plan, host))
    }
}

fn in_mode(twin: &Twin, plan: &Plan, host: Nanos) -> Nanos {
    host.scaled(twin.ratio(&plan.mode, Kind::Training))
}

fn with_margin(time: Nanos) -> Nanos {
    time.scaled(1_000 + u64::from(MARGIN))
}

/// A time on this machine that becomes at most `time` in a mode of this ratio, with the margin.
fn on_host(time: Nanos, ratio: u64) -> Nanos {
    Nanos(time.0.saturating_mul(1_000_000) / (ratio.max(1) * (1_000 + u64::from(MARGIN))))
}

fn thousandths(part: Nanos, whole: Nanos) -> u32 {
    let share = (u128::from(part.0) * 1_000).div_ceil(u128::from(whole.0.max(1)));
    u32::try_from(share).unwrap_or(1_000).clamp(1, 1_000)
}

fn search(
    arguments: &Arguments,
    twin: &Twin,
    table: &Table,
    samples: u32,
    piece: u32,
    allowance: Allowance,
) -> Result<Plan, Box<dyn Error>> {
    let problem = Problem {
        stream: plan::Stream {
            workload: SEE,
            period: period(arguments),
            jitter: allowance.jitter,
            minibatches: &MINIBATCHES,
        },
        job: Some(plan::Job {
            workload: LEARN,
            minibatch: samples,
            piece,
            overhead: Nanos::from_micros(100),
        }),
        latency_limit: Nanos((arguments.latency_ms * 1e6) as u64),
        power_limit: Milliwatts((arguments.power_w * 1e3) as u32),
        rule: Rule::Reserved,
        switch: allowance.switch,
        late: allowance.late,
        margin: MARGIN,
    };
    Ok(plan::exhaustive(twin.facts(), table, &problem)?)
}

/// Time between two frames.
pub(super) fn period(arguments: &Arguments) -> Nanos {
    Nanos(((1e9 / arguments.rate_hz) as u64).max(1))
}

fn measure_inference(models: &Models, seed: u64) -> Result<Vec<HostTime>, Box<dyn Error>> {
    let mut frame = [0.0; PIXELS];
    Camera::new(seed).frame(Light::Day, &mut frame);
    let fill = move |_: &Request, row: &mut [f32]| {
        row.copy_from_slice(&frame);
        Ok(())
    };
    let largest = MINIBATCHES.into_iter().max().unwrap_or(1) as usize;
    let mut inference = models.inference(largest, fill, None)?;
    let mut times = Vec::new();
    for minibatch in MINIBATCHES {
        let requests = vec![Request::default(); minibatch as usize];
        let mut answers = vec![0; requests.len()];
        let measured = measure(20, 100, thread_time, || inference.run(&requests, &mut answers))?;
        times.push(HostTime {
            workload: SEE.into(),
            kind: Kind::Inference,
            minibatch,
            time: measured.upper,
        });
    }
    Ok(times)
}

fn rows(twin: &Twin, host: &[HostTime]) -> Result<Vec<Row>, Box<dyn Error>> {
    let row = |time: &HostTime| {
        Row::check(RawRow {
            mode: twin.space().top(),
            workload: time.workload.clone(),
            kind: time.kind,
            minibatch: time.minibatch,
            time: time.time,
            power: None,
        })
    };
    Ok(host.iter().map(row).collect::<Result<_, _>>()?)
}

/// Trains on the day scene and writes the weights.
pub(super) fn pretrain(models: &Models, seed: u64, steps: u32, path: &Path) -> Result<(), Box<dyn Error>> {
    let mut training = models.training(None, camera::day_minibatches(seed), None)?;
    for step in 1..=steps {
        for piece in 0..training.pieces() {
            if let Progress::Stepped { loss } = training.run_piece(piece)?
                && (step % 20 == 0 || step == steps)
            {
                eprintln!("step {step}: loss {loss:.3}");
            }
        }
    }
    let bytes = encode_weights(&training.weights(&models.names));
    file::replace([path], |_, out| out.write_all(&bytes))
        .map_err(|(path, error)| format!("{} could not be written: {error}", path.display()))?;
    eprintln!("wrote {}", path.display());
    Ok(())
}
