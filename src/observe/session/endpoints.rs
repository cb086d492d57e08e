//! The service endpoints in a profile, which can be set per service.
//!
//! Source: "Service-specific endpoints", AWS SDKs and Tools Reference Guide.

use aws_config::SdkConfig;
use aws_types::service_config::ServiceConfigKey;

use super::environment::{INVALID_ENDPOINT, is_address};
use super::error::SessionError;
use super::profile::Profiles;

/// Checks that each endpoint is a URL. The SDK panics on an empty one.
pub(super) fn check(config: &SdkConfig, profiles: &Profiles) -> Result<(), SessionError> {
    for service in ["IAM", "STS"] {
        let key = ServiceConfigKey::builder()
            .service_id(service)
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build();
        let (Some(configured), Ok(key)) = (config.service_config(), key) else { continue };
        if configured.load_config(key).is_some_and(|url| !is_address(&url)) {
            let name = format!("{} for {service}", profiles.setting_name("endpoint_url"));
            return Err(SessionError::setting(&name, INVALID_ENDPOINT));
        }
    }
    Ok(())
}
