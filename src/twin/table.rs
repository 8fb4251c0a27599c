//! What every mode of the simulated board would do, from times measured on the host.

use super::Twin;
use super::sensors::most_shown;
use crate::profile::{Kind, RawRow, Row, RowError};
use crate::units::Nanos;
use std::sync::Arc;

/// How long a minibatch of a workload takes on the host, that is in the twin's top mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostTime {
    /// The workload's name.
    pub workload: Arc<str>,
    /// What it is.
    pub kind: Kind,
    /// Samples in one minibatch.
    pub minibatch: u32,
    /// Processor time of one minibatch, or of a whole training step; an upper value where a bound is made of it.
    pub time: Nanos,
}

impl Twin {
    /// A row for every mode and every entry of `top`, by workload in the order given, then by mode.
    ///
    /// The time is the host's times the mode's ratio. The power is the highest that the meter can show while the
    /// workload runs back to back: noise and half a step of each sensor are in it, so a limit that holds for the row
    /// holds for every reading. Fails on a time or a name that no [`Row`] takes.
    pub fn table(&self, top: &[HostTime]) -> Result<Vec<Row>, RowError> {
        let (space, physics) = (self.space(), self.physics());
        let highest = space.top();
        let mut rows = Vec::with_capacity(space.len() * top.len());
        for host in top {
            let used = physics.full_use(host.kind, host.minibatch);
            for mode in space.iter() {
                rows.push(Row::check(RawRow {
                    mode,
                    workload: host.workload.clone(),
                    kind: host.kind,
                    minibatch: host.minibatch,
                    time: host.time.scaled(self.ratio(&mode, host.kind)),
                    power: Some(most_shown(physics.power(&mode, &highest, &used).total())),
                })?);
            }
        }
        Ok(rows)
    }
}
