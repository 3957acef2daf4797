//! Networks as texts: `10.8.0.0/24`.
use std::net::Ipv4Addr;

use super::{Refusal, RefusalReason};

/// First address and how many there are.
///
/// # Errors
/// [`RefusalReason::InvalidSpec`] if it is no network of 8 to 29 bits, or the first address is not
/// the network's own.
pub(super) fn parse(text: &str) -> Result<(u32, u32), Refusal> {
    let parsed = text.split_once('/').and_then(|(address, bits)| {
        let address: Ipv4Addr = address.parse().ok()?;
        let bits: u32 = bits.parse().ok()?;
        let size = (8..=29).contains(&bits).then(|| 1u32 << (32 - bits))?;
        (u32::from(address) % size == 0).then_some((u32::from(address), size))
    });
    parsed.ok_or_else(|| Refusal::new(RefusalReason::InvalidSpec, "not a network: 10.8.0.0/24"))
}
