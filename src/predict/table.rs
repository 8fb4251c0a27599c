//! The [`Table`] answers from measured rows and from nothing else.

use super::Estimate;
use crate::power::PowerMode;
use crate::profile::{Kind, Row};
use crate::units::{Milliwatts, Nanos};
use std::sync::Arc;

/// What is known of a workload in one mode at one minibatch size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The mode.
    pub mode: PowerMode,
    /// Time of one minibatch.
    pub time: Estimate<Nanos>,
    /// Power of the board while the workload runs back to back; `None` where it was not measured.
    pub power: Option<Estimate<Milliwatts>>,
}

/// What is known of a workload at one minibatch size: one entry a mode, in the order of the modes.
#[derive(Clone, Debug)]
pub struct Series {
    workload: Arc<str>,
    kind: Kind,
    minibatch: u32,
    entries: Vec<Entry>,
}

impl Series {
    /// The workload's name.
    pub fn workload(&self) -> &str {
        &self.workload
    }

    /// What the workload is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Samples in one minibatch.
    pub fn minibatch(&self) -> u32 {
        self.minibatch
    }

    /// One entry a measured mode, in the order of the modes; at least one.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What is known in `mode`.
    pub fn at(&self, mode: &PowerMode) -> Option<&Entry> {
        let index = self.entries.binary_search_by(|entry| entry.mode.cmp(mode)).ok()?;
        self.entries.get(index)
    }
}

/// Measured rows, ordered for search. Rows of the same point are joined: the highest time and power, and how far the
/// lowest lies below it as the spread.
#[derive(Clone, Debug, Default)]
pub struct Table {
    series: Vec<Series>,
}

impl Table {
    /// A table of these rows, in any order.
    pub fn new(mut rows: Vec<Row>) -> Table {
        rows.sort_by(|a, b| series_key(a).cmp(&series_key(b)).then(a.mode().cmp(&b.mode())));
        let mut series: Vec<Series> = Vec::new();
        for same_series in rows.chunk_by(|a, b| series_key(a) == series_key(b)) {
            let Some(first) = same_series.first() else {
                continue;
            };
            let points = same_series.chunk_by(|a, b| a.mode() == b.mode());
            series.push(Series {
                workload: first.workload().clone(),
                kind: first.kind(),
                minibatch: first.minibatch(),
                entries: points.filter_map(join).collect(),
            });
        }
        Table { series }
    }

    /// What is known of `workload` at this minibatch size.
    pub fn series(&self, workload: &str, kind: Kind, minibatch: u32) -> Option<&Series> {
        self.series.iter().find(|series| {
            &*series.workload == workload && series.kind == kind && series.minibatch == minibatch
        })
    }

    /// What is known of `workload` in one mode at this minibatch size.
    pub fn at(&self, mode: &PowerMode, workload: &str, kind: Kind, minibatch: u32) -> Option<&Entry> {
        self.series(workload, kind, minibatch)?.at(mode)
    }

    /// Every series, by workload, kind and minibatch size.
    pub fn iter(&self) -> impl Iterator<Item = &Series> {
        self.series.iter()
    }
}

fn series_key(row: &Row) -> (&str, Kind, u32) {
    (row.workload(), row.kind(), row.minibatch())
}

/// Joins the rows of one point; `None` for no row.
fn join(rows: &[Row]) -> Option<Entry> {
    let times = || rows.iter().map(|row| row.time().0);
    let powers = || {
        rows.iter()
            .filter_map(|row| row.power())
            .map(|power| u64::from(power.0))
    };
    let time = joined(times())?;
    let power = joined(powers()).map(|estimate| Estimate {
        // Every term came out of 32 bits, and so does their maximum.
        value: Milliwatts(u32::try_from(estimate.value).unwrap_or(u32::MAX)),
        spread: estimate.spread,
    });
    Some(Entry {
        mode: rows.first()?.mode(),
        time: Estimate {
            value: Nanos(time.value),
            spread: time.spread,
        },
        power,
    })
}

fn joined(values: impl Iterator<Item = u64> + Clone) -> Option<Estimate<u64>> {
    let (low, high) = (values.clone().min()?, values.max()?);
    // At most 1000, since low is not negative.
    let spread = (u128::from(high - low) * 1_000).div_ceil(u128::from(high.max(1)));
    Some(Estimate {
        value: high,
        spread: u32::try_from(spread).unwrap_or(1_000),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::RawRow;
    use crate::units::Kilohertz;

    fn row(cores: u8, minibatch: u32, time: u64, power: Option<u32>) -> Row {
        let mode = PowerMode {
            cores,
            cpu: Kilohertz(1),
            gpu: Kilohertz(1),
            emc: Kilohertz(1),
        };
        let power = power.map(Milliwatts);
        let raw = RawRow {
            mode,
            workload: "net".into(),
            kind: Kind::Inference,
            minibatch,
            time: Nanos(time),
            power,
        };
        Row::check(raw).unwrap()
    }

    #[test]
    fn a_measured_row_is_found_and_an_unmeasured_one_is_not_made_up() {
        let table = Table::new(vec![
            row(3, 1, 30, None),
            row(1, 1, 10, Some(5)),
            row(1, 2, 15, None),
        ]);
        let entry = table
            .at(&row(1, 1, 1, None).mode(), "net", Kind::Inference, 1)
            .unwrap();
        assert_eq!(entry.time, Estimate::exact(Nanos(10)));
        assert_eq!(entry.power, Some(Estimate::exact(Milliwatts(5))));
        assert!(
            table
                .at(&row(2, 1, 1, None).mode(), "net", Kind::Inference, 1)
                .is_none()
        );
        assert!(
            table
                .at(&row(1, 1, 1, None).mode(), "net", Kind::Training, 1)
                .is_none()
        );
        assert!(
            table
                .at(&row(1, 1, 1, None).mode(), "other", Kind::Inference, 1)
                .is_none()
        );
    }

    #[test]
    fn repeated_rows_give_the_highest_value_and_their_spread() {
        let table = Table::new(vec![
            row(1, 1, 90, Some(7)),
            row(1, 1, 100, None),
            row(1, 1, 95, Some(10)),
        ]);
        let entry = table
            .at(&row(1, 1, 1, None).mode(), "net", Kind::Inference, 1)
            .unwrap();
        assert_eq!(
            entry.time,
            Estimate {
                value: Nanos(100),
                spread: 100
            }
        );
        assert_eq!(
            entry.power,
            Some(Estimate {
                value: Milliwatts(10),
                spread: 300
            })
        );
    }
}
