//! What the receiving mail server found out about a message's sender: `Authentication-Results` (RFC
//! 8601). Pure.
//!
//! Anybody can write that header into a message. The server that receives it puts its own on top,
//! under the name that stands first in it, and takes out what others wrote under that name; so the
//! topmost one of that name is believed.

use mail_parser::Message;

/// What DMARC, SPF and DKIM came to (RFC 7489, RFC 7208, RFC 6376); false where nothing says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Found {
    dmarc_failed: bool,
    dmarc_passed: bool,
    spf_failed: bool,
    dkim_passed: bool,
}

/// Whether the sender's own domain, or its mail server's address, says that the message isn't
/// theirs. A domain that says nothing fails nothing: small ones do.
pub(super) fn is_forged(message: &Message<'_>, authserv_id: &str) -> bool {
    let mut found = Found::default();
    let headers = message
        .headers_raw()
        .skip_while(|(name, value)| !is_result(name) || !is_of(value, authserv_id));
    // A server that has one program for each check writes a header for each.
    for (_, value) in
        headers.take_while(|(name, value)| is_result(name) && is_of(value, authserv_id))
    {
        read(value, &mut found);
    }
    if found.dmarc_failed {
        return true;
    }
    // Forwarding breaks SPF alone, and what DKIM signed still holds.
    found.spf_failed && !found.dkim_passed && !found.dmarc_passed
}

fn is_result(name: &str) -> bool {
    name.eq_ignore_ascii_case("Authentication-Results")
}

fn is_of(value: &str, authserv_id: &str) -> bool {
    let plain = without_comments(value);
    let name =
        plain.split(';').next().unwrap_or_default().split_whitespace().next().unwrap_or_default();
    name.trim_matches('"').eq_ignore_ascii_case(authserv_id)
}

fn read(value: &str, found: &mut Found) {
    let plain = without_comments(value).to_ascii_lowercase();
    for result in plain.split(';').skip(1) {
        // `dkim/1 = pass header.d=…`: only the method and its result count.
        let Some((method, rest)) = result.split_once('=') else { continue };
        let method = method.split('/').next().unwrap_or_default().trim();
        match (method, rest.split_whitespace().next().unwrap_or_default()) {
            ("dmarc", "fail") => found.dmarc_failed = true,
            ("dmarc", "pass") => found.dmarc_passed = true,
            ("spf", "fail" | "hardfail") => found.spf_failed = true,
            ("dkim", "pass") => found.dkim_passed = true,
            _ => {}
        }
    }
}

/// Comments stand in brackets, which may hold brackets (RFC 5322, section 3.2.2), and may hold
/// semicolons.
fn without_comments(value: &str) -> String {
    let (mut plain, mut depth, mut quoted, mut escaped) = (String::new(), 0_usize, false, false);
    for c in value.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted || depth > 0 => escaped = true,
            '"' if depth == 0 => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted && depth > 0 => depth -= 1,
            // What is quoted is a value, and never a method or its result.
            _ if depth > 0 || (quoted && c == ';') => {}
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use mail_parser::MessageParser;

    use super::*;

    fn check(headers: &str, forged: bool) {
        let raw = format!("Received: by store\n{headers}\nFrom: ann@mail.example\n\nhi")
            .replace('\n', "\r\n");
        let message = MessageParser::default().parse(raw.as_bytes()).unwrap();
        assert_eq!(is_forged(&message, "mx.shop.example"), forged, "{headers}");
    }

    #[test]
    fn only_the_own_server_s_word_counts() {
        let own = "Authentication-Results: mx.shop.example";
        check("Subject: x", false);
        check(&format!("{own}; none"), false);
        check(&format!("{own}; dmarc=fail (p=reject; dis=none) header.from=mail.example"), true);
        check(
            &format!(
                "{own} 1;\n\tspf=pass smtp.mailfrom=x;\n\tdkim=fail reason=\"a; dmarc=pass\";\n\tDMARC = Fail"
            ),
            true,
        );
        check(&format!("{own}; dmarc=pass header.from=mail.example; spf=fail"), false);
        check(&format!("{own}; spf=fail smtp.mailfrom=bank.example; dkim=none"), true);
        check(
            &format!("{own}; spf=fail smtp.mailfrom=list.example; dkim=pass header.d=mail.example"),
            false,
        );
        check(&format!("{own}; spf=softfail; dkim=none; dmarc=none"), false);
        // A header for each check.
        check(&format!("{own}; spf=pass\n{own}; dmarc=fail"), true);
        // Somebody else's word, above or below, changes nothing, nor does one of ours that came
        // with the message.
        check(
            &format!("Authentication-Results: mx.bank.example; dmarc=pass\n{own}; dmarc=fail"),
            true,
        );
        check("Authentication-Results: mx.bank.example; dmarc=fail", false);
        check(&format!("{own}; spf=fail\nReceived: from bad\n{own}; dmarc=pass; dkim=pass"), true);
        check("Authentication-Results: (mx.shop.example) x.example; dmarc=fail", false);
    }
}
