//! How a site's chat looks and when it speaks up: `[sites.widget]`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use crate::protocol::MAX_MESSAGE_CHARS;

/// Largest logo. It is fetched by every visitor who opens the chat.
const MAX_LOGO: u64 = 64 * 1024;

/// More than fits on a phone without scrolling is a menu, not a quick reply.
const MAX_QUICK_REPLIES: usize = 6;

const MAX_RULES: usize = 32;

/// Longest text of an option, in Unicode scalar values.
const MAX_TEXT: usize = 600;

/// `[sites.widget]`: the chat on the site's pages.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct WidgetConfig {
    /// Colour of the button, the visitor's words and links, as `#rrggbb`. The ink on it and its
    /// shade on dark pages follow from it, so that contrast holds whatever is chosen.
    pub accent: String,
    pub theme: Theme,
    pub position: Position,
    /// False shows no button: the page opens the chat itself, by its JavaScript API.
    pub launcher: bool,
    /// PNG, JPEG or WebP of at most 64 KiB, shown at 36 pixels; left out, the title's first letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo: Option<PathBuf>,
    /// Heading of the chat; empty takes the site's name.
    pub title: String,
    /// First words to a visitor; empty takes the widget's own, in the visitor's language.
    pub greeting: String,
    /// Questions that a visitor can send with one click, at most 6.
    pub quick_replies: Vec<String>,
    /// Languages offered, as codes (`ar`, `de`, `en`, `es`, `fr`, `ja`, `zh`), the first of them
    /// where none fits the visitor; empty offers all there are.
    pub languages: Vec<String>,
    /// Sends what is being typed before it is sent, so that the answer can be prepared. The chat
    /// tells visitors so.
    pub draft: bool,
    /// Address of the privacy policy, named beside the notice that an AI answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privacy_url: Option<String>,
    /// Hosts that links in answers may lead to, beside those of cited sources. `shop.example` does
    /// not allow `www.shop.example`.
    pub link_hosts: Vec<String>,
    /// Texts in other languages, by code.
    pub translations: BTreeMap<String, Translation>,
    /// When the chat speaks up by itself; the first rule that fits a page counts, once a visit.
    pub proactive: Vec<ProactiveRule>,
}

/// `[sites.widget.translations.zh]`; what is empty stays as the widget itself has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Translation {
    pub title: String,
    pub greeting: String,
    pub quick_replies: Vec<String>,
}

/// `[[sites.widget.proactive]]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ProactiveRule {
    /// The page's path; `*` stands for any run of characters.
    pub path: String,
    /// Seconds that a visitor has been on the page.
    #[serde(default)]
    pub after_s: u32,
    /// Percent of the page that were scrolled through.
    #[serde(default)]
    pub scroll_percent: u8,
    /// What it says; the key of `texts` is a language's code.
    pub text: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub texts: BTreeMap<String, String>,
}

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// As the visitor's system has it.
    #[default]
    Auto,
    Light,
    Dark,
}

/// Lower corner of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Position {
    /// Where lines end: on the right in English.
    #[default]
    End,
    Start,
}

impl Default for WidgetConfig {
    fn default() -> Self {
        Self {
            accent: "#115e56".into(),
            theme: Theme::default(),
            position: Position::default(),
            launcher: true,
            logo: None,
            title: String::new(),
            greeting: String::new(),
            quick_replies: Vec::new(),
            languages: Vec::new(),
            draft: false,
            privacy_url: None,
            link_hosts: Vec::new(),
            translations: BTreeMap::new(),
            proactive: Vec::new(),
        }
    }
}

impl WidgetConfig {
    /// # Errors
    /// When an option makes no sense.
    pub fn validate(&self) -> anyhow::Result<()> {
        let hex = self.accent.strip_prefix('#').filter(|hex| hex.len() == 6);
        if hex.is_none_or(|hex| !hex.bytes().all(|b| b.is_ascii_hexdigit())) {
            bail!("widget.accent is {:?}; write a colour as #rrggbb", self.accent);
        }
        if let Some(url) = self
            .privacy_url
            .as_ref()
            .filter(|url| !url.starts_with("https://") && !url.starts_with("http://"))
        {
            bail!(
                "widget.privacy_url is {url:?}; write a whole address: https://shop.example/privacy"
            );
        }
        for code in self.languages.iter().chain(self.translations.keys()) {
            if !(2..=8).contains(&code.len())
                || !code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            {
                bail!("widget: {code:?} is no language code; write en, zh, …");
            }
        }
        for host in &self.link_hosts {
            if host.is_empty() || host.contains(['/', '*', '?', '#', '@', ' ']) {
                bail!(
                    "widget.link_hosts: {host:?} is no host; write shop.example, without https:// and without *"
                );
            }
        }
        let replies = |what: &str, replies: &[String]| {
            if replies.len() > MAX_QUICK_REPLIES {
                bail!("{what} has {} replies; at most {MAX_QUICK_REPLIES} fit", replies.len());
            }
            match replies.iter().find(|reply| {
                reply.trim().is_empty() || reply.chars().count() > MAX_MESSAGE_CHARS.min(120)
            }) {
                Some(reply) => bail!("{what}: {reply:?} has to have 1 to 120 characters"),
                None => Ok(()),
            }
        };
        replies("widget.quick_replies", &self.quick_replies)?;
        for (code, translation) in &self.translations {
            replies(
                &format!("widget.translations.{code}.quick_replies"),
                &translation.quick_replies,
            )?;
        }
        if self.proactive.len() > MAX_RULES {
            bail!("widget.proactive has {} rules; at most {MAX_RULES}", self.proactive.len());
        }
        for rule in &self.proactive {
            if !rule.path.starts_with(['/', '*']) {
                bail!("widget.proactive: the path {:?} has to begin with / or *", rule.path);
            }
            if rule.scroll_percent > 100 {
                bail!("widget.proactive: scroll_percent is {}; at most 100", rule.scroll_percent);
            }
            if rule.text.trim().is_empty() {
                bail!("widget.proactive: the rule for {:?} has no text", rule.path);
            }
        }
        let texts = [&self.title, &self.greeting]
            .into_iter()
            .chain(self.proactive.iter().flat_map(|rule| rule.texts.values().chain([&rule.text])));
        let translated = self.translations.values().flat_map(|one| [&one.title, &one.greeting]);
        if let Some(text) = texts.chain(translated).find(|text| text.chars().count() > MAX_TEXT) {
            bail!("widget: a text has {} characters; at most {MAX_TEXT}", text.chars().count());
        }
        if let Some(path) = &self.logo {
            logo_type(path)?;
        }
        Ok(())
    }

    /// True if the file named as logo can be served. Read again for each request, so that a new one
    /// needs no restart.
    ///
    /// # Errors
    /// When it can't be read or is too large.
    pub fn check_logo(&self) -> anyhow::Result<()> {
        let Some(path) = &self.logo else { return Ok(()) };
        let bytes = std::fs::metadata(path)
            .with_context(|| format!("widget.logo: can't read {}", path.display()))?
            .len();
        if bytes > MAX_LOGO {
            bail!("widget.logo: {} has {bytes} bytes; at most {MAX_LOGO}", path.display());
        }
        Ok(())
    }

    /// The logo as it stands on disk now: its media type and its bytes.
    ///
    /// # Errors
    /// When the site has none, or it can't be read or is too large.
    pub(crate) async fn read_logo(&self) -> Result<(&'static str, Vec<u8>), LogoError> {
        let path = self.logo.as_ref().ok_or(LogoError::None)?;
        let media_type = logo_type(path).map_err(|_| LogoError::None)?;
        let length = tokio::fs::metadata(path).await.map_or(u64::MAX, |metadata| metadata.len());
        if length > MAX_LOGO {
            return Err(LogoError::Unreadable);
        }
        let bytes = tokio::fs::read(path).await.map_err(|_| LogoError::Unreadable)?;
        Ok((media_type, bytes))
    }
}

/// Why no logo is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LogoError {
    #[error("this site has no logo")]
    None,
    #[error("the logo can't be read, or is larger than 64 KiB")]
    Unreadable,
}

fn logo_type(path: &Path) -> anyhow::Result<&'static str> {
    match path
        .extension()
        .and_then(|extension| extension.to_str())
        .map(str::to_ascii_lowercase)
        .as_deref()
    {
        Some("png") => Ok("image/png"),
        Some("jpg" | "jpeg") => Ok("image/jpeg"),
        Some("webp") => Ok("image/webp"),
        _ => bail!("widget.logo: {} has to be a .png, .jpg or .webp", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(toml: &str, expected: &str) {
        let error = match toml::from_str::<WidgetConfig>(toml) {
            Ok(widget) => format!("{:#}", widget.validate().unwrap_err()),
            Err(error) => error.to_string(),
        };
        assert!(error.contains(expected), "{toml}: {error}");
    }

    #[test]
    fn mistakes_are_named() {
        check("accent = \"green\"", "#rrggbb");
        check("accent = \"#12345g\"", "#rrggbb");
        check("positon = \"end\"", "positon");
        check("position = \"right\"", "end");
        check("quick_replies = [\" \"]", "1 to 120");
        check("quick_replies = [\"1\", \"2\", \"3\", \"4\", \"5\", \"6\", \"7\"]", "at most 6");
        check("link_hosts = [\"https://shop.example\"]", "without https://");
        check("languages = [\"中文\"]", "language code");
        check("logo = \"logo.svg\"", ".png, .jpg or .webp");
        check("privacy_url = \"javascript:alert(1)\"", "whole address");
        check("[[proactive]]\npath = \"products\"\ntext = \"Hi\"", "begin with /");
        check("[[proactive]]\npath = \"/\"\ntext = \"\"", "no text");
        check("[[proactive]]\npath = \"/\"\ntext = \"Hi\"\nscroll_percent = 101", "at most 100");
        check(&format!("greeting = \"{}\"", "x".repeat(601)), "601 characters");
        WidgetConfig::default().validate().unwrap();
    }
}
