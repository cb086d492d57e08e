//! What the environment says about AWS, checked before anything goes by it: the SDK ignores a
//! malformed variable, or panics over it.
//!
//! Sources: "Environment variables to configure the AWS CLI", AWS CLI User Guide, and "Settings
//! reference", AWS SDKs and Tools Reference Guide.

use std::collections::BTreeMap;
use std::net::IpAddr;

use http::Uri;

use super::error::SessionError;

const REGIONS: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];
/// The second one is what the AWS CLI has read since its first version.
const PROFILES: [&str; 2] = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"];
/// Addresses of the services that are called, and of what hands out credentials.
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
/// Where a container, or a program that stands in for one, hands out credentials.
pub(super) const CONTAINER: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const BOOLEANS: [&str; 3] =
    ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"];
const PROXIES: [&str; 6] =
    ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// The variables of the environment. One that is empty is not set.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The environment with these variables.
    #[must_use]
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(variables.into_iter().filter(|(_, value)| !value.is_empty()).collect())
    }

    /// The value of a variable.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The first of the variables that is set, with its value.
    fn first(&self, names: &[&'static str]) -> Option<(&'static str, &str)> {
        names.iter().find_map(|name| Some((*name, self.get(name)?)))
    }

    /// The region.
    pub(super) fn region(&self) -> Option<&str> {
        self.first(&REGIONS).map(|(_, region)| region)
    }

    /// The profile that is asked for, with the variable that names it.
    pub(super) fn profile(&self) -> Option<(&'static str, &str)> {
        self.first(&PROFILES)
    }

    /// Whether the credentials themselves are in the environment, which come before any profile.
    pub(super) fn has_access_key(&self) -> bool {
        self.get("AWS_ACCESS_KEY_ID").is_some()
    }

    /// Whether credentials of a container come from a program on this machine: the endpoints of AWS
    /// have other addresses.
    pub(super) fn has_local_container(&self) -> bool {
        let Some(uri) = self.get(CONTAINER).and_then(|text| text.parse::<Uri>().ok()) else {
            return false;
        };
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let is_local = host.eq_ignore_ascii_case("localhost")
            || host.parse::<IpAddr>().is_ok_and(|it| it.is_loopback());
        // The relative address comes first, and is one of AWS.
        is_local && self.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").is_none()
    }

    /// Whether a token stands in the environment, which comes before any container.
    pub(super) fn has_token(&self) -> bool {
        self.get("AWS_WEB_IDENTITY_TOKEN_FILE").is_some() && self.get("AWS_ROLE_ARN").is_some()
    }

    /// Refuses a variable that cannot mean anything.
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
                return refuse(name, "is neither true nor false");
            }
        }
        for (name, value) in given(&PROXIES) {
            if !is_proxy(value) {
                return refuse(name, "is not the address of a proxy, such as http://HOST:PORT");
            }
        }
        if self.has_access_key() && self.get("AWS_SECRET_ACCESS_KEY").is_none() {
            return refuse("AWS_SECRET_ACCESS_KEY", "is not set, but AWS_ACCESS_KEY_ID is");
        }
        Ok(())
    }
}

pub(super) const INVALID_REGION: &str = "is not the name of a region, such as eu-central-1";
pub(super) const INVALID_ENDPOINT: &str = "is not an address that begins with http:// or https://";

/// Whether the text can be a region: it becomes a part of host names.
pub(super) fn is_region(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(plain)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Whether the text is the address of a service.
pub(super) fn is_address(text: &str) -> bool {
    text.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
    })
}

/// Whether the text is a proxy's address; the scheme may be left out.
fn is_proxy(text: &str) -> bool {
    text.parse::<Uri>().is_ok_and(|uri| uri.host().is_some_and(|host| !host.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str, value: &str) -> String {
        let environment = Environment::new([(name.to_owned(), value.to_owned())]);
        environment.check().unwrap_err().to_string()
    }

    #[test]
    fn a_malformed_variable_is_named_and_its_value_is_not_repeated() {
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
            let told = refused(name, value);
            assert!(told.contains(name), "{name}: {told}");
            assert!(!told.contains("geheim") && !told.contains("AKIA"), "{told}");
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
