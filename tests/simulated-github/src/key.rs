//! The key of every App and of every job's identity in the simulation, with its signatures.

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

/// The place of the key itself (PKCS#1) in PKCS#8: behind the header that names RSA.
const INSIDE: usize = 26;

/// A form of the private key of every App.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyForm {
    /// PEM of PKCS#1, as GitHub gives it.
    Pkcs1,
    /// PEM of PKCS#8.
    Pkcs8,
    /// Another key, of no App, as PEM of PKCS#1.
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

/// Sets the cryptography of `jsonwebtoken`. The first call in the process counts, so it has to come first.
pub(crate) fn install() {
    let _ = RING.install_default();
}

pub(crate) fn sign(claims: &Value) -> String {
    let token = jsonwebtoken::encode(&Header::new(Algorithm::RS256), claims, &EncodingKey::from_rsa_der(KEY));
    token.expect("the key signs")
}

/// The claims of a token that the key signed, or `None`. It does not check the times: the world has its own
/// clock.
pub(crate) fn verify(token: &str) -> Option<Value> {
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
        (Algorithm::RS256, Ok(pair)) => Ok(Box::new(KeyPairSigner(pair))),
        // The action may sign with either form.
        (Algorithm::RS256, Err(_)) => {
            let pair = RsaKeyPair::from_der(key.as_bytes());
            Ok(Box::new(KeyPairSigner(pair.map_err(|_| Error::from(ErrorKind::InvalidKeyFormat))?)))
        }
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    },
    verifier_factory: |algorithm, key| match algorithm {
        Algorithm::RS256 => Ok(Box::new(KeyPairVerifier(key.try_get_as_bytes()?.to_vec()))),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    },
    key_utils: KeyUtils::new_unimplemented(),
};

struct KeyPairSigner(RsaKeyPair);

impl Signer<Vec<u8>> for KeyPairSigner {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        let mut signature = vec![0; self.0.public().modulus_len()];
        let result = self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature);
        result.map(|()| signature).map_err(|_| SignatureError::new())
    }
}

impl JwtSigner for KeyPairSigner {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}

struct KeyPairVerifier(Vec<u8>);

impl Verifier<Vec<u8>> for KeyPairVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.0);
        key.verify(message, signature).map_err(|_| SignatureError::new())
    }
}

impl JwtVerifier for KeyPairVerifier {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tokens_of_the_key_are_verified() {
        install();
        let token = sign(&serde_json::json!({ "iss": "1" }));
        assert_eq!(verify(&token), Some(serde_json::json!({ "iss": "1" })));
        let (front, signature) = token.rsplit_once('.').expect("three parts");
        assert_eq!(verify(&format!("{front}.A{}", &signature[1..])), None);
        assert_eq!(verify("ghs_1"), None);
    }
}
