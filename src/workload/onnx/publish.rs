//! [`Publish`]: how new weights leave a training job.

use super::OnnxError;
use super::step::{expect_values, no_tensor};
use crate::workload::swap;

/// Where new weights go.
pub struct Publish {
    /// The trainer's end of the swap.
    pub sender: swap::Sender,
    /// The weights to send, in the order that the receiver expects.
    pub names: Vec<String>,
    /// Steps between two sets; at least 1.
    pub every: u32,
}

impl Publish {
    /// Checks that every weight to send is there and that the swap carries as many values; `find` gives the
    /// values of one.
    pub(super) fn expect(&self, model: &str, find: impl Fn(&str) -> Option<usize>) -> Result<(), OnnxError> {
        let mut values = 0;
        for wanted in &self.names {
            values += find(wanted).ok_or_else(|| no_tensor(model, wanted, "state to publish"))?;
        }
        expect_values(model, self.sender.values(), values)
    }

    /// Sends the weights that `find` gives by name, if this step is one that is sent. Without a spare buffer
    /// the set is skipped; the next one is newer.
    pub(super) fn send<'a>(&mut self, step: u32, find: impl Fn(&str) -> Option<&'a [f32]>) {
        if !step.is_multiple_of(self.every.max(1)) {
            return;
        }
        let names = &self.names;
        let _ = self.sender.send_with(|mut values| {
            for name in names {
                let Some(weight) = find(name) else { return };
                let Some((part, rest)) = values.split_at_mut_checked(weight.len()) else {
                    return;
                };
                part.copy_from_slice(weight);
                values = rest;
            }
        });
    }
}
