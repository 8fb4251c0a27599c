//! A [`Domain`] is one clock's range, floor and ceiling, and where a change takes it; with the order in which they are written.

use super::goal::{Goal, Want};
use super::transaction::value;
use crate::board::{Board, Setting};

/// One end of a clock's range, and where it goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) setting: Setting,
    pub(super) now: u32,
    pub(super) to: u32,
}

/// A clock's range, and where it goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Domain {
    floor: Option<End>,
    ceiling: End,
    falls: bool,
}

impl Domain {
    pub(super) fn both(&self) -> impl Iterator<Item = End> + use<> {
        self.floor.into_iter().chain([self.ceiling])
    }

    fn moves(&self) -> bool {
        self.both().any(|end| end.now != end.to)
    }
}

/// The clocks that `goals` ask for and that are there now. What cannot be read now counts as found.
pub(super) fn domains<B: Board + ?Sized>(board: &B, goals: &[Goal], found: &[(Setting, u32)]) -> Vec<Domain> {
    let want = |setting| {
        goals
            .iter()
            .find(|goal| goal.setting == setting)
            .map(|goal| goal.want)
    };
    let now = |setting| match board.get(setting) {
        Ok(now) => now,
        Err(_) => value(found, setting),
    };
    let end = |setting| {
        let (want, now) = (want(setting), now(setting)?);
        let to = match want {
            Some(Want::AsFound(to)) => to,
            // Not written for a spelling's sake: no ceiling at all is the highest one, and a lower value of a clock without
            // a table is no more than what was asked.
            Some(Want::Exactly(to))
                if board.nearest(setting, now) == board.nearest(setting, to)
                    && (now <= to || board.nearest(setting, to) == board.nearest(setting, u32::MAX)) =>
            {
                now
            }
            Some(Want::Exactly(to)) => board.nearest(setting, to),
            Some(Want::AtMost(to)) => now.min(board.nearest(setting, to)),
            None => now,
        };
        Some(End { setting, now, to })
    };
    let ceilings = board.settings().iter().filter_map(|setting| {
        let floor = match setting {
            Setting::CpuCeiling(cluster) => Setting::CpuFloor(*cluster),
            Setting::GpuCeiling => Setting::GpuFloor,
            Setting::EmcCeiling => Setting::EmcRate,
            _ => return None,
        };
        (want(*setting).is_some() || want(floor).is_some()).then_some((*setting, floor))
    });
    let of = |(ceiling, floor)| {
        let (ceiling, mut floor) = (end(ceiling)?, end(floor));
        // A floor above its ceiling is refused by some kernels; what was found never is one.
        if let Some(floor) = floor
            .as_mut()
            .filter(|it| !matches!(want(it.setting), Some(Want::AsFound(_))))
        {
            floor.to = floor.to.min(board.nearest(ceiling.setting, ceiling.to));
        }
        let (now, to) = (
            board.nearest(ceiling.setting, ceiling.now),
            board.nearest(ceiling.setting, ceiling.to),
        );
        Some(Domain {
            floor,
            ceiling,
            falls: to < now,
        })
    };
    ceilings.filter_map(of).collect()
}

/// The ends of `domains` in the order in which they are written: what falls, the floor first; then what rises, the ceiling
/// first.
pub(super) fn in_order(domains: &[Domain]) -> impl Iterator<Item = End> {
    let falling = domains.iter().filter(|it| it.falls).flat_map(Domain::both);
    let rising = domains.iter().filter(|it| !it.falls);
    falling.chain(rising.flat_map(|it| [Some(it.ceiling), it.floor].into_iter().flatten()))
}

/// Writes the clocks of `domains` in order, with the GPU powered meanwhile; `hold` is how it was found.
pub(super) fn clocks<E>(
    domains: &[Domain],
    hold: Option<u32>,
    mut put: impl FnMut(Setting, u32) -> Result<(), E>,
) -> Result<(), E> {
    let gpu_moves = domains
        .iter()
        .any(|it| it.ceiling.setting == Setting::GpuCeiling && it.moves());
    let hold = hold.filter(|_| gpu_moves);
    if hold.is_some() {
        put(Setting::GpuHold, 1)?;
    }
    for end in in_order(domains) {
        // Not skipped where nothing differs: a floor may rise with its ceiling, as an older request of it shows again.
        put(end.setting, end.to)?;
    }
    hold.map_or(Ok(()), |as_found| put(Setting::GpuHold, as_found))
}
