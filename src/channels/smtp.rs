//! E-mail on its way out: one message to the account's mail server.

use std::time::Duration;

use anyhow::Context as _;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Message, SmtpTransport, Transport as _};

use super::Account;
use super::event::{Mail, NoAnswer};
use crate::address::resolve;
use crate::site::channel::mail_address;

const TIMEOUT: Duration = Duration::from_secs(30);

/// Sends a message; the server's status and what it said.
///
/// # Errors
/// When the server gives no answer, or the message can't be written.
pub(super) async fn send(account: &Account, mail: &Mail) -> Result<(u16, String), NoAnswer> {
    let unsent = |error: anyhow::Error| NoAnswer { why: format!("{error:#}"), sent: false };
    let message = match written(&account.config.sender, mail) {
        Ok(message) => message,
        // Its address can't be written to: 553 says so in SMTP.
        Err(error) => return Ok((553, format!("5.1.3 {error:#}"))),
    };
    let transport = transport(account, &mail.credential).await.map_err(unsent)?;
    // The library waits for its sockets, each time for a bounded while.
    let sent = tokio::task::spawn_blocking(move || transport.send(&message)).await;
    match sent.map_err(|error| NoAnswer { why: error.to_string(), sent: true })? {
        Ok(response) => {
            Ok((u16::from(response.code()), response.message().collect::<Vec<_>>().join(" ")))
        }
        Err(error) => match error.status() {
            Some(code) => Ok((u16::from(code), said(&error))),
            None if refused_token(account, &error) => {
                Ok((535, "5.7.8 the server doesn't take the access token".to_owned()))
            }
            None => Err(NoAnswer { sent: may_have_arrived(&error), why: error.to_string() }),
        },
    }
}

/// Whether the server takes the account's credentials: a password, or an access token.
///
/// # Errors
/// When it can't be reached or refuses them.
pub(super) async fn check(account: &Account, credential: &str) -> anyhow::Result<()> {
    let transport = transport(account, credential).await?;
    let tested = tokio::task::spawn_blocking(move || transport.test_connection()).await?;
    let well = tested.context("the mail server refuses the account")?;
    anyhow::ensure!(well, "the mail server doesn't answer");
    Ok(())
}

async fn transport(account: &Account, credential: &str) -> anyhow::Result<SmtpTransport> {
    let url = reqwest::Url::parse(&account.base_url).context("base_url is no address")?;
    let host =
        url.host_str().context("base_url names no host")?.trim_matches(['[', ']']).to_owned();
    let wrapped = url.scheme() == "smtps";
    let allow_private = account.config.allow_private;
    let port = url.port().unwrap_or(if wrapped { 465 } else { 587 });
    let mut found = resolve(&host, port, allow_private).await?;
    // Many machines have no way out by IPv6.
    found.sort_by_key(std::net::SocketAddr::is_ipv6);
    let address = found.first().context("the host has no address")?.ip();
    let mut parameters = TlsParameters::builder(host);
    if let Some(path) = &account.config.ca_file {
        let read = async || anyhow::Ok(Certificate::from_pem(&tokio::fs::read(path).await?)?);
        let authority = read().await.with_context(|| format!("ca_file {}", path.display()))?;
        parameters = parameters.add_root_certificate(authority);
    }
    let parameters = parameters.build()?;
    let tls = match (wrapped, allow_private) {
        (true, _) => Tls::Wrapper(parameters),
        (false, false) => Tls::Required(parameters),
        // A relay of one's own network may have no certificate.
        (false, true) => Tls::Opportunistic(parameters),
    };
    let sender = mail_address(&account.config.sender);
    let domain = sender.rsplit_once('@').map_or("localhost", |(_, domain)| domain).to_owned();
    let builder = SmtpTransport::builder_dangerous(address.to_string())
        .port(port)
        .tls(tls)
        .timeout(Some(TIMEOUT))
        .hello_name(ClientId::Domain(domain));
    Ok(match credential {
        "" => builder.build(),
        password => {
            let user = &account.config.smtp_user;
            let user = if user.is_empty() { sender } else { user.clone() };
            let builder = builder.credentials(Credentials::new(user, password.to_owned()));
            match account.oauth {
                Some(_) => builder.authentication(vec![Mechanism::Xoauth2]).build(),
                None => builder.build(),
            }
        }
    })
}

fn written(sender: &str, mail: &Mail) -> anyhow::Result<Message> {
    let bracketed = |id: &String| format!("<{id}>");
    let mut builder = Message::builder()
        .from(sender.parse().context("`sender` is no e-mail address")?)
        .to(mail.to.parse().with_context(|| format!("{:?} is no e-mail address", mail.to))?)
        .subject(mail.subject.clone())
        .message_id(Some(bracketed(&mail.id)));
    if let Some(last) = mail.references.last() {
        builder = builder.in_reply_to(bracketed(last));
        builder =
            builder.references(mail.references.iter().map(bracketed).collect::<Vec<_>>().join(" "));
    }
    // RFC 3834, and what Exchange goes by: no machine is to answer.
    let marks: &[(&'static str, &str)] = match mail.automatic {
        true => &[("Auto-Submitted", "auto-replied"), ("X-Auto-Response-Suppress", "All")],
        false => &[],
    };
    for (name, value) in marks {
        let name = HeaderName::new_from_ascii((*name).to_owned()).context("a header's name")?;
        builder = builder.raw_header(HeaderValue::new(name, (*value).to_owned()));
    }
    Ok(builder.header(lettre::message::header::ContentType::TEXT_PLAIN).body(mail.text.clone())?)
}

/// What the server said, which stands behind the status.
fn said(error: &lettre::transport::smtp::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// Google refuses an access token by one more question, which says why and is to be answered by
/// nothing. The library answers no questions in XOAUTH2, and has no status for it.
fn refused_token(account: &Account, error: &lettre::transport::smtp::Error) -> bool {
    account.oauth.is_some() && error.is_client() && said(error).contains("challenge")
}

/// Whether the server may have taken the message although no answer came.
fn may_have_arrived(error: &lettre::transport::smtp::Error) -> bool {
    let mut inner: Option<&dyn std::error::Error> = Some(error);
    let mut refused = false;
    while let Some(now) = inner {
        refused |= now.downcast_ref::<std::io::Error>().is_some_and(|error| {
            use std::io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
            matches!(error.kind(), ConnectionRefused | HostUnreachable | NetworkUnreachable)
        });
        inner = now.source();
    }
    !(refused || error.is_client() || error.is_tls())
}
