//! The machine: its knobs, rails, thermal zones and frequency tables.

pub mod knob;

pub use knob::Knob;
