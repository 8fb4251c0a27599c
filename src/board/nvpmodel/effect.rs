//! An [`Effect`] is what a mode makes of a board, in the units of the program.

use super::{Conf, Mode, Role, Row, Value};
use crate::units::Kilohertz;

/// What a mode makes of a board, as far as the file alone tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Cores that the mode switches on, and cpu0 where the mode leaves it alone. `None`: it sets no core.
    pub cores_online: Option<u32>,
    /// Highest cap of the CPU clusters that have a core on. `None`: one of them is not capped.
    pub cpu: Option<Kilohertz>,
    /// Cap of the GPU clock. `None`: not capped.
    pub gpu: Option<Kilohertz>,
    /// Cap of the memory clock. `None`: not capped.
    pub emc: Option<Kilohertz>,
    /// Mask of texture processing clusters; a set bit gates one. `None`: not set.
    pub tpc_mask: Option<u64>,
    /// Mask of frame buffer partitions; a set bit gates one. `None`: not set.
    pub fbp_mask: Option<u64>,
}

impl Mode<'_> {
    /// What the mode makes of a board. Frequencies are rounded down, so that a cap is never understated as room.
    pub fn effect(&self) -> Effect {
        let cores = || {
            self.rows().iter().filter_map(|row| match (row.role, row.value) {
                (Role::CoreOnline(core), Value::Number(on)) => Some((core, on == 1)),
                _ => None,
            })
        };
        let on = cores().filter(|(_, on)| *on).count();
        let zero_left_alone = !cores().any(|(core, _)| core == 0);
        let off = |cpu| cores().any(|(core, on)| core == cpu && !on);
        // A cap of a cluster whose core is off is never written.
        let cpu = self
            .rows()
            .iter()
            .filter(|row| matches!(row.role, Role::CpuMax(cpu) if !off(cpu)));
        let one = |role| self.rows().iter().filter(move |row| row.role == role);
        let mask = |role| one(role).find_map(number);
        Effect {
            cores_online: (cores().next().is_some())
                .then(|| u32::try_from(on).unwrap_or(u32::MAX) + u32::from(zero_left_alone)),
            cpu: cap(cpu, 1),
            gpu: cap(one(Role::GpuMax), 1_000),
            emc: cap(one(Role::EmcMax), 1_000),
            tpc_mask: mask(Role::TpcMask),
            fbp_mask: mask(Role::FbpMask),
        }
    }

    /// Whether a board that started in `booted` can need a reboot to come into this mode: a mask is set that the other
    /// mode does not set to the same. A mask that this mode leaves alone is no change.
    /// Source: shared/design/jetson.md 2.6; the driver refuses another mask once a context of the GPU existed.
    pub fn needs_reboot_from(&self, booted: &Mode<'_>) -> bool {
        let set = |row: &Row<'_>| row.role.is_mask();
        self.rows().iter().filter(|row| set(row)).any(|row| {
            !booted
                .rows()
                .iter()
                .any(|other| set(other) && other.target.plain == row.target.plain && other.value == row.value)
        })
    }
}

impl Conf<'_> {
    /// Whether a board that started in the file's default mode can need a reboot to come into `mode`.
    pub fn needs_reboot(&self, mode: &Mode<'_>) -> bool {
        self.mode(self.default_id())
            .is_some_and(|booted| mode.needs_reboot_from(booted))
    }
}

fn number(row: &Row<'_>) -> Option<u64> {
    match row.value {
        Value::Number(number) => Some(number),
        Value::Uncapped | Value::Word => None,
    }
}

/// The highest of these caps in kHz, of rows that count in 1/`per_khz` kHz; `None` if there is none or one is no cap.
fn cap<'r, 'a: 'r>(rows: impl Iterator<Item = &'r Row<'a>>, per_khz: u64) -> Option<Kilohertz> {
    let mut highest = None;
    for row in rows {
        // 0 in the cap of the memory clock is how older files say "no cap".
        let khz = number(row).filter(|number| *number > 0)? / per_khz;
        highest = highest.max(Some(Kilohertz(u32::try_from(khz).unwrap_or(u32::MAX))));
    }
    highest
}
