//! The endpoints that the SDK will call, where a profile names them: a service's own section may.
//!
//! Source: "Service-specific endpoints", AWS SDKs and Tools Reference Guide.

use aws_config::SdkConfig;
use aws_types::service_config::ServiceConfigKey;

use super::environment::{INVALID_ENDPOINT, is_address};
use super::error::SessionError;
use super::profile::Profiles;

/// Refuses an endpoint that is no address. The SDK panics over an empty one.
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
