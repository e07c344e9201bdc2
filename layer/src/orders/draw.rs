//! Chance that can be repeated: which requests an order hits follows from its seed and the request's id.

use ring::digest::{SHA256, digest};

use super::document::{Delay, Name};

/// Numbers for one order and one request.
pub struct Draw {
    key: Vec<u8>,
    count: u32,
}

impl Draw {
    /// The numbers for the request with an id.
    pub fn new(seed: u64, run: &Name, order: &Name, request: &str) -> Draw {
        Draw { key: format!("{seed}/{run}/{order}/{request}").into_bytes(), count: 0 }
    }

    /// The next number, at least 0 and under 1.
    pub fn number(&mut self) -> f64 {
        let mut key = self.key.clone();
        key.extend_from_slice(&self.count.to_be_bytes());
        self.count += 1;
        let hash = digest(&SHA256, &key);
        let bits = hash.as_ref().iter().take(8).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        // 53 bits are what a double keeps.
        (bits >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A delay in milliseconds.
    pub fn delay(&mut self, delay: Delay) -> u64 {
        match delay {
            Delay::Fixed { ms } => ms.0,
            Delay::Uniform { from_ms, to_ms } => from_ms.0 + (self.number() * (to_ms.0 - from_ms.0 + 1) as f64) as u64,
            Delay::Lognormal { median_ms, sigma } => {
                // Box and Muller: a normal number from two uniform ones.
                let (one, two) = (1.0 - self.number(), self.number());
                let normal = (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * two).cos();
                (median_ms.0 as f64 * (sigma.0 * normal).exp()).round() as u64
            }
        }
    }
}
