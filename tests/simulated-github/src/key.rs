//! The key of every App and of every job's identity in the simulation, and what is signed with it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ring::rand::SystemRandom;
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::Value;

const KEY: &[u8] = include_bytes!("../keys/only-for-tests.pkcs8.der");
const ANOTHER: &[u8] = include_bytes!("../keys/another-only-for-tests.pkcs8.der");

/// Where PKCS#8 holds the key itself, PKCS#1: behind what says that it is RSA.
const INSIDE: usize = 26;

/// The private key of every App, in a form in which it may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyForm {
    /// PEM of PKCS#1, as GitHub gives it.
    Pkcs1,
    /// PEM of PKCS#8.
    Pkcs8,
    /// A key like it that belongs to no App.
    Another,
}

/// A private key as PEM.
pub fn private_key(form: KeyForm) -> String {
    match form {
        KeyForm::Pkcs1 => pem("RSA PRIVATE KEY", &KEY[INSIDE..]),
        KeyForm::Pkcs8 => pem("PRIVATE KEY", KEY),
        KeyForm::Another => pem("RSA PRIVATE KEY", &ANOTHER[INSIDE..]),
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("base64 is ASCII")).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Must come before anything else in the process chooses its cryptography.
pub(crate) fn install() {
    let _ = RING.install_default();
}

pub(crate) fn sign(claims: &Value) -> String {
    let signed =
        jsonwebtoken::encode(&Header::new(Algorithm::RS256), claims, &EncodingKey::from_rsa_der(KEY));
    signed.expect("the key signs")
}

/// What a token says that was signed with the key. Its times are not looked at: the world has a clock
/// of its own.
pub(crate) fn verified(token: &str) -> Option<Value> {
    let pair = RsaKeyPair::from_pkcs8(KEY).expect("the key is one");
    let mut validation = Validation::new(Algorithm::RS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let key = DecodingKey::from_rsa_der(pair.public_key().as_ref());
    jsonwebtoken::decode::<Value>(token, &key, &validation).ok().map(|token| token.claims)
}

static RING: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| match (algorithm, RsaKeyPair::from_pkcs8(key.as_bytes())) {
        (Algorithm::RS256, Ok(pair)) => Ok(Box::new(Signing(pair))),
        // The action's own keys may be either.
        (Algorithm::RS256, Err(_)) => {
            let pair = RsaKeyPair::from_der(key.as_bytes());
            Ok(Box::new(Signing(pair.map_err(|_| Error::from(ErrorKind::InvalidKeyFormat))?)))
        }
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    },
    verifier_factory: |algorithm, key| match algorithm {
        Algorithm::RS256 => Ok(Box::new(Verifying(key.try_get_as_bytes()?.to_vec()))),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    },
    key_utils: KeyUtils::new_unimplemented(),
};

struct Signing(RsaKeyPair);

impl Signer<Vec<u8>> for Signing {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        let mut signature = vec![0; self.0.public().modulus_len()];
        let signed = self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature);
        signed.map(|()| signature).map_err(|_| SignatureError::new())
    }
}

impl JwtSigner for Signing {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}

struct Verifying(Vec<u8>);

impl Verifier<Vec<u8>> for Verifying {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.0);
        key.verify(message, signature).map_err(|_| SignatureError::new())
    }
}

impl JwtVerifier for Verifying {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_with_the_key_is_verified_and_nothing_else_is() {
        install();
        let token = sign(&serde_json::json!({ "iss": "1" }));
        assert_eq!(verified(&token), Some(serde_json::json!({ "iss": "1" })));
        let (front, signature) = token.rsplit_once('.').expect("three parts");
        assert_eq!(verified(&format!("{front}.A{}", &signature[1..])), None);
        assert_eq!(verified("ghs_1"), None);
    }
}
