use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use std::os::unix::fs::PermissionsExt as _;

use super::{Claims, TokenError, Tokens, key};

fn tokens(url: &str) -> Tokens {
    Tokens::open(&url.parse().unwrap(), None).unwrap()
}

fn claims(tokens: &Tokens) -> Claims {
    tokens.issue(None, Vec::new()).1
}

#[test]
fn a_token_of_ours_is_taken_and_no_other() {
    let tokens = tokens("https://crowsnest.example");
    let (token, claims) = tokens.issue(None, Vec::new());
    assert_eq!(tokens.verify(&token), Ok(Arc::new(claims.clone())));
    assert_eq!(claims.aud, "crowsnest.example");
    assert!((60..=300).contains(&(claims.exp - claims.iat)));

    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("{token}") };
    let none = BASE64.encode(r#"{"alg":"none","typ":"JWT"}"#);
    let hs256 = BASE64.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let longer = BASE64.encode(serde_json::json!(Claims { exp: claims.exp + 9999, ..claims }).to_string());
    for forged in [
        String::new(),
        "x".into(),
        "..".into(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{none}.{payload}."),
        format!("{none}.{payload}.{signature}"),
        format!("{hs256}.{payload}.{signature}"),
        format!("{header}.{longer}.{signature}"),
        format!("{header}.{payload}.{}", BASE64.encode([1; 64])),
        self::tokens("https://crowsnest.example").issue(None, Vec::new()).0,
    ] {
        assert_eq!(tokens.verify(&forged), Err(TokenError::Foreign), "{forged}");
    }
}

#[test]
fn another_service_and_yesterday_are_refused() {
    let key = key::random();
    let ours = Tokens::with_key(&"https://crowsnest.example".parse().unwrap(), key.clone());
    let other = Tokens::with_key(&"https://crowsnest.example:8443".parse().unwrap(), key);
    assert_eq!(ours.verify(&other.issue(None, Vec::new()).0), Err(TokenError::WrongService));
    let now = chrono::Utc::now().timestamp();
    let expired = Claims { exp: now, iat: now - 300, ..claims(&ours) };
    assert_eq!(ours.verify(&ours.sign(&expired)), Err(TokenError::Expired));
}

#[test]
fn the_key_is_made_once_and_for_us_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token.key");
    let url = "https://crowsnest.example".parse().unwrap();
    let first = Tokens::open(&url, Some(&file)).unwrap();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let again = Tokens::open(&url, Some(&file)).unwrap();
    assert!(again.verify(&first.issue(None, Vec::new()).0).is_ok());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside the key");
    std::fs::write(&file, "not a key").unwrap();
    assert!(Tokens::open(&url, Some(&file)).is_err_and(|error| error.to_string().contains("token.key")));
    assert!(Tokens::open(&url, Some(&folder.path().join("no/such/folder"))).is_err());
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(Tokens::open(&url, Some(&file)).is_err_and(|error| error.to_string().contains("can be read by others")));
}
