//! What looks like chance and follows from a seed and a name.
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

use crate::provisioning::{ExternalId, Kind, Secret};

/// FNV-1a, 64 bits: stable over versions of the program, as the state file needs it.
pub(super) fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// The generator of one purpose for one name. The whole name goes into the key, hashed from both
/// ends, so that two names share a generator only by an accident of 128 bits.
pub(super) fn generator(seed: u64, purpose: &str, name: &str) -> ChaCha20Rng {
    let forth = digest(name.as_bytes());
    let back: Vec<u8> = name.bytes().rev().chain([0xff]).collect();
    let mut key = [0; 32];
    for (part, number) in
        key.chunks_exact_mut(8)
            .zip([seed, digest(purpose.as_bytes()), forth, digest(&back)])
    {
        part.copy_from_slice(&number.to_le_bytes());
    }
    ChaCha20Rng::from_seed(key)
}

/// The id of what an operation, or a key, makes.
pub(super) fn id(seed: u64, kind: Kind, name: &str) -> ExternalId {
    let prefix = match kind {
        Kind::Project => "prj",
        Kind::Network => "net",
        Kind::Server => "srv",
        Kind::Volume => "vol",
        Kind::Address => "adr",
        Kind::BackupPlan => "bkp",
        Kind::Snapshot => "snp",
        Kind::Backup => "bak",
    };
    let number: u128 = generator(seed, prefix, name).random();
    ExternalId(format!("{prefix}-{number:032x}"))
}

/// Sixteen characters that can't be taken for one another.
pub(super) fn password(seed: u64, name: &str) -> Secret {
    const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let mut rng = generator(seed, "password", name);
    let letters = (0..16).filter_map(|_| {
        let index = rng.random_range(0..LETTERS.len());
        LETTERS.get(index).map(|letter| char::from(*letter))
    });
    Secret(letters.collect())
}
