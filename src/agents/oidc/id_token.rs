//! Whether an ID token is this sign-in's (OpenID Connect Core 1.0, section 3.1.3.7), and who it
//! says came. Pure; its signature was checked before.

use serde_json::Value;

use crate::secret::key_hash;

/// How far the issuer's clock may be from ours, in seconds.
const LEEWAY_S: u64 = 60;
/// The longest subject that the standard allows, in bytes.
const MAX_SUBJECT: usize = 255;

/// What the token is checked against.
#[derive(Clone, Copy)]
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) groups_claim: &'a str,
    pub(super) now_s: u64,
}

/// Why it isn't. The texts are for the operator's log and quote nothing of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    #[error("its `iss` isn't oidc.issuer")]
    Issuer,
    #[error("its `aud` or `azp` isn't oidc.client_id: it was made for another application")]
    Audience,
    #[error("it is over: `exp` is past; is a clock wrong?")]
    Expired,
    #[error("its `iat` or `nbf` is ahead; is a clock wrong?")]
    Early,
    #[error("its `nonce` is another sign-in's")]
    Nonce,
    #[error("it has no `sub` of 1 to 255 bytes")]
    Subject,
}

/// Somebody whom the issuer vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// SHA-256 of issuer and subject: who it is, whatever the name and the address become.
    pub key: String,
    /// In lower case; only one that the issuer says it verified.
    pub email: Option<String>,
    /// `preferred_username`, in lower case.
    pub username: Option<String>,
    pub name: Option<String>,
    pub groups: Vec<String>,
    /// Whether the issuer says that it asked for more than one factor (RFC 8176).
    pub several_factors: bool,
}

/// # Errors
/// See [`Wrong`].
pub(super) fn check(claims: &Value, expected: &Expected<'_>) -> Result<Person, Wrong> {
    let issuer = claims["iss"].as_str().filter(|issuer| *issuer == expected.issuer);
    let issuer = issuer.ok_or(Wrong::Issuer)?;
    let audience = texts(&claims["aud"]);
    let party = &claims["azp"];
    let ours = audience.iter().any(|one| one == expected.client_id)
        && (party == expected.client_id || party.is_null() && audience.len() == 1);
    if !ours {
        return Err(Wrong::Audience);
    }
    let second = |name: &str| claims[name].as_u64();
    let now_s = expected.now_s;
    if second("exp").is_none_or(|exp| exp.saturating_add(LEEWAY_S) <= now_s) {
        return Err(Wrong::Expired);
    }
    if ["iat", "nbf"].iter().any(|name| second(name).is_some_and(|at| at > now_s + LEEWAY_S)) {
        return Err(Wrong::Early);
    }
    if claims["nonce"] != expected.nonce {
        return Err(Wrong::Nonce);
    }
    let subject = claims["sub"].as_str().unwrap_or_default();
    if !(1..=MAX_SUBJECT).contains(&subject.len()) {
        return Err(Wrong::Subject);
    }
    let text = |name: &str| {
        claims[name].as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    // Some issuers write truth as a text.
    let verified = claims["email_verified"] == true || claims["email_verified"] == "true";
    Ok(Person {
        key: key_hash(&format!("{issuer}\n{subject}")),
        email: text("email").filter(|_| verified).map(|email| email.to_lowercase()),
        username: text("preferred_username").map(|name| name.to_lowercase()),
        name: text("name"),
        groups: texts(claim(claims, expected.groups_claim)),
        several_factors: texts(&claims["amr"]).iter().any(|method| method == "mfa"),
    })
}

/// One text or several.
fn texts(value: &Value) -> Vec<String> {
    let listed = value.as_array().into_iter().flatten();
    listed.chain([value]).filter_map(|one| one.as_str().map(str::to_owned)).collect()
}

/// A claim by its name; where there is none of that name, by its path: Keycloak keeps roles in
/// `realm_access.roles`, and others have addresses as names.
fn claim<'a>(claims: &'a Value, name: &str) -> &'a Value {
    match &claims[name] {
        Value::Null => name.split('.').fold(claims, |within, part| &within[part]),
        found => found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW_S: u64 = 1_700_000_000;

    fn claims() -> Value {
        json!({
            "iss": "https://id.example", "aud": "desk", "sub": "7", "nonce": "n",
            "exp": NOW_S + 300, "iat": NOW_S,
        })
    }

    fn checked(change: impl FnOnce(&mut Value)) -> Result<Person, Wrong> {
        let mut claims = claims();
        change(&mut claims);
        let expected = Expected {
            issuer: "https://id.example",
            client_id: "desk",
            nonce: "n",
            groups_claim: "realm_access.roles",
            now_s: NOW_S,
        };
        check(&claims, &expected)
    }

    #[test]
    fn each_claim_is_looked_at() {
        let check = |name: &str, value: Value, expected: Option<Wrong>| {
            let found = checked(|claims| claims[name] = value.clone());
            assert_eq!(found.err(), expected, "{name} {value}");
        };
        check("iss", json!("https://id.example"), None);
        check("iss", json!("https://id.example/"), Some(Wrong::Issuer));
        check("iss", Value::Null, Some(Wrong::Issuer));
        check("aud", json!(["desk"]), None);
        check("aud", json!("shop"), Some(Wrong::Audience));
        check("aud", json!([]), Some(Wrong::Audience));
        // Of several, the token says for whom it was made.
        check("aud", json!(["desk", "shop"]), Some(Wrong::Audience));
        check("azp", json!("desk"), None);
        check("azp", json!("shop"), Some(Wrong::Audience));
        check("exp", json!(NOW_S - LEEWAY_S), Some(Wrong::Expired));
        check("exp", json!(NOW_S - LEEWAY_S + 1), None);
        check("exp", Value::Null, Some(Wrong::Expired));
        check("exp", json!("never"), Some(Wrong::Expired));
        check("iat", json!(NOW_S + LEEWAY_S + 1), Some(Wrong::Early));
        check("nbf", json!(NOW_S + LEEWAY_S + 1), Some(Wrong::Early));
        check("nonce", json!("m"), Some(Wrong::Nonce));
        check("nonce", Value::Null, Some(Wrong::Nonce));
        check("sub", json!(""), Some(Wrong::Subject));
        check("sub", json!("x".repeat(256)), Some(Wrong::Subject));
        let both = checked(|claims| {
            claims["aud"] = json!(["shop", "desk"]);
            claims["azp"] = json!("desk");
        });
        assert!(both.is_ok());
    }

    #[test]
    fn an_address_counts_only_where_it_was_verified() {
        let email = |verified: Value| {
            let person = checked(|claims| {
                claims["email"] = json!("Mara@Shop.example");
                claims["email_verified"] = verified;
            });
            person.unwrap().email
        };
        assert_eq!(email(json!(true)).as_deref(), Some("mara@shop.example"));
        assert_eq!(email(json!("true")).as_deref(), Some("mara@shop.example"));
        for unverified in [json!(false), json!("false"), Value::Null, json!(1)] {
            assert_eq!(email(unverified), None);
        }
    }

    #[test]
    fn who_it_is_goes_by_issuer_and_subject_and_groups_are_found_below() {
        let person = checked(|claims| {
            claims["realm_access"] = json!({ "roles": ["support"] });
            claims["amr"] = json!(["pwd", "mfa"]);
        })
        .unwrap();
        assert_eq!(person.groups, ["support"]);
        assert!(person.several_factors);
        let renamed = checked(|claims| claims["name"] = json!("Mara")).unwrap();
        assert_eq!((renamed.key.len(), renamed.name.as_deref()), (64, Some("Mara")));
        assert_eq!(renamed.key, person.key);
        assert_ne!(checked(|claims| claims["sub"] = json!("8")).unwrap().key, person.key);
        assert!(!renamed.several_factors && renamed.groups.is_empty());
        let named = checked(|claims| claims["realm_access.roles"] = json!("boss")).unwrap();
        assert_eq!(named.groups, ["boss"]);
    }
}
