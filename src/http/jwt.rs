//! The signatures of visitors' JWTs, computed by ring. jsonwebtoken's own choices bring either RSA
//! in pure Rust, whose timing leaks, or a second C library; the two algorithms that a site can pin
//! need neither.

use std::sync::Once;

use jsonwebtoken::crypto::{CryptoProvider, JwkUtils, JwtSigner, JwtVerifier};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Signer, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, EncodingKey};
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use ring::{error::Unspecified, hmac};

/// Makes jsonwebtoken compute with ring, from the first call on. To be called before a token is
/// signed or checked.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // A provider that somebody else installed first serves as well.
        let _ = PROVIDER.install_default();
    });
}

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| {
        Ok(Box::new(Keyed { algorithm: *algorithm, secret: Secret::signing(*algorithm, key)? }))
    },
    verifier_factory: |algorithm, key| {
        Ok(Box::new(Keyed { algorithm: *algorithm, secret: Secret::verifying(*algorithm, key)? }))
    },
    jwk_utils: JwkUtils::new_unimplemented(),
};

struct Keyed {
    algorithm: Algorithm,
    secret: Secret,
}

enum Secret {
    Shared(hmac::Key),
    Pair(Ed25519KeyPair),
    Public(UnparsedPublicKey<Vec<u8>>),
}

impl Secret {
    fn signing(algorithm: Algorithm, key: &EncodingKey) -> Result<Self, Error> {
        if algorithm != Algorithm::EdDSA {
            return Ok(Self::Shared(hmac::Key::new(hash(algorithm)?, key.try_get_hmac_secret()?)));
        }
        if key.family() != AlgorithmFamily::Ed {
            return Err(ErrorKind::InvalidKeyFormat.into());
        }
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.inner())
            .map_err(|_| ErrorKind::InvalidEddsaKey)?;
        Ok(Self::Pair(pair))
    }

    fn verifying(algorithm: Algorithm, key: &DecodingKey) -> Result<Self, Error> {
        if algorithm != Algorithm::EdDSA {
            return Ok(Self::Shared(hmac::Key::new(hash(algorithm)?, key.try_get_hmac_secret()?)));
        }
        if key.family() != AlgorithmFamily::Ed {
            return Err(ErrorKind::InvalidKeyFormat.into());
        }
        Ok(Self::Public(UnparsedPublicKey::new(&ED25519, key.as_bytes().to_vec())))
    }
}

fn hash(algorithm: Algorithm) -> Result<hmac::Algorithm, Error> {
    match algorithm {
        Algorithm::HS256 => Ok(hmac::HMAC_SHA256),
        Algorithm::HS384 => Ok(hmac::HMAC_SHA384),
        Algorithm::HS512 => Ok(hmac::HMAC_SHA512),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

impl Signer<Vec<u8>> for Keyed {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        match &self.secret {
            Secret::Shared(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
            Secret::Pair(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Secret::Public(_) => Err(signature::Error::new()),
        }
    }
}

impl Verifier<Vec<u8>> for Keyed {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let checked = match &self.secret {
            Secret::Shared(key) => hmac::verify(key, message, signature),
            Secret::Public(key) => key.verify(message, signature),
            Secret::Pair(_) => Err(Unspecified),
        };
        checked.map_err(|_| signature::Error::new())
    }
}

impl JwtSigner for Keyed {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl JwtVerifier for Keyed {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
