//! JSON Web Tokens, with which a GitHub App signs in, and the private key that signs them.
//!
//! The crate `jsonwebtoken` writes them and leaves the cryptography to another crate: here to ring,
//! which is linked for TLS already. The alternative, the crate `rsa`, leaks its key through its timing
//! ([RUSTSEC-2023-0071](https://rustsec.org/advisories/RUSTSEC-2023-0071)).

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, KeyUtils};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::signature::{Error as SignatureError, Signer};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::pem::{PemObject, SectionKind};
use serde::Serialize;

use crate::problem::{Advice, Help, Topic};

/// Why a text is not a private key of an App. Messages do not quote the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is not a key file.
    #[error("neither PEM nor base64 of it")]
    NoPem,
    /// It needs a password, and the step has none.
    #[error("encrypted")]
    Encrypted,
    /// It is a key for SSH.
    #[error("an OpenSSH key, which no GitHub App has")]
    OpenSsh,
    /// It is the fingerprint that the App's settings show.
    #[error("the fingerprint of a key, not the key")]
    Fingerprint,
    /// It is the public half, which cannot sign.
    #[error("a public key, not the private one")]
    Public,
    /// It is a certificate, or a key of another kind.
    #[error("PEM of something other than a private RSA key")]
    OtherKind,
    /// It has the form of a private RSA key, and cannot sign.
    #[error("not a private RSA key of 2048 bits or more, or it is cut short")]
    Unusable,
}

impl Help for KeyError {
    fn help(&self) -> Option<Advice> {
        let file = "the whole .pem file that GitHub gave when the key was generated";
        let another = "if it is lost, generate another private key in the App's settings";
        let text = match self {
            Self::Encrypted => {
                format!("put {file} into the secret, as it was before it was encrypted; {another}")
            }
            Self::NoPem
            | Self::OpenSsh
            | Self::Fingerprint
            | Self::Public
            | Self::OtherKind
            | Self::Unusable => {
                format!("put {file} into the secret; {another}")
            }
        };
        Some(Topic::PrivateKey.advice(text))
    }
}

/// Base64 of either alphabet, with or without padding: people paste secrets in each form.
const ENCODINGS: [GeneralPurpose; 2] = {
    let any_padding = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    [
        GeneralPurpose::new(&alphabet::STANDARD, any_padding),
        GeneralPurpose::new(&alphabet::URL_SAFE, any_padding),
    ]
};

/// The most layers of base64 around a key: some tools encode it again.
const MOST_WRAPPERS: usize = 3;

/// A private RSA key.
#[derive(Debug, Clone)]
pub struct SigningKey(EncodingKey);

impl SigningKey {
    /// Reads a key as GitHub gives it to the owner of an App (PKCS#1), or as PKCS#8: PEM, even with damaged line
    /// breaks, or base64 of either.
    ///
    /// # Errors
    ///
    /// When the text is not such a key.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut der = None;
        let mut text = text.to_owned();
        for _ in 0..MOST_WRAPPERS {
            if let Some(problem) = mistake_in(&text) {
                return Err(problem);
            }
            if let Some(pem) = pem_in(&text) {
                der = Some(der_of(&pem)?);
                break;
            }
            let base64: String =
                text.replace("\\r", "").replace("\\n", "").chars().filter(|c| !is_noise(*c)).collect();
            let bytes = ENCODINGS.iter().find_map(|encoding| encoding.decode(&base64).ok());
            text = match String::from_utf8(bytes.ok_or(KeyError::NoPem)?) {
                Ok(text) => text,
                Err(bytes) => {
                    der = Some(bytes.into_bytes()).filter(|der| key_pair(der).is_some());
                    break;
                }
            };
        }
        let der = der.ok_or(KeyError::NoPem)?;
        key_pair(&der).ok_or(KeyError::Unusable)?;
        Ok(Self(EncodingKey::from_rsa_der(&der)))
    }

    /// A token with `claims`, signed as RS256.
    ///
    /// # Errors
    ///
    /// When the key cannot sign.
    pub fn sign(&self, claims: &impl Serialize) -> Result<String, jsonwebtoken::errors::Error> {
        // If this process has installed another provider already, that one signs as well.
        let _ = RING.install_default();
        jsonwebtoken::encode(&Header::new(Algorithm::RS256), claims, &self.0)
    }
}

/// The kind of a text that people paste in place of a private key.
fn mistake_in(text: &str) -> Option<KeyError> {
    let starts = |words: &[&str]| words.iter().any(|word| text.trim_start().starts_with(word));
    let says = |words: &str| text.contains(words);
    if starts(&["SHA256:", "MD5:"]) {
        Some(KeyError::Fingerprint)
    } else if says("BEGIN OPENSSH PRIVATE KEY") {
        Some(KeyError::OpenSsh)
    } else if says("BEGIN PUBLIC KEY") || says("BEGIN RSA PUBLIC KEY") || starts(&["ssh-", "ecdsa-"]) {
        Some(KeyError::Public)
    } else if says("ENCRYPTED") {
        Some(KeyError::Encrypted)
    } else {
        None
    }
}

/// Whether `c` may stand between the characters of a key, and means nothing.
fn is_noise(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '\u{feff}')
}

/// The first section of PEM in `text`, with correct line breaks and an end.
fn pem_in(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let body = rest.split_once("-----").map_or(rest, |(body, _)| body);
    let body = body.replace("\\r", "").replace("\\n", "");
    let body: String = body.chars().filter(|c| !is_noise(*c)).collect();
    Some(format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"))
}

fn der_of(pem: &str) -> Result<Vec<u8>, KeyError> {
    match <(SectionKind, Vec<u8>)>::from_pem_slice(pem.as_bytes()) {
        Ok((SectionKind::RsaPrivateKey | SectionKind::PrivateKey, der)) => Ok(der),
        Ok(_) => Err(KeyError::OtherKind),
        // Its base64 is damaged, or its kind is unknown.
        Err(_) if pem.contains("PRIVATE KEY") => Err(KeyError::Unusable),
        Err(_) => Err(KeyError::NoPem),
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
    // This action reads tokens only to name their claims. The service that gets a token verifies it.
    verifier_factory: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
    key_utils: KeyUtils::new_unimplemented(),
};

struct Rs256(RsaKeyPair);

impl Signer<Vec<u8>> for Rs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        let mut signature = vec![0; self.0.public().modulus_len()];
        let result = self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature);
        result.map(|()| signature).map_err(|_| SignatureError::new())
    }
}

impl JwtSigner for Rs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use simulated_github::{KeyForm, private_key};

    use super::*;

    #[test]
    fn a_key_is_read_however_it_was_pasted() {
        for pem in [private_key(KeyForm::Pkcs1), private_key(KeyForm::Pkcs8)] {
            let lines: Vec<&str> = pem.lines().collect();
            let body = lines[1..lines.len() - 1].concat();
            let endless = lines[..lines.len() - 1].join("\n");
            for text in [
                pem.clone(),
                lines.join(" "),
                lines.concat(),
                lines.join("\\n"),
                lines.join("\\r\\n"),
                pem.replace('\n', "\r\n"),
                pem.replace('\n', "\r"),
                pem.replace('\n', "\n    "),
                pem.replace('\n', "\n\n"),
                format!("\"{}\"", lines.join("\\n")),
                format!("'{pem}'"),
                format!("\u{feff}{pem}"),
                format!("PRIVATE_KEY={pem}"),
                endless.clone(),
                format!("{endless}\n-----END"),
                body.clone(),
                STANDARD.encode(&pem),
                format!("\"{}\"", STANDARD.encode(&pem)),
                STANDARD.encode(format!("\u{feff}{}", lines.join(" "))),
                URL_SAFE_NO_PAD.encode(&pem),
                STANDARD.encode(STANDARD.encode(&pem)),
                STANDARD
                    .encode(&pem)
                    .as_bytes()
                    .chunks(60)
                    .map(String::from_utf8_lossy)
                    .collect::<Vec<_>>()
                    .join("\n"),
            ] {
                assert!(SigningKey::parse(&text).is_ok(), "{text}");
            }
        }
    }

    #[test]
    fn something_else_in_place_of_a_private_key_is_named() {
        let pem = private_key(KeyForm::Pkcs1);
        let openssh = pem.replace("RSA PRIVATE", "OPENSSH PRIVATE");
        for (text, problem) in [
            ("SHA256:0Oxd+Yqg6nsWy0hUBjoXqRBvJoQ7QZxgL3kD9bY0wLk=", KeyError::Fingerprint),
            (&openssh, KeyError::OpenSsh),
            (&STANDARD.encode(&openssh), KeyError::OpenSsh),
            (&pem.replace("RSA PRIVATE", "PUBLIC"), KeyError::Public),
            ("ssh-rsa AAAAB3NzaC1yc2E alice@example", KeyError::Public),
            ("ssh-ed25519 AAAAC3NzaC1lZDI1 alice@example", KeyError::Public),
            (&pem.replace("RSA PRIVATE", "ENCRYPTED PRIVATE"), KeyError::Encrypted),
            (&pem.replace("RSA PRIVATE", "EC PRIVATE"), KeyError::OtherKind),
            (&pem.replace("RSA PRIVATE KEY", "CERTIFICATE"), KeyError::OtherKind),
            (&pem[..400], KeyError::Unusable),
            ("/home/alice/key.pem", KeyError::NoPem),
            ("", KeyError::NoPem),
        ] {
            assert_eq!(SigningKey::parse(text).err(), Some(problem), "{text}");
            assert!(problem.help().is_some_and(|help| help.text.contains(".pem file")));
        }
    }
}
