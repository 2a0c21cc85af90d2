//! Bytes that tell to which connection, direction and place they belong: a loss, a repeat or a swap shows.

/// A direction.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// Client to database.
    Up,
    /// Database to client.
    Down,
}

/// The bytes at `offset` of a connection's stream.
pub fn fill(id: u64, way: Way, offset: u64, into: &mut [u8]) {
    let mut at = offset;
    let mut rest = into;
    while !rest.is_empty() {
        let within = (at % 8) as usize;
        let word = word(id, way, at / 8).to_le_bytes();
        let length = (8 - within).min(rest.len());
        let (now, later) = rest.split_at_mut(length);
        now.copy_from_slice(&word[within..within + length]);
        at += length as u64;
        rest = later;
    }
}

/// The bytes at `offset`, newly made.
pub fn of(id: u64, way: Way, offset: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    fill(id, way, offset, &mut bytes);
    bytes
}

/// Whether these are the bytes at `offset`.
///
/// # Errors
/// Where they first differ.
pub fn check(id: u64, way: Way, offset: u64, got: &[u8]) -> Result<(), String> {
    let expected = of(id, way, offset, got.len());
    let mut pairs = got.iter().zip(&expected);
    match pairs.position(|(got, expected)| got != expected) {
        None => Ok(()),
        Some(at) => Err(format!(
            "{way:?}: another byte than was sent at {}",
            offset + at as u64
        )),
    }
}

/// Steele, Lea and Flood's SplitMix64.
fn word(id: u64, way: Way, at: u64) -> u64 {
    let mut z = id
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(at.wrapping_mul(0xD1B5_4A32_D192_ED03))
        .wrapping_add(way as u64);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
