//! JSON Web Tokens, which a GitHub App signs in with, and the private key that signs them.
//!
//! The crate `jsonwebtoken` writes them and leaves the cryptography to another crate: here to ring,
//! which is linked for TLS already. The crate `rsa`, which it could bring along, leaks its key through
//! the time that it takes ([RUSTSEC-2023-0071](https://rustsec.org/advisories/RUSTSEC-2023-0071)).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, KeyUtils};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::signature::{Error as SignatureError, Signer};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::pem::{PemObject, SectionKind};
use serde::Serialize;

use crate::problem::Help;

/// Why a text is not a key to sign with. None of it is quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is not a key file.
    #[error("neither PEM nor base64 of it")]
    NoPem,
    /// It needs a password, and the step is given none.
    #[error("encrypted")]
    Encrypted,
    /// It is a certificate, a public key, or a key of another kind.
    #[error("PEM of something else than a private RSA key")]
    OtherKind,
    /// It is a private RSA key in form, and cannot sign.
    #[error("not a private RSA key of 2048 bits or more")]
    Unusable,
}

impl Help for KeyError {
    fn help(&self) -> Option<String> {
        Some("give the .pem file that GitHub gave when the key was generated".to_owned())
    }
}

/// A private RSA key.
#[derive(Debug, Clone)]
pub struct SigningKey(EncodingKey);

impl SigningKey {
    /// Reads a key as GitHub gives it to the owner of an App (PKCS#1), or as PKCS#8: PEM, PEM in one
    /// line with `\n` for its line breaks, or base64 of either.
    ///
    /// # Errors
    ///
    /// When the text is not such a key.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        const BEGIN: &str = "-----BEGIN ";
        let text = if text.contains(BEGIN) {
            text.to_owned()
        } else {
            let packed: String = text.split_whitespace().collect();
            let unpacked = STANDARD.decode(packed).map_err(|_| KeyError::NoPem)?;
            String::from_utf8(unpacked).ok().filter(|text| text.contains(BEGIN)).ok_or(KeyError::NoPem)?
        };
        if text.contains("ENCRYPTED") {
            return Err(KeyError::Encrypted);
        }
        let lines: Vec<String> =
            text.replace("\\n", "\n").lines().map(|line| line.trim().to_owned()).collect();
        let section = <(SectionKind, Vec<u8>)>::from_pem_slice(lines.join("\n").as_bytes());
        let der = match section {
            Ok((SectionKind::RsaPrivateKey | SectionKind::PrivateKey, der)) => der,
            Ok(_) => return Err(KeyError::OtherKind),
            Err(_) => return Err(KeyError::NoPem),
        };
        key_pair(&der).ok_or(KeyError::Unusable)?;
        Ok(Self(EncodingKey::from_rsa_der(&der)))
    }

    /// A token that says `claims`, signed as RS256.
    ///
    /// # Errors
    ///
    /// When the key cannot sign.
    pub fn sign(&self, claims: &impl Serialize) -> Result<String, jsonwebtoken::errors::Error> {
        // Another provider that this process has installed already signs as well.
        let _ = RING.install_default();
        jsonwebtoken::encode(&Header::new(Algorithm::RS256), claims, &self.0)
    }
}

fn key_pair(der: &[u8]) -> Option<RsaKeyPair> {
    RsaKeyPair::from_der(der).or_else(|_| RsaKeyPair::from_pkcs8(der)).ok()
}

static RING: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| match (algorithm, key_pair(key.as_bytes())) {
        (Algorithm::RS256, Some(pair)) => Ok(Box::new(Rs256(pair))),
        (Algorithm::RS256, None) => Err(ErrorKind::InvalidKeyFormat.into()),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    },
    // This action reads tokens only to name their claims; the service that takes a token verifies it.
    verifier_factory: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
    key_utils: KeyUtils::new_unimplemented(),
};

struct Rs256(RsaKeyPair);

impl Signer<Vec<u8>> for Rs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        let mut signature = vec![0; self.0.public().modulus_len()];
        let signed = self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature);
        signed.map(|()| signature).map_err(|_| SignatureError::new())
    }
}

impl JwtSigner for Rs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}
