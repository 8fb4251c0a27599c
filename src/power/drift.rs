//! [`Drift`] tells whether a mode that was set is still in force: ours, limited, or taken over. It reports and fights nobody.

use crate::board::{Board, Knob, Setting};
use core::fmt;

/// How a knob stands to what was asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It is as asked.
    Ours,
    /// Another party holds a clock below what was asked: heat, firmware, a lower cap.
    Limited,
    /// It could not be read.
    Unreadable,
    /// Another program has written it.
    TakenOver,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Standing::Ours => "ours",
            Standing::Limited => "limited",
            Standing::Unreadable => "unreadable",
            Standing::TakenOver => "taken over",
        })
    }
}

/// What was asked of each setting, to be compared with what it reads.
#[derive(Clone, Debug)]
pub struct Drift {
    asked: Vec<(Setting, u32)>,
}

impl Drift {
    /// Watches what was `asked`: from [`super::Applied::asked`], or from the journal of a mode that is held.
    pub fn new(asked: &[(Setting, u32)]) -> Drift {
        Drift {
            asked: asked.to_vec(),
        }
    }

    /// How `knob` stands on `board`; `None` if nothing was asked of it. Of several settings the worst counts.
    pub fn standing<B: Board + ?Sized>(&self, board: &B, knob: Knob) -> Option<Standing> {
        let of_knob = self.asked.iter().filter(|(setting, _)| setting.knob() == knob);
        of_knob
            .map(|(setting, asked)| match board.get(*setting) {
                // The clock of a cluster that is offline, which its cores tell, or a lock that is gone.
                Ok(None) => Standing::Ours,
                Ok(Some(value)) if board.nearest(*setting, value) == board.nearest(*setting, *asked) => {
                    Standing::Ours
                }
                // A ceiling that is lower, or a floor that is clamped by one. No ceiling at all is the highest.
                Ok(Some(value)) => match setting {
                    Setting::Online(_) | Setting::GpuHold | Setting::EmcRate => Standing::TakenOver,
                    _ if board.nearest(*setting, value) < *asked => Standing::Limited,
                    _ => Standing::TakenOver,
                },
                Err(_) => Standing::Unreadable,
            })
            .max()
    }
}
