//! [`Sums`]: what the micro-batches of a step hand on to each other.

use super::OnnxError;
use super::session::Port;
use super::step::Grad;
use super::tensor::Tensor;
use std::sync::Arc;

/// Sums of gradients and running statistics, in two copies: even micro-batches read the first and write the
/// second, odd ones the other way round.
pub(super) struct Sums {
    /// By name.
    gradients: Vec<(String, [Arc<Tensor>; 2])>,
    running: Vec<Running>,
}

/// A running statistic.
struct Running {
    name: String,
    /// As it was after the last step.
    kept: Arc<Tensor>,
    copies: [Arc<Tensor>; 2],
}

impl Sums {
    /// `tensor` makes an empty tensor, `start` one with the statistic's value at the start of training.
    pub(super) fn new(
        ports: &Grad,
        tensor: impl Fn(&Port) -> Result<Arc<Tensor>, OnnxError>,
        start: impl Fn(&Port) -> Result<Arc<Tensor>, OnnxError>,
    ) -> Result<Sums, OnnxError> {
        let copies = |port: &Port| Ok::<_, OnnxError>([tensor(port)?, tensor(port)?]);
        let gradient = |port: &Port| Ok::<_, OnnxError>((port.name.clone(), copies(port)?));
        let running = |port: &Port| {
            Ok::<_, OnnxError>(Running {
                name: port.name.clone(),
                kept: start(port)?,
                copies: copies(port)?,
            })
        };
        Ok(Sums {
            gradients: ports.sums.iter().map(gradient).collect::<Result<_, _>>()?,
            running: ports.running.iter().map(running).collect::<Result<_, _>>()?,
        })
    }

    /// Both copies of a tensor.
    pub(super) fn copies(&self, name: &str) -> Option<&[Arc<Tensor>; 2]> {
        let gradient = self.gradients.iter().find(|(own, _)| own == name);
        let running = || self.running.iter().find(|running| running.name == name);
        gradient
            .map(|(_, copies)| copies)
            .or_else(|| Some(&running()?.copies))
    }

    /// The statistics as they were after the last step, by name.
    pub(super) fn all_kept(&self) -> impl Iterator<Item = (&str, &Arc<Tensor>)> {
        let running = self.running.iter();
        running.map(|running| (running.name.as_str(), &running.kept))
    }

    /// One of them.
    pub(super) fn kept(&self, name: &str) -> Option<&Arc<Tensor>> {
        let mut all = self.all_kept();
        all.find(|(own, _)| *own == name).map(|(_, tensor)| tensor)
    }

    /// Starts a step: sums of zero, statistics as after the last step.
    pub(super) fn begin(&self) {
        for (_, [first, _]) in &self.gradients {
            first.f32_mut().fill(0.0);
        }
        for running in &self.running {
            running.copies[0].f32_mut().copy_from_slice(running.kept.f32());
        }
    }

    /// The copy of each statistic that the last of `count` micro-batches wrote.
    fn newest(&self, count: usize) -> impl Iterator<Item = (&Running, &Tensor)> {
        let place = count % 2;
        let running = self.running.iter();
        running.filter_map(move |running| Some((running, &**running.copies.get(place)?)))
    }

    /// Whether the statistics after `count` micro-batches are numbers.
    pub(super) fn are_finite(&self, count: usize) -> bool {
        self.newest(count).all(|(_, tensor)| tensor.has_finite_values())
    }

    /// Ends a step of `count` micro-batches: its statistics count from now on.
    pub(super) fn keep(&self, count: usize) {
        for (running, newest) in self.newest(count) {
            running.kept.f32_mut().copy_from_slice(newest.f32());
        }
    }
}
