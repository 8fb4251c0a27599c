//! An nvpmodel.conf says which power modes a Jetson offers, as lists of values for files of sysfs.
//!
//! ```text
//! file   = { comment | blank | section }          a comment is a whole line that starts with #
//! param  = "< PARAM TYPE=" FILE|CLOCK|HWMON " NAME=" name " >"      { ARG path [ file ] }
//! model  = "< POWER_MODEL ID=" number " NAME=" name " >"            { PARAM ARG value }
//! config = "< PM_CONFIG DEFAULT=" number " >"                       mandatory, once
//! ```
//!
//! What real files do beyond it is taken: headers without the blank after `<` or before `>` (with a warning), double
//! and trailing blanks, CR line ends (warning), gaps in the ids, a mode alone, sections of fans and chargers (skipped,
//! warning). A second path for the newer kernel is declared as `ARG_KNEXT`; rows of a mode use the plain name.
//! HWMON parameters alone have three columns: a directory and a file in it.
//!
//! A file is read whole or refused whole, with the line and the column of the first thing that is wrong.
//! Source: shared/design/jetson.md 2.1 to 2.7.

mod conf;
mod effect;
mod error;
mod excerpt;
mod header;
mod line;
mod oddity;
mod parse;
mod role;
mod value;

pub use conf::{Arg, Conf, Kind, Mode, Node, Param, Row, Target};
pub use effect::Effect;
pub use error::{ConfError, Fault, Position};
pub use excerpt::Excerpt;
pub use oddity::{Oddity, Warning};
pub use role::Role;
pub use value::Value;
