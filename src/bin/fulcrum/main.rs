//! The program `fulcrum`.
fn main() {}
