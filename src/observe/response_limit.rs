//! Limits the size of responses from AWS.

use std::error::Error;

use aws_sdk_iam::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_iam::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_iam::error::BoxError;
use aws_smithy_types::body::SdkBody;
use http_body_util::{LengthLimitError, Limited};

/// The largest response body, in bytes. The largest responses from IAM are the credential report of
/// 5 000 users and a page of 1 000 users with their policies: a few megabytes.
const MAX_RESPONSE_BYTES: usize = 64 * 1024 * 1024;

pub(super) const TOO_LARGE_MESSAGE: &str =
    "the response is larger than 64 MiB; AWS does not send responses of that size";

/// Fails the request when the response body is too large.
#[derive(Debug)]
pub(crate) struct LimitResponseSize;

impl Intercept for LimitResponseSize {
    fn name(&self) -> &'static str {
        "LimitResponseSize"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response_mut().body_mut();
        let whole = std::mem::replace(body, SdkBody::taken());
        *body = SdkBody::from_body_1_x(Limited::new(whole, MAX_RESPONSE_BYTES));
        Ok(())
    }
}

/// Whether the error means that the response was too large.
pub(super) fn is_exceeded(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<LengthLimitError>() {
            return true;
        }
        next = error.source();
    }
    false
}
