//! Everything that needs a key or a hash, behind one trait, so that the national algorithms
//! (SM2, SM3, SM4) can take the place of these by configuration.
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use argon2::{
    Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, password_hash::SaltString,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use thiserror::Error;
use tokio::sync::Semaphore;

use crate::app::Random;

/// Hashing, signing and wrapping.
pub trait Crypto: fmt::Debug + Send + Sync + 'static {
    /// A digest in lower-case hexadecimal.
    fn digest_hex(&self, data: &[u8]) -> String;

    /// Encrypts a secret for the database. `context` (table and row) is bound to it, so that a
    /// wrapped value copied to another row does not open. The nonce comes from `random`.
    ///
    /// # Errors
    /// The secret is absurdly long.
    fn wrap(&self, random: &Random, context: &str, secret: &[u8]) -> Result<String, CryptoError>;

    /// Opens what [`Self::wrap`] made.
    ///
    /// # Errors
    /// Another key, another context, or a changed text.
    fn unwrap(&self, context: &str, wrapped: &str) -> Result<Vec<u8>, CryptoError>;

    /// A message authentication code in hexadecimal.
    fn sign(&self, context: &str, data: &[u8]) -> String;

    /// Checks a code in constant time.
    fn verify(&self, context: &str, data: &[u8], mac: &str) -> bool {
        self.sign(context, data)
            .as_bytes()
            .ct_eq(mac.as_bytes())
            .into()
    }
}

/// A wrapped secret did not open, or a hash could not be made.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum CryptoError {
    /// The text is not what `wrap` makes.
    #[error("the wrapped secret is malformed")]
    Malformed,
    /// Another key or context, or the text was changed.
    #[error("the wrapped secret does not open with this key")]
    WrongKey,
    /// The key has another length than 32 bytes.
    #[error("the key must be 32 bytes in hexadecimal or base64url")]
    BadKey,
    /// The password hasher refused.
    #[error("the password hasher failed: {0}")]
    Password(String),
}

/// SHA-256, HMAC-SHA-256 and XChaCha20-Poly1305. The default.
pub struct StandardCrypto {
    wrapping: [u8; 32],
    signing: [u8; 32],
}

impl fmt::Debug for StandardCrypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StandardCrypto(..)")
    }
}

impl StandardCrypto {
    /// From the installation's one key, which is kept outside the database.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        // One key for each purpose, derived, so that no two uses can be played against each other.
        Self {
            wrapping: hmac(key, &[b"lingbao wrap"]),
            signing: hmac(key, &[b"lingbao sign"]),
        }
    }

    /// From text: 64 hexadecimal digits or 43 letters of base64url; white space around is ignored.
    ///
    /// # Errors
    /// [`CryptoError::BadKey`].
    pub fn from_text(text: &str) -> Result<Self, CryptoError> {
        let text = text.trim();
        let bytes = if text.len() == 64 {
            unhex(text).ok_or(CryptoError::BadKey)?
        } else {
            URL_SAFE_NO_PAD
                .decode(text)
                .map_err(|_| CryptoError::BadKey)?
        };
        let key: [u8; 32] = bytes.try_into().map_err(|_| CryptoError::BadKey)?;
        Ok(Self::new(&key))
    }
}

impl Crypto for StandardCrypto {
    fn digest_hex(&self, data: &[u8]) -> String {
        sha256_hex(data)
    }

    fn wrap(&self, random: &Random, context: &str, secret: &[u8]) -> Result<String, CryptoError> {
        let nonce: [u8; 24] = random.bytes();
        let sealed = XChaCha20Poly1305::new(&self.wrapping.into())
            .encrypt(
                XNonce::from_slice(&nonce),
                Payload {
                    msg: secret,
                    aad: context.as_bytes(),
                },
            )
            .map_err(|_| CryptoError::Malformed)?;
        let mut bytes = nonce.to_vec();
        bytes.extend(sealed);
        Ok(format!("x1.{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    fn unwrap(&self, context: &str, wrapped: &str) -> Result<Vec<u8>, CryptoError> {
        let text = wrapped.strip_prefix("x1.").ok_or(CryptoError::Malformed)?;
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| CryptoError::Malformed)?;
        let (nonce, sealed) = bytes.split_at_checked(24).ok_or(CryptoError::Malformed)?;
        XChaCha20Poly1305::new(&self.wrapping.into())
            .decrypt(
                XNonce::from_slice(nonce),
                Payload {
                    msg: sealed,
                    aad: context.as_bytes(),
                },
            )
            .map_err(|_| CryptoError::WrongKey)
    }

    fn sign(&self, context: &str, data: &[u8]) -> String {
        // The length keeps ("ab", "c") and ("a", "bc") apart.
        let length = (context.len() as u64).to_be_bytes();
        hex(&hmac(&self.signing, &[&length, context.as_bytes(), data]))
    }
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// SHA-256 in hexadecimal.
#[must_use]
pub fn sha256_hex(data: &[u8]) -> String {
    hex(&sha256(&[data]))
}

/// HMAC-SHA-256 (RFC 2104) with a key of half a block.
fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut inner = [0x36_u8; 64];
    let mut outer = [0x5c_u8; 64];
    for ((i, o), k) in inner.iter_mut().zip(outer.iter_mut()).zip(key) {
        *i ^= k;
        *o ^= k;
    }
    let mut all: Vec<&[u8]> = vec![&inner];
    all.extend(parts);
    let digest = sha256(&all);
    sha256(&[&outer, &digest])
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a String can't fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

/// A fresh bearer token: what its owner is shown once, and what the database keeps.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// 32 random bytes in base64url. Shown once, never stored.
    pub secret: String,
    /// Its SHA-256, by which it is found again.
    pub digest: String,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.digest)
    }
}

impl Token {
    /// A fresh one.
    #[must_use]
    pub fn generate(random: &Random) -> Self {
        let secret = URL_SAFE_NO_PAD.encode(random.bytes::<32>());
        let digest = Self::digest_of(&secret);
        Self { secret, digest }
    }

    /// What the database would keep of a presented token. A plain hash is enough: 256 random bits
    /// can't be guessed, so there is nothing for salt and slowness to protect.
    #[must_use]
    pub fn digest_of(secret: &str) -> String {
        sha256_hex(secret.as_bytes())
    }
}

/// Hashes and checks passwords with argon2id. At most two at once: each takes 19 MiB and a core,
/// and a flood of sign-ins must not take the whole machine.
#[derive(Debug, Clone)]
pub struct Passwords {
    permits: Arc<Semaphore>,
    at_work: Arc<AtomicUsize>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(2)),
            at_work: Arc::default(),
        }
    }
}

/// One more hash is being made, as long as this lives.
struct AtWork(Arc<AtomicUsize>);

impl AtWork {
    fn begin(count: Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// OWASP's first choice: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// A hash of the same cost that no password has: checked when the user is unknown, so that the
/// answer takes as long as for a known one.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn hasher() -> Result<Argon2<'static>, CryptoError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(failed)?;
    Ok(Argon2::new(
        argon2::Algorithm::Argon2id,
        argon2::Version::V0x13,
        params,
    ))
}

fn failed(error: impl fmt::Display) -> CryptoError {
    CryptoError::Password(error.to_string())
}

impl Passwords {
    /// How many hashes are being made at this moment.
    #[must_use]
    pub fn at_work(&self) -> usize {
        self.at_work.load(Ordering::SeqCst)
    }

    async fn on_a_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, CryptoError> + Send + 'static,
    ) -> Result<T, CryptoError> {
        let permit = self.permits.clone().acquire_owned().await.map_err(failed)?;
        let at_work = self.at_work.clone();
        tokio::task::spawn_blocking(move || {
            // Held by the thread, not by the caller: a caller who hangs up frees no core.
            let _permit = permit;
            let _counted = AtWork::begin(at_work);
            work()
        })
        .await
        .map_err(failed)?
    }

    /// A hash in PHC form, with its parameters and a fresh salt in it.
    ///
    /// # Errors
    /// The hasher failed (out of memory).
    pub async fn hash(&self, random: &Random, password: &str) -> Result<String, CryptoError> {
        let salt = SaltString::encode_b64(&random.bytes::<16>()).map_err(failed)?;
        let password = password.to_owned();
        self.on_a_thread(move || {
            let hash = hasher()?
                .hash_password(password.as_bytes(), &salt)
                .map_err(failed)?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether the password fits. `stored` is `None` for an unknown user; the work is the same.
    ///
    /// # Errors
    /// The stored text is no hash.
    pub async fn verify(&self, stored: Option<&str>, password: &str) -> Result<bool, CryptoError> {
        let known = stored.is_some();
        let stored = stored.unwrap_or(NOBODY).to_owned();
        let password = password.to_owned();
        self.on_a_thread(move || {
            let hash = PasswordHash::new(&stored).map_err(failed)?;
            match hasher()?.verify_password(password.as_bytes(), &hash) {
                Ok(()) => Ok(known),
                Err(argon2::password_hash::Error::Password) => Ok(false),
                Err(error) => Err(failed(error)),
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_agrees_with_rfc_4231() {
        // Test case 6's structure with a 32-byte key is not in the RFC; case 1 padded with zeros is
        // the same key by the definition of HMAC.
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        assert_eq!(
            hex(&hmac(&key, &[b"Hi There"])),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
    }

    #[test]
    fn a_wrapped_secret_opens_only_where_it_belongs() {
        let random = Random::from_seed(1);
        let crypto = StandardCrypto::new(&[7; 32]);
        let wrapped = crypto
            .wrap(&random, "resource/res_1", b"root:secret")
            .unwrap();
        assert!(!wrapped.contains("secret"));
        assert_eq!(
            crypto.unwrap("resource/res_1", &wrapped).unwrap(),
            b"root:secret"
        );
        assert_eq!(
            crypto.unwrap("resource/res_2", &wrapped),
            Err(CryptoError::WrongKey)
        );
        let other = StandardCrypto::new(&[8; 32]);
        assert_eq!(
            other.unwrap("resource/res_1", &wrapped),
            Err(CryptoError::WrongKey)
        );
        assert_eq!(crypto.unwrap("x", "x1.AA"), Err(CryptoError::Malformed));
        let again = crypto
            .wrap(&random, "resource/res_1", b"root:secret")
            .unwrap();
        assert_ne!(wrapped, again, "the nonce must be fresh");
    }

    #[test]
    fn a_signature_is_bound_to_context_and_data() {
        let crypto = StandardCrypto::from_text(&"ab".repeat(32)).unwrap();
        let mac = crypto.sign("audit", b"1");
        assert!(crypto.verify("audit", b"1", &mac));
        assert!(!crypto.verify("audit", b"2", &mac));
        assert!(!crypto.verify("audit1", b"", &mac));
        assert!(StandardCrypto::from_text("short").is_err());
    }

    #[tokio::test]
    async fn passwords_fit_or_do_not_and_nobody_never_fits() {
        let passwords = Passwords::default();
        let hash = passwords
            .hash(&Random::from_seed(1), "拎包入驻2026")
            .await
            .unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(passwords.verify(Some(&hash), "拎包入驻2026").await.unwrap());
        assert!(!passwords.verify(Some(&hash), "拎包入驻2025").await.unwrap());
        assert!(!passwords.verify(None, "anything").await.unwrap());
        assert!(passwords.verify(Some("plain"), "plain").await.is_err());
    }

    #[tokio::test]
    async fn who_hangs_up_keeps_the_place_until_the_work_is_over() {
        let passwords = Passwords::default();
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let mut begun = Box::pin(passwords.on_a_thread(move || wait.recv().map_err(failed)));
        while passwords.at_work() == 0 {
            assert!(futures::poll!(&mut begun).is_pending());
            tokio::task::yield_now().await;
        }
        drop(begun);
        assert_eq!(passwords.permits.available_permits(), 1);
        go_on.send(()).unwrap();
        // Only now both places are free.
        drop(passwords.permits.acquire_many(2).await.unwrap());
        assert_eq!(passwords.at_work(), 0);
    }

    #[test]
    fn a_token_is_long_random_and_found_by_its_digest() {
        let random = Random::from_seed(1);
        let token = Token::generate(&random);
        assert_eq!(token.secret.len(), 43);
        assert_eq!(Token::digest_of(&token.secret), token.digest);
        assert_ne!(Token::generate(&random), token);
        assert!(!format!("{token:?}").contains(&token.secret));
    }
}
