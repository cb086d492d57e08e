//! AWS settings in environment variables. They are checked first, because the SDK ignores or panics
//! on malformed values.
//!
//! Sources: "Environment variables to configure the AWS CLI", AWS CLI User Guide, and "Settings
//! reference", AWS SDKs and Tools Reference Guide.

use std::collections::BTreeMap;
use std::net::IpAddr;

use http::Uri;

use super::error::SessionError;

const REGIONS: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];
/// The AWS CLI also reads the second variable.
const PROFILES: [&str; 2] = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"];
/// URLs of the services and of credential providers.
const ENDPOINTS: [&str; 8] = [
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_IAM",
    "AWS_ENDPOINT_URL_STS",
    "AWS_ENDPOINT_URL_SSO",
    "AWS_ENDPOINT_URL_SSO_OIDC",
    "AWS_ENDPOINT_URL_SIGNIN",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    CONTAINER,
];
/// Where a container, or a local program in its place, gets its credentials.
pub(super) const CONTAINER: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const BOOLEANS: [&str; 3] =
    ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"];
const PROXIES: [&str; 6] =
    ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// Environment variables. An empty variable counts as not set.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    #[must_use]
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(variables.into_iter().filter(|(_, value)| !value.is_empty()).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The first of these variables that is set, with its value.
    fn first(&self, names: &[&'static str]) -> Option<(&'static str, &str)> {
        names.iter().find_map(|name| Some((*name, self.get(name)?)))
    }

    pub(super) fn region(&self) -> Option<&str> {
        self.first(&REGIONS).map(|(_, region)| region)
    }

    /// The selected profile, with the variable that selects it.
    pub(super) fn profile(&self) -> Option<(&'static str, &str)> {
        self.first(&PROFILES)
    }

    /// Whether the environment contains access keys. They take precedence over a profile.
    pub(super) fn has_access_key(&self) -> bool {
        self.get("AWS_ACCESS_KEY_ID").is_some()
    }

    /// Whether container credentials come from a program on this machine. The AWS endpoints for
    /// containers have other addresses.
    pub(super) fn has_local_container(&self) -> bool {
        let Some(uri) = self.get(CONTAINER).and_then(|text| text.parse::<Uri>().ok()) else {
            return false;
        };
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let is_local = host.eq_ignore_ascii_case("localhost")
            || host.parse::<IpAddr>().is_ok_and(|it| it.is_loopback());
        // The relative URI takes precedence, and always points to AWS.
        is_local && self.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").is_none()
    }

    /// Whether the environment has a web identity token. It takes precedence over container
    /// credentials.
    pub(super) fn has_token(&self) -> bool {
        self.get("AWS_WEB_IDENTITY_TOKEN_FILE").is_some() && self.get("AWS_ROLE_ARN").is_some()
    }

    /// Checks all variables for invalid values.
    pub(super) fn check(&self) -> Result<(), SessionError> {
        let refuse = |name: &str, problem: &str| Err(SessionError::setting(name, problem));
        let given = |names: &'static [&str]| {
            names.iter().filter_map(|name| self.get(name).map(|value| (*name, value)))
        };
        for (name, value) in given(&REGIONS) {
            if !is_region(value) {
                return refuse(name, INVALID_REGION);
            }
        }
        for (name, value) in given(&ENDPOINTS) {
            if !is_address(value) {
                return refuse(name, INVALID_ENDPOINT);
            }
        }
        for (name, value) in given(&BOOLEANS) {
            if !["true", "false"].iter().any(|it| value.eq_ignore_ascii_case(it)) {
                return refuse(name, "must be true or false");
            }
        }
        for (name, value) in given(&PROXIES) {
            if !is_proxy(value) {
                return refuse(name, "is not a proxy URL such as http://HOST:PORT");
            }
        }
        if self.has_access_key() && self.get("AWS_SECRET_ACCESS_KEY").is_none() {
            return refuse("AWS_SECRET_ACCESS_KEY", "must be set together with AWS_ACCESS_KEY_ID");
        }
        Ok(())
    }
}

pub(super) const INVALID_REGION: &str = "is not a Region name such as eu-central-1";
pub(super) const INVALID_ENDPOINT: &str = "is not a URL that starts with http:// or https://";

/// Whether the text can be a region. It becomes part of host names.
pub(super) fn is_region(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(plain)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Whether the text is an HTTP URL.
pub(super) fn is_address(text: &str) -> bool {
    text.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
    })
}

/// Whether the text is a proxy URL. The scheme is optional.
fn is_proxy(text: &str) -> bool {
    text.parse::<Uri>().is_ok_and(|uri| uri.host().is_some_and(|host| !host.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(name: &str, value: &str) -> String {
        let environment = Environment::new([(name.to_owned(), value.to_owned())]);
        environment.check().unwrap_err().to_string()
    }

    #[test]
    fn errors_name_a_malformed_variable_without_its_value() {
        for (name, value) in [
            ("AWS_REGION", "Frank furt"),
            ("AWS_DEFAULT_REGION", "-eu"),
            ("AWS_ENDPOINT_URL", "localhost:4566"),
            ("AWS_ENDPOINT_URL_IAM", "http://"),
            ("AWS_ENDPOINT_URL_STS", "geheim"),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "/creds"),
            ("AWS_USE_FIPS_ENDPOINT", "yes"),
            ("HTTPS_PROXY", "http://user:geheim@ host"),
            ("http_proxy", "://"),
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ] {
            let error = error(name, value);
            assert!(error.contains(name), "{name}: {error}");
            assert!(!error.contains("geheim") && !error.contains("AKIA"), "{error}");
        }
    }

    #[test]
    fn valid_variables_pass_and_empty_ones_count_as_unset() {
        let variables = [
            ("AWS_REGION", ""),
            ("AWS_DEFAULT_REGION", "eusc-de-east-1"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
            ("AWS_ENDPOINT_URL_IAM", ""),
            ("AWS_USE_FIPS_ENDPOINT", "True"),
            ("HTTPS_PROXY", "proxy.example.com:3128"),
            ("http_proxy", "http://user:word@proxy.example.com:3128/"),
            ("AWS_ACCESS_KEY_ID", ""),
            ("AWS_DEFAULT_PROFILE", "dev"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let environment = Environment::new(variables);
        assert_eq!(environment.check(), Ok(()));
        assert_eq!(environment.region(), Some("eusc-de-east-1"));
        assert_eq!(environment.profile(), Some(("AWS_DEFAULT_PROFILE", "dev")));
        assert!(!environment.has_access_key());
    }
}
