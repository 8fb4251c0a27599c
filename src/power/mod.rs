//! Power: modes, the space of them, changing between them, and measuring what they draw.

pub mod mode;

pub use mode::PowerMode;
