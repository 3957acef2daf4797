//! How the owner gets into a host: passwords that follow from the operation, and the text for
//! cloud-init.
//!
//! Nova tells a password of its own only in the answer to the creating request; if that is lost,
//! or another process asks later, nobody knows it. So ours follows from a secret and the operation:
//! each process can tell it again, and it stands in no row of the cloud's but the host's own.
//!
//! Keys travel in the text for cloud-init: Nova's key pairs belong to a user, and all hosts here are
//! made by one user, the portal's.
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::provisioning::{Access, OperationId, Refusal, RefusalReason, Secret};

/// Nova's limit for the encoded text.
const LONGEST: usize = 65_535;
const BLOCK: usize = 64;

/// HMAC-SHA-256 (RFC 2104).
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; BLOCK];
    let hashed;
    let key = if key.len() > BLOCK {
        hashed = Sha256::digest(key);
        &hashed[..]
    } else {
        key
    };
    for (place, byte) in block.iter_mut().zip(key) {
        *place = *byte;
    }
    let inner = Sha256::new()
        .chain_update(block.map(|b| b ^ 0x36))
        .chain_update(message);
    let outer = Sha256::new().chain_update(block.map(|b| b ^ 0x5c));
    outer.chain_update(inner.finalize()).finalize().into()
}

/// The one-time password of an operation: sixteen characters that can't be taken for one another, of
/// all three sorts.
pub(super) fn password(secret: &Secret, op: &OperationId) -> Secret {
    const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let draw = |round: u32| -> String {
        let bytes = hmac(
            secret.0.as_bytes(),
            format!("one-time password {round} {op}").as_bytes(),
        );
        let pick = |pair: &[u8]| {
            let number = pair
                .iter()
                .fold(0, |sum, byte| sum * 256 + usize::from(*byte));
            LETTERS
                .get(number % LETTERS.len())
                .map(|letter| char::from(*letter))
        };
        bytes.chunks_exact(2).filter_map(pick).collect()
    };
    let strong = |text: &String| {
        text.contains(|c: char| c.is_ascii_lowercase())
            && text.contains(|c: char| c.is_ascii_uppercase())
            && text.contains(|c: char| c.is_ascii_digit())
    };
    let drawn = (0..64).map(draw).find(strong);
    Secret(drawn.unwrap_or_else(|| draw(0)))
}

/// Whether keys look like public ones.
pub(super) fn check(access: &Access) -> Result<(), Refusal> {
    let Access::SshKeys(keys) = access else {
        return Ok(());
    };
    let known = |key: &String| {
        let begins = ["ssh-ed25519 ", "ssh-rsa ", "ecdsa-sha2-", "sk-"];
        begins.iter().any(|kind| key.starts_with(kind)) && !key.contains(['\n', '\r'])
    };
    if !keys.is_empty() && keys.iter().all(known) {
        return Ok(());
    }
    Err(Refusal::new(RefusalReason::InvalidSpec, "not a public key"))
}

/// The text for cloud-init in base64: ours for key or password, and the order's own after it.
///
/// # Errors
/// [`RefusalReason::InvalidSpec`] if it is longer than Nova takes.
pub(super) fn user_data(
    access: &Access,
    password: Option<&Secret>,
    own: Option<&Secret>,
) -> Result<String, Refusal> {
    // JSON is YAML, and quotes what must be quoted.
    let config = match (access, password) {
        (Access::SshKeys(keys), _) => json!({ "ssh_authorized_keys": keys }),
        (Access::OneTimePassword, Some(password)) => json!({
            "password": password.0,
            // The first sign-in must set another one: what stands here is of no use after it.
            "chpasswd": { "expire": true },
            "ssh_pwauth": true,
        }),
        (Access::OneTimePassword, None) => json!({}),
    };
    let config = format!("#cloud-config\n{config}\n");
    let text = match own {
        None => config,
        Some(own) => multipart(&config, &own.0),
    };
    let encoded = STANDARD.encode(text);
    if encoded.len() > LONGEST {
        let said = format!("the text for cloud-init is longer than {LONGEST} bytes");
        return Err(Refusal::new(RefusalReason::InvalidSpec, said));
    }
    Ok(encoded)
}

/// Both parts as cloud-init reads them; in base64, so that no line of one can end it.
fn multipart(config: &str, own: &str) -> String {
    let kind = match own.split_once(['\n', ':']).map_or(own, |(first, _)| first) {
        first if first.starts_with("#!") => "text/x-shellscript",
        "#cloud-config" => "text/cloud-config",
        "#include" => "text/x-include-url",
        // cloud-init looks into plain text itself.
        _ => "text/plain",
    };
    let mut text =
        String::from("Content-Type: multipart/mixed; boundary=\"lingbao\"\nMIME-Version: 1.0\n\n");
    for (kind, body) in [("text/cloud-config", config), (kind, own)] {
        text.push_str("--lingbao\nContent-Type: ");
        text.push_str(kind);
        text.push_str("\nMIME-Version: 1.0\nContent-Transfer-Encoding: base64\n");
        // What the order says of the same thing is laid over ours, not put in its place.
        text.push_str("Merge-Type: list(append)+dict(recurse_list)+str()\n\n");
        text.push_str(&STANDARD.encode(body));
        text.push('\n');
    }
    text.push_str("--lingbao--\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> String {
        String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()
    }

    #[test]
    fn the_hash_is_that_of_the_standard() {
        // RFC 4231, test case 2.
        let mac = hmac(b"Jefe", b"what do ya want for nothing?");
        let hex = super::super::op::hex(&mac);
        assert_eq!(
            hex,
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn a_password_follows_from_secret_and_operation() {
        let secret = Secret("s".repeat(32));
        let first = password(&secret, &"a".into());
        assert_eq!(first, password(&secret, &"a".into()));
        assert_ne!(first, password(&secret, &"b".into()));
        assert_ne!(first, password(&Secret("t".repeat(32)), &"a".into()));
        assert_eq!(first.0.len(), 16);
    }

    #[test]
    fn keys_and_the_orders_own_text_come_together() {
        let access = Access::SshKeys(vec!["ssh-ed25519 AAAA \"me\"".into()]);
        let alone = decoded(&user_data(&access, None, None).unwrap());
        assert_eq!(
            alone,
            "#cloud-config\n{\"ssh_authorized_keys\":[\"ssh-ed25519 AAAA \\\"me\\\"\"]}\n"
        );
        let own = Secret("#!/bin/sh\n--lingbao--\n".into());
        let both = decoded(&user_data(&access, None, Some(&own)).unwrap());
        assert!(both.contains("text/x-shellscript") && both.contains(&STANDARD.encode(&own.0)));
        assert_eq!(both.matches("--lingbao--").count(), 1);
        let long = Secret("x".repeat(60_000));
        assert!(user_data(&access, None, Some(&long)).is_err());
    }

    #[test]
    fn a_private_key_is_no_public_one() {
        for bad in ["-----BEGIN PRIVATE KEY", "ssh-rsa AAAA\nssh-rsa BBBB"] {
            assert!(check(&Access::SshKeys(vec![bad.into()])).is_err(), "{bad}");
        }
        assert!(check(&Access::SshKeys(Vec::new())).is_err());
    }
}
