//! Random numbers that are the same for the same seed, and independent of each other by name.
//!
//! Two parts that draw from generators of different names never disturb each other's series.

use rand::SeedableRng;
pub use rand_chacha::ChaCha8Rng as Rng;

/// The generator of a seed and a name (for example `"kubelet/node-1"`).
#[must_use]
pub fn rng(seed: u64, name: &str) -> Rng {
    let mut key = [0u8; 32];
    let mut state = seed ^ 0x9e37_79b9_7f4a_7c15;
    for byte in name.bytes() {
        state = mix(state ^ u64::from(byte));
    }
    for chunk in key.chunks_mut(8) {
        state = mix(state.wrapping_add(0x9e37_79b9_7f4a_7c15));
        chunk.copy_from_slice(&state.to_le_bytes());
    }
    Rng::from_seed(key)
}

/// One round of the splitmix64 finaliser: spreads every input bit over the whole word.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    #[test]
    fn same_seed_and_name_give_the_same_series_and_other_names_another() {
        let draw = |seed, name| -> Vec<u32> {
            let mut rng = rng(seed, name);
            (0..8).map(|_| rng.random_range(0..1_000_000)).collect()
        };
        assert_eq!(draw(1, "a"), draw(1, "a"));
        assert_ne!(draw(1, "a"), draw(1, "b"));
        assert_ne!(draw(1, "a"), draw(2, "a"));
    }
}
