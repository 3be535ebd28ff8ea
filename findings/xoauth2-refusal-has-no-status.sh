#!/usr/bin/env bash
# Expected: an access token that a mail server refuses is an authentication error with the server's
# status, 535, as a wrong password is.
# Instead: Google's SMTP server answers a refused XOAUTH2 token with one more question (334 and why,
# in Base64), which the client is to answer with an empty line before 535 comes. lettre 0.11.23
# answers no question in XOAUTH2: the error is one of the client's own, without a status, neither
# permanent nor transient, and the server's reason is lost.
# Why it matters: an expired token looks like a fault of the connection. A sender that stops at
# refused credentials and tries again after broken connections tries again for ever.
# Frontdesk: takes this error for 535 where the account has access tokens (src/channels/smtp.rs).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "finding"
version = "0.1.0"
edition = "2021"
[dependencies]
lettre = { version = "=0.11.23", default-features = false, features = ["smtp-transport", "builder"] }
TOML
cat > src/main.rs <<'RS'
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::SmtpTransport;

/// A mail server that refuses every token; `asks` does it as Google documents it.
fn server(asks: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut out, _) = listener.accept().unwrap();
        let lines = BufReader::new(out.try_clone().unwrap()).lines();
        out.write_all(b"220 mail.example\r\n").unwrap();
        for line in lines.map_while(Result::ok) {
            let said = match line.split(' ').next().unwrap() {
                "EHLO" => "250-mail.example\r\n250 AUTH XOAUTH2\r\n",
                // {"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}
                "AUTH" if asks => concat!(
                    "334 eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL",
                    "21haWwuZ29vZ2xlLmNvbS8ifQ==\r\n"
                ),
                "AUTH" | "" => "535-5.7.8 Username and Password not accepted.\r\n535 5.7.8 no\r\n",
                _ => "250 ok\r\n",
            };
            if out.write_all(said.as_bytes()).is_err() {
                return;
            }
        }
    });
    port
}

fn main() {
    for asks in [false, true] {
        let mailer = SmtpTransport::builder_dangerous("127.0.0.1")
            .port(server(asks))
            .credentials(Credentials::new("a@shop.example".into(), "expired".into()))
            .authentication(vec![Mechanism::Xoauth2])
            .build();
        let error = mailer.test_connection().unwrap_err();
        let (status, client) = (error.status().map(u16::from), error.is_client());
        println!("asks: {asks}: status {status:?}, client's own {client}: {error}");
        assert_eq!(status, if asks { None } else { Some(535) });
        assert_eq!((client, error.is_permanent()), (asks, !asks));
    }
}
RS
CARGO_TARGET_DIR="$work/target" cargo run --quiet
echo "as described"
