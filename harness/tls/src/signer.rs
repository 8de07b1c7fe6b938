//! A key that signs what is not a certificate: ECDSA on P-256 with SHA-256, which JSON Web Tokens call
//! ES256. What is signed is for the caller to know.

use std::fmt;

use ring::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
        UnparsedPublicKey,
    },
};

use crate::TlsError;

/// What comes before the point of a P-256 key in its X.509 form (`SubjectPublicKeyInfo`, RFC 5480).
const P256_INFO: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// How long each coordinate of a point is.
const COORDINATE: usize = 32;

/// A private key; it leaves the process only where a caller writes it.
pub struct Signer {
    key: EcdsaKeyPair,
    pkcs8: Vec<u8>,
    random: SystemRandom,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

impl Signer {
    /// A new key.
    ///
    /// # Errors
    /// [`TlsError::Signing`] when the system gives no randomness.
    pub fn new() -> Result<Self, TlsError> {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            .map_err(|_| TlsError::Signing)?;
        Self::from_pkcs8(document.as_ref())
    }

    /// The key that [`Signer::pkcs8`] gave.
    ///
    /// # Errors
    /// [`TlsError::Signing`] when it is none.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, TlsError> {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &random)
            .map_err(|_| TlsError::Signing)?;
        Ok(Self { key, pkcs8: pkcs8.to_vec(), random })
    }

    /// The private key, PKCS#8 DER, for a safe place.
    #[must_use]
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The signature of a message: both numbers, 32 bytes each.
    ///
    /// # Errors
    /// [`TlsError::Signing`] when the system gives no randomness.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, TlsError> {
        let signature = self.key.sign(&self.random, message).map_err(|_| TlsError::Signing)?;
        Ok(signature.as_ref().to_vec())
    }

    /// Whether a signature of a message was made with this key.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.key.public_key().as_ref())
            .verify(message, signature)
            .is_ok()
    }

    /// The coordinates of the public key.
    #[must_use]
    pub fn coordinates(&self) -> (&[u8], &[u8]) {
        // An uncompressed point: a byte that says so, then x and y.
        let point = self.key.public_key().as_ref().get(1..).unwrap_or_default();
        point.split_at_checked(COORDINATE).unwrap_or_default()
    }

    /// The public key in its X.509 form, DER.
    #[must_use]
    pub fn public_key_der(&self) -> Vec<u8> {
        [P256_INFO.as_slice(), self.key.public_key().as_ref()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_signature_of_the_same_message_is_good() {
        let (signer, other) = (Signer::new().unwrap(), Signer::new().unwrap());
        let signature = signer.sign(b"message").unwrap();
        assert_eq!(signature.len(), 64);
        assert!(signer.verifies(b"message", &signature));
        assert!(!signer.verifies(b"massage", &signature));
        assert!(!other.verifies(b"message", &signature));
        for length in 0..64 {
            assert!(!signer.verifies(b"message", &signature[..length]));
        }
        assert!(!signer.verifies(b"message", &[0; 64]));
        let (x, y) = signer.coordinates();
        assert_eq!((x.len(), y.len()), (32, 32));
        assert_eq!(&signer.public_key_der()[27..59], x);
    }

    #[test]
    fn a_key_that_was_kept_is_the_same_one() {
        let signer = Signer::new().unwrap();
        let again = Signer::from_pkcs8(signer.pkcs8()).unwrap();
        assert!(again.verifies(b"message", &signer.sign(b"message").unwrap()));
        assert!(Signer::from_pkcs8(&signer.pkcs8()[1..]).is_err());
    }

    #[test]
    fn the_public_key_is_one_that_others_read() {
        use rcgen::PublicKeyData;
        let signer = Signer::new().unwrap();
        let read = rcgen::SubjectPublicKeyInfo::from_der(&signer.public_key_der()).unwrap();
        assert_eq!(read.der_bytes(), &signer.public_key_der()[26..]);
    }
}
