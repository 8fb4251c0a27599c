//! [`Random`]: what a simulated world draws from.

use crate::units::Nanos;

/// A random sequence (xorshift64*, Vigna 2016).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence that follows from `seed`.
    pub fn new(seed: u64) -> Random {
        // Seeds that differ in one bit start far apart; zero is the generator's one forbidden state.
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).max(1))
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(end)) >> 64) as u64
    }

    /// A time from an exponential distribution of this mean: the gap between two arrivals of a Poisson process.
    pub fn exponential(&mut self, mean: Nanos) -> Nanos {
        let unit = (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        Nanos((-(1.0 - unit).ln() * mean.0 as f64) as u64)
    }
}
