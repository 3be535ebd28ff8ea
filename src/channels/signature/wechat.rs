//! WeChat: SHA-1 over sorted words, and in safe mode messages encrypted with AES-256-CBC. Pure.
//!
//! The signature of plain mode doesn't cover the body. An account with a key takes encrypted
//! messages alone.

use aes::Aes256;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::engine::{DecodePaddingMode, Engine as _};
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockDecryptMut as _, BlockEncryptMut as _, KeyIvInit as _};
use quick_xml::events::Event;
use ring::digest;

use super::{Rejected, equal, form, fresh, hex, one_of};

/// The 43 characters of a key leave bits over that are not zero.
const KEY_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// Padding fills blocks of so many bytes, as PKCS #7 says for blocks of 32.
const BLOCK: usize = 32;
/// Random bytes before the text.
const PREFIX: usize = 16;

/// What an account in safe mode encrypts with.
#[derive(Clone)]
pub struct Crypt {
    key: [u8; 32],
    app: String,
}

fn signature(words: &[&str]) -> String {
    let mut words = words.to_vec();
    words.sort_unstable();
    hex(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, words.concat().as_bytes()).as_ref())
}

/// Verifies what the address says: the handshake, and every message of an account without a key.
///
/// # Errors
/// When it is unsigned, forged or stale.
pub fn verify(query: &str, tokens: &[String], now_s: u64) -> Result<(), Rejected> {
    let pairs = form(query.as_bytes());
    let (at, nonce, shown) = signed_words(&pairs, "signature")?;
    fresh(at, now_s)?;
    one_of(tokens, |token| equal(signature(&[token, at, nonce]).as_bytes(), shown.as_bytes()))
}

fn signed_words<'a>(
    pairs: &'a [(String, String)],
    name: &str,
) -> Result<(&'a str, &'a str, &'a str), Rejected> {
    let value = |name: &str| {
        pairs
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
            .ok_or(Rejected::Unsigned)
    };
    Ok((value("timestamp")?, value("nonce")?, value(name)?))
}

impl Crypt {
    /// `None` if the key isn't 43 characters of Base64.
    #[must_use]
    pub fn new(encoding_aes_key: &str, app: &str) -> Option<Self> {
        let key = KEY_BASE64.decode(encoding_aes_key).ok()?.try_into().ok()?;
        Some(Self { key, app: app.to_owned() })
    }

    /// The text of an encrypted message.
    ///
    /// # Errors
    /// When it isn't encrypted and signed for this account.
    pub fn open(
        &self,
        query: &str,
        body: &[u8],
        tokens: &[String],
        now_s: u64,
    ) -> Result<String, Rejected> {
        let pairs = form(query.as_bytes());
        let (at, nonce, shown) = signed_words(&pairs, "msg_signature")?;
        fresh(at, now_s)?;
        let encrypted = field(body, "Encrypt").ok_or(Rejected::Unsigned)?;
        one_of(tokens, |token| {
            equal(signature(&[token, at, nonce, &encrypted]).as_bytes(), shown.as_bytes())
        })?;
        self.decrypt(&encrypted).ok_or(Rejected::Forged)
    }

    fn decrypt(&self, encrypted: &str) -> Option<String> {
        let mut bytes = STANDARD.decode(encrypted).ok()?;
        let cipher = cbc::Decryptor::<Aes256>::new(&self.key.into(), self.iv().into());
        let text = cipher.decrypt_padded_mut::<NoPadding>(&mut bytes).ok()?;
        let padding = usize::from(*text.last()?);
        if !(1..=BLOCK).contains(&padding) {
            return None;
        }
        let text = text.get(PREFIX..text.len().checked_sub(padding)?)?;
        let (length, text) = text.split_first_chunk::<4>()?;
        let (text, app) =
            text.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        if !equal(app, self.app.as_bytes()) {
            return None;
        }
        String::from_utf8(text.to_vec()).ok()
    }

    /// The first half of the key.
    fn iv(&self) -> &[u8; PREFIX] {
        self.key.first_chunk().unwrap_or(&[0; PREFIX])
    }

    /// An answer, encrypted and signed as WeChat reads it. `prefix` is random.
    #[must_use]
    pub fn seal(
        &self,
        text: &str,
        token: &str,
        at: &str,
        nonce: &str,
        prefix: [u8; PREFIX],
    ) -> String {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
        let mut bytes = [&prefix, &length[..], text.as_bytes(), self.app.as_bytes()].concat();
        let padding = BLOCK - bytes.len() % BLOCK;
        bytes.resize(bytes.len() + padding, u8::try_from(padding).unwrap_or_default());
        let length = bytes.len();
        let cipher = cbc::Encryptor::<Aes256>::new(&self.key.into(), self.iv().into());
        // Whole blocks need no room for more.
        let encrypted = cipher
            .encrypt_padded_mut::<NoPadding>(&mut bytes, length)
            .map(|all| STANDARD.encode(all));
        let encrypted = encrypted.unwrap_or_default();
        let signature = signature(&[token, at, nonce, &encrypted]);
        format!(
            "<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt><MsgSignature><![CDATA[{signature}]]></MsgSignature>\
             <TimeStamp>{at}</TimeStamp><Nonce><![CDATA[{nonce}]]></Nonce></xml>"
        )
    }
}

/// The text of an element directly below the root. Entities other than XML's own five are not
/// known, so none expands.
#[must_use]
pub fn field(xml: &[u8], name: &str) -> Option<String> {
    let mut reader = quick_xml::Reader::from_reader(xml);
    let (mut depth, mut inside, mut text) = (0_u32, false, None::<String>);
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                depth += 1;
                inside = depth == 2 && start.name().as_ref() == name;
                if inside {
                    text = Some(String::new());
                }
            }
            Event::End(_) => {
                if depth == 2 && inside {
                    return text;
                }
                depth = depth.checked_sub(1)?;
            }
            Event::CData(part) if inside => text.as_mut()?.push_str(&part),
            Event::Text(part) if inside => text.as_mut()?.push_str(&part),
            Event::GeneralRef(name) if inside => match name.resolve_char_ref() {
                Ok(Some(char)) => text.as_mut()?.push(char),
                _ => text
                    .as_mut()?
                    .push_str(quick_xml::escape::resolve_xml_entity(&name).unwrap_or_default()),
            },
            Event::Eof => return None,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_again_for_the_same_account_alone() {
        let key = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
        let crypt = Crypt::new(key, "wx1").unwrap();
        for text in ["", "<xml>你好</xml>", &"x".repeat(3_000)] {
            let sealed = crypt.seal(text, "token", "1790000000", "n", [7; PREFIX]);
            let signature = field(sealed.as_bytes(), "MsgSignature").unwrap();
            let query = format!("timestamp=1790000000&nonce=n&msg_signature={signature}");
            let tokens = ["old".to_owned(), "token".to_owned()];
            let open = |crypt: &Crypt, now_s| crypt.open(&query, sealed.as_bytes(), &tokens, now_s);
            assert_eq!(open(&crypt, 1_790_000_100).as_deref(), Ok(text));
            assert_eq!(open(&crypt, 1_790_000_301), Err(Rejected::Stale));
            assert_eq!(
                open(&Crypt::new(key, "wx2").unwrap(), 1_790_000_000),
                Err(Rejected::Forged)
            );
        }
        assert!(Crypt::new("short", "wx1").is_none());
    }

    #[test]
    fn only_elements_below_the_root_are_read() {
        let xml = b"<xml><a><b>1</b></a><b><![CDATA[2&]]></b><!DOCTYPE x><c>&x;</c></xml>";
        assert_eq!(field(xml, "b").as_deref(), Some("2&"));
        assert_eq!(field(b"<xml><b>", "b"), None);
        assert_eq!(field(b"</b></b>", "b"), None);
        assert_eq!(field(b"not xml", "b"), None);
    }
}
