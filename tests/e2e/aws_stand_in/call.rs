//! Calls in the AWS query protocol, and accessors for the responses.

use stand_ins::aws::Account;

/// The credentials of a call. The stand-in does not check signatures.
pub(crate) struct Credentials {
    pub(crate) access_key_id: String,
    pub(crate) session_token: String,
}

/// A response: its status, and its body as text.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    /// The text of the first element of this name; empty if there is none.
    pub(crate) fn text(&self, element: &str) -> String {
        self.texts(element).into_iter().next().unwrap_or_default()
    }

    /// The texts of all elements of this name.
    pub(crate) fn texts(&self, element: &str) -> Vec<String> {
        let (start, end) = (format!("<{element}>"), format!("</{element}>"));
        self.body
            .split(&start)
            .skip(1)
            .map(|rest| rest.split(&end).next().unwrap().to_owned())
            .collect()
    }

    /// The status and the error code.
    pub(crate) fn error(&self) -> (u16, String) {
        (self.status, self.text("Code"))
    }
}

impl Credentials {
    /// The credentials of the account's auditor.
    pub(crate) fn of(account: &Account) -> Self {
        let environment = account.environment();
        let value = |name: &str| {
            environment.iter().find(|(key, _)| key == name).expect("it is there").1.clone()
        };
        Self {
            access_key_id: value("AWS_ACCESS_KEY_ID"),
            session_token: value("AWS_SESSION_TOKEN"),
        }
    }

    /// The credentials in a response of STS.
    pub(crate) fn in_answer(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{}", answer.body);
        Self {
            access_key_id: answer.text("AccessKeyId"),
            session_token: answer.text("SessionToken"),
        }
    }

    /// The headers of a call that is signed with the credentials.
    pub(crate) fn headers(&self, service: &str) -> [(&'static str, String); 2] {
        let scope = format!("{}/20300101/us-east-1/{service}/aws4_request", self.access_key_id);
        [
            ("Authorization", format!("AWS4-HMAC-SHA256 Credential={scope}, Signature=0")),
            ("X-Amz-Security-Token", self.session_token.clone()),
        ]
    }

    /// Calls an action (such as `iam:ListUsers`) with form fields.
    pub(crate) fn call(&self, port: u16, action: &str, fields: &[(&str, &str)]) -> Answer {
        let (service, action) = action.split_once(':').unwrap();
        let headers = self.headers(service);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let (status, body) =
            stand_ins::aws::request(port, "POST /", &headers, form(action, fields).as_bytes());
        Answer { status, body: String::from_utf8(body).unwrap() }
    }
}

/// The port of the account's stand-in.
pub(crate) fn port(account: &Account) -> u16 {
    account.endpoint().rsplit_once(':').unwrap().1.parse().unwrap()
}

/// Calls an action (such as `iam:ListUsers`) as the account's auditor.
pub(crate) fn call(account: &Account, action: &str, fields: &[(&str, &str)]) -> Answer {
    Credentials::of(account).call(port(account), action, fields)
}

/// Calls an action without a signature.
pub(crate) fn unsigned(port: u16, action: &str, fields: &[(&str, &str)]) -> Answer {
    let (status, body) =
        stand_ins::aws::request(port, "POST /", &[], form(action, fields).as_bytes());
    Answer { status, body: String::from_utf8(body).unwrap() }
}

/// The body of a call.
pub(crate) fn form(action: &str, fields: &[(&str, &str)]) -> String {
    let mut form = format!("Action={action}&Version=2010-05-08");
    for (name, value) in fields {
        form.push_str(&format!("&{name}={}", encoded(value)));
    }
    form
}

/// The percent-encoded text.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let write = |byte: u8| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(write).collect()
}
